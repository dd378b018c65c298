"""Thresholds, weights and rules as dated, cited data; profiles override the national file."""

from evalkit.policy.load import Policy, load

__all__ = ["Policy", "load"]
