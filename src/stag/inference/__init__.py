"""Inference: motion in, probabilities out."""
