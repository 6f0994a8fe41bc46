"""Load a data set as annotated clips with their classes, and list the data sets and label schemes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from stag.datasets.look_alikes import people_warnings
from stag.datasets.published_counts import EDITIONS
from stag.datasets.readers import dfme, manifest, published_set, smic
from stag.datasets.readers.result import Joined, Loaded, Options, Remark
from stag.datasets.schemes import SCHEMES, Scheme, covering
from stag.datasets.schemes import scheme as find_scheme
from stag.errors import DatasetError
from stag.types import Clip
from stag.utils.choices import did_you_mean
from stag.utils.values import ArrayValue, html_table

DATASETS: dict[str, Callable[[Path, Options], Loaded]] = {
    "casme2": published_set.load_casme2,
    "samm": published_set.load_samm,
    "smic": smic.load,
    "dfme": dfme.load,
    "fourdme": published_set.load_fourdme,
    "name": manifest.load_name,
    "manifest": manifest.load,
}
"""Data set name -> its reader."""


@dataclass(frozen=True, repr=False)
class ClipTable(ArrayValue):
    """Annotated clips with their class under one label scheme.

    Attributes:
        clips: The clips in the order of the annotation.
        classes: ``(n,)`` class name of each clip.
        scheme: The label scheme, with the classes that it has for these clips.
        skipped: ``(clip id, reason)`` of every clip that cannot be used.
        simulated: Whether the simulator made the clips.
        remarks: Repairs, corrected key frames and other remarks on the annotation.
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
        return html_table("clips", self._counts() | dict(Counter(sorted(self.classes))))

    def _counts(self) -> dict[str, int]:
        people = {(clip.dataset, clip.subject) for clip in self.clips}
        return {"clips": len(self), "subjects": len(people), "skipped": len(self.skipped)}

    def __len__(self) -> int:
        """Number of usable clips."""
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        """Iterate over the usable clips."""
        return iter(self.clips)

    @property
    def table(self) -> pd.DataFrame:
        """One row a clip: the fields of :class:`~stag.types.Clip` and its class."""
        return pd.DataFrame(
            [{**vars(clip), "action_units": clip.action_units and str(clip.action_units)} for clip in self.clips]
        ).assign(label=self.classes)

    def subset(self, index: np.ndarray) -> ClipTable:
        """Return the clips at integer positions ``index``."""
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
    """Load the clips of a data set, labelled by a scheme.

    Args:
        name: Data set, for example ``"casme2"`` or ``"manifest"``.
        root: Folder that contains it, or a parent of it.
        scheme: Label scheme; clips whose emotion it leaves out are listed as skipped.
        annotation: Edition of the annotation (``"2019"``), or its file or a part of its name, where there are several.
        layout: ``"raw"`` or ``"cropped"``; the one on disk where omitted, raw before cropped.
        split: Only clips of this split (``"train"``, ``"test_a"``, ``"test_b"`` of DFME).
        joined: What to do with a clip of several emotions: follow the ``scheme``, ``skip`` it, or take the ``first``.

    Raises:
        DatasetError: The name is unknown, the tree or sheet is not as documented, the scheme does not cover the set,
            or no clip is usable.

    Example:
        >>> clips = stag.load_dataset("manifest", "my_clips", scheme="megc3")
        >>> clips.table.loc[0, ["subject", "label"]].tolist()
        ['s01', 'surprise']
    """
    labels = find_scheme(scheme)
    loaded = load_set(name, root, Options(annotation, layout, split, joined))
    if not labels.covers(name):
        raise DatasetError(f"{labels.name} is not defined for {name}; there are {', '.join(covering(name))}")
    table = labelled(loaded, labels, joined)
    if not table.clips:
        reason = f"; first reason: clip {table.skipped[0][0]}, {table.skipped[0][1]}" if table.skipped else ""
        raise DatasetError(f"{root}: no usable clip under scheme {labels.name}{reason}")
    return table


def load_set(name: str, root: str | Path, options: Options) -> Loaded:
    """Load a data set as it is on disk, before any label scheme.

    Raises:
        DatasetError: The name is unknown, or the tree or sheet is not as documented.
    """
    if name not in DATASETS:
        raise DatasetError(f"no data set {name!r}{did_you_mean(name, DATASETS)}; there are {', '.join(DATASETS)}")
    loaded = DATASETS[name](Path(root), options)
    warnings = people_warnings((clip.dataset, clip.subject) for clip in loaded.clips)
    return replace(loaded, remarks=(*loaded.remarks, *(Remark("people", warning) for warning in warnings)))


def labelled(loaded: Loaded, labels: Scheme, joined: Joined = "scheme") -> ClipTable:
    """Return the clips that a scheme gives a class; the others are listed as skipped."""
    usable: list[Clip] = []
    classes: list[str] = []
    skipped = [(clip.clip_id, clip.reason) for clip in loaded.skipped]
    for clip in loaded.clips:
        label, reason = clip_class(clip.emotion, clip.dataset, clip.clip_id, labels, joined)
        if label is None:
            skipped.append((clip.clip_id, reason))
        else:
            usable.append(clip)
            classes.append(label)
    own = labels.within(clip.dataset for clip in usable)
    return ClipTable(tuple(usable), tuple(classes), own, tuple(skipped), loaded.simulated, loaded.remarks)


def clip_class(
    emotion: str, dataset: str, clip_id: str, labels: Scheme, joined: Joined = "scheme"
) -> tuple[str | None, str]:
    """Return the class of a clip under a scheme, or ``None`` and the reason."""
    why = labels.left_out.get(dataset, {}).get(clip_id)
    if why is not None:
        return None, why
    if "+" in emotion and joined == "skip":
        return None, f"has the joined emotion {emotion!r}"
    counted = emotion.split("+")[0] if joined == "first" else emotion
    label = labels.class_of(counted, dataset)
    return label, "" if label else f"emotion {counted!r} is not part of {labels.name}"


def datasets() -> pd.DataFrame:
    """List the data sets that :func:`stag.load_dataset` reads.

    Returns:
        One row a data set, by name: clips and subjects as published (missing for a manifest of own clips, or where
        nothing is published), source of these numbers, and the label schemes that are defined for it.

    Example:
        >>> int(stag.datasets().loc["samm", "clips"])
        159
    """
    rows = {}
    for name in DATASETS:
        editions = [edition for edition in EDITIONS if edition.dataset == name]
        counted = [edition for edition in editions if edition.split] or editions[:1]
        subjects = [edition.subjects for edition in counted if edition.subjects is not None]
        rows[name] = {
            "clips": sum(edition.clips for edition in counted) if counted else None,
            "subjects": sum(subjects) if subjects else None,
            "source": counted[0].source if counted else "own clips, listed in manifest.csv",
            "schemes": ", ".join(covering(name)),
        }
    return pd.DataFrame.from_dict(rows, orient="index").astype({"clips": "Int64", "subjects": "Int64"})


def schemes() -> pd.DataFrame:
    """List the label schemes.

    Returns:
        One row a scheme, by name: number of classes, their names, the data sets that it is defined for, and its source.

    Example:
        >>> stag.schemes().loc["megc3", "classes"]
        'negative, positive, surprise'
    """
    rows = {
        scheme.name: {
            "n_classes": len(scheme.classes),
            "classes": ", ".join(scheme.classes),
            "datasets": ", ".join(name for name in DATASETS if scheme.covers(name)),
            "source": scheme.source,
        }
        for scheme in SCHEMES.values()
    }
    return pd.DataFrame.from_dict(rows, orient="index")
