"""The channel windows and their pooling against loops written here."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stag.faces.crop import CROP_PX
from stag.motion.regions import (
    CHANNELS,
    LAYOUTS,
    Pooling,
    channel_window,
    covering_window,
    empty_channels,
    pool,
    pool_static,
)
from stag.motion.transforms import mirror_order
from stag.simulate.face import vary_shape


def naive_pool(flow, kept):
    values = sorted(float(np.hypot(*v)) for v in flow.reshape(-1, 2))
    position = (1 - kept) * (len(values) - 1)
    low = int(np.floor(position))
    high = min(low + 1, len(values) - 1)
    tau = values[low] + (position - low) * (values[high] - values[low])
    chosen = [v for v in flow.reshape(-1, 2) if float(np.hypot(*v)) >= tau - 1e-12]
    return sum(chosen) / len(chosen)


@given(
    arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(2)), elements=st.floats(-3, 3)),
    st.sampled_from([0.2, 0.3, 0.7]),
)
@settings(max_examples=60, deadline=None)
def test_pool_equals_a_naive_loop(flow, kept):
    magnitudes = np.sort(np.hypot(flow[..., 0], flow[..., 1]).ravel())
    if np.any((np.diff(magnitudes) > 0) & (np.diff(magnitudes) < 1e-9)):
        return  # ties within rounding may fall on either side of tau
    np.testing.assert_allclose(pool(flow, kept), naive_pool(flow, kept), atol=1e-9)


def test_pool_of_an_empty_window_is_zero():
    assert pool(np.zeros((0, 20, 2)), 0.2).tolist() == [0.0, 0.0]


def test_windows_follow_the_table(face_points):
    p = face_points
    rounded = lambda *edges: tuple(int(np.floor(e + 0.5)) for e in edges)
    brow = p[17:22]
    assert channel_window(CHANNELS[0], p) == rounded(
        brow[:, 1].min() - 5, brow[:, 1].max() - 5, brow[:, 0].min() + 5, brow[:, 0].max() - 10
    )
    x, y = p[20]
    assert channel_window(CHANNELS[1], p) == rounded(y - 10, y + 10, x - 10, x + 10)
    x, y = p[48]
    assert channel_window(CHANNELS[9], p) == rounded(y - 10, y + 10, x - 10, x + 20)
    x, y = p[54]
    assert channel_window(CHANNELS[10], p) == rounded(y - 10, y + 10, x - 20, x + 10)
    x, y = p[31]
    assert channel_window(CHANNELS[14], p) == rounded(y - 20, y + 5, x - 20, x + 10)
    eye = p[36:42]
    width, middle = np.ptp(eye[:, 0]), (eye[:, 1].min() + eye[:, 1].max()) / 2
    assert channel_window(CHANNELS[16], p) == rounded(
        middle + width / 4 + 5, middle + 3 * width / 4 - 5, eye[:, 0].min() + 5, eye[:, 0].max() - 5
    )
    assert channel_window(CHANNELS[18], p) == rounded(
        middle - width / 2 + 5, middle - 5, eye[:, 0].min() + 5, eye[:, 0].max() - 5
    )


@pytest.mark.parametrize("seed", range(20))
def test_flow_of_the_usual_channels_covers_the_upper_lids(face_points, seed):
    points = vary_shape(face_points, 1.5, np.random.default_rng(seed))
    assert covering_window(points, "roi20", 0) == covering_window(points, "roi18", 0)
    for channel in CHANNELS[18:]:
        top, bottom, left, right = channel_window(channel, points)
        assert bottom - top >= 4
        assert right - left >= 16


def test_layouts_and_mirror():
    assert LAYOUTS["roi20"][:18] == LAYOUTS["roi18"] == tuple(range(18))
    assert len(LAYOUTS["roi14"]) == 14
    assert set(LAYOUTS["roi18"]) - set(LAYOUTS["roi14"]) == {0, 4, 8, 13}
    for layout in LAYOUTS:
        order = np.array(mirror_order(layout))
        assert (order[order] == np.arange(len(order))).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_uniform_head_motion_vanishes_and_static_pooling_keeps_it(face_points, layout):
    flow = np.zeros((CROP_PX, CROP_PX, 2))
    flow[:] = (1.5, -0.5)
    assert np.abs(Pooling.of(face_points, layout).without_head(flow)).max() < 1e-12
    np.testing.assert_allclose(pool_static(flow, face_points, layout), [(1.5, -0.5)] * len(LAYOUTS[layout]))


def test_only_the_channel_that_moves_reports_motion(face_points):
    flow = np.zeros((CROP_PX, CROP_PX, 2))
    top, bottom, left, right = channel_window(CHANNELS[12], face_points)
    flow[top:bottom, left:right] = (0.0, -1.0)
    motion = Pooling.of(face_points, "roi14").without_head(flow)
    names = LAYOUTS["roi14"]
    assert motion[names.index(12)].tolist() == [0.0, -1.0]
    assert np.abs(motion[: names.index(9)]).max() == 0


def test_a_window_outside_the_crop_is_named(face_points):
    shifted = face_points + np.array([0.0, 150.0])
    assert "lower lip" in empty_channels(shifted)
    assert empty_channels(face_points) == ()
    assert np.isfinite(Pooling.of(shifted).without_head(np.ones((CROP_PX, CROP_PX, 2)))).all()
