import numpy as np
import pytest
import torch

import by_hand
from stag.facs import AU_REGIONS, AU_VOCABULARY
from stag.model.action_units import (
    ELSEWHERE,
    ActionUnitEmbedding,
    StepUnits,
    anatomical_edges,
    driving_units,
    peak_logits,
    separate_unknown,
)
from stag.motion.regions import LAYOUTS


def _mixed():
    au = (torch.rand(6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64) > 0.5).double()
    au[1] = torch.nan
    au[4, 2] = torch.nan
    return au


def test_embedding_is_equation_32_or_the_stand_in():
    layer = by_hand.shake(ActionUnitEmbedding(5, 4), torch.Generator().manual_seed(2))
    au = _mixed()
    np.testing.assert_allclose(
        layer(*separate_unknown(au)).detach().numpy(),
        by_hand.au_embedding(au.numpy(), by_hand.weights(layer)),
        rtol=0,
        atol=1e-12,
    )


def test_a_row_with_nan_is_unknown_as_a_whole():
    values, known = separate_unknown(_mixed())
    assert known[:, 0].tolist() == [True, False, True, True, False, True]
    assert torch.equal(values[[1, 4]], torch.zeros(2, 5, dtype=torch.float64))
    assert torch.equal(values[0], _mixed()[0])


def test_every_parameter_of_the_embedding_learns():
    layer = by_hand.shake(ActionUnitEmbedding(5, 4), torch.Generator().manual_seed(2))
    layer(*separate_unknown(_mixed())).square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_edges_join_the_regions_of_each_unit(layout):
    edges, ids = anatomical_edges(layout, AU_VOCABULARY, 4.0), LAYOUTS[layout]
    assert edges.shape == (len(AU_VOCABULARY), len(ids), len(ids))
    for u, unit in enumerate(AU_VOCABULARY):
        for i, one in enumerate(ids):
            for j, other in enumerate(ids):
                joined = one != other and {one, other} <= set(AU_REGIONS[unit])
                assert edges[u, i, j] == pytest.approx(4.0 if joined else 4.0 * ELSEWHERE), (unit, one, other)
    assert (edges == 4.0).flatten(1).any(1).all()


def test_units_of_a_step_depend_on_that_step_alone_and_start_rare():
    layer = StepUnits(8, 5)
    embedded = torch.randn(3, 4, 2, 4, generator=torch.Generator().manual_seed(2))
    steps = layer(embedded)
    np.testing.assert_allclose(
        steps.detach(), by_hand.step_units(embedded.numpy(), by_hand.weights(layer)), rtol=0, atol=1e-5
    )
    assert torch.sigmoid(layer(torch.zeros(1, 4, 2, 4))).max() < 0.2


def test_the_peak_of_a_unit_is_a_smooth_maximum_over_the_steps():
    steps = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(2)).double().requires_grad_()
    np.testing.assert_allclose(peak_logits(steps).detach(), np.log(np.exp(steps.detach().numpy()).mean(axis=1)))
    even = torch.full((1, 4, 5), -3.0)
    torch.testing.assert_close(peak_logits(even), even[:, 0])
    assert torch.autograd.gradcheck(peak_logits, steps)


def test_codes_drive_the_edges_of_their_clip_and_estimates_those_of_the_others():
    steps = torch.randn(6, 4, 5, generator=torch.Generator().manual_seed(2)).double()
    np.testing.assert_allclose(driving_units(steps, _mixed()), by_hand.driving_units(steps.numpy(), _mixed().numpy()))
    np.testing.assert_allclose(driving_units(steps, None), torch.sigmoid(steps))
