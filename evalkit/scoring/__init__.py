"""Scores with a trace: rules, measures, the scorecard and its checks. Pure; no files."""
