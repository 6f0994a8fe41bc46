"""What the command line shares: progress bars, error sentences, and the tables it prints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)

Report = Callable[[int, int], None]


@contextmanager
def progress_bar(what: str, quiet: bool) -> Iterator[Report | None]:
    """A bar with time left on stderr; yields a function of (done, total), or ``None`` when quiet."""
    if quiet:
        yield None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=ERR) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
        # What ends early, such as training that stops improving, is done all the same.
        bars.update(task, completed=bars.tasks[0].total)


def say(text: str) -> None:
    """One line of result on stdout."""
    OUT.print(text, markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """One sentence on stderr."""
    ERR.print(text, markup=False, soft_wrap=True)


def fail(error: BaseException) -> None:
    """Say what went wrong in one sentence on stderr."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror.lower()}; check the path, the permissions and the free space"
    else:
        text = str(error)
    warn("stag: " + " ".join(text.split()))


def print_scores(result: dict[str, Any]) -> None:
    """The headline of a result beside its baselines."""
    from rich.table import Table

    mark = " (simulated)" if result["simulated"] else ""
    dependent = ", subject-dependent" if result["subject_dependent"] else ""
    table = Table(
        title=f"{result['protocol']}{dependent}{mark}: {result['n_clips']} clips, {result['n_subjects']} subjects, "
        f"AU source {result['au_source']}",
        title_justify="left",
    )
    for name in ("", "UF1", "UAR", "WAR"):
        table.add_column(name, justify="left" if not name else "right")
    low_high = {key: "{:.3f} to {:.3f}".format(*bounds) for key, bounds in (result.get("ci95") or {}).items()}
    pooled = result["pooled"]
    table.add_row("STAG, pooled", *(f"{pooled[key]:.3f}" for key in ("uf1", "uar", "war")))
    table.add_row("  95 % over subjects", *(low_high.get(key, "") for key in ("uf1", "uar", "war")), style="dim")
    folds = result["folds"]
    table.add_row("STAG, mean of folds", *(f"{folds[f'{key}_mean']:.3f}" for key in ("uf1", "uar")), "")
    for name, scores in result["baselines"].items():
        if scores:
            cells = (f"{scores[key]:.3f}" if key in scores else "" for key in ("uf1", "uar", "war"))
            table.add_row(name.replace("_", " "), *cells)
    (OUT if sys.stdout.isatty() else Console(width=110, highlight=False)).print(table)
