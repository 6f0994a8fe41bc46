"""Softened probabilities keep their order and lose their confidence with the quality of the clip."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stag.inference.probabilities import MOST_UNMEASURED, soften
from stag.motion.quality import LEAST_TRUST, trust
from stag.types import Quality

GOOD = Quality(
    noise_px=np.full(18, 0.05), drift_px=0.0, texture=np.full(18, 0.9), noise_grey=1.0, brightness=120.0,
    saturated=0.0, block_grid=0.0, frozen=0.2, eyes_px=1e4,
)  # fmt: skip


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=7).filter(lambda p: sum(p) > 0.1), st.floats(0.0, 5.0))
def test_order_stays_sums_are_one_and_confidence_falls(weights, drift_px):
    before = np.array(weights) / sum(weights)
    quality = replace(GOOD, drift_px=drift_px)
    after = soften(before, quality)
    assert after.sum() == pytest.approx(1)
    assert (np.diff(after[np.argsort(before)]) >= -1e-9).all()
    assert after.max() <= before.max() + 1e-9
    if trust(quality) < LEAST_TRUST:
        assert after.max() <= max(MOST_UNMEASURED, 1 / len(before)) + 1e-9


def test_motion_of_unknown_quality_and_a_perfect_clip_keep_their_probabilities():
    before = np.array([[0.86, 0.1, 0.04], [0.0, 1.0, 0.0]])
    np.testing.assert_array_equal(soften(before, None), before)
    np.testing.assert_allclose(soften(before, GOOD), before, atol=1e-9)


def test_noise_alone_says_nothing():
    after = soften(np.array([0.98, 0.01, 0.01]), replace(GOOD, drift_px=50.0))
    np.testing.assert_allclose(after, 1 / 3, atol=0.01)
