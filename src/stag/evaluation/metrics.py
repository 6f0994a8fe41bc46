"""Metrics of micro-expression recognition, by scikit-learn, and their intervals over subjects.

With the confusion matrix ``N[i, j]`` (clips of class ``i`` predicted as ``j``)::

    F1_c = 2 N[c, c] / (sum_j N[c, j] + sum_i N[i, c])      recall_c = N[c, c] / sum_j N[c, j]
    UF1 = mean_c F1_c        UAR = mean_c recall_c          WAR = sum_c N[c, c] / sum_ij N[i, j]

A quotient without a denominator is 0. Over a *fixed* class list (pooled scores, MEGC 2019) a class without clips
and predictions therefore counts as 0 in UF1, and a class without clips as 0 in UAR.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from stag.errors import DatasetError
from stag.evaluation.results import FoldScores, PooledScores, Scores, Summary, UnitScores
from stag.facs import AU_VOCABULARY
from stag.motion_set import MotionSet
from stag.utils.values import ArrayValue

METRICS = ("uf1", "uar", "war")
DIGITS = 6
"""Decimals of every score that is written."""


@dataclass(frozen=True, eq=False, repr=False)
class ClassScores(ArrayValue):
    """Scores of one set of predictions.

    Attributes:
        classes: The ``C`` class names, in the order of the arrays.
        confusion: ``(C, C)`` int64, rows are the truth, columns the prediction.
        f1: ``(C,)`` F1 of each class.
        recall: ``(C,)`` recall of each class.
        uf1: Unweighted mean of the class F1.
        uar: Unweighted mean of the class recalls.
        war: Share of correct clips.
    """

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]
    f1: NDArray[np.float64]
    recall: NDArray[np.float64]
    uf1: float
    uar: float
    war: float


def score(truth: ArrayLike, predicted: ArrayLike, classes: Sequence[str] | None = None) -> ClassScores:
    """Return all metrics of one set of predictions, ``(n,)`` class names each.

    ``classes`` is the fixed class list of pooled scores. Without it, the classes are those that occur in the truth or
    among the predictions, as in scikit-learn: the rule for scores per fold, where most folds lack a class.

    Raises:
        DatasetError: There is no clip, the lengths differ, or a name is not in ``classes``.

    Example:
        >>> score(["a", "a", "b"], ["a", "b", "b"]).uar
        0.75
    """
    truth, predicted = np.asarray(truth, dtype=np.str_), np.asarray(predicted, dtype=np.str_)
    occurring = _checked(truth, predicted)
    names = occurring if classes is None else tuple(classes)
    if unknown := sorted(set(occurring) - set(names)):
        raise DatasetError(f"class {unknown[0]!r} is not among the classes {list(names)}; correct the names")
    labels = list(names)
    with warnings.catch_warnings():
        # A fold of one class is common, and `labels` is given, as the warning requests.
        warnings.filterwarnings("ignore", "A single label was found", UserWarning)
        confusion = np.asarray(confusion_matrix(truth, predicted, labels=labels), dtype=np.int64)
    _, recall, f1, _ = precision_recall_fscore_support(truth, predicted, labels=labels, average=None, zero_division=0)
    return ClassScores(
        classes=names,
        confusion=confusion,
        f1=np.asarray(f1, dtype=np.float64),
        recall=np.asarray(recall, dtype=np.float64),
        uf1=float(np.mean(f1)),
        uar=float(np.mean(recall)),
        war=float(accuracy_score(truth, predicted)),
    )


def fold_scores(truth: ArrayLike, predicted: ArrayLike, folds: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Return metric -> ``(folds,)`` scores of each fold alone, sorted by name, over the classes in the fold."""
    truth, predicted, fold_of = np.asarray(truth), np.asarray(predicted), np.asarray(folds)
    each = [score(truth[fold_of == fold], predicted[fold_of == fold]) for fold in np.unique(fold_of)]
    return {metric: np.array([getattr(scores, metric) for scores in each]) for metric in METRICS}


