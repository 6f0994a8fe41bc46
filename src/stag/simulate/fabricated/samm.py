"""SAMM: grey JPEG at 200 fps, a preamble above the header, wrong key frames, and action units in every notation.

Variant: ``stripped`` (a copy without the preamble, which spells ``Others``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stag.simulate.fabricated.layout import PlannedClip, Shape, WrittenClip, allot, mark
from stag.simulate.fabricated.sheets import Cell, write_xlsx

COUNTS = {
    "Anger": 57, "Other": 26, "Happiness": 26, "Surprise": 15, "Contempt": 12, "Disgust": 9, "Fear": 8, "Sadness": 6,
}  # fmt: skip

_SUBJECTS = tuple(f"{i:03d}" for i in (6, 7, *range(9, 27), 28, *range(30, 38)))  # assumed; 29 people
_ONLY_OTHER = "034"  # assumed; one person has no clip of the three-class task
_BAD_KEY_FRAMES: dict[str, tuple[str, int]] = {
    "013_1_9": ("offset wrong", 5739),
    "028_4_1": ("apex missing", 1105),
    "032_3_1": ("apex missing", 4945),
    "032_3_2": ("apex missing", 5130),
}
"""Clip -> what the published sheet gets wrong, and the right frame."""

_HEADER = (
    "Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
    "Action Units", "Estimated Emotion", "Objective Classes", "Notes",
)  # fmt: skip
_OBJECTIVE = {"Happiness": 1, "Surprise": 2, "Anger": 3, "Disgust": 4, "Sadness": 5, "Fear": 6}
_ODD_NOTATIONS = (
    "{u}A/B", "A/L{u}", "ref({u}B)+43", "({s}{u} or R12)+R15", "L{u} or L14", "R{u}A or 17A or 24A",
    "{s}{u}+17+soft focus", "B#", "{s}{u} + 61", "{s}{u} ", "T{u}", "{u}?", "T{u}+39", "{u}D+9B",
    "A{u}", "A{u}B+A2C", "A{u}E+ref(10)", "ref(L{u})+A12B",
)  # fmt: skip
"""Notations of the published sheet for a unit ``u`` with side ``s``."""


class Samm(Shape):
    """The layout of SAMM."""

    name = "samm"
    known_variants = ("stripped",)
    image_size = (960, 650)
    inter_ocular_px = (80.0, 100.0)
    frame_path = "SAMM/{clip.subject}/{clip.name}/{clip.subject}_{number:0{clip.digits}d}.jpg"

    def plan(self, generator: np.random.Generator) -> list[PlannedClip]:
        """Plan 159 clips of 29 people."""
        names = list(_BAD_KEY_FRAMES)
        reserved = [(name[:3], "Anger") for name in names] + [(_ONLY_OTHER, "Other")] * 2
        dealt = allot(
            COUNTS, _SUBJECTS, generator,
            reserved=reserved, closed=(_ONLY_OTHER,), first=[emotion for emotion in COUNTS if emotion != "Other"],
        )  # fmt: skip
        taken = set(names)
        clips = []
        for subject, emotion in dealt:
            known = next((name for name in names if name[:3] == subject and emotion == "Anger"), "")
            if known:
                names.remove(known)
            name = known or _new_name(subject, taken, generator)
            quirks = frozenset({_BAD_KEY_FRAMES[known][0]} if known else ())
            spelling = "Others" if emotion == "Other" and "stripped" in self.variants else emotion
            digits = int(generator.integers(4, 6))
            clips.append(PlannedClip(subject, name, spelling, 200.0, digits=digits, quirks=quirks))
        for number in range(len(_ODD_NOTATIONS)):
            mark(clips, f"notation {number}", 1, generator)
        return clips

    def first_number(self, clip: PlannedClip, n_frames: int, generator: np.random.Generator) -> int:
        """Draw a number from a long recording; a clip with a known right frame contains that frame."""
        what, right = _BAD_KEY_FRAMES.get(clip.name, ("", 0))
        if what:
            return right - (n_frames - 1 if what == "offset wrong" else n_frames // 2)
        base = int(generator.choice([100, 1000, 10000]))
        if generator.random() < 0.5:
            return base - int(generator.integers(1, min(n_frames, 99)))
        return int(generator.integers(20, 12000))

    def annotate(self, root: Path, clips: Sequence[WrittenClip], generator: np.random.Generator) -> None:
        """Write the FACS sheet; the header is in row 14, below a preamble."""
        rows: list[list[Cell]] = [] if "stripped" in self.variants else _preamble()
        rows.append(list(_HEADER))
        for clip in clips:
            planned = clip.clip
            apex, offset = _key_frames(clip)
            rows.append(
                [
                    planned.subject, planned.name, int(planned.name.split("_")[1]), clip.onset, apex, offset,
                    clip.offset - clip.onset + 1, "Micro - 1/2", notation(clip, generator), planned.emotion,
                    _OBJECTIVE.get(planned.emotion, 7), None,
                ]
            )  # fmt: skip
        write_xlsx(root / "SAMM_Micro_FACS_Codes_v2.xlsx", {"MICRO_ONLY": rows})


def notation(clip: WrittenClip, generator: np.random.Generator) -> Cell:
    """Return action units in the notation of the sheet: side before, intensity behind."""
    odd = next((quirk for quirk in sorted(clip.clip.quirks) if quirk.startswith("notation ")), "")
    if odd:
        unit = clip.units[0]
        return _ODD_NOTATIONS[int(odd.split()[1])].format(u=unit.unit, s=unit.side)
    intensities = [generator.choice(["", "A", "B", "C", "D"], p=[0.5, 0.15, 0.2, 0.1, 0.05]) for _ in clip.units]
    codes = [f"{unit.side}{unit.unit}{letter}" for unit, letter in zip(clip.units, intensities, strict=True)]
    return int(codes[0]) if len(codes) == 1 and codes[0].isdecimal() else "+".join(codes)


def _new_name(subject: str, taken: set[str], generator: np.random.Generator) -> str:
    name = ""
    while not name or name in taken:
        name = f"{subject}_{generator.integers(1, 8)}_{generator.integers(1, 13)}"
    taken.add(name)
    return name


def _key_frames(clip: WrittenClip) -> tuple[Cell, int]:
    """Return apex and offset as the sheet lists them."""
    if "offset wrong" in clip.clip.quirks:
        return clip.apex, clip.onset - 360
    if "apex missing" in clip.clip.quirks:
        return {"028_4_1": -1, "032_3_1": 0}.get(clip.clip.name), clip.offset
    return clip.apex, clip.offset


def _preamble() -> list[list[Cell]]:
    lines: list[Cell] = ["Simulated: no row of this sheet describes a real person", "Micro-movements, FACS coded", None]
    lines += [f"{code}: induced emotion {code}" for code in range(1, 8)]
    lines += ["Frames count from the start of the recording at 200 fps", "L left, R right, T top, B bottom", None]
    return [[line] for line in lines]
