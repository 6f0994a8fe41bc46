"""Read a user's text table; separator, encoding and line ends are detected."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from stag.errors import DatasetError, reason
from stag.utils import limits
from stag.utils.cells import is_missing, stripped
from stag.utils.files import refuse_large

SEPARATORS = (",", ";", "\t")
HEADER_ROWS = 60  # assumed; a preamble is shorter
"""Rows in which the column names are searched."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)  # the mark of UTF-32 begins with that of UTF-16


@dataclass(frozen=True)
class TextTable:
    """The cells of a text table.

    Attributes:
        rows: One entry for each line of the file, so that ``rows[n - 1]`` begins on line ``n``; blank lines, and
            lines that continue a quoted cell, are empty. Cells are stripped.
    """

    rows: list[list[str]]
    encoding: str

    @property
    def remark(self) -> str:
        """A warning if the encoding is a guess; else empty."""
        guess = "is not UTF-8 and was read as Windows-1252; save it as UTF-8 if letters are wrong"
        return guess if self.encoding == "cp1252" else ""


def read_text_table(path: Path, fits: Callable[[Sequence[str]], int]) -> TextTable:
    """Read a table whose cells are separated by commas, semicolons or tabs.

    The encoding is UTF-8 or UTF-16, with or without a mark, UTF-32 with one, or else Windows-1252.

    Args:
        path: The file.
        fits: Returns the number of expected column names in a row; the separator with most of them is used.

    Raises:
        DatasetError: The file cannot be read, or is not text.
    """
    try:
        refuse_large(path, limits.TABLE_BYTES)
        content, encoding = _decoded(path.read_bytes())
        csv.field_size_limit(limits.CELL_CHARACTERS)
        return TextTable(list(_lines(content, _separator(content, fits))), encoding)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); name an existing table") from error
    except (ValueError, csv.Error) as error:
        cause = reason(error)
        raise DatasetError(f"{path}: cannot be read as a table ({cause}); save the table alone as UTF-8 CSV") from error


def is_blank(row: Iterable[str]) -> bool:
    """Whether no cell of a row has a value."""
    return all(map(is_missing, row))


def shifted(header: Sequence[str], row: Sequence[str]) -> str:
    """Return why the cells of a row may not stand below their column names, and the remedy; empty if they do.

    A row has as many fields as the header, whose last columns may have no name.

    Example:
        >>> shifted(["clip_id", "action_units", "fps"], ["a01", "6", "12", "200"])
        'has 4 fields and the header 3; put a cell that holds the separator in quotes'
    """
    named = max((place for place, name in enumerate(header, start=1) if name), default=0)
    if len(row) in (len(header), named):
        return ""
    if any("\n" in cell for cell in row):
        remedy = "a quote opens there that a later line closes; double the quotes inside a cell"
    elif len(row) > len(header):
        remedy = "put a cell that holds the separator in quotes"
    else:
        remedy = "give every column a cell, be it empty"
    return f"has {len(row)} fields and the header {len(header)}; {remedy}"


def _lines(content: str, separator: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, skipinitialspace=True)
    given = stored = 0
    for row in reader:
        stored += reader.line_num - given + len(row) - row.count("") + len(row) // 8  # an empty cell is a reference
        if stored > limits.TABLE_CELLS:
            raise ValueError(f"it holds more than {limits.TABLE_CELLS:,} cells")
        yield [stripped(cell) for cell in row]
        given += 1
        for _ in range(given, reader.line_num):
            yield []
        given = reader.line_num


def _separator(content: str, fits: Callable[[Sequence[str]], int]) -> str:
    """Return the separator with most column names; of equals the most frequent in the first line with any."""
    head = content[: 1 << 20]
    first = next((line for line in islice(io.StringIO(head), HEADER_ROWS) if any(m in line for m in SEPARATORS)), "")

    def found(mark: str) -> tuple[int, int]:
        try:
            best = max((fits(row) for row in islice(_lines(head, mark), HEADER_ROWS)), default=0)
        except csv.Error:
            best = 0
        return best, first.count(mark)

    return max(SEPARATORS, key=found)


def _decoded(data: bytes) -> tuple[str, str]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding), encoding
    head = data[:400]
    for encoding, high in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if high.count(0) > len(high) / 2:  # most letters of a header are ASCII
            return data.decode(encoding), encoding
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        content = data.decode("cp1252")
        if re.search(r"[\x00-\x08\x0e-\x1f]", content):
            raise ValueError("it is not text") from None
        return content, "cp1252"
