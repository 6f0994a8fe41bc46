"""SAMM: 159 clips at 200 fps; frame numbers run through whole recordings, and four key frames are known to be wrong."""

from __future__ import annotations

from pathlib import Path

from stag.datasets.readers.annotation import Format, choose_table, read_tables
from stag.datasets.readers.entries import Entry, gather
from stag.datasets.readers.manifest import is_simulated
from stag.datasets.readers.places import frame_tree, refuse
from stag.datasets.readers.repairs import IMPOSSIBLE, Repair
from stag.datasets.readers.result import Loaded, Options
from stag.datasets.readers.sheet import Columns, Sheet
from stag.datasets.readers.tree import Folders, existing_root
from stag.utils.cells import text

NAME = "samm"
FPS = 200.0

COLUMNS: Columns = {
    "subject": ("Subject",),
    "name": ("Filename", "File name"),
    "onset": ("Onset Frame", "Onset"),
    "apex": ("Apex Frame", "Apex"),
    "offset": ("Offset Frame", "Offset"),
    "codes": ("Action Units", "AUs", "AU"),
    "emotion": ("Estimated Emotion", "Emotion"),
}
TREES = {"raw": ("SAMM",), "cropped": ("SAMM_cropped", "Cropped")}
SPELLINGS = {"others": "other"}

_WHY = "known from the optical flow of the clip"
REPAIRS = (
    Repair("013_1_9", "offset", IMPOSSIBLE, "5739", "known mistake of the sheet"),
    Repair("028_4_1", "apex", IMPOSSIBLE, "1105", _WHY),
    Repair("032_3_1", "apex", IMPOSSIBLE, "4945", _WHY),
    Repair("032_3_2", "apex", IMPOSSIBLE, "5130", _WHY),
)


FORM = Format("SAMM_Micro_FACS_Codes_v2.xlsx", r"samm.*facs|samm.*micro", COLUMNS, ("codes",), "MICRO_ONLY")


def load(root: Path, options: Options) -> Loaded:
    """Read SAMM; clip ids are file names such as ``006_1_2``.

    Raises:
        DatasetError: The sheet or the folder of frames is missing or not as documented, or several sheets fit.
    """
    refuse(options, "SAMM", "split")
    root, folders = existing_root(root), Folders()
    layout, frames = frame_tree(folders, root, TREES, r"\d{3}", options, "SAMM")
    tables = read_tables(root, [frames], FORM, options)
    sheet, _, remarks = choose_table(tables, FORM, lambda sheet: _entries(sheet, frames), folders)
    clips, skipped, more = gather(_entries(sheet, frames), NAME, folders, repairs=REPAIRS)
    simulated = is_simulated(root, sheet.path.parent)
    return Loaded(
        clips, (*sheet.skipped, *skipped), (*remarks, *more), simulated, "v2", sheet.path, frames, layout
    )  # fmt: skip


def _entries(sheet: Sheet, frames: Path) -> list[Entry]:
    entries = []
    for number, row in sheet.rows:
        subject, emotion = text(row["subject"]), text(row["emotion"])
        subject = f"{int(subject):03d}" if subject.isdecimal() else subject
        emotion = SPELLINGS.get(emotion.casefold(), emotion)
        entries.append(
            Entry(
                row["name"], subject, emotion, frames, (subject, row["name"]), FPS, row["onset"], row["apex"],
                row["offset"], row["codes"], where=f"row {number}",
            )
        )  # fmt: skip
    return entries
