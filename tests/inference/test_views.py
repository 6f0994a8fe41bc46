"""The views of a clip: mirror, cut, and the way of an attribution back to the clip."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stag.config import ModelConfig
from stag.inference.probabilities import PLAIN, View, cut_to_span, mirror, model_views
from stag.model.stag import STAG
from stag.motion.regions import LAYOUTS
from stag.motion.transforms import mirror_order

B, T, R = 3, 9, 18


def views_of(**settings):
    model = STAG(ModelConfig(), layout="roi18", steps=T, classes=("a", "b"))
    return model_views(replace(model.info, training={"train": settings}))


@pytest.fixture
def motion():
    steps = torch.randn(B, T, R, 2, generator=torch.Generator().manual_seed(5))
    steps[:, 0] = 0
    return steps


@pytest.mark.parametrize("layout", LAYOUTS)
def test_mirror_swaps_pairs_and_turns_u(layout):
    regions = len(LAYOUTS[layout])
    motion = torch.randn(2, 3, regions, 2)
    seen = mirror(motion, layout)
    for i, j in enumerate(mirror_order(layout)):
        torch.testing.assert_close(seen[:, :, i, 0], -motion[:, :, j, 0])
        torch.testing.assert_close(seen[:, :, i, 1], motion[:, :, j, 1])
    assert torch.equal(mirror(seen, layout), motion)


def test_a_span_is_cut_as_numpy_interpolates_it(motion):
    span = torch.tensor([0.13, 0.77]).expand(B, 2)
    place = np.linspace(0.13, 0.77, T) * (T - 1)
    expected = np.empty(motion.shape)
    for clip in range(B):
        for region in range(R):
            for axis in range(2):
                expected[clip, :, region, axis] = np.interp(place, np.arange(T), motion[clip, :, region, axis])
    np.testing.assert_allclose(cut_to_span(motion, span, cumulative=False), expected, atol=1e-5)
    np.testing.assert_allclose(cut_to_span(motion, span, cumulative=True), expected - expected[:, :1], atol=1e-5)
    whole = torch.tensor([0.0, 1.0]).expand(B, 2)
    assert torch.equal(cut_to_span(motion, whole, cumulative=False), motion)


def test_the_first_view_is_the_clip_and_mirror_images_come_last(motion):
    views = views_of(mirror_tta=True, jitter_tta=2)
    seen = [view.of(motion, "roi18", cumulative=True) for view in views]
    assert len(seen) == 6
    assert seen[0] is motion
    for plain, flipped in zip(seen[:3], seen[3:], strict=True):
        assert torch.equal(mirror(plain, "roi18"), flipped)
        assert plain[:, 0].abs().max() == 0
    assert views_of(mirror_tta=False, jitter_tta=0) == PLAIN


@pytest.mark.parametrize("view", views_of(mirror_tta=True, jitter_tta=2))
def test_what_is_given_back_to_the_clip_weighs_as_the_view_does(motion, view):
    # <view(x), y> = <x, back(y)> for what only moves along, and nothing is lost on the way.
    values = torch.randn(B, T, R, generator=torch.Generator().manual_seed(6))
    seen = view.of(motion, "roi18", cumulative=False)[..., 1]
    back = view.back(values, "roi18")
    torch.testing.assert_close((seen * values).sum(dim=(1, 2)), (motion[..., 1] * back).sum(dim=(1, 2)))
    torch.testing.assert_close(back.sum(dim=(1, 2)), values.sum(dim=(1, 2)), atol=1e-5, rtol=1e-5)


def test_a_model_answers_with_the_views_of_its_training():
    assert views_of() == views_of(mirror_tta=True, jitter_tta=2)
    assert views_of(mirror_tta=False, jitter_tta=1) == (View(), View((0.0, 0.95)))
