"""Rows of a benchmark: what was measured beside its reference, how it is timed, and the table of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]


def compared(what: str, value: float, against: str, reference: float, *, ratio: float | None = None) -> Row:
    """Return a row; ``ratio`` says how many times faster than the reference it is, unless given otherwise."""
    shown = reference / value if ratio is None else ratio
    return {"what": what, "value": value, "against": against, "reference": reference, "ratio": shown}


def fastest(runs: Mapping[str, Callable[[], object]], seconds: float, *, at_least: int = 1) -> dict[str, float]:
    """Return the seconds of the fastest run of each; they take turns, so that other work on the machine hits all alike.

    Args:
        runs: What to time, by name.
        seconds: How long each is repeated on average.
        at_least: Runs of each, however long they take.
    """
    best = dict.fromkeys(runs, float("inf"))
    spent, rounds = 0.0, 0
    while rounds < at_least or spent < seconds * len(runs):
        rounds += 1
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            took = time.perf_counter() - start
            best[name] = min(best[name], took)
            spent += took
    return best


def markdown(rows: Iterable[Row], columns: Sequence[tuple[str, str]]) -> str:
    """Return rows as a Markdown table; numbers have three decimals, missing values are blank.

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
