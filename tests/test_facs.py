"""The FACS parser and the vocabulary."""

import itertools
import random
import string
import unicodedata
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stag.facs import (
    AU_NAMES,
    AU_REGIONS,
    AU_VOCABULARY,
    CodedUnit,
    au_vector,
    format_facs,
    known_units,
    outside_vocabulary,
    parse_facs,
)
from stag.motion.regions import CHANNELS

U = CodedUnit


@pytest.mark.parametrize(
    ("text", "units", "unread"),
    [
        ("4+7+L10", [U(4), U(7), U(10, "L")], []),
        ("R1+R2", [U(1, "R"), U(2, "R")], []),
        ("4D+9B", [U(4, "", "D"), U(9, "", "B")], []),
        ("12A ", [U(12, "", "A")], []),
        ("4?", [U(4, uncertain=True)], []),
        ("T18+39", [U(18, "T"), U(39)], []),
        ("10A/B", [U(10, "", "A", alternatives=(U(10, "", "B"),))], []),
        ("A12", [U(12, "A")], []),
        ("A 7", [U(7, "A")], []),
        ("12A+A12A", [U(12, "", "A"), U(12, "A", "A")], []),
        ("A9+12", [U(9, "A"), U(12)], []),
        ("A1B+A2C", [U(1, "A", "B"), U(2, "A", "C")], []),
        ("A/L12", [U(12, "A", alternatives=(U(12, "L"),))], []),
        ("4 or L/R12C", [U(4, alternatives=(U(12, "L", "C"), U(12, "R", "C")))], []),
        ("(A6 or A12)+A15", [U(6, "A", alternatives=(U(12, "A"),)), U(15, "A")], []),
        ("A/", [], ["A"]),
        ("A112", [], ["A112"]),
        ("AUA12+AD31", [U(12, "A"), U(31, kind="AD")], []),
        ("ref(7B)+43", [U(7, "", "B"), U(43)], []),
        ("A9E+ref(10)", [U(9, "A", "E"), U(10)], []),
        ("7B+ ref(43)", [U(7, "", "B"), U(43)], []),
        ("ref(L10)+A12B", [U(10, "L"), U(12, "A", "B")], []),
        ("Ref. (L10+12)", [U(10, "L"), U(12)], []),
        ("ref()", [], ["ref"]),
        ("ref(soft focus)+4", [U(4)], ["soft focus"]),
        ("(R6 or R12)+R15", [U(6, "R", alternatives=(U(12, "R"),)), U(15, "R")], []),
        ("L12 or L14", [U(12, "L", alternatives=(U(14, "L"),))], []),
        ("R14A or 17A or 24A", [U(14, "R", "A", alternatives=(U(17, "", "A"), U(24, "", "A")))], []),
        ("R14+17+soft focus", [U(14, "R"), U(17)], ["soft focus"]),
        ("B#", [], ["B#"]),
        ("L12 + 61", [U(12, "L"), U(61)], []),
        ("AD31/AD38/AD39", [U(31, kind="AD", alternatives=(U(38, kind="AD"), U(39, kind="AD")))], []),
        ("4+M58", [U(4), U(58, kind="M")], []),
        ("AU4(k)+L7", [U(4, static=True), U(7, "L")], []),
        ("AU4 (K) + AUL7", [U(4, static=True), U(7, "L")], []),
        ("?", [], ["?"]),
        ("/", [], ["/"]),
        ("100+4.5", [], ["100", "4.5"]),
        (12, [U(12)], []),
        (12.0, [U(12)], []),
        (np.float64(7), [U(7)], []),
        ("12.0", [U(12)], []),
        (float("inf"), [], ["inf"]),
        (None, [], []),
        (float("nan"), [], []),
        (pd.NA, [], []),
        (pd.NaT, [], []),
    ],
)
def test_documented_forms(text, units, unread):
    code = parse_facs(text)
    assert list(code.units) == units
    assert list(code.unread) == unread


def documented_strings():
    """``(text, units, unread)`` of every documented form, the expectation put together piece by piece."""
    numbers, sides, levels = (1, 4, 7, 12, 17, 43), ("", "L", "R", "T", "B", "A"), ("", "A", "B", "C", "D", "E")
    for number, side, level in itertools.product(numbers, sides, levels):
        yield f"{side}{number}{level}", [U(number, side, level)], []
    for number, side in itertools.product(numbers, sides[:3]):
        yield f"{side}{number}?", [U(number, side, uncertain=True)], []
        yield f"AU{number}(k)+{side}14", [U(number, static=True), U(14, side)], []
        yield f"{side}{number}+M58", [U(number, side), U(58, kind="M")], []
        yield f"{side}{number} + 61 ", [U(number, side), U(61)], []
        yield f"{side}{number}+B#", [U(number, side)], ["B#"]
        yield f"{side}{number}+17+soft focus", [U(number, side), U(17)], ["soft focus"]
        yield f"ref({number}B)+{side}2", [U(number, "", "B"), U(2, side)], []
        yield f"A/{side}{number}", [U(number, "A", alternatives=(U(number, side),))], []
        for joint in ("/", " / ", " or ", " OR "):
            either = U(number, side, alternatives=(U(24, side),))
            yield f"{side}{number}{joint}{side}24", [either], []
            yield f"({side}{number}{joint}{side}24)+R15", [either, U(15, "R")], []
            yield f"9+{side}{number}{joint}{side}24", [U(9), either], []
    for number, (one, two) in itertools.product(numbers, itertools.combinations(levels[1:], 2)):
        yield f"{number}{one}/{two}", [U(number, "", one, alternatives=(U(number, "", two),))], []
    for chosen in itertools.permutations(numbers, 3):
        yield "+".join(map(str, chosen)), [U(n) for n in chosen], []
        first, *others = (U(n, kind="AD") for n in chosen)
        yield "/".join(f"AD{n}" for n in chosen), [CodedUnit(first.unit, kind="AD", alternatives=tuple(others))], []


