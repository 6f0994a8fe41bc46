"""Which table of a root is the annotation: found by its columns and by the clips that it names, whatever its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stag.datasets.readers.entries import Entry, on_disk
from stag.datasets.readers.result import Options, Remark
from stag.datasets.readers.sheet import SUFFIXES, Columns, Sheet, may_have_columns, read_sheet
from stag.datasets.readers.tree import Folders, find_sheets
from stag.errors import DatasetError

_OTHER_SUFFIXES = (".xls", ".xlsm", ".xlsb", ".ods")
_SHOWN = 6

EntriesOf = Callable[[Sheet], Sequence[Entry]]


@dataclass(frozen=True)
class Format:
    """What the annotation of a set looks like.

    Attributes:
        example: Published name of its file.
        names: Pattern of the published names, in lower case.
        columns: Its columns.
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
        problems: Every other file that may have been meant -> what is wrong with it.
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

    Args:
        root: The set's folder, a parent of it, or the folder of frames itself; then the folder above it is searched.
        frames: Folders of frames, which are not searched.
        form: What the annotation looks like.
        options: May name an edition, a file, or a part of its name.
        editions: Editions of the set.

    Raises:
        DatasetError: No file has the name that was asked for.
    """
    files = _files(root, frames, form)
    wanted = options.annotation if options.annotation not in editions else None
    if wanted is not None:
        files = _named(wanted, files, editions, root)
    sheets: list[Sheet] = []
    problems: dict[Path, DatasetError] = {}
    for path in files:
        meant = wanted is not None or form.published(path)
        if not (meant or may_have_columns(path, form.columns, form.required)):
            continue
        try:
            sheets.append(read_sheet(path, form.columns, form.optional, prefer=form.sheet))
        except DatasetError as error:
            problems[path] = error
    return Tables(root, tuple(sheets), problems, wanted is not None)


def choose_table(
    tables: Tables,
    form: Format,
    entries_of: EntriesOf,
    folders: Folders,
    editions: Sequence[str] = ("",),
    wanted: str | None = None,
) -> tuple[Sheet, str, list[Remark]]:
    """The table whose clips are on disk, its edition, and remarks on the tables that are left aside.

    A table that names no clip of the tree is that of another set, and one that says nothing that another does not say
    of the same clips is a copy. What then still leaves a choice is asked about.

    Args:
        tables: The tables of the root.
        form: What the annotation looks like.
        entries_of: From a table to its clips.
        folders: Folders on disk.
        editions: Editions of the set, the preferred one first, known by the year in the name of the file.
        wanted: The edition to take; the preferred one of those that are there where omitted.

    Raises:
        DatasetError: No table fits, or several do.
    """
    entries = {sheet.path: entries_of(sheet) for sheet in tables.sheets}
    held = {path: on_disk(some, folders) for path, some in entries.items()}
    fitting = [sheet for sheet in tables.sheets if held[sheet.path]]
    if not fitting:  # one that was meant is read all the same, so that every clip of it is reported
        meant = [sheet for sheet in tables.sheets if tables.named or form.published(sheet.path)]
        fitting = [sheet for sheet in meant if entries[sheet.path]]
    by_edition: dict[str, list[Sheet]] = {}
    for sheet in fitting:
        by_edition.setdefault(edition_of(sheet.path, editions), []).append(sheet)
    edition = wanted or next((edition for edition in editions if edition in by_edition), editions[0])
    if edition not in by_edition:
        raise _missing(tables, form, wanted or "", fitting)
    kept, copies = _without_copies(by_edition[edition], {path: _said(entries) for path, entries in held.items()})
    if len(kept) > 1:
        names = ", ".join(_shown(sheet.path, tables.root) for sheet in kept)
        raise DatasetError(
            f"{tables.root}: {names} all have the columns and name clips that are here, and differ; "
            "`annotation=FILE` chooses one of them"
        )
    sheet = kept[0]
    more = _remarks(sheet, copies, [s for s in fitting if s not in by_edition[edition]], tables, form)
    return sheet, edition, [*sheet.remarks, *more]


def edition_of(path: Path, editions: Sequence[str]) -> str:
    """The edition that a file name gives by its year; the first one where it gives none."""
    return next((edition for edition in editions if edition in path.name), editions[0])


def _files(root: Path, frames: Sequence[Path], form: Format) -> list[Path]:
    """Tables of a root, those of published names first, shallow ones before deep ones."""
    places = [root, *sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))]
    places = [place for place in places if not any(tree in (place, *place.parents) for tree in frames)] or [root]
    found = [path for place in places for path in find_sheets(place, "", SUFFIXES)]
    if root in frames:
        beside = root.parent
        near = [path for path in find_sheets(beside, "", SUFFIXES) if path.parent == beside or form.published(path)]
        found += near
    return sorted(dict.fromkeys(found), key=lambda path: (not form.published(path), len(path.parts)))


def _named(wanted: str, files: Sequence[Path], editions: Sequence[str], root: Path) -> list[Path]:
    """The files that the user means: a path, a whole name, or a part of one or several names."""
    for same in (
        lambda path: path.name.casefold() == wanted.casefold(),
        lambda path: wanted.casefold() in path.relative_to(path.anchor).as_posix().casefold(),
    ):
        found = [path for path in files if same(path)]
        if found:
            return found
    if Path(wanted).is_file():
        return [Path(wanted).resolve()]
    known = [*editions, *(_shown(path, root) for path in files)]
    raise DatasetError(f"no annotation {wanted!r} of this set; there are {', '.join(known[:_SHOWN]) or 'none'}")


Said = Mapping[str, tuple[object, ...]]
"""Clip id -> what a table says of it."""


def _said(entries: Sequence[Entry]) -> Said:
    return {
        entry.clip_id: (
            entry.emotion.casefold(),
            entry.onset,
            entry.apex,
            entry.offset,
            str(entry.codes or ""),
            entry.fps,
        )
        for entry in entries
    }


def _without_copies(sheets: Sequence[Sheet], said: Mapping[Path, Said]) -> tuple[list[Sheet], list[Sheet]]:
    """The tables that say something of their own, and the others."""
    kept: list[Sheet] = []
    copies: list[Sheet] = []
    for number, sheet in enumerate(sheets):
        mine = said[sheet.path]
        better = [
            other
            for place, other in enumerate(sheets)
            if other is not sheet
            and _covers(said[other.path], mine)
            and (place < number or not _covers(mine, said[other.path]))
        ]
        (copies if better else kept).append(sheet)
    return kept, copies


def _covers(more: Said, less: Said) -> bool:
    """Whether one table says of the same clips all that another says."""
    return more.keys() == less.keys() and all(
        own in ("", None, other) for clip, row in less.items() for own, other in zip(row, more[clip], strict=True)
    )


def _remarks(
    sheet: Sheet, copies: Sequence[Sheet], editions: Sequence[Sheet], tables: Tables, form: Format
) -> list[Remark]:
    said = [sheet.note] if sheet.note else []
    if copies:
        names = ", ".join(_shown(copy.path, tables.root) for copy in copies)
        said.append(f"{sheet.path.name} is read, and not {names}, where nothing else is said")
    if editions:
        names = ", ".join(_shown(other.path, tables.root) for other in editions)
        said.append(f"{sheet.path.name} is read, and not {names}; `annotation` chooses the edition")
    said += [f"left aside: {error}" for path, error in tables.problems.items() if form.published(path)]
    return [Remark("sheet", text) for text in said]


def _missing(tables: Tables, form: Format, edition: str, fitting: Sequence[Sheet]) -> DatasetError:
    """Why there is no annotation: what is wrong with the file that was meant, or what was found instead."""
    meant = [error for path, error in tables.problems.items() if tables.named or form.published(path)]
    if meant:
        return meant[0]
    seen = [
        *(
            _shown(sheet.path, tables.root) + ("" if sheet in fitting else " (names no clip that is here)")
            for sheet in tables.sheets
        ),
        *(str(error) for error in tables.problems.values()),
        *(f"{path.name} (save it as .xlsx)" for path in find_sheets(tables.root, "", _OTHER_SUFFIXES)),
    ]
    columns = ", ".join(form.columns[name][0] for name in form.required)
    return DatasetError(
        f"{tables.root}: holds no annotation sheet{f' of {edition}' if edition else ''}; expected one such as "
        f"{form.example}, or any table with the columns {columns}; found {'; '.join(seen[:_SHOWN]) or 'none'}"
    )


def _shown(path: Path, root: Path) -> str:
    """A path as short as it can be."""
    return path.relative_to(root).as_posix() if root in path.parents else path.name
