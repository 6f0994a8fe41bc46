"""Sheets: the header wherever it is, columns by name, cells as text, formulas never computed."""

import datetime
import tracemalloc
import zipfile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planted import put
from stag.datasets.clips import load_set
from stag.datasets.readers.result import Options
from stag.datasets.readers.sheet import read_sheet
from stag.datasets.readers.workbook import read_workbook
from stag.errors import DatasetError
from stag.simulate.fabricated.sheets import write_csv, write_xlsx
from stag.utils import limits
from stag.utils.cells import stripped

COLUMNS = {"subject": ("Subject", "sub"), "onset": ("OnsetFrame", "Onset"), "note": ("Notes",)}


def fields(path, **how):
    return [row for _, row in read_sheet(path, COLUMNS, ("note",), **how).rows]


@given(
    st.integers(0, 40),
    st.permutations(["Subject", None, "Onset Frame", "junk", "NOTES "]),
    st.lists(st.tuples(*[st.text("0123456789abc/?", min_size=1, max_size=5)] * 3), max_size=5),
)
def test_any_preamble_order_and_spelling_gives_the_same_rows(tmp_path_factory, above, header, rows):
    path = tmp_path_factory.mktemp("sheet") / "a.csv"
    table = [["x"]] * above + [header]
    for subject, onset, note in rows:
        values = {"Subject": subject, "Onset Frame": onset, "NOTES ": note}
        table.append([values.get(name, "-") for name in header])
    write_csv(path, table)
    sheet = read_sheet(path, COLUMNS, ("note",))
    assert sheet.header_row == above + 1
    assert [tuple(row.values()) for _, row in sheet.rows] == [row for row in rows if row != ("/",) * 3]


def test_every_cell_is_text_and_formulas_stay_as_they_are(tmp_path):
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Subject", "Onset", "Notes"])
    sheet.append(["006", 46.0, "=CMD|'/c calc'!A0"])
    sheet.append([6, "=1+1", datetime.date(2024, 4, 7)])
    sheet.append([None, None, None])
    sheet.append([" 7 ", True, 4.5])
    book.save(path)
    assert fields(path) == [
        {"subject": "006", "onset": "46", "note": "=CMD|'/c calc'!A0"},
        {"subject": "6", "onset": "=1+1", "note": "2024-04-07T00:00:00"},
        {"subject": "7", "onset": "True", "note": "4.5"},
    ]
    assert [number for number, _ in read_sheet(path, COLUMNS, ("note",)).rows] == [2, 3, 5]


