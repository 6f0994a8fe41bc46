"""Which frames become motion steps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stag.motion.timing import magnitude_positions, motion_at, uniform_positions

steps_of_motion = st.integers(2, 270).flatmap(lambda n: arrays(np.float64, n, elements=st.floats(0, 5)))


@given(steps_of_motion, st.integers(2, 40))
def test_onset_and_offset_are_kept_and_frames_rise(step_px, steps):
    n = len(step_px) + 1
    positions = magnitude_positions(step_px, steps)
    assert len(positions) == steps
    assert positions[0] == 0
    assert positions[-1] == n - 1
    assert (np.diff(positions) > 0).all()
    if n > steps:
        assert (positions == np.rint(positions)).all()


def test_moving_stretches_get_more_steps_than_still_ones():
    step_px = np.zeros(100)
    step_px[40:60] = 1.0
    positions = magnitude_positions(step_px, 16)
    inside = ((positions >= 40) & (positions <= 60)).sum()
    assert inside >= 11


def test_a_still_clip_is_sampled_evenly():
    np.testing.assert_array_equal(magnitude_positions(np.zeros(60), 16), uniform_positions(61, 16))


@given(st.integers(3, 12))
def test_interpolation_is_linear_in_time(n):
    motion = np.arange(n, dtype=float)[:, None, None] * np.ones((1, 18, 2))
    positions = uniform_positions(n, 16)
    np.testing.assert_allclose(motion_at(positions, np.arange(n), motion)[:, 3, 1], np.linspace(0, n - 1, 16))
