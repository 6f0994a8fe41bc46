"""Numbers that are alike in close channels."""

import numpy as np
import pytest

from stag.faces.crop import crop_transform, transform_points
from stag.simulate.face import astronaut
from stag.simulate.likeness import alike, centres, neighbours


def test_close_channels_are_alike_and_distant_ones_are_not():
    places = np.array([[0.0, 0.0], [20.0, 0.0], [200.0, 0.0]])
    factor = alike(places, 20.0)
    np.testing.assert_allclose(
        factor @ factor.T, np.exp([[0, -0.5, -50], [-0.5, 0, -40.5], [-50, -40.5, 0]]), atol=1e-8
    )


@pytest.mark.parametrize("reach_px", [24.0, 40.0])
def test_lids_are_as_alike_as_others_and_change_nothing_in_them(reach_px):
    points = transform_points(astronaut().points, crop_transform(astronaut().points))
    both, factor = alike(centres(points), reach_px), neighbours(reach_px)
    np.testing.assert_allclose(factor.T @ factor, both.T @ both, atol=1e-8)
    assert not factor[18:, :18].any()
