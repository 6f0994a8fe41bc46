"""Annotation sheets: the header row is searched, columns are found by name, every cell is text."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time
from pathlib import Path

from stag import limits
from stag.cells import stripped
from stag.datasets.loaded import Remark, Skipped
from stag.errors import DatasetError, reason
from stag.files import refuse_bomb
from stag.table import HEADER_ROWS, TextTable, is_blank, read_text_table, shifted

SUFFIXES = (".xlsx", ".csv", ".tsv")

Columns = Mapping[str, Sequence[str]]
"""Field -> the names that its column has in one copy or another, the usual one first."""


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
    """

    path: Path
    name: str
    header_row: int
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    skipped: tuple[Skipped, ...] = ()
    remarks: tuple[Remark, ...] = ()


def read_sheet(path: Path, columns: Columns, optional: Iterable[str] = (), *, prefer: str = "") -> Sheet:
    """Read the sheet of a file that has all the columns, whatever stands above, beside or in other sheets.

    Formulas are taken as the text that they are, and never computed.

    Args:
        path: A workbook (``.xlsx``) or a text table (any other ending); see :func:`stag.table.read_text_table`.
        columns: Names to look for, without regard to case, blanks and punctuation.
        optional: Fields that may be absent.
        prefer: Sheet to take where several fit; else the first.

    Raises:
        DatasetError: The file cannot be read, a column is missing, or occurs twice.
    """
    text = None
    if path.suffix.lower() != ".xlsx":
        text = read_text_table(path, lambda row: len(_places(row, columns)))
    tables = {"": text.rows} if text else _workbook(path)
    required = [name for name in columns if name not in set(optional)]
    best: tuple[int, list[str], list[str]] = (0, [], required)
    for name in sorted(tables, key=lambda name: _plain(name) != _plain(prefer)):
        for number, row in enumerate(tables[name][:HEADER_ROWS]):
            places = _places(row, columns)
            missing = [field for field in required if field not in places]
            if not missing:
                sheet = _sheet(path, name, number, tables[name], places, columns)
                return _checked(sheet, text, row) if text else sheet
            if len(required) - len(missing) > best[0]:
                best = (len(required) - len(missing), [cell for cell in row if cell], missing)
    if best[0] == 0:
        raise DatasetError(
            f"{path}: no row of its first {HEADER_ROWS} names the columns "
            f"{', '.join(columns[field][0] for field in required)}; check that this is the right table"
        )
    wanted = " or ".join(repr(name) for name in columns[best[2][0]][:3])
    raise DatasetError(f"{path}: has no column {wanted}; found {', '.join(best[1])}; rename the column")


def _sheet(
    path: Path, name: str, number: int, table: list[list[str]], places: dict[str, list[int]], columns: Columns
) -> Sheet:
    header = table[number]
    for field, found in places.items():
        if len(found) > 1:
            raise DatasetError(
                f"{path}: columns {', '.join(repr(header[i]) for i in found)} both give the {field}; keep one"
            )
    rows = []
    for below, cells in enumerate(table[number + 1 :], start=number + 2):
        if not is_blank(cells):
            at = {field: found[0] for field, found in places.items()}
            rows.append((below, {f: cells[at[f]] if f in at and at[f] < len(cells) else "" for f in columns}))
    return Sheet(path, name, number + 1, tuple(cell for cell in header if cell), tuple(rows))


def _checked(sheet: Sheet, table: TextTable, header: Sequence[str]) -> Sheet:
    """The sheet of a text table without the rows whose cells do not stand below their names."""
    wrong = {line: why for line, _ in sheet.rows if (why := shifted(header, table.rows[line - 1]))}
    return replace(
        sheet,
        rows=tuple((line, row) for line, row in sheet.rows if line not in wrong),
        skipped=tuple(Skipped(f"line {line}", "row shifted", why) for line, why in wrong.items()),
        remarks=(Remark("sheet", f"{sheet.path.name} {table.remark}"),) if table.remark else (),
    )


def _places(row: Sequence[str], columns: Columns) -> dict[str, list[int]]:
    """Field -> the columns that have one of its names."""
    names = [_plain(cell) for cell in row]
    places: dict[str, list[int]] = {}
    for field, aliases in columns.items():
        wanted = {_plain(alias) for alias in aliases}
        found = [i for i, name in enumerate(names) if name in wanted]
        if found:
            places[field] = found
    return places


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name)).casefold()


def _workbook(path: Path) -> dict[str, list[list[str]]]:
    from openpyxl import load_workbook

    try:
        refuse_bomb(path, limits.WORKBOOK_BYTES)
        with warnings.catch_warnings(), path.open("rb") as stream:
            warnings.simplefilter("ignore")  # it warns of decoration that it does not know
            book = load_workbook(stream, read_only=True, data_only=False)
            tables = {}
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # some writers state a wrong extent
                tables[sheet.title] = [[_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
            return tables
    except Exception as error:  # a damaged workbook fails in zipfile, XML or openpyxl, each in its own way
        raise DatasetError(f"{path}: cannot be read as a workbook ({reason(error)}); save it again as .xlsx") from error


def _text(cell: object) -> str:
    """A cell as text: whole numbers without a decimal point, blanks around it gone."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, date | time):
        return cell.isoformat()
    return stripped(str(cell))
