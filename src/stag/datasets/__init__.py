"""Data sets: annotated clips, label schemes, and files of ready motion."""
