"""Read the stored cells of a workbook (``.xlsx``), Transitional or Strict, one element at a time.

Nothing is kept but texts of cells, so a file of a few kilobytes that claims millions of rows costs nothing, and one
that stores them is refused at the limits. openpyxl fills claimed space, keeps the styles, and reads no Strict workbook.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from xml.etree.ElementTree import XMLParser

from stag.errors import DatasetError, reason
from stag.utils import limits
from stag.utils.cells import stripped
from stag.utils.files import refuse_bomb

_CHUNK_BYTES = 1 << 16
_WHOLE = re.compile(r"[+-]?\d{1,30}", re.ASCII)


@dataclass(frozen=True)
class Grid:
    """The cells of one table that are not empty.

    Attributes:
        name: Name of the sheet in a workbook; empty for a text table.
        rows: Row number -> column number -> text, both counted from 1; rows in order, without blank ones.
        merged: Column number -> (first row, last row, text) of merged cells that begin in this column, by first row.
        active: Whether it is the sheet that a workbook opens with.
    """

    name: str
    rows: Mapping[int, Mapping[int, str]]
    merged: Mapping[int, Sequence[tuple[int, int, str]]] = field(default_factory=dict)
    hidden: bool = False
    active: bool = True

    def cell(self, row: int, column: int) -> str:
        """Return the text of a cell, or of the merged cells that it belongs to."""
        text = self.rows.get(row, {}).get(column, "")
        if text or column not in self.merged:
            return text
        ranges = self.merged[column]
        above = bisect_right(ranges, row, key=lambda one: one[0]) - 1
        return ranges[above][2] if above >= 0 and row <= ranges[above][1] else ""

    def row(self, number: int) -> dict[int, str]:
        """Return column number -> text of a row, with merged cells."""
        columns = {*self.rows.get(number, {}), *self.merged}
        return {column: text for column in sorted(columns) if (text := self.cell(number, column))}


def read_workbook(path: Path) -> list[Grid]:
    """Read all worksheets of a workbook; formulas are text and never computed.

    Raises:
        DatasetError: It is not a workbook, is damaged, or stores more than the limits allow.
    """
    try:
        refuse_bomb(path, limits.WORKBOOK_BYTES)
        with zipfile.ZipFile(path) as archive:
            return _Workbook(archive).grids()
    except Exception as error:  # a damaged workbook fails in zipfile, expat or here, each in its own way
        cause = reason(error)
        raise DatasetError(f"{path}: cannot be read as a workbook ({cause}); save the table alone as .xlsx") from error


class _Workbook:
    """The parts of an open workbook, read within one budget of cells and elements."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._cells_left = limits.TABLE_CELLS
        self._elements_left = limits.WORKBOOK_ELEMENTS

    def grids(self) -> list[Grid]:
        (book,) = (target for kind, target in self._related("").values() if kind == "officeDocument")
        parts = self._related(book)
        sheets: list[dict[str, str]] = []
        active, from_1904 = 0, False
        for name, attributes, _ in self._elements(book):
            if name == "sheet" and attributes:
                sheets.append({key.rpartition("}")[2]: value for key, value in attributes.items()})
            elif name == "workbookView" and attributes:
                active = int(attributes.get("activeTab", 0))
            elif name == "workbookPr" and attributes:
                from_1904 = attributes.get("date1904", "") in ("1", "true")
        texts = [text for kind, part in parts.values() if kind == "sharedStrings" for text in self._shared(part)]
        formats = [code for kind, part in parts.values() if kind == "styles" for code in self._formats(part)]
        grids = []
        for place, sheet in enumerate(sheets):
            kind, part = parts.get(sheet["id"], ("", ""))
            if kind == "worksheet":
                rows, merged = self._rows(part, texts, formats, from_1904)
                hidden = sheet.get("state", "visible") != "visible"
                grids.append(Grid(sheet["name"], rows, merged, hidden, place == active))
        return grids

    def _related(self, part: str) -> dict[str, tuple[str, str]]:
        """Return id -> (kind, name) of the parts that a part refers to."""
        folder, name = posixpath.split(part)
        found = {}
        for tag, attributes, _ in self._elements(posixpath.join(folder, "_rels", f"{name}.rels")):
            if tag == "Relationship" and attributes and attributes.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, attributes["Target"])).lstrip("/")
                found[attributes["Id"]] = (attributes["Type"].rpartition("/")[2], target)
        return found

    def _shared(self, part: str) -> Iterator[str]:
        text, phonetic = "", False
        for name, attributes, content in self._elements(part):
            if name == "si" and attributes is not None:
                text = ""
            elif name == "rPh":
                phonetic = attributes is not None
            elif name == "t" and attributes is None and not phonetic:
                text += content
            elif name == "si":
                self._count(1)
                yield text

    def _formats(self, part: str) -> Iterator[str]:
        """Yield the number format of each cell style."""
        from openpyxl.styles.numbers import BUILTIN_FORMATS

        codes, of_cells = {str(key): code for key, code in BUILTIN_FORMATS.items()}, False
        for name, attributes, _ in self._elements(part):
            if name == "cellXfs":
                of_cells = attributes is not None
            elif name == "numFmt" and attributes:
                codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
            elif name == "xf" and of_cells and attributes is not None:
                self._count(1)
                yield codes.get(attributes.get("numFmtId", "0"), "")

    def _rows(
        self, part: str, texts: Sequence[str], formats: Sequence[str], from_1904: bool
    ) -> tuple[dict[int, dict[int, str]], dict[int, list[tuple[int, int, str]]]]:
        """Return the texts of a worksheet, and its merged cells as in :class:`Grid`."""
        from openpyxl.utils.cell import coordinate_to_tuple, range_boundaries

        rows: dict[int, dict[int, str]] = {}
        merged: dict[int, list[tuple[int, int, str]]] = {}
        cell: Mapping[str, str] = {}
        row = column = 0
        value, phonetic = "", False
        for name, attributes, content in self._elements(part):
            if attributes is not None:
                if name == "row":
                    row, column = int(attributes.get("r") or row + 1), 0
                elif name == "c":
                    place = attributes.get("r")
                    row, column = coordinate_to_tuple(place) if place else (row, column + 1)
                    cell, value = attributes, ""
                elif name == "mergeCell":
                    left, top, _, bottom = range_boundaries(attributes["ref"])
                    text = rows.get(top or 0, {}).get(left or 0, "")
                    if text and left and top and bottom and bottom > top:
                        self._count(1)
                        merged.setdefault(left, []).append((top, bottom, text))
                phonetic = phonetic or name == "rPh"
            elif name == "rPh":
                phonetic = False
            elif name == "f":
                cell, value = {"t": "formula"}, f"={content}"
            elif name == "v" and cell.get("t") != "formula":
                value = content
            elif name == "t" and not phonetic:
                value += content
            elif name == "c":
                text = stripped(_cell_text(cell, value, texts, formats, from_1904)) if value else ""
                if text:
                    self._count(1)
                    rows.setdefault(row, {})[column] = text
        return dict(sorted(rows.items())), {at: sorted(ranges) for at, ranges in merged.items()}

    def _elements(self, part: str) -> Iterator[tuple[str, dict[str, str] | None, str]]:
        """Yield ``(name, attributes, "")`` where an element opens, and ``(name, None, text)`` where it closes."""
        target = _Target()
        parser = XMLParser(target=target)
        with self._archive.open(part) as source:
            while chunk := source.read(_CHUNK_BYTES):
                parser.feed(chunk)
                self._elements_left -= len(target.events) // 2
                if self._elements_left < 0:
                    raise ValueError(f"it stores more than {limits.WORKBOOK_ELEMENTS:,} elements")
                yield from target.events
                target.events.clear()
        parser.close()
        yield from target.events

    def _count(self, cells: int) -> None:
        self._cells_left -= cells
        if self._cells_left < 0:
            raise ValueError(f"it holds more than {limits.TABLE_CELLS:,} cells")


