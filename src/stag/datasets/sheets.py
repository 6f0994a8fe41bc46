"""Annotation sheets: the header row is searched, columns are found by name, every cell is text."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path

from stag import limits
from stag.errors import DatasetError, reason
from stag.files import refuse_bomb, refuse_large

SUFFIXES = (".xlsx", ".csv", ".tsv")

Columns = Mapping[str, Sequence[str]]
"""Field -> the names that its column has in one copy or another, the usual one first."""

_HEADER_ROWS = 60  # assumed; a preamble is shorter


@dataclass(frozen=True)
class Sheet:
    """The table of an annotation file.

    Attributes:
        path: The file.
        name: Name of the sheet in a workbook; empty for a text table.
        header_row: Row of the column names, counted from 1.
        columns: Column names as written.
        rows: ``(row number, field -> text)`` of every row that is not blank; absent optional fields are ``""``.
    """

    path: Path
    name: str
    header_row: int
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]


def read_sheet(path: Path, columns: Columns, optional: Iterable[str] = (), *, prefer: str = "") -> Sheet:
    """Read the sheet of a file that has all the columns, whatever stands above, beside or in other sheets.

    Formulas are taken as the text that they are, and never computed.

    Args:
        path: A workbook (``.xlsx``) or a UTF-8 table (``.csv``, ``.tsv``).
        columns: Names to look for, without regard to case, blanks and punctuation.
        optional: Fields that may be absent.
        prefer: Sheet to take where several fit; else the first.

    Raises:
        DatasetError: The file cannot be read, a column is missing, or occurs twice.
    """
    tables = _workbook(path) if path.suffix.lower() == ".xlsx" else {"": _text_table(path)}
    required = [name for name in columns if name not in set(optional)]
    best: tuple[int, list[str], list[str]] = (0, [], required)
    for name in sorted(tables, key=lambda name: _plain(name) != _plain(prefer)):
        for number, row in enumerate(tables[name][:_HEADER_ROWS]):
            places = _places(row, columns)
            missing = [field for field in required if field not in places]
            if not missing:
                return _sheet(path, name, number, tables[name], places, columns)
            if len(required) - len(missing) > best[0]:
                best = (len(required) - len(missing), [cell for cell in row if cell], missing)
    if best[0] == 0:
        raise DatasetError(
            f"{path}: no row of its first {_HEADER_ROWS} names the columns "
            f"{', '.join(columns[field][0] for field in required)}; check that this is the annotation"
        )
    wanted = " or ".join(repr(name) for name in columns[best[2][0]][:3])
    raise DatasetError(f"{path}: has no column {wanted}; found {', '.join(best[1])}; rename the column back")


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
        if any(cells):
            at = {field: found[0] for field, found in places.items()}
            rows.append((below, {f: cells[at[f]] if f in at and at[f] < len(cells) else "" for f in columns}))
    return Sheet(path, name, number + 1, tuple(cell for cell in header if cell), tuple(rows))


def _places(row: list[str], columns: Columns) -> dict[str, list[int]]:
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


def _text_table(path: Path) -> list[list[str]]:
    try:
        refuse_large(path, limits.TEXT_BYTES)
        content = path.read_text(encoding="utf-8-sig")
        separator = "\t" if path.suffix.lower() == ".tsv" else _separator(content)
        csv.field_size_limit(limits.CELL_CHARACTERS)
        return [[_text(cell) for cell in row] for row in csv.reader(io.StringIO(content), delimiter=separator)]
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as a table ({reason(error)}); save it as UTF-8 CSV") from error


def _separator(content: str) -> str:
    """Whichever of comma, semicolon and tab is most frequent in the first line that has any."""
    for line in content.splitlines()[:_HEADER_ROWS]:
        if any(mark in line for mark in ",;\t"):
            return max(",;\t", key=line.count)
    return ","


def _text(cell: object) -> str:
    """A cell as text: whole numbers without a decimal point, blanks around it gone."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell).strip()
