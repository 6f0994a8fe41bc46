"""Find the annotation among the tables of a root, by its columns and the clips that it names, whatever its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stag.datasets.readers.entries import Entry, on_disk
from stag.datasets.readers.result import Options, Remark
from stag.datasets.readers.sheet import SUFFIXES, Columns, Sheet, may_have_columns, read_sheet
from stag.datasets.readers.tree import Folders, find_sheets, visible_folders
from stag.errors import DatasetError

_OTHER_SUFFIXES = (".xls", ".xlsm", ".xlsb", ".ods")
_SHOWN = 6

Content = Mapping[str, tuple[object, ...]]
"""Clip id -> the cells of a table about it."""


@dataclass(frozen=True)
class Format:
    """Expected form of the annotation of a set.

    Attributes:
        example: Published name of its file.
        names: Pattern of the published names, in lower case.
        optional: Fields that may be absent.
        sheet: Published name of the sheet in a workbook; empty where it does not matter.
    """

    example: str
    names: str
    columns: Columns
    optional: tuple[str, ...] = ()
    sheet: str = ""

    def published(self, path: Path) -> bool:
        """Whether a file has a published name."""
        return re.search(self.names, path.name.casefold()) is not None

    @property
    def required(self) -> tuple[str, ...]:
        """Fields that must have a column."""
        return tuple(name for name in self.columns if name not in self.optional)


@dataclass(frozen=True)
class Tables:
    """The tables of a root that have the columns of an annotation.

    Attributes:
        root: The root, for messages.
        sheets: The tables, those of published names first.
        problems: Every other file that may be the annotation -> its error.
        named: Whether the user named the file.
    """

    root: Path
    sheets: tuple[Sheet, ...]
    problems: Mapping[Path, DatasetError]
    named: bool = False


def read_tables(
    root: Path, frames: Sequence[Path], form: Format, options: Options, editions: Sequence[str] = ()
) -> Tables:
    """Read every table of a root that has the columns, at most two folders below it.

    Folders of ``frames`` are not searched; where the root is one, the folder above it is.

    Raises:
        DatasetError: No file has the name in ``options``.
    """
    files = _files(root, frames, form)
    name = options.annotation if options.annotation not in editions else None
    if name is not None:
        files = _named(name, files, editions, root)
    sheets: list[Sheet] = []
    problems: dict[Path, DatasetError] = {}
    for path in files:
        if name is None and not form.published(path) and not may_have_columns(path, form.columns, form.required):
            continue
        try:
            sheets.append(read_sheet(path, form.columns, form.optional, prefer=form.sheet))
        except DatasetError as error:
            problems[path] = error
    return Tables(root, tuple(sheets), problems, name is not None)


def choose_table(
    tables: Tables,
    form: Format,
    entries_of: Callable[[Sheet], Sequence[Entry]],
    folders: Folders,
    editions: Sequence[str] = ("",),
    wanted: str | None = None,
) -> tuple[Sheet, str, list[Remark]]:
    """Return the table whose clips are on disk, its edition, and remarks on the tables that are not read.

    A table that names no clip of the tree belongs to another set, and one that adds nothing to another table of the
    same clips is a copy. If several tables are left, the user has to choose.

    ``editions`` start with the preferred one and are known by the year in the name of the file; ``wanted`` is the one
    to take, by default the preferred one of those on disk.

    Raises:
        DatasetError: No table fits, or several do.
    """
    root = tables.root
    entries = {sheet.path: entries_of(sheet) for sheet in tables.sheets}
    present = {path: on_disk(some, folders) for path, some in entries.items()}
    fitting = [sheet for sheet in tables.sheets if present[sheet.path]]
    if not fitting:  # one of the right name is read all the same, so that every clip of it is reported
        meant = [sheet for sheet in tables.sheets if tables.named or form.published(sheet.path)]
        fitting = [sheet for sheet in meant if entries[sheet.path]]
    by_edition: dict[str, list[Sheet]] = {}
    for sheet in fitting:
        year = next((edition for edition in editions if edition in sheet.path.name), editions[0])
        by_edition.setdefault(year, []).append(sheet)
    edition = wanted or next((edition for edition in editions if edition in by_edition), editions[0])
    if edition not in by_edition:
        raise _missing(tables, form, wanted or "", fitting)
    rivals = by_edition[edition]
    kept, copies = _without_copies(rivals, {path: _content(some) for path, some in present.items()})
    if len(kept) > 1:
        raise DatasetError(
            f"{root}: {_names(kept, root)} all have the columns and name clips that are here, and differ; "
            "`annotation=FILE` chooses one of them"
        )
    sheet = kept[0]
    about = [sheet.note] if sheet.note else []
    if copies:
        about.append(f"{sheet.path.name} is read, and not {_names(copies, root)}, where nothing else is said")
    others = [other for other in fitting if other not in rivals]
    if others:
        about.append(f"{sheet.path.name} is read, and not {_names(others, root)}; `annotation` chooses the edition")
    about += [f"left aside: {error}" for path, error in tables.problems.items() if form.published(path)]
    return sheet, edition, [*sheet.remarks, *(Remark("sheet", text) for text in about)]


def _files(root: Path, frames: Sequence[Path], form: Format) -> list[Path]:
    """Return the tables of a root, those of published names first, shallow ones before deep ones."""
    places = [root, *visible_folders(root)]
    places = [place for place in places if not any(tree in (place, *place.parents) for tree in frames)] or [root]
    files = [path for place in places for path in find_sheets(place, SUFFIXES)]
    if root in frames:
        beside = root.parent
        files += [path for path in find_sheets(beside, SUFFIXES) if path.parent == beside or form.published(path)]
    return sorted(dict.fromkeys(files), key=lambda path: (not form.published(path), len(path.parts)))


def _named(name: str, files: Sequence[Path], editions: Sequence[str], root: Path) -> list[Path]:
    """Return the files of that name; else those whose path contains it; else the file at that path."""
    whole = [path for path in files if path.name.casefold() == name.casefold()]
    part = [path for path in files if name.casefold() in path.relative_to(path.anchor).as_posix().casefold()]
    if whole or part:
        return whole or part
    if Path(name).is_file():
        return [Path(name).resolve()]
    known = [*editions, *(_shown(path, root) for path in files)]
    raise DatasetError(f"no annotation {name!r} of this set; there are {', '.join(known[:_SHOWN]) or 'none'}")


def _content(entries: Sequence[Entry]) -> Content:
    return {
        one.clip_id: (one.emotion.casefold(), one.onset, one.apex, one.offset, str(one.codes or ""), one.fps)
        for one in entries
    }


def _without_copies(sheets: Sequence[Sheet], content: Mapping[Path, Content]) -> tuple[list[Sheet], list[Sheet]]:
    """Return the tables with content of their own, and the copies; of equal tables the first is kept."""
    kept: list[Sheet] = []
    copies: list[Sheet] = []
    for number, sheet in enumerate(sheets):
        own = content[sheet.path]
        is_copy = any(
            _covers(content[other.path], own) and (place < number or not _covers(own, content[other.path]))
            for place, other in enumerate(sheets)
            if place != number
        )
        (copies if is_copy else kept).append(sheet)
    return kept, copies


def _covers(more: Content, less: Content) -> bool:
    """Whether one table has the same clips as another and repeats all its values."""
    return more.keys() == less.keys() and all(
        own in ("", None, other) for clip, row in less.items() for own, other in zip(row, more[clip], strict=True)
    )


def _missing(tables: Tables, form: Format, edition: str, fitting: Sequence[Sheet]) -> DatasetError:
    """Return the error of the file with the right name, or one that lists the tables of the root."""
    for path, error in tables.problems.items():
        if tables.named or form.published(path):
            return error
    listed = [
        *(
            _shown(sheet.path, tables.root) + ("" if sheet in fitting else " (names no clip that is here)")
            for sheet in tables.sheets
        ),
        *map(str, tables.problems.values()),
        *(f"{path.name} (save it as .xlsx)" for path in find_sheets(tables.root, _OTHER_SUFFIXES)),
    ]
    columns = ", ".join(form.columns[name][0] for name in form.required)
    return DatasetError(
        f"{tables.root}: holds no annotation sheet{f' of {edition}' if edition else ''}; expected one such as "
        f"{form.example}, or any table with the columns {columns}; found {'; '.join(listed[:_SHOWN]) or 'none'}"
    )


def _names(sheets: Sequence[Sheet], root: Path) -> str:
    return ", ".join(_shown(sheet.path, root) for sheet in sheets)


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if root in path.parents else path.name