class _Target:
    """Receiver of a parser that lists what opens and closes; document types, which define entities, are refused."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, str] | None, str]] = []
        self._text: list[str] = []
        self._length = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._text, self._length = [], 0
        self.events.append((tag.rpartition("}")[2], attributes, ""))

    def data(self, text: str) -> None:
        self._text.append(text)
        self._length += len(text)
        if self._length > limits.CELL_CHARACTERS:
            raise ValueError(f"a cell has more than {limits.CELL_CHARACTERS:,} characters")

    def end(self, tag: str) -> None:
        self.events.append((tag.rpartition("}")[2], None, "".join(self._text)))
        self._text, self._length = [], 0

    def doctype(self, *_: object) -> None:
        raise ValueError("it declares a document type")

    def close(self) -> None:
        pass


def _cell_text(
    cell: Mapping[str, str], value: str, texts: Sequence[str], formats: Sequence[str], from_1904: bool
) -> str:
    kind = cell.get("t", "n")
    if kind == "s":
        return texts[int(value)]
    if kind == "b":
        return str(value not in ("0", "false"))
    if kind != "n":
        return value
    from openpyxl.styles.numbers import is_date_format
    from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel

    style = int(cell.get("s") or 0)
    if style < len(formats) and is_date_format(formats[style]):
        moment = from_excel(float(value), MAC_EPOCH if from_1904 else WINDOWS_EPOCH)
        return moment.isoformat() if isinstance(moment, date | time) else str(moment)
    if _WHOLE.fullmatch(value):
        return str(int(value))
    number = float(value)
    return str(int(number)) if number.is_integer() else str(number)
