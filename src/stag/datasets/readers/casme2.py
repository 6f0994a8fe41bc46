"""CASME II: 255 clips at 200 fps, raw or cropped, annotated in 2014 and again in 2019."""

from __future__ import annotations

import re
from pathlib import Path

from stag.datasets.readers.annotation import Format, choose_table, read_tables
from stag.datasets.readers.entries import Entry, gather
from stag.datasets.readers.manifest import is_simulated
from stag.datasets.readers.places import frame_tree, refuse
from stag.datasets.readers.result import Loaded, Options
from stag.datasets.readers.sheet import Columns, Sheet
from stag.datasets.readers.tree import Folders, existing_root
from stag.utils.cells import text

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


FORM = Format("CASME2-coding-20140508.xlsx", r"casme.?(2|ii).*coding", COLUMNS, ("codes",))


def load(root: Path, options: Options) -> Loaded:
    """Read CASME II; clip ids are ``sub01/EP02_01f``.

    Raises:
        DatasetError: The sheet or the folder of frames is missing or not as documented, or several sheets fit.
    """
    refuse(options, "CASME II", "split")
    root, folders = existing_root(root), Folders()
    layout, frames = frame_tree(folders, root, TREES, r"sub\d+", options, "CASME II")
    tables = read_tables(root, [frames], FORM, options, EDITIONS)
    wanted = options.annotation if options.annotation in EDITIONS else None
    sheet, edition, remarks = choose_table(
        tables, FORM, lambda sheet: _entries(sheet, frames), folders, EDITIONS, wanted
    )
    clips, skipped, more = gather(_entries(sheet, frames), NAME, folders)
    return Loaded(
        clips, (*sheet.skipped, *skipped), (*remarks, *more), is_simulated(root, sheet.path.parent), edition,
        sheet.path, frames, layout,
    )  # fmt: skip


def _entries(sheet: Sheet, frames: Path) -> list[Entry]:
    entries = []
    for number, row in sheet.rows:
        subject = _subject(text(row["subject"]))
        entries.append(
            Entry(
                f"{subject}/{row['name']}", subject, row["emotion"], frames, (subject, row["name"]), FPS,
                row["onset"], row["apex"], row["offset"], row["codes"], where=f"row {number}",
            )
        )  # fmt: skip
    return entries


def _subject(cell: str) -> str:
    """``1`` and ``sub01`` alike as ``sub01``."""
    found = re.fullmatch(r"(?:sub)?0*(\d{1,4})", cell, re.IGNORECASE)
    return f"sub{int(found[1]):02d}" if found else cell
