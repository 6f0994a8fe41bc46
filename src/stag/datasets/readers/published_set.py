"""Read a published data set that has one tree of frames and one annotation sheet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stag.datasets.readers.annotation import Format, choose_table, read_tables
from stag.datasets.readers.entries import Entry, Repair, gather
from stag.datasets.readers.manifest import is_simulated
from stag.datasets.readers.result import Loaded, Options, Remark
from stag.datasets.readers.sheet import Sheet
from stag.datasets.readers.tree import Folders, existing_root
from stag.facs import parse_facs
from stag.utils.cells import text


@dataclass(frozen=True, kw_only=True)
class Names:
    """What identifies one clip, read from a row of the sheet.

    Attributes:
        clip_id: Unique in the set.
        subject: Subject, which is also the name of the outer folder.
        folder: Name of the folder of its frames, inside that of the subject.
        emotion: Emotion as annotated.
    """

    clip_id: str
    subject: str
    folder: str
    emotion: str


@dataclass(frozen=True, kw_only=True)
class PublishedSet:
    """Layout of a published data set.

    Attributes:
        name: As typed by the user.
        title: As written in messages.
        fps: Frames per second.
        trees: Layout -> names that its folder may have; the preferred layout first.
        subject_folder: Pattern of the folders of subjects.
        form: Form of the annotation.
        editions: Editions of the annotation, the preferred one first; known by the year in the file name.
        repairs: Known mistakes of the sheet.
    """

    name: str
    title: str
    fps: float
    trees: Mapping[str, Sequence[str]]
    subject_folder: str
    form: Format
    editions: tuple[str, ...]
    repairs: tuple[Repair, ...] = ()


def load_published(
    root: Path,
    options: Options,
    layout: PublishedSet,
    names_of: Callable[[Mapping[str, str]], Names],
    correct: Callable[[list[Entry]], list[Remark]] = lambda entries: [],
) -> Loaded:
    """Read a data set whose frames lie in ``subject/clip`` folders.

    Args:
        root: Folder of the set, a parent of it, or its folder of frames.
        options: Which copy to read.
        layout: Layout of the set.
        names_of: Returns the names of a clip from the cells of its row.
        correct: Corrects the entries in place and returns a remark on each correction.

    Raises:
        DatasetError: The sheet or the folder of frames is missing or not as documented, or several sheets fit.
    """
    options.refuse(layout.title, "split")
    root, folders = existing_root(root), Folders()
    kind, frames = folders.frame_tree(root, layout.trees, layout.subject_folder, options.layout, layout.title)

    def entries_of(sheet: Sheet) -> list[Entry]:
        return [_entry(names_of(row), row, number, frames, layout.fps) for number, row in sheet.rows]

    choices = layout.editions if len(layout.editions) > 1 else ()
    tables = read_tables(root, [frames], layout.form, options, choices)
    chosen = options.annotation if options.annotation in choices else None
    sheet, edition, remarks = choose_table(tables, layout.form, entries_of, folders, layout.editions, chosen)
    entries = entries_of(sheet)
    corrections = correct(entries)
    clips, skipped, more = gather(entries, layout.name, folders, repairs=layout.repairs)
    return Loaded(
        clips=clips,
        skipped=(*sheet.skipped, *skipped),
        remarks=(*remarks, *corrections, *more),
        simulated=is_simulated(root, sheet.path.parent),
        edition=edition,
        sheet=sheet.path,
        frames=frames,
        layout=kind,
    )


def _entry(names: Names, row: Mapping[str, str], number: int, frames: Path, fps: float) -> Entry:
    return Entry(
        clip_id=names.clip_id,
        subject=names.subject,
        emotion=names.emotion,
        base=frames,
        chain=(names.subject, names.folder),
        fps=fps,
        onset=row["onset"],
        apex=row["apex"],
        offset=row["offset"],
        codes=parse_facs(text(row["codes"])),
        where=f"row {number}",
    )
