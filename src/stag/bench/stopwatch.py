"""How long things take, side by side in one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


def fastest(runs: Mapping[str, Callable[[], object]], seconds: float, *, at_least: int = 1) -> dict[str, float]:
    """Seconds of the fastest run of each; they take turns, so that other work on the machine hits all alike.

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
