"""4DME, the grey release of micro-expressions: joined labels, static action units, and two swapped rows.

Variant: ``cropped`` (the tree ``gray_micro_crop``). Only the layout and the number of clips are published; the clips of
each label, the names of people and clips, the frame rate and the image size are assumed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stag.facs import AU_VOCABULARY
from stag.simulate.fabricated.layout import PlannedClip, Shape, WrittenClip, allot
from stag.simulate.fabricated.sheets import Cell, write_xlsx

COUNTS = {
    "Negative": 130, "Positive": 34, "Others": 31, "Surprise": 29, "Surprise+Positive": 14, "Surprise+Negative": 8,
    "Positive+Repression": 8, "Negative+Repression": 4, "Repression": 6, "Surprise+Repression": 3,
}  # fmt: skip
"""Assumed such that the published three-class and five-class counts result."""
LABELS = ("Positive", "Negative", "Surprise", "Repression", "Others")
UNITS = tuple(unit for unit in AU_VOCABULARY if unit not in (28, 45))
"""The 22 action units that have a column. # assumed which"""

_SUBJECTS = tuple(f"{i:02d}" for i in range(1, 42))  # assumed; 41 people
_SWAPPED_ROWS = (144, 145)  # counted from 0 below the header
_STATIC_SHARE = 0.08  # assumed


class FourDme(Shape):
    """The layout of 4DME."""

    name = "fourdme"
    known_variants = ("cropped",)
    image_size = (640, 480)
    cropped_size = (320, 400)  # assumed
    inter_ocular_px = (56.0, 70.0)
    frame_path = "gray_micro/{clip.subject}/{clip.name}/{number:05d}.jpg"
    cropped_path = "gray_micro_crop/{clip.subject}/{clip.name}/{number:05d}.jpg"

    def plan(self, generator: np.random.Generator) -> list[PlannedClip]:
        """Plan 267 clips."""
        index: Counter[str] = Counter()
        clips = []
        for subject, emotion in allot(COUNTS, _SUBJECTS, generator):
            index[subject] += 1
            clips.append(PlannedClip(subject, f"{subject}_{index[subject]:02d}", emotion, 60.0))
        return clips

    def annotate(self, root: Path, clips: Sequence[WrittenClip], generator: np.random.Generator) -> None:
        """Write the labelling sheet: one row a clip; action units and labels as text and as columns."""
        header = ("sub_ID", "fold_name", "Emotion", "Onset", "Apex", "Offset", "AUs")
        columns = [f"AU{unit}" for unit in UNITS]
        codes = [_codes(clip, generator) for clip in clips]
        first, second = _SWAPPED_ROWS
        if len(clips) == sum(COUNTS.values()):
            codes[first], codes[second] = codes[second], codes[first]
        rows: list[Sequence[Cell]] = [(*header, *columns, "eye blink", *LABELS)]
        for clip, code in zip(clips, codes, strict=True):
            planned = clip.clip
            labels = [int(label in planned.emotion.split("+")) for label in LABELS]
            blink = int(generator.random() < 0.15)
            known = (planned.subject, planned.name, planned.emotion, clip.onset, clip.apex, clip.offset)
            rows.append((*known, *code, blink, *labels))
        write_xlsx(root / "4DME_Labelling_Micro_release v1.xlsx", {"Sheet1": rows})


def _codes(clip: WrittenClip, generator: np.random.Generator) -> list[Cell]:
    """Return action units as text such as ``"AU4(k)+L7"``, then as columns, which count static units by mistake."""
    texts = {unit.unit: f"{unit.side or 'AU'}{unit.unit}" for unit in clip.units}
    if generator.random() < _STATIC_SHARE:
        static = int(generator.choice([unit for unit in UNITS if unit not in texts]))
        texts[static] = f"AU{static}(k)"
    text = "+".join(texts[unit] for unit in sorted(texts))
    return [text, *(int(unit in texts) for unit in UNITS)]
