"""Both flow algorithms measure a known sub-pixel shift with the documented signs."""

import cv2
import numpy as np
import pytest

from stag.errors import ConfigError
from stag.motion.flow import FLOWS, LucasKanadeFlow, _Prepared, make_flow


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("shift", [(0.6, 0.0), (0.0, -0.8), (-0.5, 0.4)])
def test_flow_of_a_known_shift(name, shift, rng):
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (1024, 1024)).astype(np.float32), (0, 0), 12)
    texture = (texture - texture.min()) / np.ptp(texture) * 220
    moved = cv2.warpAffine(texture, np.float32([[1, 0, 4 * shift[0]], [0, 1, 4 * shift[1]]]), (1024, 1024))
    first, second = (
        cv2.resize(im, (256, 256), interpolation=cv2.INTER_AREA).astype(np.uint8) for im in (texture, moved)
    )
    field = make_flow(name)(first, second)
    assert field.shape == (256, 256, 2)
    np.testing.assert_allclose(np.median(field[40:-40, 40:-40], axis=(0, 1)), shift, atol=0.06)


def test_unknown_algorithm_is_named():
    with pytest.raises(ConfigError, match="tvl2"):
        make_flow("tvl2")


def texture(rng, size=(120, 140)):
    image = cv2.GaussianBlur(rng.uniform(0, 255, size).astype(np.float32), (0, 0), 2)
    return (40 + 170 * (image - image.min()) / np.ptp(image)).astype(np.uint8)


def window_means(values, side):
    """Mean over a square window around every pixel, borders continued, by a loop."""
    half = side // 2
    padded = np.pad(values, half, mode="edge")
    rows, columns = values.shape
    return np.array([[padded[r : r + side, c : c + side].mean() for c in range(columns)] for r in range(rows)])


def test_a_round_solves_for_shift_and_brightness_in_every_window(rng):
    """The normal equations, written out: three unknowns a window, the shift damped."""
    first, second = (texture(rng, (22, 26)).astype(float) for _ in range(2))
    side, damping = 5, 6.0
    padded = np.pad(first, 1, mode="reflect")
    gx, gy = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2, (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    t = second - first
    one = np.ones_like(t)
    mean = {(i, j): window_means(a * b, side) for i, a in enumerate((gx, gy, one)) for j, b in enumerate((gx, gy, one))}
    right = [window_means(a * t, side) for a in (gx, gy, one)]
    expected = np.empty((*t.shape, 2))
    for place in np.ndindex(t.shape):
        normal = np.array([[mean[i, j][place] for j in range(3)] for i in range(3)]) + np.diag([damping, damping, 0])
        expected[place] = -np.linalg.solve(normal, [r[place] for r in right])[:2]
    measured = _Prepared(first.astype(np.float32), side, damping).refine(second.astype(np.float32), None)
    np.testing.assert_allclose(np.stack(measured, axis=-1), expected, atol=2e-3)


def test_brightness_is_no_motion(rng):
    first = texture(rng)
    brighter = cv2.add(first, 25)
    assert np.abs(LucasKanadeFlow()(first, brighter)).max() < 1e-3


def test_a_reused_flow_gives_what_a_new_one_gives(rng):
    images = [texture(rng) for _ in range(3)]
    reused = LucasKanadeFlow()
    for first, second in ((0, 1), (0, 2), (1, 2), (0, 1), (2, 2)):
        fresh = LucasKanadeFlow()(images[first], images[second])
        np.testing.assert_array_equal(reused(images[first], images[second]), fresh)
    assert (fresh == 0).all()


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (31, 33)])
@pytest.mark.parametrize("rounds", [0, 2])
def test_even_and_tiny_pictures_do_not_move(size, rounds):
    even = np.full(size, 90, np.uint8)
    field = LucasKanadeFlow(rounds=rounds)(even, even.copy())
    assert field.shape == (*size, 2)
    assert field.dtype == np.float32
    assert (field == 0).all()
