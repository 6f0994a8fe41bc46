"""Result of reading a data set: usable clips, skipped clips, and remarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from stag.errors import DatasetError
from stag.types import Clip

Joined = Literal["scheme", "skip", "first"]

LAYOUTS = ("raw", "cropped")


@dataclass(frozen=True)
class Options:
    """Copy of a data set to read, and how.

    Attributes:
        annotation: Edition of the annotation, for example ``"2019"``, or its file: a path, a name or a part of one;
            found by its content where ``None``.
        layout: ``"raw"`` or ``"cropped"``; the one on disk where ``None``, raw before cropped.
        split: Only clips of this split, for example ``"test_a"``; all where ``None``.
        joined: What to do with a clip of several emotions: follow the label ``scheme``, ``skip`` it, or take the
            ``first``.
    """

    annotation: str | None = None
    layout: str | None = None
    split: str | None = None
    joined: Joined = "scheme"

    def __post_init__(self) -> None:
        """Validate once, at the seam."""
        if self.layout not in (None, *LAYOUTS):
            raise DatasetError(f"no layout {self.layout!r}; there are {', '.join(LAYOUTS)}")
        if self.joined not in get_args(Joined):
            raise DatasetError(f"no rule {self.joined!r} for joined emotions; there are {', '.join(get_args(Joined))}")

    def refuse(self, title: str, *names: str) -> None:
        """Raise DatasetError if an option is given that a set does not have."""
        for name in names:
            if getattr(self, name) is not None:
                raise DatasetError(f"{title} has no {name} to choose; leave `{name}` out")


@dataclass(frozen=True)
class Remark:
    """Something that a user should know about a usable clip, or about the whole set.

    Attributes:
        kind: One of :data:`KINDS`.
        clip_id: Empty where it concerns the whole set.
    """

    kind: str
    text: str
    clip_id: str = ""


KINDS = {
    "sheet": "annotation",
    "people": "subjects that look like one person",
    "repair": "repairs applied",
    "key frame": "key frames corrected",
    "apex estimated": "apex unknown, the midpoint stands in until motion tells",
    "frames missing": "frames missing on disk",
    "action units": "action units that could not be read",
    "emotion": "emotions that no published list knows",
    "joined": "joined emotions",
    "files": "files and folders left aside",
}
"""Kind of a remark -> heading under which an audit shows it."""


@dataclass(frozen=True)
class Skipped:
    """An annotated clip that cannot be used.

    Attributes:
        kind: The fault in two or three words, to count by.
        reason: The fault of this clip.
        emotion: Lower case; empty where unknown.
        subject: Empty where unknown.
        split: Empty where there is none.
        dataset: Its set, where a manifest lists several; else empty.
    """

    clip_id: str
    kind: str
    reason: str
    emotion: str = ""
    subject: str = ""
    split: str = ""
    dataset: str = ""


@dataclass(frozen=True)
class Loaded:
    """A data set as read from disk.

    Attributes:
        clips: The usable clips, in the order of the annotation.
        edition: Edition of the annotation, where there are several.
        sheet: The annotation sheet; ``None`` where there is none.
        layout: ``"raw"``, ``"cropped"`` or empty.
    """

    clips: tuple[Clip, ...]
    skipped: tuple[Skipped, ...] = ()
    remarks: tuple[Remark, ...] = ()
    simulated: bool = False
    edition: str = ""
    sheet: Path | None = None
    layout: str = ""


class Unusable(ValueError):  # noqa: N818 - a verdict on one clip, not an error of the program
    """A clip cannot be used; readers catch it and list the clip under its kind."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
