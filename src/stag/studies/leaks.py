"""Learners with a leak, each beside the same step done correctly, for ``stag audit`` alone.

Published work often leaks in these ways (Varanka et al., *Data leakage and evaluation issues in micro-expression
analysis*, arXiv 2211.11425). The evaluation itself stays honest: no learner gets the test labels. A leaky learner
has them from the start, and both its name and its result say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from stag.config import Config
from stag.evaluation.units import Answers, classify
from stag.motion_set import MotionSet

if TYPE_CHECKING:
    from stag.model.stag import STAG


@dataclass(frozen=True)
class LeakyTestFoldSelection:
    """STAG, with the epoch that gets most of the test fold right; all else as in the honest run.

    Attributes:
        answers: Clip key -> class of every clip, the test clips included.
    """

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


@dataclass(frozen=True)
class InterpolatedOversampling:
    """STAG after rare classes are filled up by interpolation (SMOTE) among the training clips: the honest way."""

    leak: ClassVar[str] = ""

    def __call__(self, train: MotionSet, test: MotionSet, config: Config, seed: int) -> Answers:
        """Fill up, train, classify."""
        return _trained(filled_up(train, seed), test, config, seed)


@dataclass(frozen=True)
class LeakyOversampling:
    """STAG after rare classes are filled up before the split, so that training holds mixtures of test clips.

    Attributes:
        whole: All clips with their classes.
    """

    whole: MotionSet
    leak: ClassVar[str] = "rare classes are filled up before the split, so training holds mixtures of test clips"

    def __call__(self, train: MotionSet, test: MotionSet, config: Config, seed: int) -> Answers:
        """Fill up everything, take out the test clips themselves, train, classify."""
        filled = filled_up(self.whole, seed)
        kept = ~np.isin(filled.key, test.key)
        return _trained(filled.subset(kept), test, config, seed)


@dataclass(frozen=True)
class TrainingNormalisation:
    """STAG on channels standardised by the training clips: the honest way."""

    leak: ClassVar[str] = ""

    def __call__(self, train: MotionSet, test: MotionSet, config: Config, seed: int) -> Answers:
        """Standardise, train, classify."""
        mean, deviation = _moments(train)
        return _trained(_scaled(train, mean, deviation), _scaled(test, mean, deviation), config, seed)


@dataclass(frozen=True)
class LeakyNormalisation:
    """STAG on channels standardised by all clips, those of the test fold included."""

    leak: ClassVar[str] = "channels are standardised by all clips, those of the test fold included"

    def __call__(self, train: MotionSet, test: MotionSet, config: Config, seed: int) -> Answers:
        """Standardise, train, classify."""
        mean, deviation = _moments(MotionSet.concatenate([train, test]))
        return _trained(_scaled(train, mean, deviation), _scaled(test, mean, deviation), config, seed)


def filled_up(motion: MotionSet, seed: int) -> MotionSet:
    """Return the clips, and for each class as many mixtures of two of its clips as it lacks to the largest.

    A mixture ``a + s (b - a)`` with ``s`` uniform in [0, 1) (Chawla et al., SMOTE, 2002; any two clips of the class
    here, not neighbours only) takes the person and the codes of ``a``.

    Args:
        motion: Clips in any order.
        seed: Seed of the mixtures.
    """
    generator = np.random.default_rng([seed, 17])
    motion = motion.subset(np.argsort(motion.key, kind="stable"))
    names, counts = np.unique(motion.label, return_counts=True)
    added = [motion]
    for name, count in zip(names, counts, strict=True):
        members, wanted = np.flatnonzero(motion.label == name), int(counts.max() - count)
        if wanted == 0:
            continue
        pairs = members[generator.integers(len(members), size=(2, wanted))]
        share = generator.random((wanted, 1, 1, 1)).astype(np.float32)
        first = motion.subset(pairs[0])
        mixed = first.motion + share * (motion.motion[pairs[1]] - first.motion)
        added.append(replace(first, motion=mixed, clip_id=np.array([f"mixed {name} {i:05d}" for i in range(wanted)])))
    return MotionSet.concatenate(added)


def _trained(train: MotionSet, test: MotionSet, config: Config, seed: int) -> Answers:
    from stag.training import fit

    return classify(fit.train(train, config, seed=seed, device="cpu"), test, config)


def _moments(motion: MotionSet) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and deviation of each channel and component, ``(R, 2)`` each."""
    mean, deviation = motion.motion.mean(axis=(0, 1)), motion.motion.std(axis=(0, 1))
    return mean, np.where(deviation > 0, deviation, np.float32(1))


def _scaled(motion: MotionSet, mean: NDArray[np.float32], deviation: NDArray[np.float32]) -> MotionSet:
    return replace(motion, motion=((motion.motion - mean) / deviation).astype(np.float32))
