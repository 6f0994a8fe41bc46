"""4DME, the grey release of micro-expressions: joined emotions, static action units, and two rows changed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stag.datasets.readers.annotation import Format, choose_table, read_tables
from stag.datasets.readers.entries import Entry, gather
from stag.datasets.readers.manifest import is_simulated
from stag.datasets.readers.places import frame_tree, refuse
from stag.datasets.readers.result import Loaded, Options, Remark
from stag.datasets.readers.sheet import Columns, Sheet
from stag.datasets.readers.tree import Folders, existing_root
from stag.utils.cells import text

NAME = "fourdme"
FPS = 60.0  # assumed; the rate of the grey camera is not published with the layout

COLUMNS: Columns = {
    "subject": ("sub_ID", "Subject", "subject_id"),
    "name": ("fold_name", "Filename", "folder"),
    "onset": ("Onset", "OnsetFrame"),
    "apex": ("Apex", "ApexFrame"),
    "offset": ("Offset", "OffsetFrame"),
    "emotion": ("Emotion", "Estimated Emotion"),
    "codes": ("AUs", "Action Units"),
}
TREES = {"raw": ("gray_micro", "grey_micro"), "cropped": ("gray_micro_crop", "grey_micro_crop")}


@dataclass(frozen=True)
class ExchangedRows:
    """Two rows of a sheet that hold each other's action units.

    Attributes:
        rows: Places of the two, counted from 0 below the header.
        complete: Number of rows of the sheet in which they stand there.
        why: How the mistake is known.
    """

    rows: tuple[int, int]
    complete: int
    why: str


EXCHANGED = ExchangedRows((144, 145), 267, "known mistake of release v1")


FORM = Format("4DME_Labelling_Micro_release v1.xlsx", r"4dme.*label", COLUMNS, ("codes",))


def load(root: Path, options: Options) -> Loaded:
    """Read 4DME; clip ids are ``sub_ID/fold_name``, joined emotions stay joined (``surprise+positive``).

    Raises:
        DatasetError: The sheet or the folder of frames is missing or not as documented, or several sheets fit.
    """
    refuse(options, "4DME", "split")
    root, folders = existing_root(root), Folders()
    layout, frames = frame_tree(folders, root, TREES, r".+", options, "4DME")
    tables = read_tables(root, [frames], FORM, options)
    sheet, _, remarks = choose_table(tables, FORM, lambda sheet: _entries(sheet, frames), folders)
    entries = _entries(sheet, frames)
    codes, said = _exchanged([entry.codes or "" for entry in entries], [entry.where for entry in entries])
    entries = [replace(entry, codes=code) for entry, code in zip(entries, codes, strict=True)]
    clips, skipped, more = gather(entries, NAME, folders)
    simulated = is_simulated(root, sheet.path.parent)
    return Loaded(
        clips, (*sheet.skipped, *skipped), (*remarks, *said, *more), simulated, "v1", sheet.path, frames, layout
    )  # fmt: skip


def _entries(sheet: Sheet, frames: Path) -> list[Entry]:
    entries = []
    for number, row in sheet.rows:
        subject, name = text(row["subject"]), row["name"]
        entries.append(
            Entry(
                f"{subject}/{name}", subject, row["emotion"], frames, (subject, name), FPS, row["onset"], row["apex"],
                row["offset"], row["codes"], where=f"row {number}",
            )
        )  # fmt: skip
    return entries


def _exchanged(codes: Sequence[str], where: Sequence[str]) -> tuple[list[str], list[Remark]]:
    """The action units with two rows changed back, where the sheet is as long as the one that has the mistake.

    The rows are known by their place, because what they say is under licence.
    """
    first, second = EXCHANGED.rows
    result = list(codes)
    if len(codes) != EXCHANGED.complete:
        text = f"{len(codes)} rows instead of {EXCHANGED.complete}, so no action units were changed over between rows"
        return result, [Remark("sheet", text)]
    result[first], result[second] = codes[second], codes[first]
    return result, [Remark("repair", f"action units of {where[first]} and {where[second]} exchanged: {EXCHANGED.why}")]
