"""DFME as released for CCAC 2024: three splits of different people, each with its own table."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from stag.cells import frame_rate, text
from stag.datasets.frame_folders import Folders, existing_root, find_sheets
from stag.datasets.gather import Entry, gather
from stag.datasets.loaded import Loaded, Options, Remark
from stag.datasets.manifest import is_simulated
from stag.datasets.places import frame_tree, one_sheet, refuse
from stag.datasets.sheets import SUFFIXES, Columns, Sheet, read_sheet
from stag.errors import DatasetError

NAME = "dfme"
EMOTIONS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
"""In the order of ``EmotionId``."""

SPLITS = {"train": "train_data", "test_a": "test_data_A", "test_b": "test_data_B"}
"""Split -> its folder."""

COLUMNS: Columns = {
    "subject": ("Subject", "subject_id", "sub"),
    "name": ("Filename", "File name", "video_name", "video"),
    "onset": ("OnsetFrame", "Onset"),
    "apex": ("ApexFrame", "Apex"),
    "offset": ("OffsetFrame", "Offset"),
    "emotion": ("Emotion", "Estimated Emotion", "label"),
    "id": ("EmotionId", "emotion_label"),
    "fps": ("Fps", "frame rate", "framerate"),
    "codes": ("AU", "AUs", "Action Units"),
}
"""The names of the official tables are not published; these are the names that public code uses."""

_SHEETS = {"train": r"train", "test_a": r"test.*a\b|test_?data_?a", "test_b": r"test.*b\b|test_?data_?b"}


def load(root: Path, options: Options) -> Loaded:
    """Read DFME; clip ids are file names such as ``sub0003_01``, and ``split`` says where a clip belongs.

    Raises:
        DatasetError: No split is there, or a table is missing or not as documented.
    """
    refuse(options, "DFME", "annotation", "layout")
    if options.split is not None and options.split not in SPLITS:
        raise DatasetError(f"DFME has no split {options.split!r}; there are {', '.join(SPLITS)}")
    root, folders = existing_root(root), Folders()
    entries: list[Entry] = []
    remarks: list[Remark] = []
    sheets: list[Sheet] = []
    for split in [options.split] if options.split else SPLITS:
        try:
            _, frames = frame_tree(folders, root, {"raw": (SPLITS[split],)}, r".*\d.*", Options(), f"DFME {split}")
        except DatasetError:
            if options.split:
                raise
            remarks.append(Remark("files", f"there is no folder {SPLITS[split]}, so nothing of {split}"))
            continue
        found = [path for path in find_sheets(root, r"", SUFFIXES) if re.search(_SHEETS[split], path.stem.casefold())]
        path, said = one_sheet(found, root, f"{SPLITS[split]}.csv")
        remarks += said
        sheets.append(read_sheet(path, COLUMNS, ("apex", "id", "codes")))
        entries += _entries(sheets[-1], frames, split)
    if not sheets:
        raise DatasetError(f"{root}: holds no frames of DFME; expected the folders {', '.join(SPLITS.values())}")
    clips, skipped, more = gather(entries, NAME, folders)
    shifted = [replace(one, clip_id=f"{sheet.path.name} {one.clip_id}") for sheet in sheets for one in sheet.skipped]
    remarks += [remark for sheet in sheets for remark in sheet.remarks]
    return Loaded(
        clips, (*shifted, *skipped), (*remarks, *_shared_people(entries), *_conflicts(entries), *more),
        is_simulated(root, *{sheet.path.parent for sheet in sheets}), "CCAC 2024", sheets[0].path, layout="raw",
    )  # fmt: skip


def _entries(sheet: Sheet, frames: Path, split: str) -> list[Entry]:
    entries = []
    for number, row in sheet.rows:
        emotion, emotion_id = text(row["emotion"]).casefold(), text(row["id"])
        if emotion.isdecimal() or not emotion:
            emotion = _by_id(emotion or emotion_id)
        where = f"{sheet.path.name} row {number}"
        if emotion in EMOTIONS and emotion_id.isdecimal() and _by_id(emotion_id) != emotion:
            where += f" (whose EmotionId {emotion_id} means {_by_id(emotion_id) or 'nothing'})"
        entries.append(
            Entry(
                row["name"], row["subject"], emotion, frames, (row["name"],), frame_rate(row["fps"]),
                row["onset"], row["apex"], row["offset"], row["codes"], split, where,
            )
        )  # fmt: skip
    return entries


def _by_id(number: str) -> str:
    return EMOTIONS[int(number)] if number.isdecimal() and int(number) < len(EMOTIONS) else ""


def _conflicts(entries: list[Entry]) -> list[Remark]:
    return [
        Remark("emotion", f"{entry.where}; {entry.emotion} is taken", entry.clip_id)
        for entry in entries
        if "EmotionId" in entry.where
    ]


def _shared_people(entries: list[Entry]) -> list[Remark]:
    """People in more than one split would make the fixed protocol subject-dependent."""
    splits: dict[str, set[str]] = {}
    for entry in entries:
        splits.setdefault(entry.subject, set()).add(entry.split)
    shared = sorted(subject for subject, some in splits.items() if len(some) > 1)
    if not shared:
        return []
    return [Remark("sheet", f"{len(shared)} people are in more than one split, first {shared[0]}; results would leak")]
