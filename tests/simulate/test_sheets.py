"""Annotation sheets of the fabricated trees."""

import zipfile
from datetime import datetime

import openpyxl
import pandas as pd

from stag.simulate.fabricated.sheets import write_csv, write_xlsx

ROWS = [["Subject", None, "AU"], ["006", None, 4], ["x,y", 1.5, "4+7"]]


def test_a_workbook_comes_back_without_the_hour_of_its_making(tmp_path):
    write_xlsx(tmp_path / "a.xlsx", {"ONE": ROWS, "TWO": ROWS[:1]})
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["ONE", "TWO"]
    assert [list(row) for row in book["ONE"].iter_rows(values_only=True)] == ROWS
    assert book.properties.created == book.properties.modified == datetime(2000, 1, 1)
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_table_comes_back(tmp_path):
    write_csv(tmp_path / "a.csv", ROWS)
    table = pd.read_csv(tmp_path / "a.csv", dtype=str)
    assert table["Subject"].tolist() == ["006", "x,y"]
    assert table["AU"].tolist() == ["4", "4+7"]
