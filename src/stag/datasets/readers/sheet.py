"""Read annotation sheets: the header row is searched, columns are found by name, every cell is text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stag.datasets.readers.result import Remark, Skipped
from stag.datasets.readers.workbook import Grid, read_workbook
from stag.errors import DatasetError
from stag.utils.table import HEADER_ROWS, TextTable, is_blank, read_text_table, shifted

SUFFIXES = (".xlsx", ".csv", ".tsv")

Columns = Mapping[str, Sequence[str]]
"""Field -> the names that its column has in one copy or another, the usual one first."""

_HEAD_BYTES = 1 << 16
_LARGEST_BYTES = 1 << 25  # assumed; a sheet of a few thousand clips has a hundredth of it
_SHOWN = 30  # names of columns


@dataclass(frozen=True)
class Sheet:
    """The table of an annotation file.

    Attributes:
        name: Name of the sheet in a workbook; empty for a text table.
        header_row: Row of the column names, counted from 1.
        rows: ``(row number, field -> text)`` of every row that is not blank; absent optional fields are ``""``. The
            number is that of the line of the file, or of the row of the sheet.
        fields: The fields that have a column.
        note: Why this sheet of a workbook was chosen; empty where there was no choice.
        skipped: Rows of a text table that have more or fewer fields than its header.
    """

    path: Path
    name: str
    header_row: int
    rows: tuple[tuple[int, dict[str, str]], ...]
    fields: frozenset[str] = frozenset()
    note: str = ""
    skipped: tuple[Skipped, ...] = ()
    remarks: tuple[Remark, ...] = ()


def read_sheet(path: Path, columns: Columns, optional: Iterable[str] = (), *, prefer: str = "") -> Sheet:
    """Read the sheet of a file that has all the columns, whatever stands above, beside or in other sheets.

    Formulas are text and never computed. The text of merged cells counts in each of their rows.

    Args:
        path: A workbook (``.xlsx``) or a text table (any other ending); see :func:`stag.utils.table.read_text_table`.
        columns: Names to look for, without regard to case, blanks and punctuation.
        optional: Fields that may be absent.
        prefer: Sheet to take where several fit; else the one that a workbook opens with.

    Raises:
        DatasetError: The file cannot be read, a column is missing, or occurs twice, or several sheets fit.
    """
    if path.suffix.lower() == ".xlsx":
        return _fitting(path, read_workbook(path), columns, optional, prefer)
    table = read_text_table(path, lambda row: len(_places(dict(enumerate(row)), columns)))
    cells = {r: {c: text for c, text in enumerate(row, start=1) if text} for r, row in enumerate(table.rows, start=1)}
    grid = Grid("", {number: row for number, row in cells.items() if row})
    return _without_shifted(_fitting(path, [grid], columns, optional, prefer), table)


def workbook_rows(path: Path) -> dict[str, list[tuple[int, dict[int, str]]]]:
    """Return sheet -> ``(row number, column number -> text)`` of a workbook whose sheets have no column names.

    Raises:
        DatasetError: It cannot be read.
    """
    return {grid.name: [(number, dict(row)) for number, row in grid.rows.items()] for grid in read_workbook(path)}


def may_have_columns(path: Path, columns: Columns, required: Iterable[str]) -> bool:
    """Whether the head of a text table names the required columns; always for a workbook of usual size."""
    if path.suffix.lower() == ".xlsx":
        return path.stat().st_size <= _LARGEST_BYTES
    try:
        with path.open("rb") as stream:
            head = _plain(stream.read(_HEAD_BYTES).decode("utf-8", "replace"))
    except OSError:
        return False
    return all(any(_plain(alias) in head for alias in columns[field]) for field in required)


def _fitting(path: Path, grids: Iterable[Grid], columns: Columns, optional: Iterable[str], prefer: str) -> Sheet:
    """Return the table among those of a file that has all the columns."""
    required = [name for name in columns if name not in set(optional)]
    best: tuple[int, list[str], list[str]] = (0, [], required)
    fitting: list[tuple[Grid, Sheet]] = []
    repeated: list[DatasetError] = []
    for grid in grids:
        for number in (number for number in grid.rows if number <= HEADER_ROWS):
            header = grid.row(number)
            places = _places(header, columns)
            missing = [field for field in required if field not in places]
            if not missing:
                try:
                    fitting.append((grid, _sheet(path, grid, number, places, columns)))
                except DatasetError as error:
                    repeated.append(error)
                break
            if len(required) - len(missing) > best[0]:
                best = (len(required) - len(missing), list(header.values()), missing)
    if fitting:
        return _chosen(path, fitting, prefer)
    if repeated:
        raise repeated[0]
    if best[0] == 0:
        raise DatasetError(
            f"{path}: no row of its first {HEADER_ROWS} names the columns "
            f"{', '.join(columns[field][0] for field in required)}; check that this is the right table"
        )
    names = " or ".join(repr(name) for name in columns[best[2][0]][:3])
    raise DatasetError(f"{path}: has no column {names}; found {_listed(best[1])}; rename the column")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _chosen(path: Path, fitting: Sequence[tuple[Grid, Sheet]], prefer: str) -> Sheet:
    """Return the sheet of the preferred name; else, of the visible ones, the active one."""
    for grid, sheet in fitting:
        if prefer and _plain(grid.name) == _plain(prefer):
            return sheet
    full = [(grid, sheet) for grid, sheet in fitting if sheet.rows] or list(fitting)
    visible = [(grid, sheet) for grid, sheet in full if not grid.hidden] or full
    chosen = next((sheet for grid, sheet in visible if grid.active), visible[0][1])
    content = [fields for _, fields in chosen.rows]
    others = [sheet for _, sheet in full if sheet is not chosen and [fields for _, fields in sheet.rows] != content]
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


def _sheet(path: Path, grid: Grid, number: int, places: dict[str, list[int]], columns: Columns) -> Sheet:
    header = grid.row(number)
    for name, same in places.items():
        if len(same) > 1:
            names = ", ".join(repr(header[column]) for column in same)
            raise DatasetError(f"{path}: columns {names} both give the {name}; keep one")
    column_of = {field: same[0] for field, same in places.items()}
    repeated_header = {field: header[column] for field, column in column_of.items()}
    rows = []
    for below in (below for below in grid.rows if below > number):
        cells = {field: grid.cell(below, column) for field, column in column_of.items()}
        # A header may span two merged rows, or repeat for print.
        if cells != repeated_header and not is_blank(grid.rows[below].values()):
            rows.append((below, {field: cells.get(field, "") for field in columns}))
    return Sheet(path, grid.name, number, tuple(rows), frozenset(column_of))


def _without_shifted(sheet: Sheet, table: TextTable) -> Sheet:
    """Skip the rows of a text table whose cells do not stand below their names."""
    header = table.rows[sheet.header_row - 1]
    cells = {line: table.rows[line - 1] for line, _ in sheet.rows}
    # Programs that end each row by a separator may leave the header without.
    if len({len(row) for row in cells.values()}) == 1 and all(is_blank(row[len(header) :]) for row in cells.values()):
        cells = {line: row[: len(header)] for line, row in cells.items()}
    wrong = {line: why for line, row in cells.items() if (why := shifted(header, row))}
    return replace(
        sheet,
        rows=tuple((line, row) for line, row in sheet.rows if line not in wrong),
        skipped=tuple(Skipped(f"line {line}", "row shifted", why) for line, why in wrong.items()),
        remarks=(Remark("sheet", f"{sheet.path.name} {table.remark}"),) if table.remark else (),
    )


def _places(header: Mapping[int, str], columns: Columns) -> dict[str, list[int]]:
    """Return field -> the columns that have one of its names."""
    names = {column: _plain(text) for column, text in header.items()}
    places: dict[str, list[int]] = {}
    for name, aliases in columns.items():
        accepted = {_plain(alias) for alias in aliases}
        same = [column for column, written in names.items() if written in accepted]
        if same:
            places[name] = same
    return places


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name)).casefold()
