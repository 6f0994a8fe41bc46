"""Networks to compare STAG with: shapes, gradients, their equations in plain loops, stacking, and that they learn."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad_and_value, vmap

from stag.config import Config, ModelConfig
from stag.errors import ConfigError
from stag.facs import AU_REGIONS, AU_VOCABULARY
from stag.inference.probabilities import predict_probabilities
from stag.model.comparators import (
    NETWORKS,
    CausalConvolution,
    GatedRecurrence,
    GraphConvolution,
    NetworkInput,
    SpatioTemporalBlock,
    build_network,
    region_graph,
)
from stag.model.onset_apex import CENTRES_PX, OnsetApexMaps
from stag.model.stag import STAG
from stag.motion.regions import LAYOUTS, MIRROR_PAIRS
from stag.training.fit import Part, fit_many
from stag.training.losses import Batch, Objective
from synthetic import synthetic_motion

CLASSES = ("negative", "positive", "surprise")
CONFIG = ModelConfig(transformer_dim=8, au_embed_dim=4, dropout=0.0)
EXACT = {"rtol": 1e-5, "atol": 1e-5}


def model_of(name, layout="roi18", steps=6, **changes):
    config = CONFIG.model_copy(update=changes)
    return build_network(name, NetworkInput(layout, steps, config), classes=CLASSES, seed=1)


def motion_of(clips=4, steps=6, regions=18, seed=0):
    return torch.randn(clips, steps, regions, 2, generator=torch.Generator().manual_seed(seed))


def separable(subjects, clips, seed):
    """Clips whose class shows as one pair of regions that moves more and more."""
    made = synthetic_motion(subjects, clips, steps=6, signal=0, offset=0, seed=seed)
    for i, label in enumerate(made.label):
        regions = {"negative": (1, 5), "positive": (9, 10), "surprise": (3, 7)}[label]
        made.motion[i] *= 0.1
        made.motion[i][:, regions, 1] += np.linspace(0, 1, 6)[:, None]
    return made


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("steps", [2, 16])
def test_shapes_and_every_clip_is_classified_by_itself(name, layout, steps):
    model, motion = model_of(name, layout, steps).eval(), motion_of(3, steps, len(LAYOUTS[layout]))
    with torch.no_grad():
        out, first = model(motion), model(motion[:1])
    assert out.logits.shape == (3, 3)
    assert out.au_logits.shape == (3, len(AU_VOCABULARY))
    torch.testing.assert_close(out.logits[:1], first.logits, **EXACT)
    still = model(torch.zeros_like(motion)).logits
    assert torch.isfinite(still).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_and_every_input_has_a_finite_gradient(name):
    model, motion = model_of(name), motion_of().requires_grad_()
    au = torch.rand(4, len(AU_VOCABULARY), generator=torch.Generator().manual_seed(2))
    au[0] = torch.nan
    out = model(motion, au)
    sum(scores.square().sum() for scores in (out.logits, out.au_logits, out.au_step_logits)).backward()
    lost = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.isfinite().all()]
    assert lost == []
    assert all(value.grad.abs().sum() > 0 for name, value in model.named_parameters())
    assert motion.grad.isfinite().all()
    assert (motion.grad.abs().sum(dim=(1, 2, 3)) > 0).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_come_from_the_seed_and_the_global_generator_is_left_alone(name):
    before = torch.random.get_rng_state()
    first, again = model_of(name).state_dict(), model_of(name).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[key], again[key]) for key in first)
    given = NetworkInput("roi18", 6, CONFIG)
    other = build_network(name, given, classes=CLASSES, seed=2).state_dict()
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", NETWORKS)
def test_stacked_models_get_the_gradients_of_single_ones(name):
    config = Config(model=CONFIG.model_copy(update={"dropout": 0.3}), au="annotated")
    given = NetworkInput("roi18", 6, config.model)
    batches, objectives = [], []
    for seed in range(2):
        rng = torch.Generator().manual_seed(seed)
        target = torch.eye(3)[torch.randint(3, (5,), generator=rng)]
        au = torch.rand(5, len(AU_VOCABULARY), generator=rng)
        seeds = torch.tensor(seed + 7, dtype=torch.int32)
        batches.append(Batch(motion_of(5, seed=seed), target, au, torch.ones(3), seeds))
        objectives.append(Objective(build_network(name, given, classes=CLASSES, seed=seed).train(), config))
    named = [dict(one.named_parameters()) for one in objectives]
    stacked = {key: torch.stack([own[key].detach() for own in named]) for key in named[0]}
    together = Batch(*(torch.stack(parts) for parts in zip(*batches, strict=True)))
    gradients, losses = vmap(grad_and_value(lambda p, b: functional_call(objectives[0], p, (b,))))(stacked, together)
    for row, (objective, batch, own) in enumerate(zip(objectives, batches, named, strict=True)):
        loss = objective(batch)
        loss.backward()
        torch.testing.assert_close(losses[row], loss.detach(), **EXACT)
        for key, parameter in own.items():
            expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            torch.testing.assert_close(gradients[key][row], expected, msg=key, **EXACT)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_learns_which_region_moves(name):
    settings = ["train.epochs=30", "train.warmup_epochs=2", "model.transformer_dim=16", "model.dropout=0.1"]
    clips, fresh = separable(6, 9, seed=1), separable(3, 9, seed=2)
    config = Config.preset("quick").override([*settings, "train.lr=5e-3", "train.batch_size=16"])
    (model,) = fit_many(clips, [Part(np.arange(len(clips)), 0)], config, network=name, device="cpu")
    probabilities, units = predict_probabilities(model, fresh, "none")
    assert (np.array(model.classes)[probabilities.argmax(axis=1)] == fresh.label).mean() >= 0.9
    assert units.shape == (len(fresh), len(AU_VOCABULARY))


def test_the_fixed_graph_as_a_loop():
    ids = LAYOUTS["roi14"]
    shared = np.eye(14)
    for i in range(14):
        for j in range(14):
            both = sum(ids[i] in moved and ids[j] in moved for moved in AU_REGIONS.values())
            either = sum(ids[i] in moved or ids[j] in moved for moved in AU_REGIONS.values())
            if i != j:
                shared[i, j] = both / either
    degree = shared.sum(axis=1)
    expected = [[shared[i, j] / np.sqrt(degree[i] * degree[j]) for j in range(14)] for i in range(14)]
    np.testing.assert_allclose(region_graph("roi14"), expected, **EXACT)


GRAPH = torch.tensor([[0.7, 0.3, 0.0], [0.3, 0.5, 0.2], [0.0, 0.2, 0.8]])


def test_graph_convolution_as_a_loop():
    layer, motion = GraphConvolution(GRAPH, 4, 5, 0.0), motion_of(1, 4, 3)
    weights = {key: value.detach().numpy() for key, value in layer.named_parameters()}
    features = motion[0].numpy().transpose(1, 0, 2).reshape(3, 8)
    nodes = features @ weights["project.weight"].T + weights["project.bias"]
    for number in range(2):
        mixed = np.array([sum(float(GRAPH[i, j]) * nodes[j] for j in range(3)) for i in range(3)])
        update = mixed @ weights[f"layers.{number}.weight"].T + weights[f"layers.{number}.bias"]
        nodes = nodes + np.maximum(update, 0)
    expected = nodes.ravel() @ weights["out.weight"].T + weights["out.bias"]
    np.testing.assert_allclose(layer(motion)[0].detach(), expected, **EXACT)


def test_a_block_over_regions_and_steps_as_a_loop():
    block = SpatioTemporalBlock(GRAPH, 4, 0.0)
    torch.nn.init.uniform_(block.edge, generator=torch.Generator().manual_seed(3))
    nodes = torch.randn(1, 6, 3, 4, generator=torch.Generator().manual_seed(4))
    weights = {key: value.detach().numpy() for key, value in block.named_parameters()}
    h = nodes[0].numpy()
    mixed = np.zeros_like(h)
    for t in range(6):
        near = (GRAPH.numpy() * weights["edge"]) @ h[t]
        mixed[t] = np.maximum(near @ weights["mix.weight"].T + weights["mix.bias"], 0)
    expected = np.zeros_like(h)
    for t in range(6):
        for r in range(3):
            update = weights["over_time.bias"].copy()
            for k in range(5):
                if 0 <= t + k - 2 < 6:
                    update += weights["over_time.weight"][:, :, k] @ mixed[t + k - 2, r]
            value = h[t, r] + np.maximum(update, 0)
            expected[t, r] = (value - value.mean()) / np.sqrt(value.var() + 1e-5)
    np.testing.assert_allclose(block(nodes)[0].detach(), expected, **EXACT)


def test_recurrence_is_that_of_torch():
    layer, theirs = GatedRecurrence(36, 8), torch.nn.GRU(36, 8, batch_first=True)
    with torch.no_grad():
        for ours, name in ((layer.given, "ih"), (layer.state, "hh")):
            getattr(theirs, f"weight_{name}_l0").copy_(ours.weight)
            getattr(theirs, f"bias_{name}_l0").copy_(ours.bias)
    motion = motion_of(3, 7)
    torch.testing.assert_close(layer(motion), theirs(motion.flatten(2))[1][0], **EXACT)


def test_causal_convolution_as_a_loop():
    layer, motion = CausalConvolution(36, 4, 0.0), motion_of(1, 9)
    weights = {key: value.detach().numpy() for key, value in layer.named_parameters()}
    values = motion[0].flatten(1).numpy() @ weights["project.weight"][:, :, 0].T + weights["project.bias"]
    for number, dilation in enumerate((1, 2, 4)):
        update = values
        for part in ("first", "second"):
            kernel, bias = weights[f"{part}.{number}.weight"], weights[f"{part}.{number}.bias"]
            new = np.zeros_like(update)
            for t in range(9):
                new[t] = bias
                for k in range(3):
                    then = t - (2 - k) * dilation
                    if then >= 0:
                        new[t] += kernel[:, :, k] @ update[then]
            update = np.maximum(new, 0)
        values = np.maximum(values + update, 0)
    np.testing.assert_allclose(layer(motion)[0].detach(), values[-1], **EXACT)


def test_maps_of_the_apex_as_a_loop():
    layer, motion = OnsetApexMaps("roi14", 8, 0.0), motion_of(1, 5, 14)
    motion[0, 3] *= 5
    moved, centres = motion[0, 3].numpy(), [CENTRES_PX[i] for i in LAYOUTS["roi14"]]
    weight = np.zeros((28, 28, 14))
    for row in range(28):
        for column in range(28):
            x, y = (column + 0.5) * 256 / 28, (row + 0.5) * 256 / 28
            near = np.array([np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 24**2)) for cx, cy in centres])
            weight[row, column] = near / near.sum()
    u, v = weight @ moved[:, 0], weight @ moved[:, 1]
    (u_y, u_x), (v_y, v_x) = np.gradient(u), np.gradient(v)
    expected = np.stack([u, v, np.sqrt(u_x**2 + v_y**2 + (u_y + v_x) ** 2 / 2)])
    np.testing.assert_allclose(layer.maps(motion)[0], expected, **EXACT)
    between = torch.diff(motion, dim=1, prepend=torch.zeros_like(motion[:, :1]))
    stepwise = OnsetApexMaps("roi14", 8, 0.0, cumulative=False)
    torch.testing.assert_close(stepwise.maps(between), layer.maps(motion), **EXACT)


def test_shallow_network_is_the_published_one_but_for_its_input():
    layer = OnsetApexMaps("roi18", 8, 0.0)
    assert [tuple(stream.weight.shape) for stream in layer.streams] == [(3, 3, 3, 3), (5, 3, 3, 3), (8, 3, 3, 3)]
    assert layer.out.in_features == 400
    for left, right in MIRROR_PAIRS:
        assert (256 - CENTRES_PX[left][0], CENTRES_PX[left][1]) == CENTRES_PX[right]


def test_what_moves_between_steps_reaches_training_as_such():
    clips = synthetic_motion(4, 3, seed=1)
    clips = replace(clips, meta={**clips.meta, "reference": "previous"})
    config = Config.preset("quick").override(["train.epochs=1"])
    (model,) = fit_many(clips, [Part(np.arange(len(clips)), 0)], config, network="stst-net", device="cpu")
    assert model.temporal.network.cumulative is False


def test_the_name_stag_gives_stag_and_settings_are_checked():
    ours = build_network("stag", NetworkInput("roi18", 6, CONFIG), classes=CLASSES, seed=1).state_dict()
    theirs = STAG(CONFIG, layout="roi18", steps=6, classes=CLASSES, seed=1).state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    with pytest.raises(ConfigError, match=r"model\.transformer_dim = 6"):
        model_of("gru", transformer_dim=6)
