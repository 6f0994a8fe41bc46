"""How much of a score is leakage: the same clips and the same model, honest and with one leak at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stag.config import Config
from stag.errors import ConfigError, DatasetError
from stag.evaluation.metrics import DIGITS, METRICS
from stag.evaluation.protocols import split
from stag.evaluation.results import Result, RunResult
from stag.evaluation.units import Learner
from stag.motion_set import MotionSet
from stag.studies.comparison import paired_difference
from stag.studies.leaks import (
    InterpolatedOversampling,
    LeakyNormalisation,
    LeakyOversampling,
    LeakyTestFoldSelection,
    TrainingNormalisation,
)
from stag.studies.results import AuditResult, AuditRow, Gap, StudyScores, Written
from stag.studies.study import Progress, Study, naming, write_study


@dataclass(frozen=True)
class Leak:
    """One leak that ``stag audit`` measures.

    Attributes:
        name: What it is called.
        explanation: What it is, in one line.
        folder: Name of its run folder.
        learner: Makes the leaky learner from all clips; ``None`` where the leak is elsewhere.
        fair: The same step done after the split, to compare with; the honest run where ``None``.
        against: What the difference is to.
        protocol: Protocol in place of the honest one.
        settings: Settings in place of the study's, as for ``--set``.
    """

    name: str
    explanation: str
    folder: str = ""
    learner: Callable[[MotionSet], Learner] | None = None
    fair: Learner | None = None
    against: str = "honest"
    protocol: str | None = None
    settings: tuple[str, ...] = ()


def _answers(motion: MotionSet) -> dict[str, str]:
    return dict(zip(motion.key.tolist(), motion.label.tolist(), strict=True))


LEAKS = (
    Leak(
        "test-fold selection (leaky)",
        "The epoch with most right answers on the test fold is kept; a new person brings no answers to choose by.",
        "leaky-test-fold-selection",
        learner=lambda motion: LeakyTestFoldSelection(_answers(motion)),
    ),
    Leak(
        "oversampling before the split (leaky)",
        "Rare classes are filled up by mixing clips before the folds are dealt, so training holds mixtures of test "
        "clips with their labels.",
        "leaky-oversampling",
        learner=LeakyOversampling,
        fair=InterpolatedOversampling(),
        against="oversampling within the training clips",
    ),
    Leak(
        "normalisation over everything (leaky)",
        "Channels are standardised with the mean and spread of all clips, those of the test fold included.",
        "leaky-normalisation",
        learner=lambda _: LeakyNormalisation(),
        fair=TrainingNormalisation(),
        against="normalisation within the training clips",
    ),
    Leak(
        "subject-dependent folds (leaky)",
        "Clips are dealt, not people, so the model knows everybody it is tested on.",
        "leaky-subject-dependent",
        protocol="skf",
    ),
    Leak(
        "mean-of-folds reporting (leaky)",
        "The same answers, scored fold by fold over the classes that occur there, then averaged: no other prediction, "
        "another number.",
    ),
    Leak(
        "annotated AUs at test time (leaky)",
        "The classifier reads the expert's codes of the test clips; nobody has them for a new video.",
        "leaky-annotated-aus",
        settings=("au=annotated",),
    ),
)
"""What is measured, in this order; a leak without a run folder is the honest run, reported otherwise."""


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
) -> Written[AuditResult]:
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
        RunError: As for :func:`~stag.evaluation.evaluate.evaluate`.

    Example:
        >>> leak_audit(motion, Config.preset("quick"), out="runs/audit").content.rows  # doctest: +SKIP
    """
    if protocol == "skf":
        raise ConfigError("`protocol=skf`: an audit compares with an honest run; use loso or gkf")
    if config.au == "annotated":
        config = config.override(["au=none"])
    study = Study(motion, config, Path(out), protocol, folds, seeds, jobs, device="cpu")
    with naming("honest"):
        _, honest = study.run("honest", baselines=True)
    rows = []
    for done, leak in enumerate(LEAKS, start=1):
        with naming(leak.name):
            rows.append(_row(leak, study, honest) if leak.folder else _mean_of_folds(leak, honest.content))
        if progress is not None:
            progress(done, len(LEAKS))
    reference = StudyScores.of(honest.content)
    content = AuditResult(**study.head("audit", honest), honest=reference, rows=rows, notes=_notes(honest.content))
    return write_study(study.out, content)


def _row(leak: Leak, study: Study, honest: Result) -> AuditRow:
    texts = {"leak": leak.name, "explanation": leak.explanation, "against": leak.against}
    reference = honest
    if leak.fair is not None:
        _, reference = study.run(leak.folder.replace("leaky", "honest"), learner=leak.fair)
    folds = len(split(study.protocol, study.motion.group, study.motion.label, study.folds))
    try:
        run, leaky = study.run(
            leak.folder,
            config=study.config.override(list(leak.settings)),
            learner=leak.learner(study.motion) if leak.learner else None,
            protocol=leak.protocol,
            folds=folds if leak.protocol else None,
        )
    except DatasetError as error:
        return AuditRow(**texts, skipped=str(error))
    return AuditRow(
        **texts,
        run=f"runs/{run}",
        reference=StudyScores.of(reference.content),
        scores=StudyScores.of(leaky.content),
        difference=dict(paired_difference(leaky.predictions, reference.predictions, leaky.content.classes)),
    )


def _mean_of_folds(leak: Leak, honest: RunResult) -> AuditRow:
    """Return the row of the honest run, scored fold by fold."""
    pooled, folds = StudyScores.of(honest), honest.folds.plain()
    means = {metric: folds[f"{metric}_mean"] for metric in METRICS}
    return AuditRow(
        leak=leak.name,
        explanation=leak.explanation,
        against=leak.against,
        run="runs/honest",
        reference=pooled,
        scores=StudyScores(**means, mean_of_folds=honest.folds),
        difference={m: Gap(value=round(means[m] - getattr(pooled, m), DIGITS)) for m in METRICS},
    )


def _notes(honest: RunResult) -> list[str]:
    counts = np.array(list(honest.class_counts.values()))
    notes = list(honest.notes)
    if counts.max() == counts.min():
        notes.append("all classes are equally large, so oversampling has nothing to fill up")
    return notes
