"""Reports: one self-contained HTML page for predictions, an evaluation, an ablation or an audit.

The pages load nothing. One script moves the players; the policy of the page names it by its hash, and no other runs.
Everything that a user or a file supplied is escaped by the templates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from stag.evaluation.prediction_file import predictions_text, read_run, refuse_foreign
from stag.evaluation.results import RunResult, parse_result
from stag.explanation.explain import Attribution
from stag.report.export import data_link, fitting, rows_csv, to_json, weight
from stag.report.pages.face import View, au_notes, face_view, overview_row
from stag.report.pages.scores import run_view, study_view
from stag.report.render import render
from stag.report.wording import headline
from stag.studies.results import STUDIES, StudyResult, parse_study, read_study
from stag.studies.study import study_table
from stag.types import Prediction
from stag.utils.files import write_text

MAX_BYTES = 5_000_000
"""No page is larger; faces that would not fit are left to the overview table."""

_FOR_FACES = 4_000_000
_OVERVIEW_ROW_BYTES = 600


def prediction_page(
    predictions: Sequence[Prediction],
    failures: Sequence[tuple[str, str]] = (),
    *,
    attributions: Sequence[Attribution | None] = (),
) -> str:
    """Return the report of ``stag predict --report``.

    Args:
        predictions: What the model said, one per face.
        failures: ``(file, reason)`` of every file without a usable face.
        attributions: What spoke for each answer, in the order of ``predictions``; the players show motion alone
            without it.

    Returns:
        An HTML document. Equal input gives equal text.
    """
    rows = data_link("predictions.csv", rows_csv(predictions, failures), "one row a face, as stag predict writes it")
    links = fitting([rows], "stag predict writes it")
    room = _FOR_FACES - _OVERVIEW_ROW_BYTES * (len(predictions) + len(failures)) - weight(links)
    sections = _sections(predictions, attributions, level=2, room=room)
    shown, n = len(sections), len(predictions)
    note = (
        ""
        if shown == n
        else f"The first {shown} of {n} are shown in full below; the others would make the page too large."
    )
    overview = [overview_row(p, f"face-{i + 1}" if i < shown else "") for i, p in enumerate(predictions)]
    why = next(iter(attributions), None)
    counts = [_plural(n, "face"), _plural(len({p.file for p in predictions}), "file") + " with a result"]
    if failures:
        counts.append(_plural(len(failures), "file") + " without")
    return render(
        "prediction.html.j2",
        counts=" · ".join(counts),
        simulated=_simulated_note(predictions),
        title=headline(predictions[0], why) if n == 1 else "What moved, and what the model makes of it",
        links=links,
        overview=overview if n > 1 else [],
        shown_note=note,
        failures=failures,
        sections=sections,
        au_notes=au_notes(predictions),
    )


def run_page(
    result: Mapping[str, Any] | RunResult,
    predictions: pd.DataFrame,
    *,
    examples: Sequence[Prediction] = (),
    attributions: Sequence[Attribution | None] = (),
) -> str:
    """Return the report of an evaluation.

    Args:
        result: Content of ``result.json``.
        predictions: Content of ``predictions.csv``.
        examples: Predictions to show in full after the scores.
        attributions: What spoke for the answer of each example.

    Returns:
        An HTML document. Equal input gives equal text.

    Raises:
        RunError: The result lacks a key, or the predictions are not its own.
    """
    run = parse_result(result)
    refuse_foreign(predictions, run)
    view = run_view(run, predictions)
    files = [
        data_link("predictions.csv", predictions_text(predictions), "every answer"),
        data_link("result.json", to_json(run.plain()), "every score"),
    ]
    links = fitting(files, "it lies in the run folder")
    sections = _sections(examples, attributions, level=3, room=_FOR_FACES - weight(links))
    simulated = any(p.simulated for p in examples)
    note = f"{_plural(len(sections), 'clip')} of this evaluation, seen through the model."
    return render(
        "run.html.j2",
        **view,
        sections=sections,
        examples_note=note,
        links=links,
        examples_simulated=simulated or run.simulated,
        au_notes=au_notes(examples),
    )


def study_page(content: Mapping[str, Any] | StudyResult) -> str:
    """Return the report of an ablation or an audit.

    Args:
        content: Content of ``ablation.json`` or ``audit.json``.

    Returns:
        An HTML document. Equal input gives equal text.

    Raises:
        RunError: The content lacks a key.
    """
    study = parse_study(content)
    links = [
        data_link(f"{study.kind}.csv", study_table(study).to_csv(index=False), "the rows below"),
        data_link(f"{study.kind}.json", to_json(study.plain()), "everything that was measured"),
    ]
    return render("study.html.j2", **study_view(study), links=fitting(links, "the same numbers lie in the run folder"))


def report_run(folder: str | Path) -> str:
    """Return the report of a folder that ``stag evaluate``, ``stag ablate`` or ``stag audit`` wrote.

    Raises:
        RunError: A file is missing, damaged or incomplete, or the files are not of one run.
    """
    folder = Path(folder)
    for kind in STUDIES:
        if (folder / f"{kind}.json").is_file():
            return study_page(read_study(folder / f"{kind}.json"))
    return run_page(*read_run(folder))


def write_page(path: str | Path, html: str) -> None:
    """Write a page by atomic rename."""
    write_text(path, html)


def _sections(
    predictions: Sequence[Prediction], attributions: Sequence[Attribution | None], level: int, room: int
) -> list[Markup]:
    """Return the faces in full, as many as fit into ``room`` bytes."""
    sections: list[Markup] = []
    for i, prediction in enumerate(predictions):
        attribution = attributions[i] if i < len(attributions) else None
        view: View = face_view(prediction, f"face-{i + 1}", attribution)
        # Rendered by an escaping template, so it is markup already.
        section = Markup(render("_face.html.j2", face=view, level=level, alone=len(predictions) == 1))
        room -= len(section.encode("utf-8"))
        if room < 0:
            break
        sections.append(section)
    return sections


def _simulated_note(predictions: Sequence[Prediction]) -> str:
    count = sum(p.simulated for p in predictions)
    if not count:
        return ""
    which = "The model" if count == len(predictions) else f"The model behind {count} of {len(predictions)} faces"
    return (
        f"{which} was trained on simulated motion only and has never seen a real micro-expression. "
        "Take its answers as a demonstration."
    )


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
