"""SMIC-HS: colour BMP at 100 fps; the folders are the annotation, and some frame numbers are left out.

Variants: ``cropped`` (the tree ``SMIC_all_cropped``), ``empty-clip`` (a copy in which ``s18_sur_03`` has no frames).
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from stag.simulate.fabricated.layout import PlannedClip, Shape, allot

COUNTS = {"negative": 70, "positive": 51, "surprise": 43}

_SUBJECTS = tuple(f"s{i}" for i in (*range(1, 7), 8, 9, *range(11, 16), *range(18, 21)))
_SHORT = {"negative": "ne", "positive": "po", "surprise": "sur"}
_HOLES = ("s3_po_08", "s3_sur_01", "s3_sur_05", "s3_ne_16")
_SOMETIMES_EMPTY = "s18_sur_03"
_RESERVED = (
    *(("s3", "negative"),) * 16, *(("s3", "positive"),) * 8, *(("s3", "surprise"),) * 5, *(("s18", "surprise"),) * 3,
)  # fmt: skip


class Smic(Shape):
    """The layout of SMIC-HS."""

    name = "smic"
    known_variants = ("cropped", "empty-clip")
    image_size = (640, 480)
    cropped_size = (240, 280)  # assumed
    inter_ocular_px = (44.0, 54.0)
    frame_path = "HS/{clip.subject}/micro/{clip.emotion}/{clip.name}/image{number:06d}.bmp"
    cropped_path = "SMIC_all_cropped/HS/{clip.subject}/micro/{clip.emotion}/{clip.name}/reg_image{number:06d}.bmp"
    colour = True

    def plan(self, generator: np.random.Generator) -> list[PlannedClip]:
        """Plan 164 clips of 16 people."""
        index: Counter[tuple[str, str]] = Counter()
        clips = []
        for subject, emotion in allot(COUNTS, _SUBJECTS, generator, reserved=_RESERVED):
            index[subject, emotion] += 1
            name = f"{subject}_{_SHORT[emotion]}_{index[subject, emotion]:02d}"
            quirks = {"frames missing"} if name in _HOLES else set()
            if name == _SOMETIMES_EMPTY and "empty-clip" in self.variants:
                quirks.add("no frames")
            clips.append(PlannedClip(subject, name, emotion, 100.0, quirks=frozenset(quirks)))
        return clips

    def missing(self, clip: PlannedClip, n_frames: int) -> frozenset[int]:
        """Return the gaps of the clips that have some."""
        if "no frames" in clip.quirks:
            return frozenset(range(n_frames))
        if "frames missing" not in clip.quirks:
            return frozenset()
        return frozenset({n_frames // 2} if n_frames < 8 else {n_frames // 3, n_frames // 3 + 1})
