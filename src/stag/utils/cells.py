"""Read one cell of a user's table: text, number, or missing."""

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
"""Cells that mean a missing value, spelled as programs write them, since ``Nan`` and ``Na`` are names of people."""

RATES = (1.0, 10_000.0)
"""Smallest and largest valid frame rate, frames per second."""

_AROUND = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\u200c\u200d\u2060\ufeff"
_NO_WIDTH = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_WHOLE_AS_FLOAT = re.compile(r"([+-]?\d+)(?:\.0+|,0{1,2})")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)


def stripped(cell: str) -> str:
    """Return a cell without blanks, byte order marks and zero-width blanks around it."""
    return cell.strip(_AROUND)


def is_missing(cell: str) -> bool:
    """Whether a cell has no value: empty, a dash or slash, or a word such as ``nan`` or ``NA``.

    Example:
        >>> is_missing(" / "), is_missing("nan"), is_missing("none"), is_missing("0")
        (True, True, False, False)
    """
    return stripped(cell) in MISSING


@lru_cache(maxsize=4096)  # the names of people and classes recur in every row
def text(cell: str) -> str:
    """Return a name, label or code as text, ``""`` where it is missing.

    Runs of blanks become one blank, full-width characters become plain ones, those without width vanish, and a whole
    number that a program wrote as a float loses its decimals. Leading zeros and letter case stay.

    Example:
        >>> text(" 006 "), text("3.0"), text("no\u00a0 emotion"), text("NaN")
        ('006', '3', 'no emotion', '')
    """
    if is_missing(cell):
        return ""
    plain = " ".join(_NO_WIDTH.sub("", unicodedata.normalize("NFKC", stripped(cell))).split())
    whole = _WHOLE_AS_FLOAT.fullmatch(plain)
    return whole[1] if whole else plain


def number(cell: str) -> float | None:
    """Return the number in a cell, with a decimal point or a decimal comma, or ``None``.

    ``1,200`` may be 1200 or 1.2, so it is not a number here; nor are infinities, dates, and numbers with both marks.

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
    """Return a frame number, a whole number from 0, perhaps written as a float, or ``None``.

    Example:
        >>> frame_number("5.0"), frame_number("046"), frame_number("5.5"), frame_number("-1")
        (5, 46, None, None)
    """
    value = number(cell)
    return int(value) if value is not None and 0 <= value < 10**9 and value.is_integer() else None


def frame_rate(cell: str) -> float | None:
    """Return a frame rate within :data:`RATES`, written with or without its unit, or ``None``.

    Example:
        >>> frame_rate("200"), frame_rate("59,94 fps"), frame_rate("0.005")
        (200.0, 59.94, None)
    """
    value = number(re.sub(r"\s*(?:fps|hz)\s*$", "", cell, flags=re.IGNORECASE))
    return value if value is not None and RATES[0] <= value <= RATES[1] else None
