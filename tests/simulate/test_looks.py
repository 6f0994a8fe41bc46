"""Looks that the portrait does not have."""

from dataclasses import replace

import numpy as np
import pytest

from stag.faces.crop import transform_points
from stag.simulate.face import TEXTURE_SCALE, astronaut, make_face
from stag.simulate.looks import add_looks

PEOPLE = range(12)


def grey(face, points, half=3):
    """Mean grey around points of the crop."""
    places = np.rint(transform_points(face.points[points], face.to_frame) * TEXTURE_SCALE).astype(int)
    half *= TEXTURE_SCALE
    return float(np.mean([face.texture[y - half : y + half, x - half : x + half].mean() for x, y in places]))


def people(settings, looks):
    settings = replace(settings, looks=looks)
    return [make_face(astronaut(), settings, np.random.default_rng(i)) for i in PEOPLE]


def test_people_differ_more_in_complexion_and_in_jaw_and_keep_their_shape(settings):
    plain, varied = people(settings, 0.0), people(settings, 1.0)
    for before, after in zip(plain, varied, strict=True):
        np.testing.assert_array_equal(after.points, before.points)
        np.testing.assert_array_equal(after.to_frame, before.to_frame)
    cheeks, chin = [2, 14, 30], [6, 7, 9, 10]
    spread = {
        looks: (np.std([grey(f, cheeks) for f in some]), np.std([grey(f, chin) - grey(f, cheeks) for f in some]))
        for looks, some in ((0, plain), (1, varied))
    }
    assert spread[1][0] > 1.3 * spread[0][0]
    assert spread[1][1] > 1.3 * spread[0][1]


@pytest.mark.parametrize("seed", [0, 1])
def test_looks_go_to_nothing_with_their_amount(face, seed):
    height, width = (n // TEXTURE_SCALE for n in face.texture.shape)
    points = transform_points(face.points, face.to_frame)
    changed = {
        amount: np.abs(
            add_looks(face.texture, (height, width), points, amount, np.random.default_rng(seed)) - face.texture
        ).mean()
        for amount in (0.0, 0.1, 1.0)
    }
    assert changed[0.0] < 1e-3
    assert changed[0.1] < 0.3 * changed[1.0]
