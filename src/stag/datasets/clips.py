"""Annotated clips of a data set as one validated table, and the front door to every data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from stag.datasets import schemes
from stag.datasets.look_alikes import people_warnings
from stag.datasets.readers import casme2, dfme, fourdme, manifest, samm, smic
from stag.datasets.readers.result import Joined, Loaded, Options, Remark
from stag.datasets.schemes import Scheme, covering
from stag.errors import DatasetError
from stag.types import Clip
from stag.utils.choices import did_you_mean
from stag.utils.values import ArrayValue, html_table

DATASETS: dict[str, Callable[[Path, Options], Loaded]] = {
    "casme2": casme2.load,
    "samm": samm.load,
    "smic": smic.load,
    "dfme": dfme.load,
    "fourdme": fourdme.load,
    "name": manifest.load_name,
    "manifest": manifest.load,
}
"""Data set name -> its adapter."""


@dataclass(frozen=True, repr=False)
class ClipTable(ArrayValue):
    """Annotated clips with their class under one label scheme.

    Attributes:
        clips: The clips in the order of the annotation.
        classes: ``(n,)`` class name of each clip.
        scheme: The label scheme, with the classes that it has for these clips.
        skipped: ``(clip id, reason)`` of every clip that cannot be used.
        simulated: Whether the clips come from the simulator.
        remarks: Repairs, corrected key frames and whatever else is to be known.
    """

    clips: tuple[Clip, ...]
    classes: tuple[str, ...]
    scheme: Scheme
    skipped: tuple[tuple[str, str], ...] = ()
    simulated: bool = False
    remarks: tuple[Remark, ...] = ()

    def _summary(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self._counts().items())
        return f"{counts}, scheme {self.scheme.name}" + (", simulated" if self.simulated else "")

    def _repr_html_(self) -> str:
        """A small table for a notebook."""
        return html_table("clips", self._counts() | dict(Counter(sorted(self.classes))))

    def _counts(self) -> dict[str, int]:
        people = {(clip.dataset, clip.subject) for clip in self.clips}
        return {"clips": len(self), "subjects": len(people), "skipped": len(self.skipped)}

    def __len__(self) -> int:
        """Number of usable clips."""
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        """The usable clips."""
        return iter(self.clips)

    @property
    def table(self) -> pd.DataFrame:
        """One row a clip: the fields of :class:`~stag.types.Clip` and its class."""
        return pd.DataFrame(
            [{**vars(clip), "action_units": clip.action_units and str(clip.action_units)} for clip in self.clips]
        ).assign(label=self.classes)

    def subset(self, index: np.ndarray) -> ClipTable:
        """The clips at integer positions ``index``."""
        clips, classes = np.array(self.clips, dtype=object), np.array(self.classes)
        return replace(self, clips=tuple(clips[index]), classes=tuple(str(c) for c in classes[index]))


def load_dataset(
    name: str,
    root: str | Path,
    scheme: str = "megc3",
    *,
    annotation: str | None = None,
    layout: str | None = None,
    split: str | None = None,
    joined: Joined = "scheme",
) -> ClipTable:
    """The clips of a data set, labelled by a scheme.

    Args:
        name: Data set, for example ``"casme2"`` or ``"manifest"``.
        root: Folder that holds it, or a parent of it.
        scheme: Label scheme; clips whose emotion it leaves out are listed as skipped.
        annotation: Edition of the annotation (``"2019"``), or its file or a part of its name, where there are several.
        layout: ``"raw"`` or ``"cropped"``; whichever is there where omitted, raw before cropped.
        split: Only clips of this split (``"train"``, ``"test_a"``, ``"test_b"`` of DFME).
        joined: What becomes of a clip with several emotions: what the ``scheme`` says of them, ``skip`` it, or take
            the ``first``.

    Raises:
        DatasetError: The name is unknown, the tree or sheet is not as documented, the scheme does not cover the set,
            or no clip is usable.

    Example:
        >>> clips = stag.load_dataset("manifest", "my_clips", scheme="megc3")
        >>> clips.table.loc[0, ["subject", "label"]].tolist()
        ['s01', 'surprise']
    """
    labels = schemes.scheme(scheme)
    loaded = load_set(name, root, Options(annotation, layout, split, joined))
    if not labels.covers(name):
        raise DatasetError(f"{labels.name} is not defined for {name}; there are {', '.join(covering(name))}")
    table = labelled(loaded, labels, joined)
    if not table.clips:
        reason = f"; first reason: clip {table.skipped[0][0]}, {table.skipped[0][1]}" if table.skipped else ""
        raise DatasetError(f"{root}: no usable clip under scheme {labels.name}{reason}")
    return table


def load_set(name: str, root: str | Path, options: Options) -> Loaded:
    """A data set as it is on disk, before any label scheme.

    Raises:
        DatasetError: The name is unknown, or the tree or sheet is not as documented.
    """
    if name not in DATASETS:
        raise DatasetError(f"no data set {name!r}{did_you_mean(name, DATASETS)}; there are {', '.join(DATASETS)}")
    loaded = DATASETS[name](Path(root), options)
    alike = people_warnings((clip.dataset, clip.subject) for clip in loaded.clips)
    return replace(loaded, remarks=(*loaded.remarks, *(Remark("people", one) for one in alike)))


def labelled(loaded: Loaded, labels: Scheme, joined: Joined = "scheme") -> ClipTable:
    """The clips that a scheme gives a class; the others join what was skipped."""
    usable: list[Clip] = []
    classes: list[str] = []
    skipped = [(clip.clip_id, clip.reason) for clip in loaded.skipped]
    for clip in loaded.clips:
        label, reason = judge(clip.emotion, clip.dataset, clip.clip_id, labels, joined)
        if label is None:
            skipped.append((clip.clip_id, reason))
        else:
            usable.append(clip)
            classes.append(label)
    own = labels.within(clip.dataset for clip in usable)
    return ClipTable(tuple(usable), tuple(classes), own, tuple(skipped), loaded.simulated, loaded.remarks)


def judge(
    emotion: str, dataset: str, clip_id: str, labels: Scheme, joined: Joined = "scheme"
) -> tuple[str | None, str]:
    """Class of a clip under a scheme; without one, the reason."""
    why = labels.left_out.get(dataset, {}).get(clip_id)
    if why is not None:
        return None, why
    if "+" in emotion and joined == "skip":
        return None, f"has the joined emotion {emotion!r}"
    counted = emotion.split("+")[0] if joined == "first" else emotion
    label = labels.class_of(counted, dataset)
    return label, "" if label else f"emotion {counted!r} is not part of {labels.name}"
