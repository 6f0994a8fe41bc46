"""Rows as a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def markdown(rows: Iterable[dict[str, Any]], columns: Sequence[tuple[str, str]]) -> str:
    """Rows as a Markdown table; numbers have three decimals, what is missing is blank.

    Args:
        rows: Each a mapping from key to value.
        columns: ``(key, heading)`` of each column.
    """
    lines = ["| " + " | ".join(heading for _, heading in columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(row.get(key)) for key, _ in columns) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.3f}"
    return "" if value is None else str(value)
