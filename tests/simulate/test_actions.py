"""Action units move the right skin the right way, and only that."""

import numpy as np
import pytest

from stag.facs import AU_VOCABULARY
from stag.motion.regions import HEAD_MOTION, MIRROR_PAIRS, channel_window, pool_static
from stag.simulate.actions import (
    CROP_TO_GRID,
    GRID_SIZE,
    MIRROR_68,
    action_fields,
    at_points,
    control_points,
    forward_flow,
    on_pixels,
    one_sided_share,
    peak_px,
    pulls,
)

# Relative motion (u, v) at the channels of the left of the image: unit -> channel -> (u, v). From anatomy, and from
# real clips where they showed otherwise: AU 9 leaves the lower lid, and AU 15 comes with the lower lip up.
TABLE = {
    1: {1: (0, -1), 2: (0, -0.5), 0: (0, -0.7)},
    2: {3: (0, -1), 2: (0, -0.9), 0: (0, -0.7), 1: (0, -0.3)},
    4: {1: (0.6, 0.9), 2: (0.6, 0.9), 3: (0.5, 0.9), 0: (0.6, 0.9), 16: (0, 0.2)},
    5: {2: (0, -0.2), 16: (0, 0.1)},
    6: {16: (0, -0.8), 9: (-0.2, -0.3), 3: (0.1, 0.2)},
    7: {16: (0.1, -0.5), 1: (0, 0.2), 2: (0, 0.2)},
    9: {14: (0.1, -0.5), 1: (0.5, 0.9), 0: (0.5, 0.9), 11: (0, -0.3)},
    10: {14: (-0.1, -0.5), 11: (0, -0.9), 8: (0, -0.6), 9: (0, -0.3), 13: (0, -0.4)},
    12: {9: (-0.7, -0.8), 8: (0, -0.5), 11: (0, -0.2), 14: (-0.2, -0.3), 16: (0, -0.2), 13: (0, -0.1)},
    14: {9: (-0.9, -0.8), 8: (0, -0.6), 11: (0, -0.3)},
    15: {9: (-0.7, 0.9), 12: (0, -0.7), 11: (0, -0.4)},
    17: {12: (0, -0.9), 13: (0, -0.5), 8: (0, -0.7), 11: (0, -0.2), 9: (0, 0.1)},
    18: {9: (0.5, 0), 11: (0, 0.2)},
    20: {9: (-0.8, 0.2)},
    23: {11: (0, 0.35), 12: (0, -0.35), 9: (0.25, 0)},
    24: {11: (0, 0.35), 12: (0, -0.35), 9: (0.25, 0)},
    25: {12: (0, 0.8), 13: (0, 0.3), 8: (0, 0.4)},
    43: {16: (0, 0.4), 2: (0, 0.1)},
}
PARTNER = {a: b for pair in MIRROR_PAIRS for a, b in (pair, pair[::-1])}
LEFT, RIGHT = (0, 1, 2, 3, 9, 14, 16), (4, 5, 6, 7, 10, 15, 17)


def amounts(unit, left=1.0, right=1.0):
    result = np.zeros((len(AU_VOCABULARY), 2))
    result[AU_VOCABULARY.index(unit)] = left, right
    return result


def pooled(fields, face, amount):
    return pool_static(on_pixels(forward_flow(fields.combine(amount))), face.points)


def test_lips_that_touch_are_no_contradiction(face):
    points = face.points.copy()
    points[[61, 62, 63]] = points[[67, 66, 65]]
    assert np.isfinite(action_fields(points, [12, 17]).combine(amounts(12))).all()


def test_every_unit_of_the_vocabulary_moves_something(fields):
    assert set(pulls()) == set(AU_VOCABULARY)
    for unit in AU_VOCABULARY:
        assert peak_px(fields.combine(amounts(unit))) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("unit", TABLE)
def test_true_motion_of_the_channels_has_the_sign_that_anatomy_tells(unit, fields, face):
    motion = pooled(fields, face, amounts(unit))
    for channel, expected in TABLE[unit].items():
        sides = [(channel, np.array(expected))]
        if channel in PARTNER:
            sides.append((PARTNER[channel], np.array(expected) * [-1, 1]))
        for where, wanted in sides:
            clear = np.abs(wanted) >= 0.3
            assert (np.sign(motion[where]) == np.sign(wanted))[clear].all(), (where, motion[where])
            assert not clear.any() or np.abs(motion[where]).max() > 0.2


