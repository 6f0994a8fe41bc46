"""The STAG network (Eq. 12-33)."""
