"""What the command line shares: progress bars, error sentences, and the tables it prints."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from stag.evaluation.results import RunResult

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)

Report = Callable[[int, int], None]

_SHOWN: list[str] = []
"""Names of the bars on the terminal."""

LINE_EVERY_S = 10.0
"""Time between two lines of progress in a log file."""


@contextmanager
def progress_bar(what: str, quiet: bool, *, unit: str = "") -> Iterator[Report | None]:
    """Progress with time left on stderr; yields a function of (done, total), or ``None`` when quiet.

    A terminal shows a bar; a log file gets a line now and then.

    Args:
        what: Name of the work.
        quiet: Show nothing.
        unit: What is counted, plural; with it the rate is shown as well.
    """
    if quiet:
        yield None
    elif ERR.is_terminal:
        with _bar(what, unit) as report:
            yield report
    else:
        yield _lines(what, unit)


@contextmanager
def _bar(what: str, unit: str) -> Iterator[Report]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.2f} {unit}/s" if speed and unit else "")

    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=ERR) as bars:
        task = bars.add_task(what, total=None)
        _SHOWN.append(what)
        try:
            yield lambda done, total: bars.update(task, completed=done, total=total)
        finally:
            _SHOWN.remove(what)
        # What ends early, such as training that stops improving, is done all the same.
        bars.update(task, completed=bars.tasks[0].total)


def _lines(what: str, unit: str) -> Report:
    begun = latest = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal latest
        now = time.monotonic()
        if now - latest < LINE_EVERY_S and done < total:
            return
        latest = now
        rate = done / max(now - begun, 1e-9)
        speed = f", {rate:.2f} {unit}/s" if unit else ""
        left = f", {duration((total - done) / rate)} left" if done < total else f", took {duration(now - begun)}"
        warn(f"{what} {done} of {total}{speed}{left}")

    return report


def duration(seconds: float) -> str:
    """A length of time in two of its units, for a reader.

    Example:
        >>> duration(8), duration(95), duration(7260)
        ('8 s', '1 min 35 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def say(text: str) -> None:
    """One line of result on stdout; above the bar where a terminal shows one."""
    console = ERR if _SHOWN and OUT.is_terminal else OUT
    console.print(_printable(text), markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """One sentence on stderr."""
    ERR.print(_printable(text), markup=False, soft_wrap=True)


def _printable(text: str) -> str:
    """File names of another encoding come with parts that no terminal takes; they are shown as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def fail(error: BaseException) -> None:
    """Say what went wrong in one sentence on stderr."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror.lower()}; check the path, the permissions and the free space"
    else:
        text = str(error)
    warn("stag: " + " ".join(text.split()))


def print_scores(result: RunResult) -> None:
    """The headline of a result beside its baselines."""
    from rich.table import Table

    mark = " (simulated)" if result.simulated else ""
    dependent = ", subject-dependent" if result.subject_dependent else ""
    table = Table(
        title=f"{result.protocol}{dependent}{mark}: {result.n_clips} clips, {result.n_subjects} subjects, "
        f"AU source {result.au_source}",
        title_justify="left",
    )
    for name in ("", "UF1", "UAR", "WAR"):
        table.add_column(name, justify="left" if not name else "right")
    metrics = ("uf1", "uar", "war")
    intervals = ("{:.3f} to {:.3f}".format(*ends) if (ends := result.ci95.get(name)) else "" for name in metrics)
    name = "STAG" if result.method == "stag" else result.method
    table.add_row(f"{name}, pooled", *(f"{getattr(result.pooled, metric):.3f}" for metric in metrics))
    table.add_row("  95 % over subjects", *intervals, style="dim")
    means = (f"{getattr(result.folds, f'{metric}_mean'):.3f}" for metric in metrics[:2])
    table.add_row(f"{name}, mean of folds", *means, "")
    for baseline, scores in result.baselines.items():
        if scores:
            table.add_row(baseline.replace("_", " "), *(f"{getattr(scores, metric):.3f}" for metric in metrics))
    (OUT if sys.stdout.isatty() else Console(width=110, highlight=False)).print(table)


def print_faithfulness(scores: dict[str, Any]) -> None:
    """How far each explanation method can be believed, beside chance and shuffled weights; simulated clips."""
    from rich.table import Table

    columns = {
        "share": "on what moves",
        "channel_share": "channels",
        "step_share": "steps",
        "top_hits": f"top {scores['top_cells']}",
        "shuffled_share": "shuffled",
        "similarity": "similarity",
        "deletion": "deletion ↓",
        "insertion": "insertion ↑",
    }
    right = "" if scores["accuracy"] is None else f", the model is right on {scores['accuracy']:.2f}"
    table = Table(title=f"{scores['clips']} simulated clips{right}", title_justify="left")
    table.add_column("", no_wrap=True)
    for heading in columns.values():
        table.add_column(heading, justify="right")
    for row in scores["methods"]:
        cells = []
        for name in columns:
            found = row["metrics"].get(name)
            interval = f" [{found['low']:.2f} {found['high']:.2f}]" if found and name == "share" else ""
            cells.append(f"{found['mean']:.2f}{interval}" if found else "")
        table.add_row(row["title"], *cells)
    table.add_row("chance", *(f"{scores['chance'][name]:.2f}" for name in columns), style="dim")
    (OUT if sys.stdout.isatty() else Console(width=124, highlight=False)).print(table)
