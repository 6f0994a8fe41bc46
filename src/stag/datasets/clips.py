"""Annotated clips of a data set as one validated table, and the front door to every data set."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from stag.datasets import manifest
from stag.datasets.labels import Scheme, scheme
from stag.errors import DatasetError
from stag.types import Clip

Loaded = tuple[list[Clip], list[tuple[str, str]], bool]
"""Clips, ``(clip id, reason)`` of what was skipped, and whether the set is simulated."""

DATASETS: dict[str, Callable[[Path], Loaded]] = {"manifest": manifest.load}
"""Data set name -> its adapter."""


@dataclass(frozen=True)
class ClipTable:
    """Annotated clips with their class under one label scheme.

    Attributes:
        clips: The clips in the order of the annotation.
        classes: ``(n,)`` class name of each clip.
        scheme: The label scheme.
        skipped: ``(clip id, reason)`` of every clip that cannot be used.
        simulated: Whether the clips come from the simulator.
    """

    clips: tuple[Clip, ...]
    classes: tuple[str, ...]
    scheme: Scheme
    skipped: tuple[tuple[str, str], ...] = ()
    simulated: bool = False

    def __len__(self) -> int:
        """Number of usable clips."""
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        """The usable clips."""
        return iter(self.clips)

    @property
    def table(self) -> pd.DataFrame:
        """One row a clip: the fields of :class:`~stag.types.Clip` and its class."""
        return pd.DataFrame([vars(clip) for clip in self.clips]).assign(label=self.classes)

    def subset(self, index: np.ndarray) -> ClipTable:
        """The clips at integer positions ``index``."""
        clips, classes = np.array(self.clips, dtype=object), np.array(self.classes)
        return replace(self, clips=tuple(clips[index]), classes=tuple(str(c) for c in classes[index]))


def load_dataset(name: str, root: str | Path, scheme_name: str = "megc3") -> ClipTable:
    """The clips of a data set, labelled by a scheme.

    Args:
        name: Data set, for example ``"manifest"``.
        root: Folder that holds it.
        scheme_name: Label scheme; clips whose emotion it leaves out are listed as skipped.

    Raises:
        DatasetError: The name is unknown, the tree or sheet is not as documented, or no clip is usable.

    Example:
        >>> clips = load_dataset("manifest", "my_clips", "megc3")  # doctest: +SKIP
    """
    if name not in DATASETS:
        close = difflib.get_close_matches(name, DATASETS, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise DatasetError(f"no data set {name!r}{hint}; there are {', '.join(DATASETS)}")
    labels = scheme(scheme_name)
    clips, skipped, simulated = DATASETS[name](Path(root))
    usable: list[Clip] = []
    classes: list[str] = []
    for clip in clips:
        label = labels.class_of(clip.emotion)
        if label is None:
            skipped.append((clip.clip_id, f"emotion {clip.emotion!r} is not part of {labels.name}"))
        else:
            usable.append(clip)
            classes.append(label)
    if not usable:
        reason = f"; first reason: clip {skipped[0][0]}, {skipped[0][1]}" if skipped else ""
        raise DatasetError(f"{root}: no usable clip under scheme {labels.name}{reason}")
    return ClipTable(tuple(usable), tuple(classes), labels, tuple(skipped), simulated)
