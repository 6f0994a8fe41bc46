"""Metrics, splits, baselines, and experiments made of resumable units of work."""
