"""Read one cell of a table that people, spreadsheets or other programs wrote: text, numbers, and what means "missing".

Every table that a user hands in goes through these readers: manifests, annotation sheets, predictions, landmarks.
"""

from __future__ import annotations

import math
import re
import unicodedata
from functools import lru_cache

MISSING = frozenset(
    {
        *("", "/", "-", "--", "\u2013", "\u2014"),
        *("nan", "NaN", "NAN", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaT", "None", "null", "NULL"),
    }
)
"""What stands for a missing value. Spelled as programs write it, since ``Nan`` and ``Na`` are names of people."""

RATES = (1.0, 10_000.0)
"""Smallest and largest frame rate that is taken for one, frames per second."""

_AROUND = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\ufeff"
_WHOLE_AS_FLOAT = re.compile(r"([+-]?\d+)(?:\.0+|,0{1,2})")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_MOST_DIGITS = 9  # of a frame number


def stripped(cell: str) -> str:
    """Return a cell without blanks, byte order marks and zero-width blanks around it."""
    return cell.strip(_AROUND)


def is_missing(cell: str) -> bool:
    """Whether a cell holds no value: empty, a dash or slash, or the word of a program for it (``nan``, ``NA``).

    Example:
        >>> is_missing(" / "), is_missing("nan"), is_missing("none"), is_missing("0")
        (True, True, False, False)
    """
    return stripped(cell) in MISSING


@lru_cache(maxsize=4096)  # the names of people and classes come again in every row
def text(cell: str) -> str:
    """Return a name, label or code as text, ``""`` where it is missing.

    Runs of blanks become one blank, full-width characters become plain ones, and a whole number that a program wrote
    as a float loses its decimals. Leading zeros and letter case stay.

    Example:
        >>> text(" 006 "), text("3.0"), text("no\u00a0 emotion"), text("NaN")
        ('006', '3', 'no emotion', '')
    """
    if is_missing(cell):
        return ""
    plain = " ".join(unicodedata.normalize("NFKC", stripped(cell)).split())
    whole = _WHOLE_AS_FLOAT.fullmatch(plain)
    return whole[1] if whole else plain


def number(cell: str) -> float | None:
    """Return the number in a cell, with a decimal point or a decimal comma.

    ``1,200`` may be 1200 or 1.2 and is no number here; neither are infinities, dates, and numbers with both marks.

    Returns:
        The number; ``None`` where there is none, missing or not.

    Example:
        >>> number("59,94"), number("5.0"), number("1,200"), number("/")
        (59.94, 5.0, None, None)
    """
    plain = unicodedata.normalize("NFKC", stripped(cell))
    if not _NUMBER.fullmatch(plain) or _THOUSANDS.fullmatch(plain):
        return None
    value = float(plain.replace(",", "."))
    return value if math.isfinite(value) else None


def frame_number(cell: str) -> int | None:
    """Return a frame number: a whole number from 0, also where a program wrote it as a float.

    Returns:
        The number; ``None`` for ``/``, a blank, ``-1``, a word, or more digits than any recording has.

    Example:
        >>> frame_number("5.0"), frame_number("046"), frame_number("5.5"), frame_number("-1")
        (5, 46, None, None)
    """
    value = number(cell)
    if value is None or value < 0 or not value.is_integer() or value >= 10**_MOST_DIGITS:
        return None
    return int(value)


def frame_rate(cell: str) -> float | None:
    """Return a frame rate, frames per second, with or without its unit.

    Returns:
        The rate; ``None`` where there is none within :data:`RATES`.

    Example:
        >>> frame_rate("200"), frame_rate("59,94 fps"), frame_rate("0.005")
        (200.0, 59.94, None)
    """
    value = number(re.sub(r"\s*(?:fps|hz)\s*$", "", cell, flags=re.IGNORECASE))
    return value if value is not None and RATES[0] <= value <= RATES[1] else None
