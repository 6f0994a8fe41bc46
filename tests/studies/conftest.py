"""Fixtures of evaluations, defined beside the clips that they are made of."""

from synthetic import config, motion

__all__ = ["config", "motion"]
