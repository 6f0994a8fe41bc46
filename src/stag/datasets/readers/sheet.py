"""Annotation sheets: the header row is searched, columns are found by name, every cell is text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stag.datasets.readers.result import Remark, Skipped
from stag.datasets.readers.workbook import Grid, read_workbook, text_grid
from stag.errors import DatasetError
from stag.utils.table import HEADER_ROWS, TextTable, is_blank, read_text_table, shifted

SUFFIXES = (".xlsx", ".csv", ".tsv")

Columns = Mapping[str, Sequence[str]]
"""Field -> the names that its column has in one copy or another, the usual one first."""

_HEAD_BYTES = 1 << 16
_LARGEST_BYTES = 1 << 25  # assumed; a sheet of a few thousand clips has a hundredth of it


@dataclass(frozen=True)
class Sheet:
    """The table of an annotation file.

    Attributes:
        path: The file.
        name: Name of the sheet in a workbook; empty for a text table.
        header_row: Row of the column names, counted from 1.
        columns: Column names as written.
        rows: ``(row number, field -> text)`` of every row that is not blank; absent optional fields are ``""``. The
            number is that of the line of the file, or of the row of the sheet.
        skipped: Rows of a text table that have more or fewer fields than its header.
        remarks: What else is to be known about the file.
        fields: The fields that have a column.
        note: What is to be known about the choice of the sheet; empty where there was none.
    """

    path: Path
    name: str
    header_row: int
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    fields: frozenset[str] = frozenset()
    note: str = ""
    skipped: tuple[Skipped, ...] = ()
    remarks: tuple[Remark, ...] = ()


def read_sheet(path: Path, columns: Columns, optional: Iterable[str] = (), *, prefer: str = "") -> Sheet:
    """Read the sheet of a file that has all the columns, whatever stands above, beside or in other sheets.

    Formulas are taken as the text that they are, and never computed. The text of merged cells counts in each of their
    rows.

    Args:
        path: A workbook (``.xlsx``) or a text table (any other ending); see :func:`stag.utils.table.read_text_table`.
        columns: Names to look for, without regard to case, blanks and punctuation.
        optional: Fields that may be absent.
        prefer: Sheet to take where several fit; else the one that a person sees on opening the workbook.

    Raises:
        DatasetError: The file cannot be read, a column is missing, or occurs twice, or several sheets fit.
    """
    if path.suffix.lower() != ".xlsx":
        table = read_text_table(path, lambda row: len(_places(dict(enumerate(row)), columns)))
        return _checked(_fitting(path, [text_grid(table.rows)], columns, optional, prefer), table)
    return _fitting(path, read_workbook(path), columns, optional, prefer)


def _fitting(path: Path, grids: Iterable[Grid], columns: Columns, optional: Iterable[str], prefer: str) -> Sheet:
    """The table among those of a file that has all the columns."""
    required = [name for name in columns if name not in set(optional)]
    best: tuple[int, list[str], list[str]] = (0, [], required)
    fitting: list[tuple[Grid, Sheet]] = []
    twice: list[DatasetError] = []
    for grid in grids:
        for number in (number for number in grid.rows if number <= HEADER_ROWS):
            header = grid.row(number)
            places = _places(header, columns)
            missing = [field for field in required if field not in places]
            if not missing:
                try:
                    fitting.append((grid, _sheet(path, grid, number, places, columns)))
                except DatasetError as error:
                    twice.append(error)
                break
            if len(required) - len(missing) > best[0]:
                best = (len(required) - len(missing), list(header.values()), missing)
    if fitting:
        return _seen(path, fitting, prefer)
    if twice:
        raise twice[0]
    if best[0] == 0:
        raise DatasetError(
            f"{path}: no row of its first {HEADER_ROWS} names the columns "
            f"{', '.join(columns[field][0] for field in required)}; check that this is the right table"
        )
    wanted = " or ".join(repr(name) for name in columns[best[2][0]][:3])
    raise DatasetError(f"{path}: has no column {wanted}; found {', '.join(best[1])}; rename the column")


def may_have_columns(path: Path, columns: Columns, required: Iterable[str]) -> bool:
    """Whether the head of a text table names the required columns, at the cost of a glance; always for a workbook."""
    if path.suffix.lower() == ".xlsx":
        return path.stat().st_size <= _LARGEST_BYTES
    try:
        with path.open("rb") as stream:
            head = _plain(stream.read(_HEAD_BYTES).decode("utf-8", "replace"))
    except OSError:
        return False
    return all(any(_plain(alias) in head for alias in columns[field]) for field in required)


def _seen(path: Path, fitting: Sequence[tuple[Grid, Sheet]], prefer: str) -> Sheet:
    """Of the sheets that fit, the one of the preferred name; else the one that is visible; else the active one."""
    for grid, sheet in fitting:
        if prefer and _plain(grid.name) == _plain(prefer):
            return sheet
    full = [(grid, sheet) for grid, sheet in fitting if sheet.rows] or list(fitting)
    visible = [(grid, sheet) for grid, sheet in full if not grid.hidden] or full
    chosen = next((sheet for grid, sheet in visible if grid.active), visible[0][1])
    others = [sheet for _, sheet in full if sheet is not chosen and _content(sheet) != _content(chosen)]
    rivals = [sheet for _, sheet in visible if sheet in others]
    if rivals and not any(grid.active for grid, _ in visible):
        raise DatasetError(
            f"{path}: sheets {', '.join(repr(sheet.name) for _, sheet in visible)} all have the columns and differ; "
            "save it with the one that counts as the active sheet, or take the others out"
        )
    if not others:
        return chosen
    why = "it is the active sheet" if rivals else "the others are hidden"
    names = ", ".join(repr(sheet.name) for sheet in others)
    return replace(chosen, note=f"sheet {chosen.name!r} of {path.name} is read, and not {names}: {why}")


def _content(sheet: Sheet) -> list[dict[str, str]]:
    return [fields for _, fields in sheet.rows]


def _sheet(path: Path, grid: Grid, number: int, places: dict[str, list[int]], columns: Columns) -> Sheet:
    header = grid.row(number)
    for field, found in places.items():
        if len(found) > 1:
            raise DatasetError(
                f"{path}: columns {', '.join(repr(header[i]) for i in found)} both give the {field}; keep one"
            )
    at = {field: found[0] for field, found in places.items()}
    names = {field: header[place] for field, place in at.items()}
    rows = []
    for below in (below for below in grid.rows if below > number):
        cells = {field: grid.cell(below, place) for field, place in at.items()}
        # Not a blank row, nor a header of two merged rows, nor one that is repeated for print.
        if cells != names and not is_blank(grid.rows[below].values()):
            rows.append((below, {field: cells.get(field, "") for field in columns}))
    return Sheet(path, grid.name, number, tuple(header.values()), tuple(rows), frozenset(at))


def _checked(sheet: Sheet, table: TextTable) -> Sheet:
    """The sheet of a text table without the rows whose cells do not stand below their names."""
    header = table.rows[sheet.header_row - 1]
    wrong = {line: why for line, _ in sheet.rows if (why := shifted(header, table.rows[line - 1]))}
    return replace(
        sheet,
        rows=tuple((line, row) for line, row in sheet.rows if line not in wrong),
        skipped=tuple(Skipped(f"line {line}", "row shifted", why) for line, why in wrong.items()),
        remarks=(Remark("sheet", f"{sheet.path.name} {table.remark}"),) if table.remark else (),
    )


def _places(header: Mapping[int, str], columns: Columns) -> dict[str, list[int]]:
    """Field -> the columns that have one of its names."""
    names = {column: _plain(text) for column, text in header.items()}
    places: dict[str, list[int]] = {}
    for field, aliases in columns.items():
        wanted = {_plain(alias) for alias in aliases}
        found = [column for column, name in names.items() if name in wanted]
        if found:
            places[field] = found
    return places


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name)).casefold()
