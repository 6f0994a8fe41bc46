import numpy as np
import pytest
import torch

import by_hand
from stag.config import ModelConfig
from stag.model.graph import EGAT, GraphBranch, RoiEmbedding, TemporalPooling, initial_graph, memory, moving_steps

B, T, R, D, H, A = 2, 4, 5, 6, 2, 3
ADJACENCIES = ("evolving", "memoryless", "static", "uniform")


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(7)


def _random(generator, *shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _close(tensor, array):
    np.testing.assert_allclose(tensor.detach().numpy(), array, rtol=0, atol=1e-9)


def _egat(generator, adjacency="evolving"):
    layer = EGAT(D, H, R, 0.5, scale=3.0, adjacency=adjacency)
    return by_hand.shake(layer, generator)


def _branch(generator, **changes):
    config = ModelConfig(**{"embed_dim": D, "graph_dim": 7, "heads": H, "graph_layers": 2, "init_frames": 2, **changes})
    return by_hand.shake(GraphBranch(config, R, torch.ones(A, R, R)), generator), config


def _units(generator):
    return torch.rand(B, T, A, generator=generator, dtype=torch.float64)


def test_roi_embedding_is_equation_12(generator):
    layer = by_hand.shake(RoiEmbedding(9, D), generator)
    motion = _random(generator, B, T, R, 2)
    _close(layer(motion), by_hand.roi_embedding(motion.numpy(), by_hand.weights(layer)))


@pytest.mark.parametrize("kind", ["similarity", "raw"])
@pytest.mark.parametrize("frames", [1, 3, 9])
def test_initial_graph_is_equation_13(generator, frames, kind):
    embedded = _random(generator, B, T, R, D)
    moving = np.array([[False, True, True, True], [True, False, False, True]])
    new = kind == "similarity"
    graph = initial_graph(embedded, torch.from_numpy(moving) if new else None, frames, 0.1, centred=new)
    _close(graph, by_hand.initial_graph(embedded.numpy(), moving, frames, 0.1, kind))
    _close(graph.sum(-1), np.ones((B, R)))


def test_steps_that_move_and_a_clip_without_any(generator):
    motion = _random(generator, B, T, R, 2)
    motion[:, 0] = 0
    motion[0, 2] *= 0.01
    moving = moving_steps(motion)
    assert moving.tolist() == by_hand.moving_steps(motion.numpy()).tolist()
    assert moving.tolist() == [[False, True, False, True], [False, True, True, True]]
    assert not moving_steps(torch.zeros(1, T, R, 2)).any()
    embedded = _random(generator, 1, T, R, D).requires_grad_()
    graph = initial_graph(embedded, torch.zeros(1, T, dtype=torch.bool), 3, 0.1)
    _close(graph, np.full((1, R, R), 1 / R))
    graph.square().sum().backward()
    assert torch.isfinite(embedded.grad).all()


def test_regions_that_move_alike_start_from_even_rows(generator):
    embedded = (_random(generator, B, T, 1, D).float() + 100).expand(B, T, R, D)
    graph = initial_graph(embedded, torch.ones(B, T, dtype=torch.bool), 3, 0.1)
    np.testing.assert_allclose(graph, 1 / R, atol=0.01)


@pytest.mark.parametrize("smoothing", [-60.0, -1.3, 0.0, 2.0])
def test_memory_is_the_recursion_of_equation_16_written_as_a_matrix(generator, smoothing):
    steps, initial = _random(generator, 7), 0.4
    lam = 1 / (1 + np.exp(-smoothing))
    expected, last = [], initial
    for value in steps.numpy():
        last = lam * last + (1 - lam) * value
        expected.append(last)
    matrix = memory(torch.tensor(smoothing, dtype=torch.float64), 7)
    _close(matrix @ torch.cat([torch.tensor([initial], dtype=torch.float64), steps]), expected)
    _close(matrix.sum(1), np.ones(7))


@pytest.mark.parametrize("with_factor", [False, True])
@pytest.mark.parametrize("adjacency", ADJACENCIES)
def test_egat_is_equations_14_to_17(generator, adjacency, with_factor):
    layer, nodes = _egat(generator, adjacency), _random(generator, B, T, R, D)
    initial = torch.softmax(_random(generator, B, R, R), -1)
    factor = 1 + 3 * torch.rand(B, T, R, R, generator=generator, dtype=torch.float64)
    out, weights = layer(nodes, initial, factor.log() if with_factor else None)
    expected = by_hand.egat(
        nodes.numpy(), initial.numpy(), by_hand.weights(layer), factor.numpy() if with_factor else None, adjacency
    )
    _close(out, expected[0])
    _close(weights, expected[1])
    _close(weights.sum(-1), np.ones((B, T, R)))


def test_a_unit_strengthens_the_edges_that_it_joins_in_proportion(generator):
    branch, _ = _branch(generator, adjacency="memoryless", graph_layers=1)
    branch.coupling.data.zero_()
    branch.coupling.data[1, 0, 2] = 2.0
    embedded, moving, units = _random(generator, B, T, R, D), torch.ones(B, T, dtype=torch.bool), _units(generator)
    without, coupled = (branch(embedded, moving, u).adjacency[0].detach() for u in (0 * units, units))
    odds = (coupled[..., 0, 2] / coupled[..., 0, 1]) / (without[..., 0, 2] / without[..., 0, 1])
    _close(odds, 1 + 4 * units[..., 1])
    _close(coupled[:, :, 1:], without[:, :, 1:])


def test_pooling_is_equations_18_and_19(generator):
    layer, nodes = by_hand.shake(TemporalPooling(D), generator), _random(generator, B, T, R, D)
    tokens, weights = layer(nodes)
    expected = by_hand.temporal_pooling(nodes.numpy(), by_hand.weights(layer))
    _close(tokens, expected[0])
    _close(weights, expected[1])
    _close(weights.sum(-1), np.ones(B))


@pytest.mark.parametrize(
    "changes",
    [{}, {"graph_layers": 0}, {"initial_graph": "raw"}, {"initial_graph": "identity"}, {"au_edges": False}],
)
def test_branch_is_equations_13_to_21(generator, changes):
    branch, config = _branch(generator, **changes)
    embedded, units = _random(generator, B, T, R, D), _units(generator)
    moving = np.array([[False, True, True, True], [True, False, False, True]])
    found = branch(embedded, torch.from_numpy(moving), units)
    feature, tokens, weights, adjacency = by_hand.graph_branch(
        embedded.numpy(), moving, by_hand.weights(branch), config, units.numpy()
    )
    _close(found.feature, feature)
    _close(found.tokens, tokens)
    _close(found.temporal_attention, weights)
    assert len(found.adjacency) == len(adjacency) == config.graph_layers
    for one, expected in zip(found.adjacency, adjacency, strict=True):
        _close(one, expected)


def test_every_parameter_of_the_branch_learns(generator):
    branch, _ = _branch(generator)
    units = _units(generator).requires_grad_()
    found = branch(_random(generator, B, T, R, D), torch.ones(B, T, dtype=torch.bool), units)
    (found.feature.square().sum() + found.tokens.sum()).backward()
    for name, value in [*branch.named_parameters(), ("units", units)]:
        assert torch.isfinite(value.grad).all(), name
        assert value.grad.abs().max() > 0, name


@pytest.mark.parametrize("adjacency", ADJACENCIES[:3])
def test_gradients_of_the_layer_are_those_of_finite_differences(generator, adjacency):
    layer = _egat(generator, adjacency)
    nodes = _random(generator, 1, 3, R, D).requires_grad_()
    initial = torch.softmax(_random(generator, 1, R, R), -1).requires_grad_()
    factor = _random(generator, 1, 3, R, R).requires_grad_()
    assert torch.autograd.gradcheck(lambda *inputs: layer(*inputs), (nodes, initial, factor))


def test_rows_of_a_fresh_graph_are_not_even(generator):
    """With a scale of 1 a row of the scores of a fresh layer has 17.9 of 18 effective neighbours."""
    layer = EGAT(16, 4, 18, 0.0, scale=ModelConfig().score_scale)
    nodes = torch.nn.functional.layer_norm(torch.randn(B, T, 18, 16, generator=generator), (16,))
    scores = torch.softmax(layer._scores(nodes), -1).detach()
    assert (-(scores * scores.log()).sum(-1)).exp().mean() < 15
