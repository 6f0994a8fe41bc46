"""Movement that is no expression is as strong, as slow and as ordered as measured."""

import numpy as np
import pytest

from stag.motion.regions import MIRROR_PAIRS
from stag.simulate.natural import DRAWS, movement_of_no_pattern, natural_movement, patterns


def test_changes_grow_with_the_square_root_of_the_time():
    drawn = np.random.default_rng(0).standard_normal((500, *DRAWS))
    time_s = np.tile(np.arange(0, 2, 0.04), (500, 1))
    moved = natural_movement(drawn, time_s)
    size = {lag: np.sqrt(np.square(moved[:, lag:] - moved[:, :-lag]).mean()) for lag in (2, 6, 10)}
    assert size[6] == pytest.approx(1, abs=0.1)
    assert size[10] / size[2] == pytest.approx(np.sqrt(5), rel=0.1)


def test_movement_of_no_pattern_is_as_strong_and_as_slow_and_mostly_something_else():
    generator = np.random.default_rng(0)
    time_s = np.tile(np.arange(0, 2, 0.04), (500, 1))
    moved = natural_movement(generator.standard_normal((500, *DRAWS)), time_s)[:, :, :18]
    own = movement_of_no_pattern(generator.standard_normal((500, *DRAWS[:2], 2, 18)), time_s)
    sizes = [[np.square(m[:, lag:] - m[:, :-lag]).mean() for lag in (2, 6, 10)] for m in (moved, own)]
    np.testing.assert_allclose(sizes[1], sizes[0], rtol=0.1)
    usual = np.linalg.qr(patterns()[:, :18].reshape(8, -1).T)[0]
    change = (own[:, 6:] - own[:, :-6]).reshape(-1, 36)
    within = np.square(change @ usual).sum() / np.square(change).sum()
    assert within == pytest.approx(8 / 36, rel=0.1)


def test_each_pattern_is_even_or_odd():
    mirrored = patterns().copy()
    for left, right in MIRROR_PAIRS:
        mirrored[:, [left, right]] = mirrored[:, [right, left]]
    sign = np.where(np.arange(8) < 4, 1, -1)[:, None, None]
    np.testing.assert_allclose(mirrored * [-1, 1] * sign, patterns(), atol=1e-12)
