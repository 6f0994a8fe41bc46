"""The rigid turn of a head: geometry against rotation matrices, and the fit against known shifts."""

import numpy as np
import pytest

from stag.faces.crop import EYE_CENTRE, crop_transform, transform_points
from stag.faces.pose import HeadShape, PoseFit
from stag.simulate.face import astronaut

TURNS = np.deg2rad([(0.0, 0.0), (6.0, 0.0), (0.0, -6.0), (-9.0, 7.0)])


@pytest.fixture(scope="module")
def shape():
    points = astronaut().points
    return HeadShape.mean(transform_points(points, crop_transform(points)))


@pytest.mark.parametrize("turn", TURNS)
def test_a_shift_is_that_of_a_rotation_in_space(shape, turn):
    yaw, pitch = turn
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    side = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    shift = shape.shift(turn, (60, 160, 70, 190))
    for row, column in ((0, 0), (50, 58), (99, 119)):
        place = np.array([column + 70, row + 60]) - EYE_CENTRE
        point = np.array([*place, shape.depth_px[row + 60, column + 70]])
        np.testing.assert_allclose(shift[row, column], (side @ nod @ point)[:2] - place, atol=1e-3)


def test_the_nose_is_nearest_and_the_ears_are_farthest(shape):
    row, column = np.unravel_index(shape.depth_px.argmax(), shape.depth_px.shape)
    assert np.hypot(row - 140, column - 128) < 25
    assert 40 < shape.depth_px.max() < 80
    assert shape.depth_px[96, [0, 255]].max() < -60


@pytest.mark.parametrize("turn", TURNS)
def test_a_known_motion_is_found_among_outliers(shape, turn, rng):
    centres = rng.uniform([70, 80], [186, 160], (90, 2))
    depth = shape.depth_px[centres[:, 1].astype(int), centres[:, 0].astype(int), None, None] * np.eye(2)
    fit = PoseFit(centres, depth.astype(float), np.broadcast_to(50 * np.eye(2), (90, 2, 2)))
    similarity = np.array([[1.01, -0.02, 1.5], [0.02, 1.01, -0.7]])
    shifts = fit.expected(turn) + transform_points(centres, similarity) - centres + rng.normal(0, 0.03, (90, 2))
    shifts[:9] += 4
    found = np.zeros(2)
    for _ in range(3):
        moved, found, weights, residuals = fit(shifts, found)
    np.testing.assert_allclose(np.degrees(found), np.degrees(turn), atol=0.2)
    np.testing.assert_allclose(transform_points(centres, moved), transform_points(centres, similarity), atol=0.15)
    assert (weights[:9] == 0).all()
    assert np.abs(residuals[9:]).max() < 0.3


def test_a_tiny_turn_is_held_back(shape, rng):
    """What a muscle does to a few patches must not turn the head."""
    centres = rng.uniform([70, 80], [186, 160], (90, 2))
    fit = PoseFit(
        centres, np.full((90, 1, 1), 20.0) * np.eye(2) * rng.random((90, 1, 1)), np.tile(np.eye(2), (90, 1, 1))
    )
    turn = np.deg2rad([0.1, 0.1])
    assert np.abs(fit(fit.expected(turn), np.zeros(2))[1]).max() < 0.8 * turn[0]
