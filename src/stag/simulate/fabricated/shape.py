"""What every shape must say about itself; one file beside this one says it for each set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stag.facs import CodedUnit
from stag.simulate.fabricated.plan import PlannedClip
from stag.simulate.render import ClipTruth

Variants = Collection[str]
"""Which of the copies in circulation is made; see :attr:`Shape.variants`."""


@dataclass(frozen=True)
class WrittenClip:
    """A clip whose frames are on disk.

    Attributes:
        clip: What was planned.
        first: Number of its first frame, as in the file names.
        n_frames: Number of frames from the first to the last, missing ones included.
        onset: True onset, as a number in the file names.
        apex: True apex.
        offset: True offset.
        units: The action units that fire.
        missing: Positions from the first frame that are not on disk.
        strength_px: Peak displacement in crop pixels; nan for a tiny clip.
        truth: What happens in each frame; ``None`` for a tiny clip.
    """

    clip: PlannedClip
    first: int
    n_frames: int
    onset: int
    apex: int
    offset: int
    units: tuple[CodedUnit, ...]
    missing: frozenset[int] = frozenset()
    strength_px: float = float("nan")
    truth: ClipTruth | None = None


class Shape(ABC):
    """The layout of one public data set.

    Attributes:
        name: As typed by the user.
        variants: Names of the other copies in circulation that can be made.
        image_size: Width and height of a frame as published.
        inter_ocular_px: Smallest and largest distance between the inner eye corners in such a frame. # assumed
        suffix: Ending of the image files.
        colour: Whether images have three channels.
        with_lead: Whether a folder holds frames before the onset and after the offset.
    """

    name: str
    variants: tuple[str, ...] = ()
    image_size: tuple[int, int]
    inter_ocular_px: tuple[float, float]
    suffix: str
    colour: bool = False
    with_lead: bool = False

    def size(self, variants: Variants) -> tuple[int, int]:
        """Width and height of a frame."""
        return self.image_size

    @abstractmethod
    def plan(self, variants: Variants, generator: np.random.Generator) -> list[PlannedClip]:
        """All clips of the set in published numbers, in the order of its sheet."""

    @abstractmethod
    def folder(self, clip: PlannedClip, variants: Variants) -> str:
        """Folder of the frames of a clip, relative to the root."""

    @abstractmethod
    def file_name(self, clip: PlannedClip, number: int, variants: Variants) -> str:
        """File of one frame."""

    def first_number(self, clip: PlannedClip, n_frames: int, generator: np.random.Generator) -> int:
        """Number of the first frame; half of the clips cross 100, where sorting by text would fail."""
        if generator.random() < 0.5:
            return 100 - int(generator.integers(1, min(n_frames, 99)))
        return int(generator.integers(1, 400))

    def missing(self, clip: PlannedClip, n_frames: int, variants: Variants) -> frozenset[int]:
        """Positions of the frames that are missing on disk."""
        return frozenset()

    @abstractmethod
    def annotate(
        self, root: Path, clips: Sequence[WrittenClip], variants: Variants, generator: np.random.Generator
    ) -> None:
        """Write the annotation of the set, where it has any."""


def hole(n_frames: int) -> frozenset[int]:
    """Positions of a hole within a clip, ends kept."""
    return frozenset({n_frames // 2} if n_frames < 8 else {n_frames // 3, n_frames // 3 + 1})
