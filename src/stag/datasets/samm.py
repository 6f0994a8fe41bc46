"""SAMM: 159 clips at 200 fps; frame numbers run through whole recordings, and four key frames are known to be wrong."""

from __future__ import annotations

from pathlib import Path

from stag.cells import text
from stag.datasets.frame_folders import Folders, existing_root, find_sheets
from stag.datasets.gather import Entry, gather
from stag.datasets.loaded import Loaded, Options
from stag.datasets.manifest import is_simulated
from stag.datasets.places import frame_tree, one_sheet, refuse
from stag.datasets.repairs import IMPOSSIBLE, Repair
from stag.datasets.sheets import SUFFIXES, Columns, read_sheet

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


def load(root: Path, options: Options) -> Loaded:
    """Read SAMM; clip ids are file names such as ``006_1_2``.

    Raises:
        DatasetError: The sheet or the folder of frames is missing or not as documented.
    """
    refuse(options, "SAMM", "annotation", "split")
    root, folders = existing_root(root), Folders()
    layout, frames = frame_tree(folders, root, TREES, r"\d{3}", options, "SAMM")
    found = find_sheets(root, r"samm.*facs|samm.*micro", SUFFIXES)
    if not found and frames == root:
        found = find_sheets(root.parent, r"samm.*facs|samm.*micro", SUFFIXES)
    path, remarks = one_sheet(found, root, "SAMM_Micro_FACS_Codes_v2.xlsx")
    entries = []
    sheet = read_sheet(path, COLUMNS, ("codes",), prefer="MICRO_ONLY")
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
    clips, skipped, more = gather(entries, NAME, folders, repairs=REPAIRS)
    simulated = is_simulated(root, path.parent)
    return Loaded(
        clips, (*sheet.skipped, *skipped), (*remarks, *sheet.remarks, *more), simulated, "v2", path, frames, layout
    )
