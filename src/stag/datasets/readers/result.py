"""What an adapter hands over: usable clips, and a word about everything that was not as it should be."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from stag.errors import DatasetError
from stag.types import Clip

Joined = Literal["scheme", "skip", "first"]

LAYOUTS = ("raw", "cropped")
JOINED = ("scheme", "skip", "first")


@dataclass(frozen=True)
class Options:
    """Which of several copies of a data set is read, and how.

    Attributes:
        annotation: Edition of the annotation, for example ``"2019"``, or its file: a path, a name or a part of one;
            where ``None`` it is found by its content.
        layout: ``"raw"`` or ``"cropped"``; whichever is there where ``None``, raw before cropped.
        split: Only clips of this split, for example ``"test_a"``; all where ``None``.
        joined: What becomes of a clip with several emotions: what the label ``scheme`` says, ``skip`` it, or take the
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
        if self.joined not in JOINED:
            raise DatasetError(f"no rule {self.joined!r} for joined emotions; there are {', '.join(JOINED)}")

    def refuse(self, title: str, *names: str) -> None:
        """Refuse options that a set does not have.

        Raises:
            DatasetError: One of them was given.
        """
        for name in names:
            if getattr(self, name) is not None:
                raise DatasetError(f"{title} has no {name} to choose; leave --{name} out")


@dataclass(frozen=True)
class Remark:
    """Something about a clip, or about the whole set, that a user should know; the clip is used all the same.

    Attributes:
        kind: One of :data:`KINDS`.
        text: What it is, in words.
        clip_id: The clip; empty where it concerns the whole set.
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
        clip_id: The clip.
        kind: What is wrong, in two or three words, to count by.
        reason: What is wrong with this one.
        emotion: Its emotion, lower case; empty where unknown.
        subject: Its subject; empty where unknown.
        split: Its split; empty where there is none.
        dataset: Its set, where a manifest holds several; else empty.
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
    """A data set as an adapter found it.

    Attributes:
        clips: The usable clips, in the order of the annotation.
        skipped: Every other clip, with its reason.
        remarks: What else is to be known.
        simulated: Whether the simulator made the set.
        edition: Edition of the annotation, where there are several.
        sheet: The annotation sheet; ``None`` where there is none.
        frames: Folder of the frames; ``None`` where there are several.
        layout: ``"raw"``, ``"cropped"`` or empty.
    """

    clips: tuple[Clip, ...]
    skipped: tuple[Skipped, ...] = ()
    remarks: tuple[Remark, ...] = field(default=())
    simulated: bool = False
    edition: str = ""
    sheet: Path | None = None
    frames: Path | None = None
    layout: str = ""


class Unusable(ValueError):  # noqa: N818 - a verdict on one clip, not an error of the program
    """A clip cannot be used; caught by the adapter and listed under its kind."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