@pytest.mark.parametrize("unit", [u for u in AU_VOCABULARY if one_sided_share(u) > 0])
def test_one_sided_firing_moves_its_side_only(unit, fields, face):
    left = np.hypot(*pooled(fields, face, amounts(unit, 1, 0)).T)
    right = np.hypot(*pooled(fields, face, amounts(unit, 0, 1)).T)
    assert left[list(RIGHT)].max() < 0.05 < 0.3 < left[list(LEFT)].max()
    assert right[list(LEFT)].max() < 0.05 < 0.3 < right[list(RIGHT)].max()


def test_the_sides_add_up(fields):
    unit = amounts(12, 0.4, 0) + amounts(12, 0, 0.9) + amounts(4, 0.2, 0.2)
    parts = 0.4 * fields.combine(amounts(12, 1, 0)) + 0.9 * fields.combine(amounts(12, 0, 1))
    np.testing.assert_allclose(fields.combine(unit), parts + 0.2 * fields.combine(amounts(4)), atol=1e-5)


def test_rigid_points_stay_where_they_are(fields, face):
    rigid = [28, 29, 30, 36, 39, 42, 45]
    for unit in AU_VOCABULARY:
        moved = at_points(fields.combine(amounts(unit)), face.points[rigid])
        assert np.hypot(*moved.T).max() < 0.1, unit


def test_the_landmarks_move_as_the_table_of_anatomy_says(fields, face):
    for unit in (1, 2, 4, 12, 15):
        field = fields.combine(amounts(unit))
        wanted, got = pulls()[unit][:68], at_points(field, face.points)
        assert np.corrcoef(wanted.ravel(), got.ravel())[0, 1] > 0.98


def test_forward_flow_inverts_the_displacement(fields):
    # x goes to x + f(x); what is seen there comes from x + f(x) - d(x + f(x)), which must be x again.
    field = fields.combine(amounts(12, 2.5, 1.5) + amounts(4, 2.0, 2.0))
    flow = forward_flow(field)
    row, column = np.mgrid[:GRID_SIZE, :GRID_SIZE]
    places = (np.stack([column, row], -1).reshape(-1, 2) - CROP_TO_GRID[:, 2]) / CROP_TO_GRID[0, 0]
    inside = (np.abs(places - 128) < 140).all(axis=1)
    arrived = places + flow.reshape(-1, 2)
    back = arrived - at_points(field, arrived)
    assert np.hypot(*(back - places)[inside].T).max() < 0.02
    assert np.abs(flow - field).max() > 0.05


def test_mirror_tables_are_involutions(face):
    assert [MIRROR_68[i] for i in MIRROR_68] == list(range(68))
    symmetric = face.points.copy()
    symmetric[:, 0] = (face.points[:, 0] + 256 - face.points[list(MIRROR_68), 0]) / 2
    symmetric[:, 1] = (face.points[:, 1] + face.points[list(MIRROR_68), 1]) / 2
    nodes = control_points(symmetric)
    mirrored = nodes * [-1, 1] + [256, 0]
    nearest = np.linalg.norm(nodes[:, None] - mirrored[None], axis=-1).argmin(axis=0)
    for unit in AU_VOCABULARY:
        np.testing.assert_allclose(pulls()[unit][nearest] * [-1, 1], pulls()[unit], atol=1e-12)


def test_the_field_is_smooth_and_ends_before_the_background(fields):
    dense = on_pixels(fields.combine(amounts(2)))
    assert np.abs(np.diff(dense, axis=0)).max() < 0.12
    assert np.abs(dense[230:, :10]).max() < 0.02


def test_the_head_box_is_hardly_moved_by_brows_and_mouth_corners(fields, face):
    top, bottom, left, right = channel_window(HEAD_MOTION, face.points)
    for unit in (1, 2, 4, 5, 6, 7, 12, 14, 15, 17):
        inside = on_pixels(fields.combine(amounts(unit)))[top:bottom, left:right]
        assert np.hypot(*inside.mean(axis=(0, 1))) < 0.12, unit
