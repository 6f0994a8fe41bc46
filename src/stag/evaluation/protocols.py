"""Evaluation protocols: which clips train and which are tested, from subjects and labels alone."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from stag.errors import ConfigError, DatasetError
from stag.utils.choices import PROTOCOLS
from stag.utils.text import did_you_mean
from stag.utils.values import ArrayValue


@dataclass(frozen=True, eq=False, repr=False)
class Fold(ArrayValue):
    """One fold of a protocol.

    Attributes:
        name: Subject key under ``loso``, else ``fold1``, ``fold2`` and so on; unique in the protocol.
        train: Sorted indices of the clips to learn from.
        test: Sorted indices of the clips to classify.
    """

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


def split(protocol: str, subjects: ArrayLike, labels: ArrayLike, folds: int = 5, seed: int = 0) -> list[Fold]:
    """Return the folds of a protocol; every clip is tested exactly once.

    ``loso`` leaves out one subject per fold. ``gkf`` deals whole subjects so that every fold has about the same mix
    of classes (:class:`sklearn.model_selection.StratifiedGroupKFold`): with a rare class, folds balanced by size only
    would often leave it out of the test or of the training part. Where that deal is impossible or leaves a fold empty,
    subjects are dealt by size (:class:`sklearn.model_selection.GroupKFold`). ``skf`` deals the clips of each class
    in turn, so that the folds differ by at most one clip per class; it is subject-dependent.

    Args:
        protocol: ``loso``, ``gkf`` or ``skf``.
        subjects: ``(n,)`` person keys.
        labels: ``(n,)`` class names.
        folds: Number of folds, for ``gkf`` and ``skf``.
        seed: Seed of the deal, for ``gkf`` and ``skf``.

    Raises:
        ConfigError: There is no such protocol, or fewer than two folds are asked for.
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
    if protocol == "gkf":
        fold_of = _deal_subjects(subject_of, labels, folds, seed)
    else:
        fold_of = _deal_clips(labels, folds, seed)
    return _folds(fold_of, [f"fold{number + 1}" for number in range(folds)])


def _folds(fold_of: NDArray[np.intp], names: list[str]) -> list[Fold]:
    return [Fold(name, np.flatnonzero(fold_of != i), np.flatnonzero(fold_of == i)) for i, name in enumerate(names)]


def _deal_subjects(subject_of: NDArray[np.intp], labels: NDArray[np.str_], folds: int, seed: int) -> NDArray[np.intp]:
    fold_of = np.zeros(len(labels), dtype=np.intp)
    _, counts = np.unique(labels, return_counts=True)
    if counts.max() >= folds:
        stratified = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            # A class smaller than the number of folds is common here, and dealt as well as it can be.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            for number, (_, test) in enumerate(stratified.split(labels, labels, subject_of)):
                fold_of[test] = number
        if len(np.unique(fold_of)) == folds:
            return fold_of
    for number, (_, test) in enumerate(GroupKFold(folds).split(labels, labels, subject_of)):
        fold_of[test] = number
    return fold_of


def _deal_clips(labels: NDArray[np.str_], folds: int, seed: int) -> NDArray[np.intp]:
    # The deal of scikit-learn's StratifiedKFold, which itself refuses data whose classes are all small.
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold_of = np.empty(len(labels), dtype=np.intp)
    fold_of[by_class] = np.arange(len(labels)) % folds
    return fold_of
