"""Read DFME as released for CCAC 2024: three splits of different people, each with its own table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from stag.datasets.readers.annotation import Format, choose_table, read_tables
from stag.datasets.readers.entries import Entry, gather
from stag.datasets.readers.manifest import is_simulated
from stag.datasets.readers.result import Loaded, Options, Remark
from stag.datasets.readers.sheet import Sheet
from stag.datasets.readers.tree import Folders, existing_root
from stag.errors import DatasetError
from stag.facs import parse_facs
from stag.utils.cells import frame_rate, text

EMOTIONS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
"""In the order of ``EmotionId``."""

SPLITS = {"train": "train_data", "test_a": "test_data_A", "test_b": "test_data_B"}
"""Split -> its folder."""

FORM = Format(
    "train_data.csv",
    r"train|test",
    {  # the official names are not published; public code uses these
        "subject": ("Subject", "subject_id", "sub"),
        "name": ("Filename", "File name", "video_name", "video"),
        "onset": ("OnsetFrame", "Onset"),
        "apex": ("ApexFrame", "Apex"),
        "offset": ("OffsetFrame", "Offset"),
        "emotion": ("Emotion", "Estimated Emotion", "label"),
        "id": ("EmotionId", "emotion_label"),
        "fps": ("Fps", "frame rate", "framerate"),
        "codes": ("AU", "AUs", "Action Units"),
    },
    ("subject", "apex", "id", "fps", "codes"),
)
_TEST = r"test[\W_]*(?:data|set)?[\W_]*{}(?![a-z0-9])"
_NAMES = {"train": r"train", "test_a": _TEST.format("a"), "test_b": _TEST.format("b")}
"""Split -> pattern of the names that its table has in public code."""

_FPS = 200.0  # assumed where a table has no column of it; clips have 200, 300 or 500


def load(root: Path, options: Options) -> Loaded:
    """Read DFME; clip ids are file names such as ``sub0003_01``, and ``split`` says where a clip belongs.

    A clip belongs to the split whose folder contains it, whatever the name of its table.

    Raises:
        DatasetError: There is no split, a table is missing or not as documented, or several tables fit.
    """
    options.refuse("DFME", "layout")
    if options.split is not None and options.split not in SPLITS:
        raise DatasetError(f"DFME has no split {options.split!r}; there are {', '.join(SPLITS)}")
    root, folders = existing_root(root), Folders()
    remarks: list[Remark] = []
    places: dict[str, Path] = {}
    for split, name in SPLITS.items():
        try:
            places[split] = folders.frame_tree(root, {"raw": (name,)}, r".*\d.*", None, f"DFME {split}")[1]
        except DatasetError:
            if options.split == split:
                raise
            if options.split is None:
                remarks.append(Remark("files", f"there is no folder {name}, so nothing of {split}"))
    if not places:
        raise DatasetError(f"{root}: holds no frames of DFME; expected the folders {', '.join(SPLITS.values())}")
    tables = read_tables(root, list(places.values()), FORM, options)
    homes = {sheet.path: _homes(sheet, places, folders) for sheet in tables.sheets}
    entries: list[Entry] = []
    sheets: dict[Path, Sheet] = {}
    for split in [options.split] if options.split else places:
        if tables.named and not any(split in some for some in homes.values()) and any(map(any, homes.values())):
            remarks.append(Remark("sheet", f"{options.annotation} names no clip of {split}, so nothing of it is read"))
            continue

        def entries_of(sheet: Sheet, split: str = split) -> list[Entry]:
            return _entries(sheet, homes[sheet.path], places[split], split)

        form = replace(FORM, example=f"{SPLITS[split]}.csv", names=_NAMES[split])
        sheet, _, said = choose_table(tables, form, entries_of, folders)
        remarks += [one for one in said if one not in remarks]
        sheets[sheet.path] = sheet
        entries += entries_of(sheet)
    clips, skipped, more = gather(entries, "dfme", folders)
    shifted = [
        replace(one, clip_id=f"{path.name} {one.clip_id}") for path, sheet in sheets.items() for one in sheet.skipped
    ]
    return Loaded(
        clips, (*shifted, *skipped), (*remarks, *_remarks(sheets, entries), *more),
        is_simulated(root, *{path.parent for path in sheets}), "CCAC 2024", next(iter(sheets)), "raw",
    )  # fmt: skip


def _homes(sheet: Sheet, places: Mapping[str, Path], folders: Folders) -> list[str]:
    """Return the split of each row: that of its folder, else that of most folders of the table; empty if none."""
    homes = [
        [split for split, frames in places.items() if row["name"].casefold() in folders.inside(frames)]
        for _, row in sheet.rows
    ]
    counts = Counter(split for some in homes for split in some)
    main = max(counts, key=lambda split: counts[split], default="")
    return [some[0] if some and main not in some else main for some in homes]


def _entries(sheet: Sheet, homes: list[str], frames: Path, split: str) -> list[Entry]:
    """Return the rows of a split; all rows of a table without any clip on disk."""
    entries = []
    for (number, row), home in zip(sheet.rows, homes, strict=True):
        if home not in (split, ""):
            continue
        subject = row["subject"] if "subject" in sheet.fields else row["name"].rpartition("_")[0]
        fps = frame_rate(row["fps"]) if "fps" in sheet.fields else _FPS
        emotion, emotion_id = text(row["emotion"]).casefold(), text(row["id"])
        if emotion.isdecimal() or not emotion:
            emotion = _by_id(emotion or emotion_id)
        where = f"{sheet.path.name} row {number}"
        if emotion in EMOTIONS and emotion_id.isdecimal() and _by_id(emotion_id) != emotion:
            where += f" (whose EmotionId {emotion_id} means {_by_id(emotion_id) or 'nothing'})"
        entries.append(
            Entry(
                clip_id=row["name"], subject=subject, emotion=emotion, base=frames, chain=(row["name"],), fps=fps,
                onset=row["onset"], apex=row["apex"], offset=row["offset"], codes=parse_facs(text(row["codes"])),
                split=split, where=where,
            )
        )  # fmt: skip
    return entries


def _by_id(number: str) -> str:
    return EMOTIONS[int(number)] if number.isdecimal() and int(number) < len(EMOTIONS) else ""


def _remarks(sheets: Mapping[Path, Sheet], entries: list[Entry]) -> Iterator[Remark]:
    names = ", ".join(path.name for path, sheet in sheets.items() if "fps" not in sheet.fields)
    if names:
        why = f"no column {FORM.columns['fps'][0]!r}; {_FPS:g} frames per second are assumed, and times depend on it"
        yield Remark("sheet", f"{names}: {why}")
    splits: dict[str, set[str]] = {}
    for entry in entries:
        splits.setdefault(entry.subject, set()).add(entry.split)
    shared = sorted(subject for subject, some in splits.items() if len(some) > 1)
    if shared:
        about = f"{len(shared)} people are in more than one split, first {shared[0]}; results would leak"
        yield Remark("sheet", about)
    for entry in entries:
        if "EmotionId" in entry.where:
            yield Remark("emotion", f"{entry.where}; {entry.emotion} is taken", entry.clip_id)
