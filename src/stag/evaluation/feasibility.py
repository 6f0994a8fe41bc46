"""Checks of clips against folds and settings, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stag.config import Config
from stag.datasets.look_alikes import class_warnings, people_warnings
from stag.errors import DatasetError
from stag.evaluation.protocols import Fold
from stag.motion_set import MotionSet


def refuse_pointless(motion: MotionSet, folds: Sequence[Fold]) -> None:
    """Refuse folds from which nothing can be learned.

    Args:
        motion: All clips.
        folds: Folds of the protocol; one without training clips, for a finished model, is passed over.

    Raises:
        DatasetError: There is one class alone, a fold has fewer than two clips to learn from, or no fold could learn
            the class of any clip that it tests.
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
    small = next((fold for fold in trained if len(fold.train) < 2), None)
    if small is not None:
        raise DatasetError(f"fold {small.name} has 1 clip to learn from; it needs at least 2, so add clips")
    if all(len(_unlearned(motion, fold)) == len(fold.test) for fold in trained):
        raise DatasetError(
            "no fold has training clips of a class that it tests, so every answer would be wrong; each class needs "
            "clips of at least 2 subjects"
        )


def limits_of(motion: MotionSet, folds: Sequence[Fold]) -> list[str]:
    """Return what limits the scores on these classes and folds, one sentence each.

    A clip is lost whose class no training clip of its fold has: under ``loso`` every clip of a class of one subject.
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
    """Refuse an AU source for which a fold has no clip with codes.

    Raises:
        DatasetError: It names the fold.
    """
    coded = np.asarray(~np.isnan(motion.action_units).any(axis=1))
    for fold in folds:
        # Predicted AUs need codes to learn from, annotated ones at the test as well.
        parts = {"none": (), "predicted": (fold.train,), "annotated": (fold.train, fold.test)}[config.au]
        if any(len(part) and not coded[part].any() for part in parts):
            raise DatasetError(
                f"`au={config.au}`: fold {fold.name} has no clip with annotated AU codes to work from; use `au=none`"
            )


def refuse_unknown_classes(motion: MotionSet, known: Sequence[str], whose: str) -> None:
    """Refuse test clips of a class that is not known.

    Raises:
        DatasetError: It names the class.
    """
    unknown = sorted({str(name) for name in motion.label} - set(known))
    if unknown:
        raise DatasetError(
            f"class {unknown[0]!r} of the test clips is not among the classes {list(known)} of {whose}; "
            "extract both with one `scheme`"
        )


def _unlearned(motion: MotionSet, fold: Fold) -> np.ndarray:
    """Return the indices of the tested clips of a fold whose class none of its training clips has."""
    return fold.test[~np.isin(motion.label[fold.test], motion.label[fold.train])]
