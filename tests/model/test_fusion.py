import numpy as np
import pytest
import torch

import by_hand
from stag.model.fusion import CrossAttentionFusion

B, T, R, D, G, M, F, H = 2, 4, 3, 5, 7, 6, 8, 2


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(5)
    layer = by_hand.shake(CrossAttentionFusion(D, G, M, F, heads=H, dropout=0.5), generator)
    shapes = (B, R, D), (B, T, M), (B, G), (B, M)
    return layer, [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes]


def test_fusion_is_equations_26_to_31(case):
    layer, inputs = case
    expected = by_hand.fusion(*(x.numpy() for x in inputs), by_hand.weights(layer), heads=H)
    for found, array in zip(layer(*inputs), expected, strict=True):
        np.testing.assert_allclose(found.detach().numpy(), array, rtol=0, atol=1e-9)


def test_cross_attention_rows_sum_to_one(case):
    layer, inputs = case
    fused = layer(*inputs)
    assert fused.region_to_step.shape == (B, H, R, T)
    assert fused.step_to_region.shape == (B, H, T, R)
    for weights in fused[1:]:
        np.testing.assert_allclose(weights.sum(-1).detach().numpy(), 1, rtol=0, atol=1e-12)


def test_every_parameter_of_the_fusion_learns(case):
    layer, inputs = case
    layer(*inputs).feature.square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name
