"""DFME as released for CCAC 2024: PNG at 200, 300 or 500 fps, three splits of different people, a table for each.

Variant: ``xlsx`` (tables as workbooks). The names of the tables are not published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stag.facs import CodedUnit
from stag.simulate.fabricated.layout import PlannedClip, Shape, WrittenClip, allot
from stag.simulate.fabricated.sheets import Cell, write_csv, write_xlsx

EMOTIONS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
"""Emotions in the order of ``EmotionId``."""
_ORDER = ("disgust", "surprise", "sadness", "fear", "happiness", "anger", "contempt")
PARTS: dict[str, tuple[int, dict[str, int]]] = {
    "train_data": (176, dict(zip(_ORDER, (548, 298, 278, 265, 206, 161, 100), strict=True))),
    "test_data_A": (42, dict(zip(_ORDER, (129, 101, 46, 62, 63, 39, 34), strict=True))),
    "test_data_B": (41, dict(zip(_ORDER, (58, 48, 35, 38, 42, 41, 37), strict=True))),
}
"""Split -> number of people, and of clips of each emotion."""

_HEADER = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "EmotionId", "Fps", "AU")
_RATES = (200.0, 300.0, 500.0)


class Dfme(Shape):
    """The layout of DFME."""

    name = "dfme"
    known_variants = ("xlsx",)
    image_size = (1024, 768)
    inter_ocular_px = (80.0, 110.0)
    frame_path = "{clip.part}/{clip.part}/{clip.name}/{number:05d}.png"
    with_lead = True

    def plan(self, generator: np.random.Generator) -> list[PlannedClip]:
        """Plan 2,629 clips of 259 people; nobody is in two splits."""
        numbers = [int(number) for number in generator.permutation(sum(people for people, _ in PARTS.values()))]
        clips = []
        for part, (people, counts) in PARTS.items():
            subjects = [f"sub{number + 1:04d}" for number in sorted(numbers[:people])]
            del numbers[:people]
            index: Counter[str] = Counter()
            rate = {subject: float(generator.choice(_RATES)) for subject in subjects}
            for subject, emotion in allot(counts, subjects, generator):
                index[subject] += 1
                clips.append(PlannedClip(subject, f"{subject}_{index[subject]:02d}", emotion, rate[subject], part))
        return clips

    def first_number(self, clip: PlannedClip, n_frames: int, generator: np.random.Generator) -> int:
        """Return 0: frames count from 0 in every clip."""
        return 0

    def annotate(self, root: Path, clips: Sequence[WrittenClip], generator: np.random.Generator) -> None:
        """Write one table for each split, beside its folder."""
        for part in PARTS:
            known = [
                (
                    clip.clip.subject, clip.clip.name, clip.onset, clip.apex, clip.offset, clip.clip.emotion,
                    EMOTIONS.index(clip.clip.emotion), int(clip.clip.fps), notation(clip.units, generator),
                )
                for clip in clips if clip.clip.part == part
            ]  # fmt: skip
            rows: list[Sequence[Cell]] = [_HEADER, *known]
            if "xlsx" in self.variants:
                write_xlsx(root / f"{part}.xlsx", {"Sheet1": rows})
            else:
                write_csv(root / f"{part}.csv", rows)


def notation(units: Sequence[CodedUnit], generator: np.random.Generator) -> Cell:
    """Return action units in the notation of the tables: ``"4+L7"``, ``4``, ``"AD38/AD39"``, sometimes with ``M58``."""
    nostrils = all(unit.unit in (38, 39) for unit in units)
    extra = generator.random()
    if nostrils or (extra < 0.02 and len(units) == 1 and not units[0].side):
        codes = [*([] if nostrils else ["AD31"]), *(f"AD{unit.unit}" for unit in units)]
        return "/".join(codes)
    if len(units) == 1 and not units[0].side:
        return f"{units[0].unit}+M58" if extra < 0.04 else units[0].unit
    return "+".join(f"{unit.side}{unit.unit}" for unit in units)
