"""Write lengths of time."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units, such as ``1 min 35 s``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