def bootstrap_replicates(
    truth: ArrayLike, predicted: ArrayLike, groups: ArrayLike, classes: Sequence[str], n: int = 1000, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """Return UF1, UAR and WAR, each ``(n,)``, of resamples of whole subjects, drawn with replacement.

    Clips of one person are alike, so intervals of a bootstrap over clips would be too narrow. Each replicate is
    the pooled metric over the fixed class list; a class of few subjects is missing from some resamples
    and counts as 0 there, which lowers the low end.

    ``groups (n_clips,)`` are subject keys, ``classes`` is the fixed class list; equal subjects and seeds give equal
    resamples.
    """
    truth, predicted = np.asarray(truth, dtype=np.str_), np.asarray(predicted, dtype=np.str_)
    _checked(truth, predicted)
    subjects, subject_of = np.unique(np.asarray(groups), return_inverse=True)
    place = {name: i for i, name in enumerate(classes)}
    rows = np.array([place[str(name)] for name in truth])
    columns = np.array([place[str(name)] for name in predicted])
    confusion = np.zeros((len(subjects), len(place), len(place)))
    np.add.at(confusion, (subject_of, rows, columns), 1.0)

    drawn = np.random.default_rng(seed).integers(len(subjects), size=(n, len(subjects)))
    weights = np.stack([np.bincount(row, minlength=len(subjects)) for row in drawn]).astype(np.float64)
    resampled = np.tensordot(weights, confusion, axes=1)  # (n, C, C)
    right = np.diagonal(resampled, axis1=1, axis2=2)
    shown, called = resampled.sum(axis=2), resampled.sum(axis=1)
    return {
        "uf1": _quotient(2 * right, shown + called).mean(axis=1),
        "uar": _quotient(right, shown).mean(axis=1),
        "war": right.sum(axis=1) / shown.sum(axis=1),
    }


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the central 95 % of bootstrap replicates, rounded to :data:`DIGITS`. values (n,) -> (low, high)."""
    low, high = np.percentile(values, (2.5, 97.5))
    return round(float(low), DIGITS), round(float(high), DIGITS)


def _checked(truth: NDArray[np.str_], predicted: NDArray[np.str_]) -> tuple[str, ...]:
    if truth.shape != predicted.shape or truth.ndim != 1 or len(truth) == 0:
        raise DatasetError(
            f"truth has shape {truth.shape} and prediction {predicted.shape}; expected one of each for at least 1 clip"
        )
    return tuple(str(name) for name in np.union1d(truth, predicted))


def _quotient(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)


def summarise(table: pd.DataFrame, classes: Sequence[str]) -> Summary:
    """Return the metrics of a prediction table.

    With several seeds every metric is computed for each seed and averaged; confusion matrices are summed; the spread
    over seeds is their (population) standard deviation. Per-fold scores are averaged over seeds first, so
    ``uf1_std`` tells how much folds differ. Bootstrap resamples take the same subjects for every seed. ``folds`` and
    ``per_dataset`` score over the classes that occur in the fold or data set.

    Args:
        table: Columns dataset, subject, fold, seed, truth, predicted.
        classes: The fixed class list.
    """
    runs = [run for _, run in table.groupby("seed", sort=True)]
    scores = [score(run["truth"], run["predicted"], classes) for run in runs]
    folds = [fold_scores(run["truth"], run["predicted"], run["fold"]) for run in runs]
    fold_means = {metric: np.mean([fold[metric] for fold in folds], axis=0) for metric in METRICS}
    return Summary(
        pooled=PooledScores(
            **{metric: _rounded(np.mean([getattr(s, metric) for s in scores])) for metric in METRICS},
            f1=_by_class(classes, np.mean([s.f1 for s in scores], axis=0)),
            recall=_by_class(classes, np.mean([s.recall for s in scores], axis=0)),
            confusion=np.sum([s.confusion for s in scores], axis=0).tolist(),
        ),
        folds=FoldScores(
            **{f"{metric}_mean": _rounded(np.mean(values)) for metric, values in fold_means.items()},
            **{f"{metric}_std": _rounded(np.std(values)) for metric, values in fold_means.items()},
        ),
        ci95={metric: interval(values) for metric, values in replicates(table, classes).items()},
        per_dataset={str(name): _mean_scores(part) for name, part in table.groupby("dataset", sort=True)},
        seeds_spread=Scores(**{metric: _rounded(np.std([getattr(s, metric) for s in scores])) for metric in METRICS}),
    )


def replicates(table: pd.DataFrame, classes: Sequence[str], n: int = 1000) -> dict[str, NDArray[np.float64]]:
    """Return metric -> ``(n,)`` bootstrap replicates over subjects, averaged over seeds with equal resamples."""
    runs = [
        bootstrap_replicates(run["truth"], run["predicted"], people(run), classes, n)
        for _, run in table.groupby("seed", sort=True)
    ]
    return {metric: np.mean([run[metric] for run in runs], axis=0) for metric in METRICS}


def seed_means(table: pd.DataFrame, classes: Sequence[str] | None = None) -> dict[str, float]:
    """Return UF1, UAR and WAR of a table of seed, truth and predicted, averaged over seeds."""
    scores = [score(run["truth"], run["predicted"], classes) for _, run in table.groupby("seed", sort=True)]
    return {metric: float(np.mean([getattr(s, metric) for s in scores])) for metric in METRICS}


def baseline_scores(
    motion: MotionSet, units: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> dict[str, Scores | None]:
    """Return the pooled scores of each baseline; ``None`` where a fold could not compute it, or there is no fold.

    Units contain ``clips`` (keys) and ``predicted`` (baseline name -> class names, or ``None``).
    """
    truth = pd.DataFrame({"key": motion.key, "truth": motion.label})
    result: dict[str, Scores | None] = {}
    for name in names:
        result[name] = None
        if units and all(unit["predicted"].get(name) is not None for unit in units):
            parts = [pd.DataFrame({"key": unit["clips"], "predicted": unit["predicted"][name]}) for unit in units]
            joined = truth.merge(pd.concat(parts), on="key", how="inner", validate="one_to_one")
            result[name] = _mean_scores(joined.assign(seed=0), motion.classes)
    return result


def unit_scores(motion: MotionSet, units: Sequence[Mapping[str, Any]]) -> UnitScores | None:
    """Return how well the AU head recognises action units, at probability .5, over all tested clips with codes.

    Scores are averaged over seeds and over the AUs that occur; ``None`` where the method predicts no AUs or no clip has
    codes. Units contain ``seed``, ``clips`` (keys) and ``units (clips, A)``, AU probabilities without AU input.
    """
    if not units or any("units" not in unit for unit in units):
        return None
    codes = dict(zip(motion.key.tolist(), motion.action_units, strict=True))
    scores = []
    for seed in sorted({unit["seed"] for unit in units}):
        mine = [unit for unit in units if unit["seed"] == seed]
        truth = np.array([codes[key] for unit in mine for key in unit["clips"]])
        predicted = np.concatenate([np.array(unit["units"], dtype=np.float64) for unit in mine])
        coded = ~np.isnan(truth).any(axis=1)
        occurs = (truth[coded] == 1).any(axis=0)
        if not occurs.any():
            return None
        called = predicted[coded][:, occurs] >= 0.5
        scores.append(f1_score(truth[coded][:, occurs], called, average=None, zero_division=0))
    f1 = np.mean(scores, axis=0)
    numbers = np.array(AU_VOCABULARY)[occurs]
    return UnitScores(
        macro_f1=_rounded(f1.mean()),
        f1={str(number): _rounded(value) for number, value in zip(numbers, f1, strict=True)},
        n_clips=int(coded.sum()),
    )


def notes(
    table: pd.DataFrame, classes: Sequence[str], *, subject_dependent: bool, simulated: bool, leak: str = ""
) -> list[str]:
    """Return the remarks without which the numbers would mislead."""
    missing = [name for name in classes if name not in set(table["truth"])]
    remarks = [f"class {name} has no clip here; it counts as 0 in the pooled UF1 and UAR" for name in missing]
    if leak:
        remarks.append(f"leaky: {leak}")
    if subject_dependent:
        remarks.append("subject-dependent: train and test share subjects, so this says nothing about new people")
    if simulated:
        remarks.append("measured on simulated motion, not on people")
    return remarks


def people(table: pd.DataFrame) -> pd.Series[str]:
    """Return the person key of each row: data set and subject, since data sets reuse subject numbers."""
    return table["dataset"].astype(str) + "/" + table["subject"].astype(str)


def _mean_scores(table: pd.DataFrame, classes: Sequence[str] | None = None) -> Scores:
    return Scores(**{metric: _rounded(value) for metric, value in seed_means(table, classes).items()})


def _by_class(classes: Sequence[str], values: Any) -> dict[str, float]:
    return {name: _rounded(value) for name, value in zip(classes, values, strict=True)}


def _rounded(value: Any) -> float:
    return round(float(value), DIGITS)
