"""Reports: one self-contained HTML page for predictions, an evaluation, an ablation or an audit.

Pages load nothing, and their policy permits one script, by its hash. Templates escape every supplied text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from stag.evaluation.prediction_file import predictions_text, read_run, refuse_foreign
from stag.evaluation.results import RunResult, parse_result
from stag.explanation.explain import Attribution
from stag.report.export import data_link, fitting, rows_csv, to_json, weight
from stag.report.pages.face import au_notes, face_view, overview_row
from stag.report.pages.scores import run_view, study_view
from stag.report.render import render
from stag.report.wording import headline
from stag.studies.results import STUDIES, StudyResult, parse_study, read_study
from stag.studies.study import study_table
from stag.types import Prediction
from stag.utils.files import write_text

MAX_BYTES = 5_000_000
"""Largest page; faces that do not fit are in the overview table only."""

_FOR_FACES = 4_000_000
_OVERVIEW_ROW_BYTES = 600


def prediction_page(
    predictions: Sequence[Prediction],
    failures: Sequence[tuple[str, str]] = (),
    *,
    attributions: Sequence[Attribution | None] = (),
) -> str:
    """Return the report of ``stag predict --report``; equal input gives equal text.

    Args:
        predictions: One per face.
        failures: ``(file, reason)`` of every file without a usable face.
        attributions: Explanations in the order of ``predictions``; without one a player shows motion only.
    """
    rows = data_link("predictions.csv", rows_csv(predictions, failures), "one row a face, as stag predict writes it")
    links = fitting([rows], "stag predict writes it")
    room = _FOR_FACES - _OVERVIEW_ROW_BYTES * (len(predictions) + len(failures)) - weight(links)
    sections = _sections(predictions, attributions, level=2, room=room)
    shown, n, simulated = len(sections), len(predictions), sum(p.simulated for p in predictions)
    overview = [overview_row(p, f"face-{i + 1}" if i < shown else "") for i, p in enumerate(predictions)]
    why = next(iter(attributions), None)
    counts = [_plural(n, "face"), _plural(len({p.file for p in predictions}), "file") + " with a result"]
    if failures:
        counts.append(_plural(len(failures), "file") + " without")
    return render(
        "prediction.html.j2",
        counts=" · ".join(counts),
        n=n,
        shown=shown,
        simulated=simulated,
        title=headline(predictions[0], why) if n == 1 else "What moved, and what the model makes of it",
        links=links,
        overview=overview if n > 1 else [],
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
    """Return the report of an evaluation; equal input gives equal text.

    Args:
        result: Content of ``result.json``.
        predictions: Content of ``predictions.csv``.
        examples: Predictions to show in full after the scores.
        attributions: Explanations in the order of ``examples``.

    Raises:
        RunError: The result lacks a key, or the predictions belong to another run.
    """
    run = parse_result(result)
    refuse_foreign(predictions, run)
    files = [
        data_link("predictions.csv", predictions_text(predictions), "every answer"),
        data_link("result.json", to_json(run.plain()), "every score"),
    ]
    links = fitting(files, "it lies in the run folder")
    sections = _sections(examples, attributions, level=3, room=_FOR_FACES - weight(links))
    return render(
        "run.html.j2",
        **run_view(run, predictions),
        sections=sections,
        links=links,
        examples_simulated=run.simulated or any(p.simulated for p in examples),
        au_notes=au_notes(examples),
    )


def study_page(content: Mapping[str, Any] | StudyResult) -> str:
    """Return the report of the content of ``ablation.json`` or ``audit.json``; equal input gives equal text.

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
        RunError: A file is missing, damaged or incomplete, or the files belong to different runs.
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
    for number, (prediction, why) in enumerate(zip_longest(predictions, attributions[: len(predictions)]), start=1):
        face = face_view(prediction, f"face-{number}", why)
        section = Markup(render("_face.html.j2", face=face, level=level, alone=len(predictions) == 1))
        room -= len(section.encode("utf-8"))
        if room < 0:
            break
        sections.append(section)
    return sections


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