def test_every_documented_form_is_exact():
    strings = list(documented_strings())
    assert len({text for text, _, _ in strings}) >= 300
    for text, units, unread in strings:
        code = parse_facs(text)
        assert (list(code.units), list(code.unread)) == (units, unread), text


def test_static_units_and_later_alternatives_do_not_count():
    assert parse_facs("AU4(k)+L7/R9+12").numbers == {7, 12}


plain_units = st.builds(
    CodedUnit,
    st.integers(0, 99),
    st.sampled_from(["", *"LRTBA"]),
    st.sampled_from(["", *"ABCDE"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "AD", "M"]),
)
units = st.builds(
    lambda unit, others: CodedUnit(*list(vars(unit).values())[:6], tuple(others)),
    plain_units,
    st.lists(plain_units, max_size=3),
)


@given(st.lists(units, max_size=6))
@settings(max_examples=300)
def test_what_is_written_is_read_back(coded):
    code = parse_facs(format_facs(coded))
    assert list(code.units) == coded
    assert code.unread == ()


def digits(text):
    return Counter(c for c in text if c in string.digits)


def assert_kept(text):
    """Whatever says something is in a unit or in what is unread."""
    code = parse_facs(text)
    every = [one for unit in code.units for one in (unit, *unit.alternatives)]
    assert all(0 <= unit.unit < 100 for unit in every)
    if any(piece.strip("+,;&()") for piece in unicodedata.normalize("NFKC", text).split()):
        assert code.units or code.unread
    return code, every


def test_ten_thousand_random_strings_are_read_without_an_error():
    rng = random.Random(0)
    pieces = [*"0123456789", *"+/ ,;?#().-LRTBAUEDMk&", "or", " or ", "AU", "AD", "(k)", "12", "é", "\n", "\x00", "＋"]
    for _ in range(10_000):
        text = "".join(rng.choices(pieces, k=rng.randrange(30)))
        code, every = assert_kept(text)
        # 04 is read as 4, and a letter after "/" repeats the number before it; apart from that digits are conserved
        shown = digits("".join(str(unit.unit) for unit in every) + "".join(code.unread))
        assert all(shown[digit] >= count for digit, count in digits(text).items() if digit != "0"), text


@given(st.one_of(st.text(max_size=60), st.integers(), st.floats(), st.dates(), st.booleans(), st.none()))
@settings(max_examples=300)
def test_no_cell_raises(cell):
    code = parse_facs(cell)
    if isinstance(cell, str):
        assert_kept(cell)
    assert all(isinstance(piece, str) and piece for piece in code.unread)


def test_a_very_long_cell_takes_no_time():
    assert len(parse_facs("12+" * 30_000).units) == 30_000
    assert parse_facs("A" * 100_000).units == ()
    assert parse_facs("A/" * 50_000).units == ()
    assert parse_facs("(" * 100_000).units == ()


def test_vocabulary_and_maps_agree():
    assert len(set(AU_VOCABULARY)) == len(AU_VOCABULARY) == 24
    assert set(AU_REGIONS) == set(AU_NAMES) == set(AU_VOCABULARY)
    assert all(0 <= i < len(CHANNELS) for ids in AU_REGIONS.values() for i in ids)
    vector = au_vector({4, 12, 99})
    assert [au for au, on in zip(AU_VOCABULARY, vector, strict=True) if on] == [4, 12]


@pytest.mark.parametrize(
    ("text", "known", "foreign"),
    [
        ("27", None, ("27",)), ("21+22", None, ("21", "22")), ("4+27", {4}, ("27",)), ("4+12", {4, 12}, ()),
        ("R27B", None, ("R27B",)), ("4(k)", set(), ()), ("M55", set(), ()),
    ],
)  # fmt: skip
def test_units_that_no_model_knows_are_named_and_leave_the_others_unknown(text, known, foreign):
    code = parse_facs(text)
    assert known_units(code) == known
    assert outside_vocabulary(code) == foreign
