"""Time functions, compare values with a reference, and write the rows as a table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]


def compared(what: str, value: float, against: str, reference: float, *, ratio: float | None = None) -> Row:
    """Return a row; the default ``ratio`` is reference / value."""
    shown = reference / value if ratio is None else ratio
    return {"what": what, "value": value, "against": against, "reference": reference, "ratio": shown}


def fastest(runs: Mapping[str, Callable[[], object]], seconds: float, *, at_least: int = 1) -> dict[str, float]:
    """Return the seconds of the fastest run of each name.

    The functions take turns, so that other work on the machine affects all of them. Each is repeated for ``seconds`` on
    average, and ``at_least`` so many times.
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
    """Return a Markdown table of the columns ``(key, heading)``, with three decimals and blanks for missing values."""

    def cell(value: Any) -> str:
        missing = value is None or value != value
        return "" if missing else f"{value:.3f}" if isinstance(value, float) else str(value)

    lines = [[heading for _, heading in columns], *([cell(row.get(key)) for key, _ in columns] for row in rows)]
    head, *body = ("| " + " | ".join(line) + " |" for line in lines)
    return "\n".join([head, "|" + "---|" * len(columns), *body])
