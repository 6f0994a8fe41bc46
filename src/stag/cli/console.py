"""Print results, tables, progress and errors; arguments that the library names become flags."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from stag.utils.choices import au_text
from stag.utils.durations import duration

if TYPE_CHECKING:
    from stag.evaluation.intervals import SpottingScores
    from stag.evaluation.results import RunResult
    from stag.studies.results import StudyResult

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)
LINE_EVERY_S = 10.0  # between two lines of progress in a log file

FLAGS: dict[str, str] = {}
"""Parameter name in the library -> flag; filled where verbs are registered."""

Report = Callable[[int, int], None]

_LOG = logging.getLogger("stag")
_visible_bars: list[str] = []
_ARGUMENT = re.compile(r"`((?:(?:motion|model|train)\.)?\w+)(?:=([^`\s]*))?`")


@contextmanager
def progress_bar(what: str, quiet: bool, *, unit: str = "") -> Iterator[Report | None]:
    """Show progress on stderr: a bar in a terminal, a line every 10 s in a log file; with a unit the rate as well.

    Yields:
        A function of (done, total), or ``None`` when quiet.
    """
    if quiet:
        yield None
        return
    plans, before = _Plans(), _LOG.level
    _LOG.addHandler(plans)
    _LOG.setLevel(logging.INFO)
    try:
        if ERR.is_terminal:
            with _bar(what, unit) as report:
                yield report
        else:
            yield _lines(what, unit)
    finally:
        _LOG.setLevel(before)
        _LOG.removeHandler(plans)


class _Plans(logging.Handler):
    """Prints what the library says of its plans: where it trains, how many folds at once, how long."""

    def emit(self, record: logging.LogRecord) -> None:
        warn(record.getMessage())


@contextmanager
def _bar(what: str, unit: str) -> Iterator[Report]:
    from rich import progress
    from rich.text import Text

    class Rate(progress.ProgressColumn):
        def render(self, task: progress.Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.2f} {unit}/s" if speed and unit else "")

    counts = (progress.TextColumn("{task.description:<12}"), progress.BarColumn(), progress.MofNCompleteColumn())
    times = (Rate(), progress.TimeElapsedColumn(), progress.TextColumn("left"), progress.TimeRemainingColumn())
    with progress.Progress(*counts, *times, console=ERR) as bars:
        task = bars.add_task(what, total=None)
        _visible_bars.append(what)
        try:
            yield lambda done, total: bars.update(task, completed=done, total=total)
        finally:
            _visible_bars.remove(what)
        # Work that ends early, such as training that stops improving, counts as complete.
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


def print_spotting(scores: SpottingScores) -> None:
    """Print the scores of spotted intervals: both rules by name, subjects, times, recognition."""
    table = Table(box=None, pad_edge=False)
    for column in ("rule", "kind", "TP", "FP", "FN", "precision", "recall", "F1", "95 %"):
        table.add_column(column, justify="left" if column in ("rule", "kind") else "right")
    for row in scores.table.to_dict("records"):
        counts = [str(row[name]) for name in ("rule", "kind", "tp", "fp", "fn")]
        shares = [f"{row[name]:.3f}" for name in ("precision", "recall", "f1")]
        table.add_row(*counts, *shares, f"{row['f1_low']:.3f} to {row['f1_high']:.3f}")
    OUT.print(table)
    for row in scores.subjects.to_dict("records"):
        say(f"subject {row['subject']}  TP {row['tp']}  FP {row['fp']}  FN {row['fn']}  F1 {row['f1']:.3f}")
    say("strict: one to one, kinds agree; lenient: a match takes the kind of the label and may serve several labels")
    if scores.error_s:
        say("median error  " + ", ".join(f"{name} {value:.3f} s" for name, value in scores.error_s.items()))
    if scores.uf1 is not None:
        say(f"recognition of the matches  UF1 {scores.uf1:.3f}, UAR {scores.uar:.3f}; STRS {scores.strs:.3f}")
    if scores.false_alarms_per_min is not None:
        say(f"false alarms  {scores.false_alarms_per_min:.2f} a minute")


def say(text: str) -> None:
    """Print a line of the result on stdout, above the progress bar where a terminal shows both."""
    console = ERR if _visible_bars and OUT.is_terminal else OUT
    console.print(_printable(text), markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """Print a sentence on stderr."""
    ERR.print(_printable(text), markup=False, soft_wrap=True)


def fail(error: BaseException) -> None:
    """Print an error as one sentence on stderr."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror.lower()}; check the path, the permissions and the free space"
    warn("stag: " + " ".join(text.split()))


def with_flags(text: str) -> str:
    """Replace arguments in backticks by what a user types: ```jobs=0``` becomes ``--jobs 0``."""

    def typed(match: re.Match[str]) -> str:
        name, value = match.groups()
        if "." in name and value is not None:
            return f"--set {name}={value}"
        return f"{FLAGS[name]} {value or ''}".rstrip() if name in FLAGS else match[0]

    return _ARGUMENT.sub(typed, text)


def _printable(text: str) -> str:
    # File names may contain bytes that are not UTF-8, which no terminal prints.
    return with_flags(text).encode("utf-8", "backslashreplace").decode("utf-8")


def study_title(result: RunResult | StudyResult) -> str:
    """Return the protocol, the clips and the AU source of a result in one line."""
    mark = " (simulated)" if result.simulated else ""
    dependent = ", subject-dependent" if result.subject_dependent else ""
    clips = f"{result.n_clips} clips, {result.n_subjects} subjects"
    return f"{result.protocol}{dependent}{mark}: {clips}, AU source {au_text(result.au_source, result.au_supervision)}"


def print_scores(result: RunResult) -> None:
    """Print the scores of a result beside those of its baselines."""
    metrics = ("uf1", "uar", "war")
    name = "STAG" if result.method == "stag" else result.method
    intervals = ("{:.3f} to {:.3f}".format(*ends) if (ends := result.ci95.get(metric)) else "" for metric in metrics)
    means = (f"{getattr(result.folds, f'{metric}_mean'):.3f}" for metric in metrics[:2])
    table = _table(study_title(result), ("UF1", "UAR", "WAR"))
    table.add_row(f"{name}, pooled", *(f"{getattr(result.pooled, metric):.3f}" for metric in metrics))
    table.add_row("  95 % over subjects", *intervals, style="dim")
    table.add_row(f"{name}, mean of folds", *means, "")
    for baseline, scores in result.baselines.items():
        if scores:
            table.add_row(baseline.replace("_", " "), *(f"{getattr(scores, metric):.3f}" for metric in metrics))
    _print_table(table, 110)


def print_faithfulness(scores: dict[str, Any]) -> None:
    """Print the scores of each explanation method on simulated clips, beside random and shuffled references."""
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
    table = _table(f"{scores['clips']} simulated clips{right}", columns.values())
    for row in scores["methods"]:
        cells = {name: f"{metric['mean']:.2f}" for name, metric in row["metrics"].items() if metric}
        if share := row["metrics"].get("share"):
            cells["share"] += f" [{share['low']:.2f} {share['high']:.2f}]"
        table.add_row(row["title"], *(cells.get(name, "") for name in columns))
    table.add_row("chance", *(f"{scores['chance'][name]:.2f}" for name in columns), style="dim")
    _print_table(table, 124)


def _table(title: str, headings: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _print_table(table: Table, width: int) -> None:
    (OUT if sys.stdout.isatty() else Console(width=width, highlight=False)).print(table)
