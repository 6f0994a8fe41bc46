"""Text tables: the same cells whatever the separator, encoding and line ends, each on the line of the file."""

import codecs
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stag.errors import DatasetError
from stag.utils import limits
from stag.utils.table import SEPARATORS, read_text_table, shifted

HEADER = ["clip_id", "frames", "fps", "note"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


def fits(row):
    return len(set(HEADER).intersection(row))


def read(path, content):
    path.write_bytes(content)
    return read_text_table(path, fits)


cells = st.text("ab1ü日,;\t\"'\n .", max_size=6).map(str.strip)


@given(
    st.lists(st.lists(cells, min_size=4, max_size=4), max_size=6),
    st.sampled_from(SEPARATORS),
    st.sampled_from(ENCODINGS),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["", "faces; filmed, in\t2020\n\n", "sep=;\n"]),
)
def test_whatever_wrote_it_the_cells_are_the_same(tmp_path_factory, rows, mark, encoding, end, above):
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if end == "\r" else csv.QUOTE_MINIMAL  # the module quotes no other line end than its own
    csv.writer(text, delimiter=mark, lineterminator=end, quoting=quoting).writerows([HEADER, *rows])
    content = above.replace("\n", end) + text.getvalue()
    table = read(tmp_path_factory.mktemp("t") / "a.csv", content.encode(encoding))
    at = above.count("\n")
    assert table.rows[at] == HEADER
    assert [row for row in table.rows[at + 1 :] if row] == rows
    assert table.remark == ""
    # Where a row stands is where its line begins, blank lines and cells of several lines counted.
    ends = sum("".join(row).count("\n") for row in rows)
    assert len(table.rows) == at + 1 + len(rows) + ends


def test_windows_1252_is_read_and_said(tmp_path):
    table = read(tmp_path / "a.csv", "clip_id;frames\nMüller;a – b\n".encode("cp1252"))
    assert table.rows[1] == ["Müller", "a – b"]
    assert "Windows-1252" in table.remark


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04\xff\xfe\x00\x00", b"\xff\xfe\x00", b"\x81\x8d\x90", b"\x89PNG\r\n\x1a\n\x00"]
)
def test_what_is_no_text_is_refused(tmp_path, content):
    with pytest.raises(DatasetError, match=r"a\.csv: cannot be read as a table .*; save the table alone as UTF-8 CSV"):
        read(tmp_path / "a.csv", content)


def test_a_table_that_is_not_there_and_an_empty_one(tmp_path):
    with pytest.raises(
        DatasetError, match=r"none\.csv: cannot be read \(No such file or directory\); name an existing"
    ):
        read_text_table(tmp_path / "none.csv", fits)
    for content in (b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE):
        assert [row for row in read(tmp_path / "a.csv", content).rows if any(row)] == []


@pytest.mark.parametrize(
    ("header", "row", "says"),
    [
        ("a,b,c", "1,2,3", ""),
        ("a,b,c", "1,2,", ""),
        ("a,b,c,,", "1,2,3,,", ""),
        ("a,b,c,", "1,2,3", ""),
        (",a,b", "0,1,2", ""),
        ("a,b,c,", "1,2,3,a column without a name", ""),
        ("a,b,c", "1,4,7,3", "has 4 fields and the header 3; put a cell that holds the separator in quotes"),
        ("a,b,c", "1,4,7,", "has 4 fields"),
        ("a,b,c,,", "1,4,7,3,,", "has 6 fields"),
        ("a,b,c", "1,2", "has 2 fields and the header 3; give every column a cell"),
        ("a,b,c,", "1,2", "has 2 fields"),
    ],
)
def test_a_row_has_as_many_fields_as_its_header(header, row, says):
    found = shifted(header.split(","), row.split(","))
    assert says in found
    assert bool(says) == bool(found)


def test_a_quote_that_swallows_lines_is_named(tmp_path):
    table = read(tmp_path / "a.csv", b'clip_id,frames,fps,note\na,"b,1,x\nc,d,2,y"\ne,f,3,z\n')
    assert table.rows[2:] == [[], ["e", "f", "3", "z"]]
    assert "a quote opens there" in shifted(HEADER, table.rows[1])


@pytest.mark.parametrize("content", ["\n" * 2000, "a,b\n" * 700, "," * 20_000, '"' + "x\n" * 2000 + '"', "x" * 99_999])
def test_what_a_table_stores_is_bounded(tmp_path, monkeypatch, content):
    for name, most in {"TABLE_CELLS": 1000, "TABLE_BYTES": 90_000}.items():
        monkeypatch.setattr(limits, name, most)
    (tmp_path / "a.csv").write_text(f"a,b\n1,2\n{content}")
    with pytest.raises(DatasetError, match=r"holds more than 1,000 cells|allowed"):
        read_text_table(tmp_path / "a.csv", len)
