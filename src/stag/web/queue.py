"""One analysis at a time: visitors wait in order and see how many clips are before theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from stag.errors import StagError
from stag.web.answer import Progress

LONGEST = 32
"""Clips that wait or are analysed at most."""

_EVERY_S = 0.15

T = TypeVar("T")


class VisitorLeftError(Exception):
    """Raised inside an analysis whose visitor has closed the page."""


class QueueFullError(StagError):
    """Too many clips wait already."""


@dataclass(frozen=True)
class Update:
    """Share in [0, 1] that is done, and what is being done."""

    done: float
    text: str


@dataclass(frozen=True)
class Finished(Generic[T]):
    """The last update, with what the work returned."""

    result: T


class AnalysisQueue:
    """Runs one piece of work at a time, in a thread of its own, in the order of arrival.

    Args:
        longest: Number of visitors, the one who is served included; more are refused.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._visitors: list[object] = []
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="analysis")

    async def run(self, work: Callable[[Progress], T]) -> AsyncIterator[Update | Finished[T]]:
        """Wait for the turn, do the work, and yield updates; the last one carries the result.

        Args:
            work: Called in the worker thread with a function that takes its progress. That function raises
                :class:`VisitorLeftError` once the iterator is closed, so that nobody waits for an abandoned clip.

        Raises:
            QueueFullError: Before the first update.
        """
        if len(self._visitors) >= self._longest:
            raise QueueFullError("Too many clips are waiting. Try again in a minute.")
        visitor, left = object(), False
        latest = Update(0.0, "Waiting")

        def progress(done: float, text: str) -> None:
            nonlocal latest
            if left:
                raise VisitorLeftError
            latest = Update(done, text)

        self._visitors.append(visitor)
        try:
            future = asyncio.get_running_loop().run_in_executor(self._worker, work, progress)
            shown = None
            while not future.done():
                ahead = self._visitors.index(visitor)
                update = Update(0.0, f"Waiting: {ahead} before yours") if ahead else latest
                if update != shown:
                    shown = update
                    yield update
                await asyncio.wait({future}, timeout=_EVERY_S)
            yield Finished(future.result())
        finally:
            left = True
            future.cancel()
            self._visitors.remove(visitor)
