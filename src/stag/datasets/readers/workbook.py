"""Workbooks (``.xlsx``): the cells that are stored, as text, and which sheets a person sees."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Any

from stag.errors import DatasetError, reason
from stag.utils import limits
from stag.utils.cells import stripped
from stag.utils.files import refuse_bomb

Merged = tuple[int, int, str]
"""First row, last row and text of cells that are merged into one."""


@dataclass(frozen=True)
class Grid:
    """The cells of one table. Only those that hold something are kept, wherever they stand.

    Attributes:
        name: Name of the sheet in a workbook; empty for a text table.
        rows: Row number -> column number -> text, both counted from 1; rows in order, without blank ones.
        merged: Column number -> merged cells that begin in this column, by their first row.
        hidden: Whether a person who opens the workbook does not see the sheet.
        active: Whether it is the sheet that a person sees first.
    """

    name: str
    rows: Mapping[int, Mapping[int, str]]
    merged: Mapping[int, Sequence[Merged]] = field(default_factory=dict)
    hidden: bool = False
    active: bool = True

    def cell(self, row: int, column: int) -> str:
        """Text of a cell; a cell merged with others above it has their text. Empty where there is nothing."""
        text = self.rows.get(row, {}).get(column, "")
        if text or column not in self.merged:
            return text
        ranges = self.merged[column]
        above = bisect_right(ranges, row, key=lambda one: one[0]) - 1
        return ranges[above][2] if above >= 0 and row <= ranges[above][1] else ""

    def row(self, number: int) -> dict[int, str]:
        """Column number -> text of a row, merged cells included."""
        columns = {*self.rows.get(number, {}), *self.merged}
        return {column: text for column in sorted(columns) if (text := self.cell(number, column))}


def text_grid(rows: Sequence[Sequence[str]]) -> Grid:
    """The grid of a text table."""
    cells = {r: {c: text for c, text in enumerate(row, start=1) if text} for r, row in enumerate(rows, start=1)}
    return Grid("", {number: row for number, row in cells.items() if row})


def read_workbook(path: Path) -> list[Grid]:
    """Read every sheet of a workbook; formulas stay the text that they are.

    Raises:
        DatasetError: The file is no workbook, is damaged, or holds more than the limits allow.
    """
    from openpyxl import load_workbook

    try:
        refuse_bomb(path, limits.WORKBOOK_BYTES)
        with warnings.catch_warnings(), path.open("rb") as stream:
            warnings.simplefilter("ignore")  # it warns of decoration that it does not know
            book = load_workbook(stream, read_only=True, data_only=False)
            grids: list[Grid] = []
            for sheet in book.worksheets:
                left = limits.WORKBOOK_CELLS - sum(len(row) for grid in grids for row in grid.rows.values())
                grids.append(_grid(book, sheet, left))
            return grids
    except Exception as error:  # a damaged workbook fails in zipfile, XML or openpyxl, each in its own way
        raise DatasetError(f"{path}: cannot be read as a workbook ({reason(error)}); save it again as .xlsx") from error


def _grid(book: Any, sheet: Any, at_most: int) -> Grid:
    """The stored cells of a sheet.

    The parser of openpyxl is used as such: the worksheets that openpyxl makes of it leave out merged cells, or fill
    whatever space a file claims, and a file of a few kilobytes can claim two thousand million rows.
    """
    from openpyxl.worksheet._reader import WorkSheetParser

    rows: dict[int, dict[int, str]] = {}
    count = 0
    with sheet._get_source() as source:
        parser = WorkSheetParser(
            source,
            sheet._shared_strings,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        for number, cells in parser.parse():
            texts = {cell["column"]: text for cell in cells if (text := cell_text(cell["value"]))}
            count += len(texts)
            if count > at_most:
                raise ValueError(f"it holds more than {limits.WORKBOOK_CELLS:,} cells")
            if texts:
                rows.setdefault(number, {}).update(texts)
        merged: dict[int, list[Merged]] = {}
        for one in parser.merged_cells.mergeCell if parser.merged_cells else ():
            text = rows.get(one.min_row, {}).get(one.min_col, "")
            if text and one.max_row > one.min_row:
                merged.setdefault(one.min_col, []).append((one.min_row, one.max_row, text))
    return Grid(
        sheet.title,
        dict(sorted(rows.items())),
        {column: sorted(ranges) for column, ranges in merged.items()},
        sheet.sheet_state != "visible",
        sheet is book.active,
    )


def cell_text(cell: object) -> str:
    """A cell as text: whole numbers without a decimal point, blanks around it gone."""
    cell = getattr(cell, "text", cell)  # of a formula over several cells
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, date | time):
        return cell.isoformat()
    return stripped(str(cell))
