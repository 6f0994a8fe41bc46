"""Values that hold arrays: compared by identity, and printed in one line.

Whether two arrays are equal is an array again, so a comparison field by field could only raise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from html import escape
from typing import Any

_AT_MOST = 60  # characters of one value


class ArrayValue:
    """Base of ``@dataclass(frozen=True, eq=False, repr=False)`` classes with arrays among their fields.

    Two of them are equal when they are the same object; they can be members of sets and keys.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._summary()})"

    def _summary(self) -> str:
        """What a person wants to know, in a few words; every field in short where a class does not say."""
        return ", ".join(f"{f.name}={in_short(getattr(self, f.name))}" for f in fields(self))  # type: ignore[arg-type]


def in_short(value: Any) -> str:
    """One value in a few words: an array by its type and shape, a long list by its length."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and not callable(shape):
        kind = type(value).__name__ if dtype is None else str(dtype).removeprefix("torch.")
        return f"{kind} ({' x '.join(map(str, shape))})"
    if isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        text = f"{len(value)} x {in_short(value[0])}" if isinstance(value, list) and value else repr(value)
        return text if len(text) <= _AT_MOST else f"{type(value).__name__} of {len(value)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= _AT_MOST else text[: _AT_MOST - 4] + " ..."


def html_table(title: str, rows: Mapping[str, object]) -> str:
    """A small table for a notebook; everything in it is escaped."""
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(str(value))}</td></tr>'
        for name, value in rows.items()
    )
    return f"<table><caption>{escape(title)}</caption>{cells}</table>"
