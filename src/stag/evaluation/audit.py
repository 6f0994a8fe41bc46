"""How much of a score is leakage: the same clips and the same model, honest and with one leak at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stag.config import Config
from stag.datasets.motion_file import MotionSet
from stag.errors import ConfigError, DatasetError
from stag.evaluation.comparison import paired_difference
from stag.evaluation.experiment import Result
from stag.evaluation.leaks import (
    InterpolatedOversampling,
    LeakyNormalisation,
    LeakyOversampling,
    LeakyTestFoldSelection,
    TrainingNormalisation,
)
from stag.evaluation.metrics import METRICS
from stag.evaluation.splits import split
from stag.evaluation.studies import Progress, Study, flat_rows, naming, scores_of
from stag.files import write_json, write_text

EXPLANATIONS = {
    "test-fold selection (leaky)": "The epoch with most right answers on the test fold is kept; a new person "
    "brings no answers to choose by.",
    "oversampling before the split (leaky)": "Rare classes are filled up by mixing clips before the folds are dealt, "
    "so training holds mixtures of test clips with their labels.",
    "normalisation over everything (leaky)": "Channels are standardised with the mean and spread of all clips, those "
    "of the test fold included.",
    "subject-dependent folds (leaky)": "Clips are dealt, not people, so the model knows everybody it is tested on.",
    "mean-of-folds reporting (leaky)": "The same answers, scored fold by fold over the classes that occur there, then "
    "averaged: no other prediction, another number.",
    "annotated AUs at test time (leaky)": "The classifier reads the expert's codes of the test clips; nobody has them "
    "for a new video.",
}
"""Leak -> what it is, in one line."""


@dataclass(frozen=True)
class Audit:
    """What an audit found: the content of ``audit.json``, and its folder."""

    json: dict[str, Any]
    out: Path


def leak_audit(
    motion: MotionSet,
    config: Config,
    *,
    out: Path | str,
    protocol: str = "loso",
    folds: int = 5,
    seeds: Sequence[int] = (0,),
    jobs: int = 1,
    progress: Progress | None = None,
) -> Audit:
    """Measure what each leak would be worth on these clips; a second call does only what is missing.

    Every difference is to the honest run, but for oversampling and normalisation, which stand beside the same step
    done after the split, within the training clips. Annotated AUs as the configured source are a leak themselves, so
    the honest runs then go without.

    Args:
        motion: The clips.
        config: Settings of model and training.
        out: Folder; ``audit.json``, ``audit.csv``, and a run folder for each run under ``runs``.
        protocol: ``loso`` or ``gkf``, the honest ones.
        folds: Number of folds, for ``gkf``.
        seeds: Seeds of training.
        jobs: Worker processes.
        progress: Called with (done, total) as rows finish.

    Raises:
        ConfigError: The protocol shares subjects between training and test, so nothing honest is left to compare with.
        RunError: As for :func:`~stag.evaluation.experiment.evaluate`.

    Example:
        >>> leak_audit(motion, Config.preset("quick"), out="runs/audit").json["rows"]  # doctest: +SKIP
    """
    if protocol == "skf":
        raise ConfigError("--protocol skf: an audit compares with an honest run; use loso or gkf")
    if config.au == "annotated":
        config = config.override(["au=none"])
    study = Study(motion, config, Path(out), protocol, folds, seeds, jobs, device="cpu")
    names, done = iter(EXPLANATIONS), 0

    def finished() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(EXPLANATIONS) + 1)

    with naming("honest"):
        _, honest = study.run("honest", baselines=True)
    finished()
    rows = []
    answers = dict(zip(motion.key.tolist(), motion.label.tolist(), strict=True))
    name = next(names)
    with naming(name):
        run, leaky = study.run("leaky-test-fold-selection", learner=LeakyTestFoldSelection(answers))
    rows.append(_row(name, run, leaky, honest, "honest"))
    finished()
    twins = (
        ("oversampling", InterpolatedOversampling(), LeakyOversampling(motion)),
        ("normalisation", TrainingNormalisation(), LeakyNormalisation()),
    )
    for step, fair, unfair in twins:
        name = next(names)
        with naming(name):
            _, reference = study.run(f"honest-{step}", learner=fair)
            run, leaky = study.run(f"leaky-{step}", learner=unfair)
        rows.append(_row(name, run, leaky, reference, f"{step} within the training clips"))
        finished()
    name = next(names)
    count = len(split(protocol, motion.group, motion.label, folds))
    with naming(name):
        run, leaky = study.run("leaky-subject-dependent", protocol="skf", folds=count)
    rows.append(_row(name, run, leaky, honest, "honest"))
    finished()
    rows.append(_mean_of_folds(next(names), honest))
    finished()
    name = next(names)
    try:
        with naming(name):
            run, leaky = study.run("leaky-annotated-aus", config=config.override(["au=annotated"]))
        rows.append(_row(name, run, leaky, honest, "honest"))
    except DatasetError as error:
        rows.append(_skipped(name, str(error)))
    finished()
    content = {
        **study.head("audit", honest),
        "honest": scores_of(honest.json),
        "rows": rows,
        "notes": _notes(honest),
    }
    write_json(study.out / "audit.json", content)
    table = flat_rows(rows, ("leak", "against", "skipped", "explanation"))
    write_text(study.out / "audit.csv", table.to_csv(index=False, lineterminator="\n"))
    return Audit(content, study.out)


def _row(name: str, run: str, leaky: Result, reference: Result, against: str) -> dict[str, Any]:
    return {
        "leak": name,
        "explanation": EXPLANATIONS[name],
        "run": f"runs/{run}",
        "against": against,
        "reference": scores_of(reference.json),
        "scores": scores_of(leaky.json),
        "difference": paired_difference(leaky.predictions, reference.predictions, leaky.json["classes"]),
        "skipped": None,
    }


def _mean_of_folds(name: str, honest: Result) -> dict[str, Any]:
    """The honest run, told otherwise."""
    pooled, folds = scores_of(honest.json), honest.json["folds"]
    told = {metric: folds[f"{metric}_mean"] for metric in METRICS}
    gaps = {metric: {"value": round(told[metric] - pooled[metric], 6), "ci95": None} for metric in METRICS}
    return {
        "leak": name,
        "explanation": EXPLANATIONS[name],
        "run": "runs/honest",
        "against": "honest",
        "reference": pooled,
        "scores": {**told, "ci95": None, "f1": None, "mean_of_folds": folds},
        "difference": gaps,
        "skipped": None,
    }


def _skipped(name: str, reason: str) -> dict[str, Any]:
    return {
        "leak": name,
        "explanation": EXPLANATIONS[name],
        "run": None,
        "against": "honest",
        "reference": None,
        "scores": None,
        "difference": None,
        "skipped": reason,
    }


def _notes(honest: Result) -> list[str]:
    counts = np.array(list(honest.json["class_counts"].values()))
    notes = list(honest.json["notes"])
    if counts.max() == counts.min():
        notes.append("all classes are equally large, so oversampling has nothing to fill up")
    return notes
