"""The crop: its geometry against matrices, and its pixels against pictures that are known everywhere."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, shift

from stag.faces.crop import (
    CROP_PX,
    EYE_CENTRE,
    INTER_OCULAR_CROP_PX,
    CropReader,
    compose,
    crop_transform,
    invert,
    transform_points,
    warp_crop,
)


def similarity(scale, degrees, tx, ty):
    angle = np.deg2rad(degrees)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, tx], [s, c, ty]])


def square(transform):
    return np.vstack([transform, [0, 0, 1]])


similarities = st.builds(
    similarity, st.floats(0.1, 8), st.floats(-180, 180), st.floats(-900, 900), st.floats(-900, 900)
)  # fmt: skip
grid = np.stack(np.meshgrid(np.arange(CROP_PX), np.arange(CROP_PX)), axis=-1).astype(float)


@given(similarities, similarities)
def test_transforms_are_a_group(a, b):
    np.testing.assert_allclose(square(compose(a, b)), square(a) @ square(b), atol=1e-6)
    np.testing.assert_allclose(square(compose(a, invert(a))), np.eye(3), atol=1e-6)
    point = np.array([3.0, -7.0])
    np.testing.assert_allclose(transform_points(point, a), (square(a) @ [3, -7, 1])[:2], atol=1e-6)


@given(similarities)
def test_the_crop_stands_upright_on_the_eyes_and_follows_the_head(head):
    face = np.random.default_rng(0).normal(0, 20, (68, 2))
    face[39], face[42] = (-15, 2), (15, -2)
    points = transform_points(face, head)
    to_crop = crop_transform(points)
    eyes = transform_points(points[[39, 42]], to_crop)
    half = INTER_OCULAR_CROP_PX / 2
    np.testing.assert_allclose(eyes, [[EYE_CENTRE[0] - half, 96], [EYE_CENTRE[0] + half, 96]], atol=1e-6)
    linear = to_crop[:, :2]
    np.testing.assert_allclose(linear.T @ linear, np.linalg.det(linear) * np.eye(2), atol=1e-9)
    assert np.linalg.det(linear) > 0
    np.testing.assert_allclose(compose(to_crop, head), crop_transform(face), atol=1e-6)


def test_coinciding_eyes_are_refused(face_points):
    face_points[39] = face_points[42]
    with pytest.raises(ValueError, match="39 and 42"):
        crop_transform(face_points)


class Waves:
    """A picture that is defined between its pixels too, blurred as far as asked for."""

    def __init__(self, seed, shortest_px):
        rng = np.random.default_rng(seed)
        length, angle = rng.uniform(shortest_px, 4 * shortest_px, 12), rng.uniform(0, np.pi, 12)
        self.wave = 2 * np.pi / length * np.array([np.cos(angle), np.sin(angle)])
        self.phase = rng.uniform(0, 2 * np.pi, 12)

    def __call__(self, points):
        return 128 + 10 * np.cos(points @ self.wave + self.phase).sum(axis=-1)

    def image(self, height, width):
        pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(float)
        return np.clip(np.rint(self(pixels)), 0, 255).astype(np.uint8)


def shift_of(crop, picture, from_crop):
    """Least-squares shift ``(2,)`` of a crop against what the picture says it should be, crop pixels."""
    inner = grid[24:-24, 24:-24]
    at = lambda dx, dy: picture(transform_points(inner + np.array([dx, dy]), from_crop)).ravel()
    design = np.stack([at(0.01, 0) - at(-0.01, 0), at(0, 0.01) - at(0, -0.01)], axis=1) / 0.02
    return np.linalg.lstsq(design, at(0, 0) - crop[24:-24, 24:-24].ravel(), rcond=None)[0]


@given(
    seed=st.integers(0, 99),
    step=st.floats(0.25, 4),
    degrees=st.floats(-30, 30),
    upright=st.booleans(),
    tx=st.floats(0, 1),
    ty=st.floats(0, 1),
)
@settings(max_examples=8, deadline=None)
def test_every_pixel_is_read_where_it_should_be(seed, step, degrees, upright, tx, ty):
    picture = Waves(seed, shortest_px=6 * max(step, 1))
    side = int(np.ceil(CROP_PX * step * 1.45)) + 16
    from_crop = similarity(step, 0 if upright else degrees, 0, 0)
    middle = transform_points(np.array([127.5, 127.5]), from_crop)
    from_crop[:, 2] = side / 2 - middle + [tx, ty]
    crop = warp_crop(picture.image(side, side), invert(from_crop)).astype(float)
    expected = picture(transform_points(grid, from_crop))
    # Where the crop is upright, the rounding to 1/32 px of what is read is the same for all pixels.
    assert np.abs(shift_of(crop, picture, from_crop)).max() < (0.011 if upright else 0.006)
    if step < 0.6:
        assert np.sqrt(np.mean((crop - expected) ** 2)) < 1.0


def local_shifts(before, after):
    """Least-squares shifts of tiles ``(n, 2)``."""
    found = []
    before, after = gaussian_filter(before, 1.0), gaussian_filter(after, 1.0)
    down, across = np.gradient((before + after) / 2)
    for row in range(32, 192, 32):
        for column in range(32, 192, 32):
            tile = (slice(row, row + 32), slice(column, column + 32))
            design = np.stack([across[tile].ravel(), down[tile].ravel()], axis=1)
            found.append(np.linalg.lstsq(design, (before - after)[tile].ravel(), rcond=None)[0])
    return np.array(found)


@pytest.mark.parametrize("step", [2.3, 3.0, 4.7])
def test_detail_finer_than_the_crop_does_not_turn_into_motion(step, rng):
    """Skin has pores; a head that moves must move them without a flicker."""
    side = int(CROP_PX * step) + 80
    coarse, pores = (gaussian_filter(rng.normal(0, 1, (side, side)), sigma) for sigma in (3 * step, 0.7))
    skin = 128 + 25 * coarse / coarse.std() + 25 * pores / pores.std()
    from_crop = similarity(step, 4, 40.2, 10.9)
    plain = {"dsize": (CROP_PX, CROP_PX), "flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP}
    errors = {"ours": [], "plain": []}
    first = {}
    for moved in (0.0, 0.5, 1.0, 1.5):
        picture = np.clip(np.rint(shift(skin, (moved, 0), mode="nearest")), 0, 255).astype(np.uint8)
        truth = np.linalg.solve(from_crop[:, :2], [0, moved])
        crops = {"ours": warp_crop(picture, invert(from_crop)), "plain": cv2.warpAffine(picture, from_crop, **plain)}
        for name, crop in crops.items():
            errors[name].append(local_shifts(first.setdefault(name, crop.astype(float)), crop.astype(float)) - truth)
    rms = {name: np.sqrt(np.mean(np.square(error))) for name, error in errors.items()}
    assert rms["ours"] < 0.04
    assert rms["ours"] < 0.7 * rms["plain"]


def test_beyond_the_frame_the_border_continues():
    picture = np.tile(np.arange(40, dtype=np.uint8) * 5, (30, 1))
    crop = warp_crop(picture, np.array([[2.0, 0, 60], [0, 2.0, 90]]))
    assert crop.shape == (CROP_PX, CROP_PX)
    assert crop.dtype == np.uint8
    assert (crop[:, :50] == 0).all()
    assert (crop[:, 150:] == 195).all()
    assert (warp_crop(picture, np.array([[1.0, 0, 4000], [0, 1.0, -4000]])) == picture[-1, 0]).all()


def test_an_even_picture_stays_even():
    for value in (0, 77, 255):
        picture = np.full((200, 300), value, np.uint8)
        for step in (0.3, 1.0, 1.3, 2.6):
            assert (warp_crop(picture, invert(similarity(step, 11, 30, 20))) == value).all()


@pytest.mark.parametrize("step", [0.6, 1.0, 1.7, 2.6])
def test_a_reader_answers_like_a_warp_of_its_own(step, rng):
    """What was prepared for one reading serves those nearby, and is made anew for those further off."""
    size = (300, 340)
    picture = gaussian_filter(rng.uniform(0, 255, size), 2.5)
    picture = np.rint((picture - picture.min()) * 255 / np.ptp(picture)).astype(np.uint8)
    window = (30, 90, 40, 120)
    reader = CropReader(picture, (10, 200, 20, 220))
    for degrees, x, y in ((3, 20, 30), (3.2, 21.3, 31.1), (3, 22, 28.7), (-8, 90, 2), (40, 150, 20)):
        transform = invert(similarity(step, degrees, x, y))
        ours, anew = reader.read(transform, window).astype(int), warp_crop(picture, transform, window).astype(int)
        assert ours.shape == (60, 80)
        assert np.abs(ours - anew).max() <= 3
        assert np.abs(ours - anew).mean() < 0.2
        np.testing.assert_allclose(anew, warp_crop(picture, transform)[30:90, 40:120], atol=1.01)


def test_invert_undoes_and_refuses_what_has_no_inverse(rng):
    a = rng.normal(size=(2, 3))
    np.testing.assert_allclose(compose(a, invert(a)), np.eye(2, 3), atol=1e-9)
    with pytest.raises(ValueError, match="no inverse"):
        invert(np.array([[1.0, 2, 0], [2, 4, 0]]))
