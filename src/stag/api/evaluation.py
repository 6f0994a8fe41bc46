"""Evaluate and compare methods; results have figures and a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import numpy as np
import pandas as pd

from stag.evaluation import evaluate as evaluation
from stag.evaluation import results
from stag.evaluation.metrics import METRICS, summarise
from stag.evaluation.prediction_file import read_predictions
from stag.studies.study import paired_difference

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")


@dataclass(frozen=True, eq=False, repr=False)
class Result(results.Result):
    """Result of an evaluation; see :class:`stag.evaluation.results.Result` for its attributes.

    Example:
        >>> motion = stag.simulate_motion(3, 3, seed=1)
        >>> result = stag.evaluate(motion, stag.Config.preset("quick").override(["train.epochs=1"]), out="runs/mine")
        >>> result.predictions[["subject", "truth"]].iloc[0].tolist()
        ['s01', 'negative']
        >>> result.plot_confusion().savefig("confusion.png")
        >>> result.report("mine.html")
    """

    def plot_confusion(self) -> Figure:
        """Draw the confusion matrix, summed over the seeds; truth in rows, predictions in columns."""
        from stag.report.plots.scores import confusion_figure

        return confusion_figure(np.array(self.content.pooled.confusion, dtype=float), self.content.classes)

    def report(self, path: str | Path) -> None:
        """Write the page of ``stag report``."""
        from stag.report.pages.prediction import run_page, write_page

        write_page(path, run_page(self.content, self.predictions))


def _with_figures(function: Callable[P, results.Result]) -> Callable[P, Result]:
    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Result:
        return Result(**vars(function(*args, **kwargs)))

    return call


evaluate = _with_figures(evaluation.evaluate)
evaluate_split = _with_figures(evaluation.evaluate_split)
evaluate_model = _with_figures(evaluation.evaluate_model)


def compare(ours: results.Result | str | Path, theirs: results.Result | str | Path) -> pd.DataFrame:
    """Compare two methods on the same clips.

    Args:
        ours: A result, or a file with the columns clip_id, subject, truth, predicted, and optional dataset, fold, seed.
        theirs: The same for the method to compare with.

    Returns:
        Rows uf1, uar and war; columns ours, theirs, difference, and low and high, its 95 % interval over subjects.

    Raises:
        DatasetError: A file cannot be read, lacks a column or a value, or has a duplicate row.
        RunError: The clips, or their truth, differ.

    Example:
        >>> float(stag.compare("ours.csv", "theirs.csv").loc["uf1", "difference"])
        0.0
    """
    tables = [run.predictions if isinstance(run, results.Result) else read_predictions(run) for run in (ours, theirs)]
    classes = sorted({str(name) for table in tables for column in ("truth", "predicted") for name in table[column]})
    differences = paired_difference(tables[0], tables[1], classes)
    scores = [summarise(table, classes).pooled for table in tables]
    rows = {}
    for metric in METRICS:
        low, high = differences[metric].ci95 or (None, None)
        rows[metric] = [*(getattr(score, metric) for score in scores), differences[metric].value, low, high]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["ours", "theirs", "difference", "low", "high"])
