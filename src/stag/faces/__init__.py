"""Faces: detection, tracking through the clip, and the aligned crop (Eq. 2-7)."""
