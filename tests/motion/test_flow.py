"""Both flow algorithms measure a known sub-pixel shift with the documented signs."""

import cv2
import numpy as np
import pytest

from stag.errors import ConfigError
from stag.motion.flow import FLOWS, make_flow


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
