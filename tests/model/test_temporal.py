import numpy as np
import pytest
import torch

import by_hand
from stag.model.temporal import TemporalTransformer

B, T, R, D, M, H = 2, 4, 3, 2, 6, 2


def _branch(layers, generator):
    branch = TemporalTransformer(R * D, M, steps=T, heads=H, layers=layers, dropout=0.5)
    return by_hand.shake(branch, generator)


@pytest.mark.parametrize("layers", [0, 2])
def test_transformer_is_equations_22_to_25(layers):
    generator = torch.Generator().manual_seed(3)
    branch = _branch(layers, generator)
    embedded = torch.randn(B, T, R, D, generator=generator, dtype=torch.float64)
    summary, frames = branch(embedded)
    expected = by_hand.transformer(embedded.numpy(), by_hand.weights(branch), layers=layers, heads=H)
    np.testing.assert_allclose(summary.detach().numpy(), expected[0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(frames.detach().numpy(), expected[1], rtol=0, atol=1e-9)


def test_every_parameter_of_the_transformer_learns():
    generator = torch.Generator().manual_seed(4)
    branch = _branch(2, generator)
    summary, frames = branch(torch.randn(B, T, R, D, generator=generator, dtype=torch.float64))
    ((summary * torch.arange(M)).sum() + frames.square().sum()).backward()
    for name, parameter in branch.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name
