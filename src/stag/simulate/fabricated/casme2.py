"""CASME II: colour JPEG at 200 fps, a sheet with blank columns, and apexes that are missing or at the edge.

Variants: ``2019`` (the later sheet: surprise 28, sadness 4), ``no-blanks`` (no blank columns), ``cropped`` (faces of
280 x 340).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stag.facs import CodedUnit
from stag.simulate.fabricated.layout import PlannedClip, Shape, WrittenClip, allot, mark
from stag.simulate.fabricated.sheets import Cell, write_xlsx

COUNTS = {
    "others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25, "sadness": 7, "fear": 2,
}  # fmt: skip
COUNTS_2019 = {**COUNTS, "surprise": 28, "sadness": 4}

_SUBJECTS = tuple(f"sub{i:02d}" for i in range(1, 27))
_IN_MEGC = ("disgust", "happiness", "repression", "surprise")
_OUTSIDE_MEGC = ("sub10", "sub18")  # assumed; two people have no clip of the three-class task
_RESERVED = (
    ("sub04", "disgust", "EP12_01f", "apex missing"),
    ("sub05", "disgust", "EP09_05f", "apex is onset"),
    ("sub16", "others", "EP01_08", "cropped frames missing"),
    *((subject, "others", "", "") for subject in _OUTSIDE_MEGC for _ in range(3)),
)
_HEADER = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion")


class Casme2(Shape):
    """The layout of CASME II."""

    name = "casme2"
    known_variants = ("2019", "no-blanks", "cropped")
    image_size = (640, 480)
    cropped_size = (280, 340)
    inter_ocular_px = (60.0, 66.0)
    frame_path = "CASME2_RAW_selected/{clip.subject}/{clip.name}/img{number}.jpg"
    cropped_path = "Cropped/{clip.subject}/{clip.name}/reg_img{number}.jpg"
    colour = True

    def plan(self, generator: np.random.Generator) -> list[PlannedClip]:
        """Plan 255 clips of 26 people."""
        counts = COUNTS_2019 if "2019" in self.variants else COUNTS
        dealt = allot(
            counts, _SUBJECTS, generator,
            reserved=[(subject, emotion) for subject, emotion, _, _ in _RESERVED],
            closed=_OUTSIDE_MEGC, first=_IN_MEGC,
        )  # fmt: skip
        known = {(subject, emotion): (name, quirk) for subject, emotion, name, quirk in _RESERVED if name}
        taken = {(subject, name[:7]) for subject, _, name, _ in _RESERVED}
        clips = []
        for subject, emotion in dealt:
            name, quirk = known.pop((subject, emotion), ("", ""))
            if not name:
                while not name or (subject, name) in taken:
                    name = f"EP{generator.integers(1, 20):02d}_{generator.integers(1, 16):02d}"
                taken.add((subject, name))
                name += "f" if generator.random() < 0.8 else ""
            clips.append(PlannedClip(subject, name, emotion, 200.0, quirks=frozenset({quirk} - {""})))
        mark(clips, "apex is offset", 4, generator)
        mark(clips, "offset before apex", 1, generator)
        mark(clips, "action units unread", 2, generator, among=("others",))
        return clips

    def missing(self, clip: PlannedClip, n_frames: int) -> frozenset[int]:
        """Return the gaps of one clip: its cropped copy lacks the first frame, and a later one if enough remain."""
        odd = "cropped" in self.variants and "cropped frames missing" in clip.quirks
        return frozenset({0, n_frames // 2} if n_frames > 5 else {0}) if odd else frozenset()

    def annotate(self, root: Path, clips: Sequence[WrittenClip], generator: np.random.Generator) -> None:
        """Write the coding sheet, with the header in row 1."""
        rows: list[list[Cell]] = [list(_HEADER)]
        for clip in clips:
            apex, offset = _key_frames(clip)
            codes: Cell = "?" if "action units unread" in clip.clip.quirks else notation(clip.units)
            subject = int(clip.clip.subject.removeprefix("sub"))
            rows.append([subject, clip.clip.name, clip.onset, apex, offset, codes, clip.clip.emotion])
        if "no-blanks" not in self.variants:
            rows = [[*row[:2], None, *row[2:5], None, *row[5:]] for row in rows]
        date = "20190701" if "2019" in self.variants else "20140508"
        write_xlsx(root / f"CASME2-coding-{date}.xlsx", {"Sheet1": rows})


def notation(units: Sequence[CodedUnit]) -> Cell:
    """Return action units in the notation of the sheet: ``"4+7+L10"``; one unit of both sides is a number."""
    if len(units) == 1 and not units[0].side:
        return units[0].unit
    return "+".join(f"{unit.side}{unit.unit}" for unit in units)


def _key_frames(clip: WrittenClip) -> tuple[Cell, int]:
    """Return apex and offset as the sheet lists them."""
    wrong: dict[str, tuple[Cell, int]] = {
        "apex missing": ("/", clip.offset),
        "apex is onset": (clip.onset, clip.offset),
        "apex is offset": (clip.offset, clip.offset),
        "offset before apex": (clip.apex, clip.apex - 1),
    }
    return next((wrong[quirk] for quirk in clip.clip.quirks & wrong.keys()), (clip.apex, clip.offset))
