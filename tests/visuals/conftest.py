"""Fixtures of this folder; their module has a name of its own, so that tests can import from it."""

from visual_results import draft, result

__all__ = ["draft", "result"]
