"""Losses, augmentation, the training loop, and model folders."""
