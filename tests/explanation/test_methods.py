import re
import sys

import numpy as np
import pytest
import torch

from stag.errors import MissingDependency
from stag.explanation.methods import (
    METHODS,
    cross_attention,
    grad_cam,
    graph_attention,
    hires_cam,
    integrated_gradients,
    occlusion,
    own_scale,
    rollout,
)
from stag.utils.extras import install_hint


@pytest.mark.parametrize("seed", range(6))
def test_integrated_gradients_are_complete(make_model, make_motion, ask, seed):
    asked = ask(make_model(seed), make_motion(seed=seed))
    found = integrated_gradients(asked)
    with torch.no_grad():
        here = asked.score(asked.motion, asked.target, None)
        still = asked.score(0 * asked.motion, asked.target, None)
    np.testing.assert_allclose(found.vectors.sum(dim=(1, 2, 3)), here - still, atol=0.02)
    gap = (found.vectors.sum(dim=(1, 2, 3)) - (here - still)).abs() / (here - still).abs().clamp_min(1)
    np.testing.assert_allclose(found.checks["completeness_gap"], gap, atol=1e-5)
    torch.testing.assert_close(found.values, found.vectors.sum(dim=-1))


def test_integrated_gradients_are_the_integral_of_the_gradient(make_model, make_motion, ask, monkeypatch):
    monkeypatch.setattr("stag.explanation.methods.IG_STEPS", 12)
    asked = ask(make_model(1), make_motion(seed=1))
    place, weight = np.polynomial.legendre.leggauss(12)
    total = torch.zeros_like(asked.motion)
    for at, share in zip((place + 1) / 2, weight / 2, strict=True):
        point = (float(at) * asked.motion).requires_grad_()
        (slope,) = torch.autograd.grad(asked.score(point, asked.target, None).sum(), point)
        total += float(share) * slope
    torch.testing.assert_close(integrated_gradients(asked).vectors, asked.motion * total, atol=1e-5, rtol=1e-3)


def test_occlusion_is_the_mean_fall_over_the_windows_that_hold_the_step(make_model, make_motion, ask):
    asked = ask(make_model(2), make_motion(n=2, seed=2))
    steps, regions = asked.motion.shape[1:3]
    with torch.no_grad():
        here = asked.score(asked.motion, asked.target, None)
        fall = np.zeros((2, steps - 2, regions))
        for begin in range(steps - 2):
            for channel in range(regions):
                held = asked.motion.clone()
                held[:, begin : begin + 3, channel] = 0
                fall[:, begin, channel] = here - asked.score(held, asked.target, None)
    expected = np.zeros((2, steps, regions))
    for step in range(steps):
        windows = [begin for begin in range(steps - 2) if begin <= step < begin + 3]
        expected[:, step] = fall[:, windows].mean(axis=1)
    np.testing.assert_allclose(occlusion(asked).values, expected, atol=1e-5)


@pytest.mark.parametrize("method", [grad_cam, hires_cam])
def test_the_cams_weigh_the_nodes_by_the_gradient(make_model, make_motion, ask, method):
    model, asked = make_model(3), None
    asked = ask(model, make_motion(seed=3))
    # The graph branch again, opened at its last layer.
    seen = model.encode(asked.motion)
    from stag.model.graph import initial_graph

    branch = model.spatial
    nodes = seen.embedded
    start = initial_graph(seen.embedded, branch.init_frames, branch.temperature)
    for layer in branch.layers:
        nodes, _ = layer(nodes, start)
    nodes = nodes.detach().requires_grad_()
    tokens, _ = branch.pooling(nodes)
    graph = branch.project(tokens.flatten(1))
    fused = model.fusion(tokens, seen.frames, graph, seen.temporal)
    logits = model.classifier(torch.cat([fused.feature, model.au_embedding.unknown.expand(3, -1)], dim=-1))
    score = sum(logits[i, i] - logits[i].mean() for i in range(3))
    (slope,) = torch.autograd.grad(score, nodes)
    n, g = nodes.detach().numpy(), slope.numpy()
    expected = np.zeros(n.shape[:3])
    for b, t, r in np.ndindex(*expected.shape):
        weight = g[b].mean(axis=(0, 1)) if method is grad_cam else g[b, t, r]
        expected[b, t, r] = max(0.0, float(weight @ n[b, t, r]))
    np.testing.assert_allclose(method(asked).values, expected, atol=1e-5)
    assert expected.max() > 0


def test_without_graph_layers_the_embedding_is_explained(make_model, make_motion, ask):
    asked = ask(make_model(graph_layers=0), make_motion())
    assert (grad_cam(asked).values >= 0).all()
    assert graph_attention(asked).values.sum(dim=(1, 2)).numpy() == pytest.approx([1, 1, 1], abs=1e-5)


def test_the_hook_is_gone_afterwards(make_model, make_motion, ask):
    model = make_model()
    grad_cam(ask(model, make_motion()))
    assert not any(module._forward_hooks for module in model.modules())


