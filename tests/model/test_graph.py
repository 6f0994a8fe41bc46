import numpy as np
import pytest
import torch

import by_hand
from stag.model.graph import EGAT, GraphBranch, RoiEmbedding, TemporalPooling, initial_graph

B, T, R, D, H, A = 2, 4, 5, 6, 2, 3


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(7)


def _random(generator, *shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _close(tensor, array):
    np.testing.assert_allclose(tensor.detach().numpy(), array, rtol=0, atol=1e-9)


def _egat(generator):
    return by_hand.shake(EGAT(D, H, R, 0.5, torch.ones(A, R, R)), generator)


def _branch(generator, layers):
    edges = torch.ones(A, R, R)
    branch = GraphBranch(R, D, 7, heads=H, layers=layers, init_frames=2, temperature=0.1, dropout=0.5, au_edges=edges)
    return by_hand.shake(branch, generator)


def test_roi_embedding_is_equation_12(generator):
    layer = by_hand.shake(RoiEmbedding(9, D), generator)
    motion = _random(generator, B, T, R, 2)
    _close(layer(motion), by_hand.roi_embedding(motion.numpy(), by_hand.weights(layer)))


@pytest.mark.parametrize("frames", [1, 3, 9])
def test_initial_graph_is_equation_13(generator, frames):
    embedded = _random(generator, B, T, R, D)
    graph = initial_graph(embedded, frames, 0.1)
    _close(graph, by_hand.initial_graph(embedded.numpy(), frames, 0.1))
    _close(graph.sum(-1), np.ones((B, R)))


@pytest.mark.parametrize("with_units", [False, True])
def test_egat_is_equations_14_to_17(generator, with_units):
    layer, nodes = _egat(generator), _random(generator, B, T, R, D)
    initial = torch.softmax(_random(generator, B, R, R), -1)
    au = torch.rand(B, A, generator=generator, dtype=torch.float64) if with_units else None
    out, adjacency = layer(nodes, initial, au)
    expected = by_hand.egat(nodes.numpy(), initial.numpy(), by_hand.weights(layer), au.numpy() if with_units else None)
    _close(out, expected[0])
    _close(adjacency, expected[1])
    _close(adjacency.sum(-1), np.ones((B, T, R)))


def test_no_units_and_units_absent_are_the_same_graph(generator):
    layer, nodes = _egat(generator), _random(generator, B, T, R, D)
    initial = torch.softmax(_random(generator, B, R, R), -1)
    absent = torch.zeros(B, A, dtype=torch.float64)
    torch.testing.assert_close(layer(nodes, initial), layer(nodes, initial, absent), rtol=0, atol=0)


def test_pooling_is_equations_18_and_19(generator):
    layer, nodes = by_hand.shake(TemporalPooling(D), generator), _random(generator, B, T, R, D)
    tokens, weights = layer(nodes)
    expected = by_hand.temporal_pooling(nodes.numpy(), by_hand.weights(layer))
    _close(tokens, expected[0])
    _close(weights, expected[1])
    _close(weights.sum(-1), np.ones(B))


@pytest.mark.parametrize("layers", [0, 2])
def test_branch_is_equations_13_to_21(generator, layers):
    branch, embedded = _branch(generator, layers), _random(generator, B, T, R, D)
    au = torch.rand(B, A, generator=generator, dtype=torch.float64)
    seen = branch(embedded, au)
    feature, tokens, weights, adjacency = by_hand.graph_branch(
        embedded.numpy(), by_hand.weights(branch), layers=layers, frames=2, temperature=0.1, au=au.numpy()
    )
    _close(seen.feature, feature)
    _close(seen.tokens, tokens)
    _close(seen.temporal_attention, weights)
    assert len(seen.adjacency) == len(adjacency) == layers
    for found, expected in zip(seen.adjacency, adjacency, strict=True):
        _close(found, expected)


def test_every_parameter_of_the_branch_learns(generator):
    branch, embedded = _branch(generator, 2), _random(generator, B, T, R, D)
    seen = branch(embedded, torch.ones(B, A, dtype=torch.float64))
    (seen.feature.square().sum() + seen.tokens.sum()).backward()
    for name, parameter in branch.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name
