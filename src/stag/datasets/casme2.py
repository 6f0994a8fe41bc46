"""CASME II: 255 clips at 200 fps, raw or cropped, annotated in 2014 and again in 2019."""

from __future__ import annotations

import re
from pathlib import Path

from stag.datasets.frame_folders import Folders, existing_root, find_sheets
from stag.datasets.gather import Entry, gather
from stag.datasets.loaded import Loaded, Options
from stag.datasets.manifest import is_simulated
from stag.datasets.places import chosen_sheet, frame_tree, refuse
from stag.datasets.sheets import SUFFIXES, Columns, read_sheet

NAME = "casme2"
FPS = 200.0
EDITIONS = ("2014", "2019")

COLUMNS: Columns = {
    "subject": ("Subject", "sub"),
    "name": ("Filename", "File name", "Video"),
    "onset": ("OnsetFrame", "Onset"),
    "apex": ("ApexFrame", "Apex"),
    "offset": ("OffsetFrame", "Offset"),
    "codes": ("Action Units", "AUs", "AU"),
    "emotion": ("Estimated Emotion", "Emotion"),
}
TREES = {"raw": ("CASME2_RAW_selected", "CASME2-RAW", "CASME2_RAW", "Raw"), "cropped": ("Cropped", "CASME2_Cropped")}


def load(root: Path, options: Options) -> Loaded:
    """Read CASME II; clip ids are ``sub01/EP02_01f``.

    Raises:
        DatasetError: The sheet or the folder of frames is missing or not as documented.
    """
    refuse(options, "CASME II", "split")
    root, folders = existing_root(root), Folders()
    layout, frames = frame_tree(folders, root, TREES, r"sub\d+", options, "CASME II")
    beside = root if frames != root else root.parent
    sheets = find_sheets(beside, r"casme.?(2|ii).*coding", SUFFIXES)
    path, edition, remarks = chosen_sheet(sheets, EDITIONS, options, beside, "CASME2-coding-20140508.xlsx")
    entries = []
    for number, row in read_sheet(path, COLUMNS, ("codes",)).rows:
        subject = _subject(row["subject"])
        entries.append(
            Entry(
                f"{subject}/{row['name']}", subject, row["emotion"], frames, (subject, row["name"]), FPS,
                row["onset"], row["apex"], row["offset"], row["codes"], where=f"row {number}",
            )
        )  # fmt: skip
    clips, skipped, more = gather(entries, NAME, folders)
    return Loaded(
        clips, skipped, (*remarks, *more), is_simulated(root, path.parent), edition, path, frames, layout
    )  # fmt: skip


def _subject(cell: str) -> str:
    """``1`` and ``sub01`` alike as ``sub01``."""
    found = re.fullmatch(r"(?:sub)?0*(\d{1,4})", cell, re.IGNORECASE)
    return f"sub{int(found[1]):02d}" if found else cell