def test_rollout_multiplies_the_layers():
    rng = np.random.default_rng(0)
    adjacency = rng.dirichlet(np.ones(5), size=(2, 3, 4, 5))
    found = rollout(torch.from_numpy(adjacency)).numpy()
    for b, t in np.ndindex(2, 4):
        total = np.eye(5)
        for layer in range(3):
            total = (adjacency[b, layer, t] / 2 + np.eye(5) / 2) @ total
        np.testing.assert_allclose(found[b, t], total)
    np.testing.assert_allclose(found.sum(axis=-1), 1)


@pytest.mark.parametrize("seed", range(5))
def test_attention_is_a_share(make_model, make_motion, ask, seed):
    asked = ask(make_model(seed), make_motion(seed=seed))
    out = asked.model(asked.motion, return_attention=True)
    for method in (graph_attention, cross_attention):
        values = method(asked).values
        assert (values >= 0).all()
        assert values.sum(dim=(1, 2)).numpy() == pytest.approx([1, 1, 1], abs=1e-5)
    by_step = graph_attention(asked).values.sum(dim=2)
    torch.testing.assert_close(by_step, out.temporal_attention)
    steps, regions = out.step_to_region.mean(dim=1), out.region_to_step.mean(dim=1).transpose(1, 2)
    torch.testing.assert_close(cross_attention(asked).values, (steps / 6 + regions / 18) / 2)


@pytest.mark.parametrize("name", METHODS)
def test_what_is_said_of_a_method_is_true(make_model, make_motion, ask, name):
    # A CAM of many random nodes can be zero throughout, for one class or for both.
    asked = ask(make_model(4), make_motion(n=20, seed=4), (0,) * 20)
    other = ask(asked.model, make_motion(n=20, seed=4), (1,) * 20)
    one, two = METHODS[name].run(asked).values, METHODS[name].run(other).values
    assert METHODS[name].class_specific != one.equal(two)
    assert METHODS[name].signed == bool((torch.cat([one, two]) < 0).any())
    assert METHODS[name].run(asked).values.equal(one)
    assert not one.requires_grad


@pytest.mark.parametrize("name", ["ig", "occlusion"])
def test_captum_is_an_extra(make_model, make_motion, ask, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    asked = ask(make_model(), make_motion())
    with pytest.raises(MissingDependency, match=re.escape(install_hint("explain"))):
        METHODS[name].run(asked)
    assert grad_cam(asked).values.shape == (3, 6, 18)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("strength", [0.01, 1.0, 300.0])
def test_its_own_scale_leaves_the_answer_alone(make_model, make_motion, seed, strength):
    model, motion = make_model(seed), strength * make_motion(seed=seed)
    with torch.no_grad():
        torch.testing.assert_close(model(own_scale(model, motion)).logits, model(motion).logits, atol=2e-5, rtol=1e-4)


def test_from_there_on_the_model_scales_nothing(make_model, make_motion):
    model, motion = make_model(), make_motion()
    scaled = own_scale(model, motion)
    rms = scaled.square().mean(dim=(1, 2, 3)).sqrt()
    assert (rms <= model.info.model.rms_floor_px).all()
    np.testing.assert_allclose(rms, model.info.model.rms_floor_px, rtol=1e-4)
    assert own_scale(model, 1e-3 * motion).equal(own_scale(model, 1e-3 * motion))
    torch.testing.assert_close(own_scale(model, 1e-3 * motion), 1e-3 * motion)
    assert own_scale(model, torch.zeros_like(motion)).abs().max() == 0
    plain = make_model(normalise="none")
    assert own_scale(plain, motion) is motion


def test_the_score_does_not_see_what_all_classes_share(make_model, make_motion, ask):
    model, motion = make_model(), make_motion()
    asked = ask(model, motion)
    before = asked.score(asked.motion, asked.target, None)
    with torch.no_grad():
        model.classifier.bias += 7.5
    torch.testing.assert_close(asked.score(asked.motion, asked.target, None), before, atol=1e-5, rtol=1e-5)
    logits = model(motion).logits.detach().numpy()
    expected = [logits[i, i] - logits[i].mean() for i in range(3)]
    np.testing.assert_allclose(before.detach(), expected, atol=1e-5)


def test_probabilities_in_chunks_are_those_of_the_model(make_model, make_motion, ask, monkeypatch):
    monkeypatch.setattr("stag.explanation.methods._BATCH", 4)
    model, motion = make_model(), make_motion()
    asked = ask(model, motion)
    stack = torch.stack([asked.motion, 0.5 * asked.motion, 0 * asked.motion])
    found = asked.probabilities(stack)
    assert found.shape == (3, 3, 3)
    with torch.no_grad():
        for i in range(3):
            expected = torch.softmax(model(stack[i]).logits / model.info.temperature, dim=-1)
            torch.testing.assert_close(found[i].float(), expected, rtol=0, atol=1e-5)
