"""Fixtures of this folder; their module has a name of its own, so that tests can import from it."""

from word_results import photos, rendered, report_template

__all__ = ["photos", "rendered", "report_template"]
