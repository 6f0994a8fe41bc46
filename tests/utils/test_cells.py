"""Cells as people, spreadsheets and pandas write them: one reading of each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stag.utils.cells import MISSING, frame_number, frame_rate, is_missing, number, text


@pytest.mark.parametrize("cell", [*sorted(MISSING), " ", "\u00a0", "\ufeff", "\u200b/ "])
def test_what_means_missing_is_no_value_of_any_kind(cell):
    assert is_missing(cell)
    assert (text(cell), number(cell), frame_number(cell), frame_rate(cell)) == ("", None, None, None)


@pytest.mark.parametrize("cell", ["Na", "Nan", "none", "0", "?", "NULL-1"])
def test_names_that_resemble_a_missing_mark_are_names(cell):
    assert text(cell) == cell


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("5.0", 5), ("5,0", 5), (" 5 ", 5), ("+5", 5), ("005", 5), ("5.", 5), ("5e2", 500), ("\uff15", 5), ("0", 0),
        ("5.5", None), ("-1", None), ("1,200", None), ("1.200,0", None), ("1_000", None), ("inf", None),
        ("1e400", None), ("1e9", None), ("9" * 400, None), ("=1+1", None), ("x", None), ("5 6", None),
        ("2024-05-06", None), ("True", None),
    ],
)  # fmt: skip
def test_a_frame_number_is_whole_however_it_is_written(cell, value):
    assert frame_number(cell) == value


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("59,94", 59.94), ("59.94", 59.94), ("200 fps", 200), ("200Hz", 200), ("1e2", 100), ("0.005", None),
        ("-30", None), ("10001", None), ("119,880", None), ("fps", None),
    ],
)  # fmt: skip
def test_a_frame_rate(cell, value):
    assert frame_rate(cell) == value


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("006", "006"), ("6.0", "6"), ("006.00", "006"), ("6,0", "6"), ("6.5", "6.5"), ("1,000", "1,000"),
        ("s 01 ", "s 01"), ("no\u00a0 emotion", "no emotion"), ("\uff21", "A"), ("v1.0", "v1.0"), ("1.10", "1.10"),
    ],
)  # fmt: skip
def test_names_lose_only_what_programs_added(cell, value):
    assert text(cell) == value


@given(st.integers(0, 10**9 - 1), st.sampled_from(["{}", "{}.0", "{}.000", "{},0", " {}\u00a0", "+{}", "0{}"]))
def test_every_way_to_write_a_whole_number_is_that_number(value, form):
    cell = form.format(value)
    assert frame_number(cell) == value
    assert int(text(cell)) == value


@given(st.text())
def test_any_cell_has_a_reading(cell):
    assert text(text(cell)) in (text(cell), "")
    assert frame_number(cell) is None or frame_number(cell) >= 0
    rate = frame_rate(cell)
    assert rate is None or 1 <= rate <= 10_000