def workbook(path, sheets, *, active=0, hidden=(), merged=()):
    """Write a workbook as people keep them; ranges are merged in every sheet."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        for cells in merged:
            sheet.merge_cells(cells)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    book.active = active
    book.save(path)
    return path


HEADER = ["Subject", "Onset"]
GOOD, MORE = [HEADER, ["1", "2"]], [HEADER, ["1", "2"], ["3", "4"]]


@pytest.mark.parametrize(
    ("sheets", "how", "read", "note"),
    [
        ({"Chart": [], "Legend": [["Subject", "who it is"]], "ONE": GOOD}, {}, "ONE", ""),
        ({"ONE": GOOD, "TWO": MORE}, {"prefer": "two"}, "TWO", ""),
        ({"ONE": GOOD, "TWO": MORE}, {"active": 1}, "TWO", "sheet 'TWO' of a.xlsx is read, and not 'ONE': it is the"),
        ({"ONE": GOOD, "TWO": MORE}, {"hidden": ["ONE"], "active": 1}, "TWO", "and not 'ONE': the others are hidden"),
        ({"ONE": GOOD, "Chart": [], "TWO": MORE}, {"hidden": ["ONE"], "active": 1}, "TWO", "the others are hidden"),
        ({"ONE": GOOD, "Chart": []}, {"hidden": ["ONE"], "active": 1}, "ONE", ""),
        ({"ONE": [HEADER], "Chart": [], "TWO": MORE}, {"active": 1}, "TWO", ""),
        ({"ONE": GOOD, "Chart": [], "TWO": GOOD}, {"active": 1}, "ONE", ""),
        ({"ONE": [[*HEADER, "Onset"]], "Chart": [], "TWO": GOOD}, {"active": 1}, "TWO", ""),
    ],
)
def test_of_several_sheets_the_one_that_a_person_sees_is_read(tmp_path, sheets, how, read, note):
    prefer = how.get("prefer", "")
    path = workbook(tmp_path / "a.xlsx", sheets, **{key: how[key] for key in how if key != "prefer"})
    sheet = read_sheet(path, COLUMNS, ("note",), prefer=prefer)
    assert sheet.name == read
    assert note in sheet.note
    assert bool(note) == bool(sheet.note)


def test_sheets_that_fit_alike_are_asked_about(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"Chart": [], "ONE": GOOD, "TWO": MORE})
    with pytest.raises(DatasetError, match="sheets 'ONE', 'TWO' all have the columns and differ; save it with"):
        fields(path)


def test_merged_cells_count_in_each_of_their_rows(tmp_path):
    rows = [
        ["Subject", "Onset", "Notes"],
        [None, None, None],
        ["7", 1, "a"],
        [None, 2, None],
        [None, None, None],
        ["8", 3, None],
        [None, 4, "b"],
    ]
    path = workbook(tmp_path / "a.xlsx", {"S": rows}, merged=["A1:A2", "B1:B2", "C1:C2", "A3:A5", "A6:A7", "C3:C4"])
    assert [tuple(row.values()) for row in fields(path)] == [
        ("7", "1", "a"), ("7", "2", "a"), ("8", "3", ""), ("8", "4", "b"),
    ]  # fmt: skip


def test_a_header_over_two_rows(tmp_path):
    rows = [["Subject", "Frames", None], [None, "Onset", "Notes"], ["7", 1, "a"]]
    path = workbook(tmp_path / "a.xlsx", {"S": rows}, merged=["A1:A2", "B1:C1"])
    assert fields(path) == [{"subject": "7", "onset": "1", "note": "a"}]


def sheet_xml(path, change):
    """Change the XML of the only sheet of a workbook."""
    with zipfile.ZipFile(path) as book:
        members = {name: book.read(name) for name in book.namelist()}
    name = "xl/worksheets/sheet1.xml"
    members[name] = change(members[name].decode()).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for member, content in members.items():
            book.writestr(member, content)


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: xml.replace("</sheetData>", '<row r="2147483647"><c r="A2147483647" t="n"><v>9</v></c></row>$0'),
        lambda xml: xml.replace("</sheetData>", '<row r="9"><c r="ZZZ9" t="n"><v>9</v></c></row>$0'),
        lambda xml: xml.replace("</sheetData>", '$0<mergeCells><mergeCell ref="A2:XFD1048576"/></mergeCells>'),
    ],
)
def test_what_a_sheet_claims_costs_no_memory(tmp_path, change):
    path = workbook(tmp_path / "a.xlsx", {"S": GOOD})
    sheet_xml(path, lambda xml: change(xml).replace("$0", "</sheetData>"))
    read_sheet(path, COLUMNS, ("note",))  # loads what is loaded once
    tracemalloc.start()
    assert fields(path)[0] == {"subject": "1", "onset": "2", "note": ""}
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def xlsx(path, body, **parts):
    """Write a workbook of one sheet from the XML of its cells; ``parts`` are sharedStrings and styles."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    targets = {"worksheet": "sheet.xml", **{name: f"{name}.xml" for name in parts}}
    links = "".join(f'<Relationship Id="{n}" Type="{office}/{n}" Target="{part}"/>' for n, part in targets.items())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("_rels/.rels", '<r><Relationship Id="a" Type="x/officeDocument" Target="/b/book.xml"/></r>')
        book.writestr("b/book.xml", f'<w {main} xmlns:r="{office}"><sheet name="S" r:id="worksheet"/></w>')
        book.writestr("b/_rels/book.xml.rels", f"<r>{links}</r>")
        book.writestr("b/sheet.xml", f"<worksheet {main}>{body}</worksheet>")
        for name, content in parts.items():
            book.writestr(f"b/{name}.xml", content)
    return path


def inline(*cells):
    return "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in cells) + "</row>"


STORED = "<sheetData>" + inline("Subject", "Onset") + inline("1", "2") + "$0</sheetData>$1"


@pytest.mark.parametrize(
    ("inside", "behind", "parts", "says"),
    [
        (inline("x") * 20_000, "", {}, "more than 10,000 cells"),
        ("<row/>" * 200_000, "", {}, "elements"),
        ("<row>" + "<c/>" * 200_000 + "</row>", "", {}, "elements"),
        ("", '<mergeCells><mergeCell ref="A2:XFD9999"/></mergeCells>' * 60_000, {}, "cells"),
        ("", "<dataValidation/>" * 200_000, {}, "elements"),
        (inline("x" * 300_000), "", {}, "characters"),
        ("", "", {"sharedStrings": "<sst>" + "<si/>" * 20_000 + "</sst>"}, "cells"),
        ("", "", {"sharedStrings": "<sst><si><t>" + "x" * 300_000 + "</t></si></sst>"}, "characters"),
        ("", "", {"styles": "<s><cellXfs>" + "<xf/>" * 20_000 + "</cellXfs></s>"}, "cells"),
        ("", "", {"styles": '<!DOCTYPE s [<!ENTITY a "aaaaaaaa">]><s>&a;</s>'}, "document type"),
        ("", " " * 10_000_000, {}, "unpacks to"),
    ],
)
def test_what_a_workbook_stores_is_bounded(tmp_path, monkeypatch, inside, behind, parts, says):
    for name, most in {"TABLE_CELLS": 10_000, "WORKBOOK_ELEMENTS": 100_000, "CELL_CHARACTERS": 100_000}.items():
        monkeypatch.setattr(limits, name, most)
    monkeypatch.setattr(limits, "WORKBOOK_BYTES", 5_000_000)
    plain = xlsx(tmp_path / "plain.xlsx", STORED.replace("$0", "").replace("$1", ""))
    assert fields(plain) == [{"subject": "1", "onset": "2", "note": ""}]
    bomb = xlsx(tmp_path / "bomb.xlsx", STORED.replace("$0", inside).replace("$1", behind), **parts)
    tracemalloc.start()
    with pytest.raises(DatasetError, match=says):
        fields(bomb)
    assert tracemalloc.get_traced_memory()[1] < 2e7
    tracemalloc.stop()


