"""The FACS parser and the vocabulary."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stag.facs import AU_NAMES, AU_REGIONS, AU_VOCABULARY, CodedUnit, au_vector, parse_facs
from stag.motion.regions import CHANNELS


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("4+7+L10", [CodedUnit(4), CodedUnit(7), CodedUnit(10, "L")]),
        ("R1+R2", [CodedUnit(1, "R"), CodedUnit(2, "R")]),
        ("4D+9B", [CodedUnit(4, "", "D"), CodedUnit(9, "", "B")]),
        ("12A ", [CodedUnit(12, "", "A")]),
        ("4?", [CodedUnit(4, uncertain=True)]),
        (12, [CodedUnit(12)]),
        (12.0, [CodedUnit(12)]),
        (None, []),
        (float("nan"), []),
    ],
)
def test_documented_forms(text, units):
    assert list(parse_facs(text).units) == units


@given(st.text(max_size=40))
def test_never_raises_and_never_loses_a_piece(text):
    code = parse_facs(text)
    assert all(0 <= unit.unit < 100 for unit in code.units)
    assert bool(code.units or code.unread) == bool(text.strip("+,;& \t\r\n\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0").strip())


def test_vocabulary_and_maps_agree():
    assert len(set(AU_VOCABULARY)) == len(AU_VOCABULARY) == 24
    assert set(AU_REGIONS) == set(AU_NAMES) == set(AU_VOCABULARY)
    assert all(0 <= i < len(CHANNELS) for ids in AU_REGIONS.values() for i in ids)
    vector = au_vector({4, 12, 99})
    assert [au for au, on in zip(AU_VOCABULARY, vector, strict=True) if on] == [4, 12]
