"""Evaluation protocols: divide clips into training and test clips by subjects and labels alone."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from stag.config import Config
from stag.datasets.look_alikes import class_warnings, people_warnings
from stag.errors import ConfigError, DatasetError
from stag.motion_set import MotionSet
from stag.utils.choices import PROTOCOLS, did_you_mean
from stag.utils.values import ArrayValue


@dataclass(frozen=True, eq=False, repr=False)
class Fold(ArrayValue):
    """One fold of a protocol.

    Attributes:
        name: Subject key under ``loso``, else ``fold1``, ``fold2`` and so on; unique in the protocol.
        train: Sorted indices of the training clips.
        test: Sorted indices of the test clips.
    """

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


def split(protocol: str, subjects: ArrayLike, labels: ArrayLike, folds: int = 5, seed: int = 0) -> list[Fold]:
    """Return the folds of a protocol; every clip is tested exactly once.

    ``loso`` leaves out one subject per fold. ``gkf`` gives every fold whole subjects and about the same mix of classes
    (:class:`sklearn.model_selection.StratifiedGroupKFold`), as folds balanced by size would often miss a rare class.
    Where that is impossible or leaves a fold empty, subjects are divided by size
    (:class:`sklearn.model_selection.GroupKFold`). ``skf`` divides the clips of each class in turn, so folds differ by
    at most one clip per class; it is subject-dependent.

    Args:
        protocol: ``loso``, ``gkf`` or ``skf``.
        subjects: ``(n,)`` person keys.
        labels: ``(n,)`` class names.
        folds: Number of folds, for ``gkf`` and ``skf``.
        seed: Seed of the division, for ``gkf`` and ``skf``.

    Raises:
        ConfigError: There is no such protocol, or fewer than two folds are requested.
        DatasetError: There are too few subjects or clips.

    Example:
        >>> [fold.name for fold in split("loso", ["a", "b", "a"], ["x", "y", "y"])]
        ['a', 'b']
    """
    people, labels = np.asarray(subjects), np.asarray(labels)
    names, subject_of = np.unique(people, return_inverse=True)
    if protocol not in PROTOCOLS:
        hint = did_you_mean(protocol, PROTOCOLS)
        raise ConfigError(f"no protocol {protocol!r}{hint}; there are {', '.join(PROTOCOLS)}")
    if protocol == "loso":
        if len(names) < 2:
            raise DatasetError(
                "protocol loso needs at least 2 subjects and the data has 1; use `protocol=skf` or add subjects"
            )
        return _folds(subject_of, [str(name) for name in names])
    if folds < 2:
        raise ConfigError(f"`folds={folds}`: protocol {protocol} needs at least 2 folds")
    available, what = (len(names), "subjects") if protocol == "gkf" else (len(people), "clips")
    if folds > available:
        raise DatasetError(f"protocol {protocol} with {folds} folds: there are {available} {what}; lower `folds`")
    fold_of = _deal_subjects(subject_of, labels, folds, seed) if protocol == "gkf" else _deal_clips(labels, folds, seed)
    return _folds(fold_of, [f"fold{number + 1}" for number in range(folds)])


def _folds(fold_of: NDArray[np.intp], names: list[str]) -> list[Fold]:
    return [Fold(name, np.flatnonzero(fold_of != i), np.flatnonzero(fold_of == i)) for i, name in enumerate(names)]


def _deal_subjects(subject_of: NDArray[np.intp], labels: NDArray[np.str_], folds: int, seed: int) -> NDArray[np.intp]:
    fold_of = np.zeros(len(labels), dtype=np.intp)
    _, counts = np.unique(labels, return_counts=True)
    if counts.max() >= folds:
        stratified = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            # A class smaller than the number of folds is common here, and is divided as evenly as possible.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            for number, (_, test) in enumerate(stratified.split(labels, labels, subject_of)):
                fold_of[test] = number
        if len(np.unique(fold_of)) == folds:
            return fold_of
    for number, (_, test) in enumerate(GroupKFold(folds).split(labels, labels, subject_of)):
        fold_of[test] = number
    return fold_of


def _deal_clips(labels: NDArray[np.str_], folds: int, seed: int) -> NDArray[np.intp]:
    # Divides like StratifiedKFold, which refuses data whose classes are all small.
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold_of = np.empty(len(labels), dtype=np.intp)
    fold_of[by_class] = np.arange(len(labels)) % folds
    return fold_of


def refuse_pointless(motion: MotionSet, folds: Sequence[Fold]) -> None:
    """Refuse folds from which nothing can be learned; a fold without training clips, for a trained model, is skipped.

    Raises:
        DatasetError: There is one class alone, a fold has fewer than two training clips, or no fold can learn the class
            of any clip that it tests.
    """
    trained = [fold for fold in folds if len(fold.train)]
    if not trained:
        return
    learned = np.unique(motion.label[np.unique(np.concatenate([fold.train for fold in trained]))])
    if len(learned) < 2:
        raise DatasetError(
            f"all training clips are {str(learned[0])!r}; a classifier needs clips of at least 2 classes, so extract "
            "with another `scheme` or add clips"
        )
    if small := next((fold for fold in trained if len(fold.train) < 2), None):
        raise DatasetError(f"fold {small.name} has 1 clip to learn from; it needs at least 2, so add clips")
    if all(len(_unlearned(motion, fold)) == len(fold.test) for fold in trained):
        raise DatasetError(
            "no fold has training clips of a class that it tests, so every answer would be wrong; each class needs "
            "clips of at least 2 subjects"
        )


def limits_of(motion: MotionSet, folds: Sequence[Fold]) -> list[str]:
    """Return what limits the scores on these classes and folds, one sentence each.

    A clip cannot be recognised if no training clip of its fold has its class: under ``loso`` every clip of a class of
    one subject.
    """
    remarks = []
    trained = [fold for fold in folds if len(fold.train)]
    lost = np.concatenate([_unlearned(motion, fold) for fold in trained]) if trained else np.arange(0)
    tested = np.concatenate([fold.test for fold in folds])
    for name in motion.classes:
        here, gone = tested[motion.label[tested] == name], lost[motion.label[lost] == name]
        if gone.size:
            who = np.unique(motion.group[motion.label == name])
            why = f"all of subject {who[0]}" if len(who) == 1 else f"{len(who)} subjects"
            clips = f"{gone.size} of its {here.size} clips ({why})" if here.size > 1 else f"its only clip ({why})"
            remarks.append(f"class {name} cannot be recognised in {clips}: no training clip of their folds is of it")
    people = zip(motion.dataset, motion.subject, strict=True)
    return [*remarks, *class_warnings(motion.classes), *people_warnings(people)]


def refuse_missing_codes(motion: MotionSet, config: Config, folds: Sequence[Fold]) -> None:
    """Raise :class:`DatasetError` where a fold has no clip with the codes that ``config.au`` needs."""
    coded = np.asarray(~np.isnan(motion.action_units).any(axis=1))
    for fold in folds:
        # Predicted AUs need codes to learn from, annotated ones at the test as well.
        parts = {"none": (), "predicted": (fold.train,), "annotated": (fold.train, fold.test)}[config.au]
        if any(len(part) and not coded[part].any() for part in parts):
            raise DatasetError(
                f"`au={config.au}`: fold {fold.name} has no clip with annotated AU codes to work from; use `au=none`"
            )


def refuse_unknown_classes(motion: MotionSet, known: Sequence[str], whose: str) -> None:
    """Raise :class:`DatasetError` where a clip has a class that is not among ``known``."""
    if unknown := sorted({str(name) for name in motion.label} - set(known)):
        raise DatasetError(
            f"class {unknown[0]!r} of the test clips is not among the classes {list(known)} of {whose}; "
            "extract both with one `scheme`"
        )


def _unlearned(motion: MotionSet, fold: Fold) -> np.ndarray:
    """Return the test clips of a fold whose class no training clip of the fold has."""
    return fold.test[~np.isin(motion.label[fold.test], motion.label[fold.train])]
