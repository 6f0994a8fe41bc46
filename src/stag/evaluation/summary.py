"""From the predictions of all units to ``result.json`` and ``predictions.csv``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from stag.evaluation.metrics import DIGITS, METRICS, bootstrap_replicates, fold_scores, interval, score
from stag.evaluation.results import FoldScores, PooledScores, Scores, Summary, UnitScores
from stag.facs import AU_VOCABULARY
from stag.motion_set import MotionSet


def prediction_table(motion: MotionSet, units: Sequence[Mapping[str, Any]], au_source: str) -> pd.DataFrame:
    """Return one row per tested clip and seed; truth joins prediction by clip key, never by position.

    Args:
        motion: The clips, in any order.
        units: Unit contents: ``fold``, ``seed``, ``clips`` (keys) and ``probabilities`` (clips, C).
        au_source: Where the AU input came from.

    Returns:
        Columns clip_id, dataset, subject, fold, seed, truth, predicted, ``p_<class>``..., au_source; sorted by seed,
        data set and clip.

    Raises:
        pandas.errors.MergeError: A clip is predicted twice with one seed.
    """
    classes = motion.classes
    clips = pd.DataFrame(
        {
            "key": motion.key,
            "clip_id": motion.clip_id,
            "dataset": motion.dataset,
            "subject": motion.subject,
            "truth": motion.label,
        }
    )
    tables = []
    for seed in sorted({unit["seed"] for unit in units}):
        parts = []
        for unit in (unit for unit in units if unit["seed"] == seed):
            columns = [f"p_{name}" for name in classes]
            part = pd.DataFrame(np.array(unit["probabilities"], dtype=np.float64), columns=columns)
            parts.append(part.assign(key=unit["clips"], fold=unit["fold"], seed=seed))
        tables.append(clips.merge(pd.concat(parts), on="key", how="inner", validate="one_to_one"))
    table = pd.concat(tables).sort_values(["seed", "key"], kind="stable", ignore_index=True)
    probabilities = table[[f"p_{name}" for name in classes]]
    table["predicted"] = np.array(classes)[probabilities.to_numpy().argmax(axis=1)]
    table["au_source"] = au_source
    first = ["clip_id", "dataset", "subject", "fold", "seed", "truth", "predicted"]
    return table[[*first, *probabilities.columns, "au_source"]]


def summarise(table: pd.DataFrame, classes: Sequence[str]) -> Summary:
    """Return the metrics of a prediction table.

    With several seeds every metric is computed for each seed and averaged; confusion matrices are summed; the spread
    over seeds is their (population) standard deviation. Per-fold scores are averaged over seeds first, so that
    ``uf1_std`` says how much folds differ. Bootstrap resamples take the same subjects for every seed.

    Args:
        table: Columns dataset, subject, fold, seed, truth, predicted.
        classes: The fixed class list.

    Returns:
        The parts ``pooled``, ``folds``, ``ci95``, ``per_dataset`` and ``seeds_spread`` of ``result.json``. ``folds``
        and ``per_dataset`` score over the classes that occur in the fold or data set.
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
        per_dataset={str(name): mean_scores(part) for name, part in table.groupby("dataset", sort=True)},
        seeds_spread=Scores(**{metric: _rounded(np.std([getattr(s, metric) for s in scores])) for metric in METRICS}),
    )


def replicates(table: pd.DataFrame, classes: Sequence[str], n: int = 1000) -> dict[str, NDArray[np.float64]]:
    """Return metric -> ``(n,)`` bootstrap replicates over subjects, averaged over seeds; every seed takes the same."""
    runs = [
        bootstrap_replicates(run["truth"], run["predicted"], people(run), classes, n)
        for _, run in table.groupby("seed", sort=True)
    ]
    return {metric: np.mean([run[metric] for run in runs], axis=0) for metric in METRICS}


def mean_scores(table: pd.DataFrame, classes: Sequence[str] | None = None) -> Scores:
    """Return the :func:`seed_means`, rounded."""
    return Scores(**{metric: _rounded(value) for metric, value in seed_means(table, classes).items()})


def seed_means(table: pd.DataFrame, classes: Sequence[str] | None = None) -> dict[str, float]:
    """Return UF1, UAR and WAR averaged over seeds.

    Args:
        table: Columns seed, truth, predicted.
        classes: As for :func:`score`.
    """
    scores = [score(run["truth"], run["predicted"], classes) for _, run in table.groupby("seed", sort=True)]
    return {metric: float(np.mean([getattr(s, metric) for s in scores])) for metric in METRICS}


def baseline_scores(
    motion: MotionSet, units: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> dict[str, Scores | None]:
    """Return the pooled scores of each baseline; ``None`` where a fold could not compute it, or there is no fold.

    Args:
        motion: The clips, in any order.
        units: Baseline units: ``clips`` (keys) and ``predicted`` (baseline name -> names, or ``None``).
        names: The baselines.
    """
    truth = pd.DataFrame({"key": motion.key, "truth": motion.label})
    result: dict[str, Scores | None] = {}
    for name in names:
        result[name] = None
        if units and all(unit["predicted"].get(name) is not None for unit in units):
            parts = [pd.DataFrame({"key": unit["clips"], "predicted": unit["predicted"][name]}) for unit in units]
            joined = truth.merge(pd.concat(parts), on="key", how="inner", validate="one_to_one")
            result[name] = mean_scores(joined.assign(seed=0), motion.classes)
    return result


def unit_scores(motion: MotionSet, units: Sequence[Mapping[str, Any]]) -> UnitScores | None:
    """Return how well the AU head recognises action units, at probability .5, over all tested clips with codes.

    Args:
        motion: The clips, in any order.
        units: Unit contents: ``seed``, ``clips`` (keys) and ``units`` (clips, A), AU probabilities free of AU input.

    Returns:
        ``macro_f1`` over the AUs that occur, ``f1`` of each of these by number, ``n_clips`` with codes, averaged over
        seeds; ``None`` where the method predicts no AUs or no clip has codes.
    """
    if not units or any("units" not in unit for unit in units):
        return None
    codes = dict(zip(motion.key.tolist(), motion.action_units, strict=True))
    scores = []
    for seed in sorted({unit["seed"] for unit in units}):
        mine = [unit for unit in units if unit["seed"] == seed]
        truth = np.array([codes[key] for unit in mine for key in unit["clips"]])
        said = np.concatenate([np.array(unit["units"], dtype=np.float64) for unit in mine])
        coded = ~np.isnan(truth).any(axis=1)
        occurs = (truth[coded] == 1).any(axis=0)
        if not occurs.any():
            return None
        scores.append(f1_score(truth[coded][:, occurs], said[coded][:, occurs] >= 0.5, average=None, zero_division=0))
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
    shown = set(table["truth"])
    missing = [name for name in classes if name not in shown]
    remarks = [f"class {name} has no clip here; it counts as 0 in the pooled UF1 and UAR" for name in missing]
    if leak:
        remarks.append(f"leaky: {leak}")
    if subject_dependent:
        remarks.append("subject-dependent: train and test share subjects, so this says nothing about new people")
    if simulated:
        remarks.append("measured on simulated motion, not on people")
    return remarks


def people(table: pd.DataFrame) -> pd.Series[str]:
    """Return the person key of each row: data set and subject, since two sets number their subjects alike."""
    return table["dataset"].astype(str) + "/" + table["subject"].astype(str)


def _by_class(classes: Sequence[str], values: Any) -> dict[str, float]:
    return {name: _rounded(value) for name, value in zip(classes, values, strict=True)}


def _rounded(value: Any) -> float:
    return round(float(value), DIGITS)
