"""Clips show the action units of their emotion as often as the table says."""

from collections import Counter

import numpy as np
import pytest

from stag.datasets.schemes import SCHEMES, Scheme
from stag.errors import DatasetError
from stag.facs import AU_VOCABULARY
from stag.simulate.emotions import (
    EMOTION_CLIPS,
    UNIT_SHARES,
    draw_emotions,
    draw_preference,
    draw_units,
    emotion_shares,
    unit_odds,
)

MEGC3 = SCHEMES["megc3"]


def test_the_tables_name_known_emotions_and_units():
    assert set(UNIT_SHARES) == set(EMOTION_CLIPS)
    assert {unit for shares in UNIT_SHARES.values() for unit in shares} <= set(AU_VOCABULARY)
    # Systematic sampling leaves no clip empty only where the shares sum to 1 at least.
    assert min(sum(shares.values()) for shares in UNIT_SHARES.values()) >= 1


@pytest.mark.parametrize("emotion", UNIT_SHARES)
def test_shares_over_many_persons_are_those_of_the_table(emotion):
    generator = np.random.default_rng(7)
    counts, clips = Counter(), 4000
    for i in range(clips):
        if i % 4 == 0:
            odds = unit_odds(emotion, draw_preference(generator)[emotion])
        units = draw_units(odds, generator)
        assert len(units) >= 1
        assert tuple(sorted(set(units))) == units
        counts.update(units)
    for unit, share in UNIT_SHARES[emotion].items():
        assert counts[unit] / clips == pytest.approx(share, abs=0.035), unit


def test_a_preferred_unit_is_shown_more_often():
    odds = unit_odds("sadness", 17)
    assert odds[17] > 2 * UNIT_SHARES["sadness"][17]
    assert odds[4] < UNIT_SHARES["sadness"][4]
    assert max(max(unit_odds(e, u).values()) for e, shares in UNIT_SHARES.items() for u in shares) <= 0.98 + 1e-9


def test_every_person_shows_every_class_and_the_shares_hold():
    generator = np.random.default_rng(0)
    counts = Counter()
    for _ in range(400):
        classes = [MEGC3.class_of(emotion) for emotion in draw_emotions(6, MEGC3, generator)]
        assert set(classes) == set(MEGC3.classes)
        counts.update(classes)
    for name, share in (("negative", 0.45), ("positive", 0.28), ("surprise", 0.27)):
        assert counts[name] / 2400 == pytest.approx(share, abs=0.02)
    assert len(draw_emotions(3, MEGC3, generator)) == 3
    assert {MEGC3.class_of(e) for e in draw_emotions(3, MEGC3, generator)} == set(MEGC3.classes)
    assert len(draw_emotions(1, MEGC3, generator)) == 1


def test_shares_of_a_scheme_sum_to_one():
    shares = emotion_shares(MEGC3)
    assert sum(sum(members.values()) for members in shares.values()) == pytest.approx(1)
    assert shares["negative"]["disgust"] > shares["negative"]["anger"]
    assert "others" not in {e for members in shares.values() for e in members}


def test_a_class_that_cannot_be_shown_is_refused():
    with pytest.raises(DatasetError, match="boredom"):
        emotion_shares(Scheme("x", {"boredom": ("bored",), "happiness": ()}, "test"))


def test_companions_come_with_their_unit_and_keep_their_share():
    generator = np.random.default_rng(3)
    drawn = [draw_units(UNIT_SHARES["disgust"], generator) for _ in range(3000)]
    with_seven = [units for units in drawn if 7 in units]
    assert len(with_seven) / len(drawn) == pytest.approx(UNIT_SHARES["disgust"][7], abs=0.03)
    assert np.mean([4 in units for units in with_seven]) > 0.9
