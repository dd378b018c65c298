"""Indicator frameworks, and the approved indicator system of a project."""
