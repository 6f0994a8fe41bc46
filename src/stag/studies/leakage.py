"""How much of a score is leakage: the same clips and the same model, honest and with one leak at a time.

Published work often leaks in these ways (Varanka et al., *Data leakage and evaluation issues in micro-expression
analysis*, arXiv 2211.11425). The evaluation itself gives no learner the test labels; a leaky learner has them from
the start, and both its name and its result say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from stag.config import Config
from stag.errors import ConfigError, DatasetError
from stag.evaluation.evaluate import Progress
from stag.evaluation.metrics import DIGITS, METRICS
from stag.evaluation.results import Result, RunResult
from stag.evaluation.units import Answers, Learner, classify, stag_learner
from stag.motion_set import MotionSet
from stag.studies.results import AuditResult, AuditRow, Gap, StudyScores
from stag.studies.study import Study, naming, paired_difference, write_study

if TYPE_CHECKING:
    from stag.model.stag import STAG


@dataclass(frozen=True)
class LeakyTestFoldSelection:
    """STAG, with the epoch that gets most of the test fold right; ``answers`` maps clip key -> class of all clips."""

    answers: Mapping[str, str]
    selection: ClassVar[str] = "test-fold (leaky)"
    leak: ClassVar[str] = "the epoch is chosen by the right answers on the test fold"

    def __call__(self, train: MotionSet, test: MotionSet, config: Config, seed: int) -> Answers:
        """Train on the honest training clips, choose the epoch on the test clips, classify the test clips."""
        from stag.training.fit import Part, fit_many

        right = np.array([test.classes.index(self.answers[key]) for key in test.key.tolist()])

        def wrong_answers(model: STAG) -> float:
            """Return how many test clips are classified wrongly; of equally many the smaller loss counts."""
            probabilities = classify(model, test, config).probabilities
            loss = float(-np.log(probabilities[np.arange(len(right)), right].clip(1e-12)).mean())
            return int((probabilities.argmax(axis=1) != right).sum()) + loss / (1 + loss)

        part = Part(np.arange(len(train)), seed, cost=wrong_answers)
        return classify(fit_many(train, [part], config, device="cpu")[0], test, config)


class InterpolatedOversampling:
    """STAG after rare classes were filled up by interpolation (SMOTE) among the training clips: the honest way."""

    def __call__(self, train: MotionSet, test: MotionSet, config: Config, seed: int) -> Answers:
        """Fill up, train, classify."""
        return stag_learner(filled_up(train, seed), test, config, seed)


@dataclass(frozen=True)
class LeakyOversampling:
    """STAG after all clips were filled up before the test clips leave, so training contains mixtures of them."""

    whole: MotionSet
    leak: ClassVar[str] = "rare classes are filled up before the split, so training contains mixtures of test clips"

    def __call__(self, train: MotionSet, test: MotionSet, config: Config, seed: int) -> Answers:
        """Fill up, train, classify."""
        filled = filled_up(self.whole, seed)
        return stag_learner(filled.subset(~np.isin(filled.key, test.key)), test, config, seed)


class TrainingNormalisation:
    """STAG after channels were standardised by the training clips: the honest way."""

    def __call__(self, train: MotionSet, test: MotionSet, config: Config, seed: int) -> Answers:
        """Standardise, train, classify."""
        return stag_learner(_standardised(train, train), _standardised(test, train), config, seed)


class LeakyNormalisation:
    """STAG after channels were standardised by all clips, those of the test fold included."""

    leak: ClassVar[str] = "channels are standardised by all clips, those of the test fold included"

    def __call__(self, train: MotionSet, test: MotionSet, config: Config, seed: int) -> Answers:
        """Standardise, train, classify."""
        everything = MotionSet.concatenate([train, test])
        return stag_learner(_standardised(train, everything), _standardised(test, everything), config, seed)


def filled_up(motion: MotionSet, seed: int) -> MotionSet:
    """Return the clips, and for each class as many mixtures of two of its clips as it lacks to the largest.

    A mixture ``a + s (b - a)`` with ``s`` uniform in [0, 1) (Chawla et al., SMOTE, 2002; here of any two clips of the
    class, not only neighbours) takes the subject and the codes of ``a``.
    """
    generator = np.random.default_rng([seed, 17])
    motion = motion.subset(np.argsort(motion.key, kind="stable"))
    names, counts = np.unique(motion.label, return_counts=True)
    added = [motion]
    for name, count in zip(names, counts, strict=True):
        members, missing = np.flatnonzero(motion.label == name), int(counts.max() - count)
        if missing == 0:
            continue
        pairs = members[generator.integers(len(members), size=(2, missing))]
        share = generator.random((missing, 1, 1, 1)).astype(np.float32)
        first = motion.subset(pairs[0])
        mixed = first.motion + share * (motion.motion[pairs[1]] - first.motion)
        added.append(replace(first, motion=mixed, clip_id=np.array([f"mixed {name} {i:05d}" for i in range(missing)])))
    return MotionSet.concatenate(added)


def _standardised(motion: MotionSet, by: MotionSet) -> MotionSet:
    """Return the clips with each channel and component standardised by its mean and deviation in ``by``."""
    mean, deviation = by.motion.mean(axis=(0, 1)), by.motion.std(axis=(0, 1))
    scaled = (motion.motion - mean) / np.where(deviation > 0, deviation, np.float32(1))
    return replace(motion, motion=scaled.astype(np.float32))


@dataclass(frozen=True)
class Leak:
    """One leak that ``stag audit`` measures."""

    name: str
    explanation: str
    folder: str = ""  # name of its run folder; the honest run scored differently where empty
    learner: Callable[[MotionSet], Learner] | None = None  # makes the leaky learner from all clips
    fair: Learner | None = None  # the same step done after the split, to compare with; the honest run where None
    against: str = "honest"  # name of the reference
    protocol: str | None = None  # protocol in place of the honest one
    settings: tuple[str, ...] = ()  # settings in place of the study's, as for --set


LEAKS = (
    Leak(
        "test-fold selection (leaky)",
        "The epoch with most right answers on the test fold is kept; a new person brings no answers to choose by.",
        "leaky-test-fold-selection",
        learner=lambda motion: LeakyTestFoldSelection(dict(zip(motion.key, motion.label, strict=True))),
    ),
    Leak(
        "oversampling before the split (leaky)",
        "Rare classes are filled up by mixing clips before the split, so training contains mixtures of test clips with "
        "their labels.",
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
        "Folds divide clips, not people, so the model knows everybody it is tested on.",
        "leaky-subject-dependent",
        protocol="skf",
    ),
    Leak(
        "mean-of-folds reporting (leaky)",
        "The same answers, scored fold by fold over the classes that occur there, then averaged: equal predictions, "
        "another score.",
    ),
    Leak(
        "annotated AUs at test time (leaky)",
        "The classifier reads the expert's codes of the test clips; nobody has them for a new video.",
        "leaky-annotated-aus",
        settings=("au=annotated",),
    ),
)


def leak_audit(
    motion: MotionSet,
    config: Config,
    *,
    out: Path | str,
    protocol: str = "loso",
    folds: int = 5,
    seeds: Sequence[int] = (0,),
    jobs: int = 1,
    device: str = "auto",
    progress: Progress | None = None,
) -> AuditResult:
    """Measure what each leak would be worth on these clips; a second call computes only what is missing.

    The reference is the honest run; for oversampling and normalisation, the same step done within the training clips.
    Annotated AUs are a leak themselves, so the honest runs do not read them even where ``config`` does.
    ``out`` gets ``audit.json``, ``audit.csv``, and a run folder for each run under ``runs``. Further arguments are
    those of :func:`~stag.evaluation.evaluate.evaluate`.

    Raises:
        ConfigError: The protocol is ``skf``, which shares subjects, so nothing honest is left to compare with.
        RunError: As for :func:`~stag.evaluation.evaluate.evaluate`.
    """
    if protocol == "skf":
        raise ConfigError("`protocol=skf`: an audit compares with an honest run; use loso or gkf")
    if config.au == "annotated":
        config = config.override(["au=none"])
    study = Study(motion, config, Path(out), protocol, folds, seeds, jobs, device)
    with naming("honest"):
        _, honest = study.run("honest", baselines=True)
    rows = []
    for done, leak in enumerate(LEAKS, start=1):
        with naming(leak.name):
            rows.append(_row(leak, study, honest))
        if progress is not None:
            progress(done, len(LEAKS))
    content, notes = honest.content, list(honest.content.notes)
    if len(set(content.class_counts.values())) == 1:
        notes.append("all classes are equally large, so oversampling has nothing to fill up")
    head = study.head("audit", honest) | {"notes": notes}
    return write_study(study.out, AuditResult(**head, honest=StudyScores.of(content), rows=rows))


def _row(leak: Leak, study: Study, honest: Result) -> AuditRow:
    texts = {"leak": leak.name, "explanation": leak.explanation, "against": leak.against}
    if not leak.folder:
        return _mean_of_folds(texts, honest.content)
    reference = honest
    if leak.fair is not None:
        _, reference = study.run(leak.folder.replace("leaky", "honest"), learner=leak.fair)
    try:
        run, leaky = study.run(
            leak.folder,
            config=study.config.override(leak.settings),
            learner=leak.learner(study.motion) if leak.learner else None,
            protocol=leak.protocol,
            folds=honest.content.run["folds"] if leak.protocol else None,
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


def _mean_of_folds(texts: Mapping[str, str], honest: RunResult) -> AuditRow:
    pooled, folds = StudyScores.of(honest), honest.folds.plain()
    means = {metric: folds[f"{metric}_mean"] for metric in METRICS}
    return AuditRow(
        **texts,
        run="runs/honest",
        reference=pooled,
        scores=StudyScores(**means, mean_of_folds=honest.folds),
        difference={m: Gap(value=round(means[m] - getattr(pooled, m), DIGITS)) for m in METRICS},
    )
