"""Print value objects with arrays in one line, and compare them by identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from html import escape
from typing import Any

_AT_MOST = 60  # characters of one value


class ArrayValue:
    """Base of ``@dataclass(frozen=True, eq=False, repr=False)`` classes with arrays, whose ``==`` gives an array."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._summary()})"

    def _summary(self) -> str:
        """Return the text between the parentheses of ``repr``."""
        return ", ".join(f"{f.name}={in_short(getattr(self, f.name))}" for f in fields(self))  # type: ignore[arg-type]


def in_short(value: Any) -> str:
    """Return a value in a few words: an array as its type and shape, a long list as its length."""
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
    """Return a small HTML table for a notebook, with every text escaped."""
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(str(value))}</td></tr>'
        for name, value in rows.items()
    )
    return f"<table><caption>{escape(title)}</caption>{cells}</table>"
