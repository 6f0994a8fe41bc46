"""Write annotation sheets; equal content gives equal bytes."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from openpyxl import Workbook

from stag.utils.files import write_bytes, write_text

Cell = str | int | float | None

_LONG_AGO = datetime(2000, 1, 1)
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*")


def write_xlsx(path: Path, sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> None:
    """Write a workbook of sheet name -> rows of cells."""
    book = Workbook(write_only=True)
    book.properties.creator = "stag simulator"
    book.properties.created = _LONG_AGO
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    saved = io.BytesIO()
    book.save(saved)
    write_bytes(path, _without_times(saved.getvalue()))


def write_csv(path: Path, rows: Sequence[Sequence[Cell]]) -> None:
    """Write rows of cells as comma-separated UTF-8."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())


def _without_times(book: bytes) -> bytes:
    """Remove the time of saving that openpyxl notes in the properties and in the archive."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                content = _MODIFIED.sub(rb"\g<1>" + _LONG_AGO.isoformat().encode() + b"Z", content)
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, content)
    return result.getvalue()
