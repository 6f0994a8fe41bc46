"""Rows of a table of the paper: the published numbers, and what was measured for them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stag.evaluation.evaluate import Progress
from stag.evaluation.metrics import DIGITS, METRICS, fold_scores
from stag.evaluation.results import FoldScores, Result
from stag.studies.results import PaperRow, StudyScores

Record = Mapping[Hashable, Any]
"""A row of a published table, by column name."""


class Measured(NamedTuple):
    """Scores measured for one row of a table, or a note that says why there are none."""

    scores: StudyScores | None = None
    simulated: bool = False
    note: str = ""
    samples: int | None = None
    fold_uf1: tuple[float, ...] = ()

    @classmethod
    def of(cls, result: Result, note: str = "") -> Measured:
        """Return the scores of an evaluation; UF1 of each fold is a mean over seeds."""
        runs = [run for _, run in result.predictions.groupby("seed", sort=True)]
        each = [fold_scores(run["truth"], run["predicted"], run["fold"])["uf1"] for run in runs]
        folds = tuple(round(float(value), DIGITS) for value in np.mean(each, axis=0))
        return cls(StudyScores.of(result.content), result.content.simulated, note, result.content.n_clips, folds)


def rows_of(
    table: pd.DataFrame,
    progress: Progress,
    label: Callable[[Record], dict[str, Any]],
    measure: Callable[[Record], Measured],
) -> list[PaperRow]:
    """Return a row for each row of a published table of scores."""
    rows = []
    for done, record in enumerate(table.to_dict("records"), start=1):
        measured = measure(record)
        rows.append(
            PaperRow(
                labels=label(record),
                published=_published(record),
                measured=_reported(measured),
                simulated=measured.simulated,
                note=measured.note,
            )
        )
        progress(done, len(table))
    return rows


def _published(record: Record) -> dict[str, Any]:
    """Return the numbers of a published row: scores, spread and scores of the folds, samples, F1 by class."""
    values: dict[str, Any] = {}
    for name, value in sorted(record.items(), key=lambda item: item[0] not in METRICS):
        if name in (*METRICS, "uf1_std") or str(name).startswith("f1_"):
            values[str(name)] = None if pd.isna(value) else float(value)
        elif name == "samples":
            values["samples"] = int(value)
        elif name == "fold_uf1":
            values["fold_uf1"] = [float(part) for part in str(value).split()]
    return values


def _reported(measured: Measured) -> dict[str, Any] | None:
    """Return scores as the paper reports them (mean of folds), then pooled with their interval."""
    scores = measured.scores
    if scores is None:
        return None
    folds = scores.mean_of_folds or FoldScores()
    return {
        **{metric: getattr(folds, f"{metric}_mean") for metric in METRICS},
        "uf1_std": folds.uf1_std,
        "fold_uf1": list(measured.fold_uf1),
        "samples": measured.samples,
        **{f"{metric}_pooled": getattr(scores, metric) for metric in METRICS},
        "ci95": scores.ci95,
        **{f"f1_{name}": value for name, value in (scores.f1 or {}).items()},
    }
