import numpy as np
import pytest
import torch

import by_hand
from stag.facs import AU_REGIONS, AU_VOCABULARY
from stag.model.action_units import ActionUnitEmbedding, anatomical_edges, separate_unknown
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
    edges, ids = anatomical_edges(layout, AU_VOCABULARY), LAYOUTS[layout]
    assert edges.shape == (len(AU_VOCABULARY), len(ids), len(ids))
    for u, unit in enumerate(AU_VOCABULARY):
        for i, one in enumerate(ids):
            for j, other in enumerate(ids):
                joined = one != other and {one, other} <= set(AU_REGIONS[unit])
                assert edges[u, i, j] == float(joined), (unit, one, other)
    assert edges.flatten(1).sum(1).min() > 0