CELLS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=6),
    st.integers(-(10**12), 10**12),
    st.floats(-1e6, 1e6).map(lambda x: round(x, 3)),
    st.booleans(),
    st.none(),
    st.dates(datetime.date(1901, 1, 1), datetime.date(2100, 1, 1)),
    st.just("=A1+1"),
)
STRICT = [
    (b"http://schemas.openxmlformats.org/spreadsheetml/2006/main", b"http://purl.oclc.org/ooxml/spreadsheetml/main"),
    (b"http://schemas.openxmlformats.org/officeDocument/2006", b"http://purl.oclc.org/ooxml/officeDocument"),
]


@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=6))
def test_cells_are_those_that_openpyxl_reads_also_in_a_strict_workbook(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("sheet") / "a.xlsx"
    workbook(path, {"S": rows})
    expected = {}
    for row in openpyxl.load_workbook(path).active.iter_rows():
        texts = {cell.column: text for cell in row if (text := as_text(cell.value))}
        if texts:
            expected[row[0].row] = texts
    (grid,) = read_workbook(path)
    assert grid.rows == expected
    with zipfile.ZipFile(path) as book:
        members = {name: book.read(name) for name in book.namelist()}
    with zipfile.ZipFile(path, "w") as book:
        for name, content in members.items():
            for transitional, strict in STRICT:
                content = content.replace(transitional, strict)
            book.writestr(name, content)
    assert read_workbook(path)[0].rows == expected


def as_text(value):
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else stripped(str(value))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([["Subject", "Beginn"], ["1", "2"]], "has no column 'OnsetFrame' or 'Onset'; found Subject, Beginn"),
        ([["Subject", "Onset", "onset_frame"]], "'Onset', 'onset_frame' both give the onset; keep one"),
        ([["a", "b"], ["c", "d"]], "no row of its first 60 names the columns Subject, OnsetFrame"),
        ([["x"]] * 61 + [["Subject", "Onset"]], "no row of its first 60"),
    ],
)
@pytest.mark.parametrize("name", ["a.xlsx", "a.csv"])
def test_what_is_missing_is_said_in_one_sentence(tmp_path, rows, says, name):
    path = tmp_path / name
    if name.endswith("csv"):
        write_csv(path, rows)
    else:
        write_xlsx(path, {"S": rows})
    with pytest.raises(DatasetError, match=says):
        read_sheet(path, COLUMNS, ("note",))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x00" * 64, b"<html>not found</html>"])
def test_a_damaged_workbook_is_one_sentence(tmp_path, content):
    (tmp_path / "a.xlsx").write_bytes(content)
    with pytest.raises(DatasetError, match="cannot be read as a workbook"):
        read_sheet(tmp_path / "a.xlsx", COLUMNS)


@pytest.mark.parametrize(("suffix", "mark"), [(".csv", ","), (".csv", ";"), (".csv", "\t"), (".tsv", "\t")])
def test_text_tables_with_any_separator_and_a_byte_order_mark(tmp_path, suffix, mark):
    path = tmp_path / f"a{suffix}"
    path.write_text(mark.join(["Subject", "Onset"]) + "\r\n" + mark.join(["006", "46"]) + "\r\n", encoding="utf-8-sig")
    assert fields(path) == [{"subject": "006", "onset": "46", "note": ""}]


@pytest.mark.parametrize("name", ["casme2", "samm", "dfme", "fourdme"])
def test_a_published_sheet_that_pandas_saved_gives_the_same_clips(small_copy, name):
    tree = small_copy(name)
    rows = [
        [f"{int(cell)}.0" if str(cell).isdecimal() and str(cell)[0] != "0" else cell for cell in row]
        for row in tree.rows
    ]
    rows = [["nan" if cell in (None, "") else cell for cell in row] for row in rows]
    path = tree.sheet.with_suffix(".csv")
    tree.sheet.unlink()
    text = "\n".join(";".join(f'"{cell}"' for cell in row) for row in [*rows, ["nan"] * len(rows[0])])
    path.write_text(text, encoding="utf-16")
    found = load_set(name, tree.root, Options())
    assert found.clips == tree.before.clips
    assert {row.clip_id for row in found.skipped} == {row.clip_id for row in tree.before.skipped}


def test_a_row_of_a_published_table_that_shifts_is_refused_by_line(small_copy):
    tree = small_copy("dfme")
    lines = tree.sheet.read_text().splitlines()
    put(tree.sheet, "\n".join([lines[0], lines[1] + ",12", *lines[2:]]).encode())
    found = load_set("dfme", tree.root, Options())
    (row,) = set(found.skipped) - set(tree.before.skipped)
    assert (row.clip_id, row.kind) == (f"{tree.sheet.name} line 2", "row shifted")
    assert len(found.clips) == len(tree.before.clips) - 1
