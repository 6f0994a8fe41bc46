"""Data sets of a reproduction: trees that are extracted once, or ready motion files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stag.config import Config
from stag.datasets.schemes import SCHEMES, Scheme
from stag.errors import ConfigError, DatasetError
from stag.motion_set import MotionSet
from stag.studies.published import SETS

if TYPE_CHECKING:
    from stag.datasets.clips import ClipTable

BASIC5 = Scheme(
    "basic5",
    {name: (name,) for name in ("anger", "disgust", "happiness", "sadness", "surprise")},
    "the columns of Table 7: five emotions that several sets name alike",
)
SCHEMES_OF = {
    "3": ("paper3", "megc3"),
    "5": ("paper5", "common5"),
    "6": ("paper6",),
    "7": ("paper7",),
    "basic5": ("basic5", "paper7"),
}
"""Classes of a table -> matching label schemes, the paper's own first."""


@dataclass(frozen=True)
class Sources:
    """The user's data sets."""

    roots: Mapping[str, Path]  # data set -> its folder
    files: Mapping[str, Sequence[Path]]  # data set, or a split such as dfme:test_a -> motion files, one per scheme
    out: Path  # folder for extracted motion files and their cache
    config: Config  # settings of extraction
    jobs: int = 1  # worker processes
    _extracted: dict[str, MotionSet] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse names that are not in any table."""
        known = set(SETS.values())
        for name in (*self.roots, *(name.partition(":")[0] for name in self.files)):
            if name not in known:
                raise ConfigError(f"{name}=...: not a data set of the paper; there are {', '.join(sorted(known))}")

    def motion(self, name: str, classes: str, split: str | None = None) -> MotionSet | None:
        """Return the motion of a data set, or of one split of it; ``None`` where the user did not name the set.

        ``classes`` is a key of :data:`SCHEMES_OF`. Raises :class:`DatasetError` where the set cannot be read, or has no
        clip under such a scheme.
        """
        schemes = SCHEMES_OF[classes]
        for path in self.files.get(f"{name}:{split}" if split else name, ()):
            motion = MotionSet.load(path)
            if motion.meta.get("scheme") in schemes:
                return _named(motion if classes != BASIC5.name else _basic(motion), name)
        if name not in self.roots:
            return None
        key = "_".join(part for part in (name, split, schemes[0]) if part)
        if key not in self._extracted:
            from stag.datasets.extract import extract_motion

            table, folder = self.table(name, classes, split), self.out / "motion"
            motion = extract_motion(table, self.config, jobs=self.jobs, cache=folder / f"{name}.cache")
            motion.save(folder / f"{key}.npz")
            self._extracted[key] = motion
        return self._extracted[key]

    def table(self, name: str, classes: str, split: str | None = None) -> ClipTable:
        """Return the annotated clips of a data set whose folder is known."""
        from stag.datasets.clips import labelled, load_dataset, load_set
        from stag.datasets.readers.result import Options

        if classes == BASIC5.name:
            table = labelled(load_set(name, self.roots[name], Options(None, None, split)), BASIC5)
            if not table.clips:
                raise DatasetError(f"{self.roots[name]}: no clip is annotated with one of {', '.join(BASIC5.classes)}")
            return table
        covering = [scheme for scheme in SCHEMES_OF[classes] if SCHEMES[scheme].covers(name)]
        if not covering:
            raise DatasetError(f"{name} has no scheme of {classes} classes")
        return load_dataset(name, self.roots[name], covering[0], split=split)


def common_classes(train: MotionSet, test: MotionSet) -> tuple[MotionSet, MotionSet]:
    """Return both sets, the test set without classes that the training set lacks; refuse an empty test set."""
    kept = np.isin(test.label, np.unique(train.label))
    if not kept.any():
        raise DatasetError("no clip of the test set has a class of the training set; extract both with one `scheme`")
    train, test = (
        replace(motion, meta={**motion.meta, "classes": sorted({*train.label.tolist()})})
        for motion in (train, test.subset(kept))
    )
    return train, test


def _basic(motion: MotionSet) -> MotionSet:
    """Return the clips of the five emotions of Table 7."""
    meta = {**motion.meta, "scheme": BASIC5.name, "classes": list(BASIC5.classes)}
    return replace(motion.subset(np.isin(motion.label, BASIC5.classes)), meta=meta)


def has_codes(motion: MotionSet) -> bool:
    """Return whether any clip has action unit codes."""
    return bool((~np.isnan(motion.action_units)).all(axis=1).any())


def _named(motion: MotionSet, name: str) -> MotionSet:
    """Return simulated clips under the user's name for the set, so that two simulated sets share no people."""
    return replace(motion, dataset=np.full(len(motion), name)) if motion.simulated else motion
