"""Which frames become motion steps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stag.motion.transforms import PROBES, magnitude_positions, motion_at, probe_positions, uniform_positions

steps_of_motion = st.integers(2, 270).flatmap(lambda n: arrays(np.float64, n, elements=st.floats(0, 5)))


def of_frames(step_px, steps):
    """Steps of a clip whose motion is known at every frame."""
    return magnitude_positions(np.arange(len(step_px) + 1.0), np.asarray(step_px, float), steps)


@given(steps_of_motion, st.integers(2, 40))
def test_onset_and_offset_are_kept_and_frames_rise(step_px, steps):
    n = len(step_px) + 1
    positions = of_frames(step_px, steps)
    assert len(positions) == steps
    assert positions[0] == 0
    assert positions[-1] == n - 1
    assert (np.diff(positions) > 0).all()
    if n > steps:
        assert (positions == np.rint(positions)).all()


def test_moving_stretches_get_more_steps_than_still_ones():
    step_px = np.zeros(100)
    step_px[40:60] = 1.0
    positions = of_frames(step_px, 16)
    inside = ((positions >= 40) & (positions <= 60)).sum()
    assert inside >= 11


def test_a_still_clip_is_sampled_evenly():
    np.testing.assert_array_equal(of_frames(np.zeros(60), 16), uniform_positions(61, 16))


@given(st.integers(3, 12))
def test_interpolation_is_linear_in_time(n):
    motion = np.arange(n, dtype=float)[:, None, None] * np.ones((1, 18, 2))
    positions = uniform_positions(n, 16)
    np.testing.assert_allclose(motion_at(positions, motion)[:, 3, 1], np.linspace(0, n - 1, 16))


def test_steps_are_at_equal_shares_of_the_motion():
    """Eq. of the equal shares, written out for one clip."""
    step_px = np.random.default_rng(0).random(59) ** 4
    share = 0.8 * step_px / step_px.sum() + 0.2 / 59
    reached = [sum(share[:i]) for i in range(60)]
    for positions, wanted in zip(of_frames(step_px, 16), np.linspace(0, reached[-1], 16), strict=True):
        # Frames are whole and rising, so a step may give way to its neighbours by a frame or two.
        assert abs(positions - np.interp(wanted, reached, range(60))) <= 2


def test_a_batch_is_its_clips_one_by_one():
    rng = np.random.default_rng(1)
    n_frames = np.array([3, 5, 15, 16, 17, 30, 47, 48, 49, 130, 270])
    probes = probe_positions(n_frames)
    step_px = rng.random((len(n_frames), PROBES - 1)) ** 4 * (np.diff(probes) > 0)
    step_px[5] = 0
    motion = rng.standard_normal((len(n_frames), 270, 18, 2))
    together = magnitude_positions(probes, step_px, 16)
    even = uniform_positions(n_frames, 16)
    moved = motion_at(even, motion)
    for i, n in enumerate(n_frames):
        frames, first = np.unique(probes[i], return_index=True)
        alone = magnitude_positions(frames, step_px[i, first[1:] - 1], 16)
        np.testing.assert_allclose(together[i], alone, atol=1e-12)
        np.testing.assert_allclose(even[i], np.linspace(0, n - 1, 16), atol=0.5 + 1e-12)
        column = [np.interp(even[i], np.arange(n), motion[i, :n, r, c]) for r in range(18) for c in range(2)]
        np.testing.assert_allclose(moved[i].reshape(16, -1).T, column, atol=1e-12)
