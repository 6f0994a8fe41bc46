"""Spot expressions in recordings of any length."""
