"""The apex from motion: the farthest step, whatever the channels, never an end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stag.motion.transforms import apex_step


def by_hand(motion):
    size = []
    for step in motion:
        total = 0.0
        for u, v in step:
            total += float(u) ** 2 + float(v) ** 2
        size.append((total / len(step)) ** 0.5)
    best, where = -1.0, None
    for t in range(1, len(size) - 1):
        smooth = 0.25 * size[t - 1] + 0.5 * size[t] + 0.25 * size[t + 1]
        if smooth > best + 1e-12:
            best, where = smooth, t
    return where


@given(st.integers(0, 10_000), st.integers(2, 20), st.integers(1, 18))
def test_it_is_the_loop(seed, steps, regions):
    motion = np.random.default_rng(seed).normal(size=(steps, regions, 2))
    assert apex_step(motion) == by_hand(motion)


@pytest.mark.parametrize("peak", range(1, 15))
def test_the_peak_of_a_rise_and_fall_is_found(peak, rng):
    rise = np.interp(np.arange(16), [0, peak, 15], [0, 1, 0.2])[:, None, None] * rng.normal(size=(1, 18, 2))
    assert abs(apex_step(rise) - peak) <= 1
    moved = np.diff(rise, axis=0, prepend=rise[:1])
    assert apex_step(moved, "previous") == apex_step(rise)
    assert apex_step(np.float32(3) * rise.astype(np.float32)) == apex_step(rise)


def test_one_wild_step_is_no_apex():
    size = np.array([0, 1, 2, 3, 4, 5, 5, 5, 4, 3, 0, 5.5, 0, 0])
    assert apex_step(size[:, None, None] * np.ones((1, 18, 2))) == 6


def test_ends_and_short_clips():
    rising = np.arange(8.0)[:, None, None] * np.ones((1, 18, 2))
    assert apex_step(rising) == 6
    assert apex_step(rising[::-1]) == 1
    assert apex_step(np.zeros((8, 18, 2))) == 1
    assert apex_step(rising[:2]) is None
