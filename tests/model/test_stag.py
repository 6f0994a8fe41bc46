import copy
import pickle

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, stack_module_state, vmap

import by_hand
from stag.config import Config, ModelConfig
from stag.errors import ConfigError, ModelError
from stag.facs import AU_VOCABULARY
from stag.model.dropout import seeded
from stag.model.stag import STAG, StagOutput, clip_rms
from stag.motion.regions import LAYOUTS

A = len(AU_VOCABULARY)
SMALL = {
    "embed_dim": 4, "embed_hidden": 5, "heads": 2, "graph_layers": 2, "graph_dim": 6, "init_frames": 2,
    "transformer_layers": 2, "transformer_dim": 6, "fusion_dim": 8, "au_embed_dim": 3,
}  # fmt: skip


def _model(seed=0, *, layout="roi14", steps=4, **changes):
    return STAG(ModelConfig(**{**SMALL, **changes}), layout=layout, steps=steps, classes=list("abc"), seed=seed)


def _batch(clips=5, *, layout="roi14", steps=4, dtype=torch.float64):
    generator = torch.Generator().manual_seed(11)
    motion = torch.randn(clips, steps, len(LAYOUTS[layout]), 2, generator=generator, dtype=dtype)
    au = (torch.rand(clips, A, generator=generator) > 0.6).to(dtype)
    au[1::3] = torch.nan
    return motion, au


def _shaken(**changes):
    return by_hand.shake(_model(**changes), torch.Generator().manual_seed(12))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"layout": "roi18", "au_edges": False, "normalise": "none"},
        {"graph_layers": 0},
        {"transformer_layers": 0},
        {"graph_layers": 0, "transformer_layers": 0},
        {"initial_graph": "identity"},
        {"adjacency": "static"},
    ],
)
def test_model_is_equations_12_to_33(changes):
    model = _shaken(**changes)
    motion, au = _batch(3, layout=changes.get("layout", "roi14"))
    motion[2] *= 1e-3
    out = model(motion, au)
    expected = by_hand.stag(motion.numpy(), au.numpy(), by_hand.weights(model), model.info.model)
    for found, array in zip((out.features, out.logits, out.au_logits, out.au_step_logits), expected, strict=True):
        np.testing.assert_allclose(found.detach().numpy(), array, rtol=0, atol=1e-9)


def test_every_parameter_learns():
    model = _model().double()
    motion, au = _batch()
    out = model(motion, au)
    (out.logits.square().sum() + out.au_logits.square().sum()).backward()
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_clips_with_and_without_units_share_a_batch():
    model = _shaken()
    motion, au = _batch()
    known = ~au.isnan().any(1)
    mixed, with_units = model(motion, au), model(motion[known], au[known])
    without = model(motion[~known])
    for name in ("logits", "au_logits", "features"):
        torch.testing.assert_close(getattr(mixed, name)[known], getattr(with_units, name), rtol=0, atol=1e-12)
        torch.testing.assert_close(getattr(mixed, name)[~known], getattr(without, name), rtol=0, atol=1e-12)
    assert not torch.allclose(model(motion[known]).logits, with_units.logits)


def test_attention_is_given_when_asked_for():
    model = _shaken()
    motion, au = _batch()
    out = model(motion, au, return_attention=True)
    b, t, r, h = 5, 4, 14, 2
    shapes = {
        "adjacency": (b, 2, t, r, r), "temporal_attention": (b, t),
        "region_to_step": (b, h, r, t), "step_to_region": (b, h, t, r),
    }  # fmt: skip
    for name, shape in shapes.items():
        weights = getattr(out, name)
        assert weights.shape == shape
        torch.testing.assert_close(weights.sum(-1), torch.ones(shape[:-1], dtype=torch.float64))
        assert getattr(model(motion, au), name) is None
    assert model.forward(motion, return_attention=True).adjacency.shape == (b, 2, t, r, r)
    assert _shaken(graph_layers=0)(motion, au, return_attention=True).adjacency.shape == (b, 0, t, r, r)


def test_predicted_units_reach_the_classifier_and_leave_the_graph_alone():
    model = _shaken()
    motion, au = _batch()
    none = model(motion, return_attention=True)
    predicted = model.forward_from(motion, "predicted", return_attention=True)
    for name in set(StagOutput._fields) - {"logits", "features"}:
        torch.testing.assert_close(getattr(predicted, name), getattr(none, name), rtol=0, atol=0)
    informed = model.au_embedding(torch.sigmoid(none.au_logits), torch.ones(5, 1, dtype=torch.bool))
    torch.testing.assert_close(predicted.features, torch.cat([none.features[:, :12], informed], dim=1))
    annotated = model.forward_from(motion, "annotated", au, return_attention=True)
    torch.testing.assert_close(
        annotated._replace(au_logits=None), model(motion, au, return_attention=True)._replace(au_logits=None)
    )
    torch.testing.assert_close(annotated.au_logits, none.au_logits)


def test_the_edges_follow_codes_where_there_are_some_and_the_own_estimates_elsewhere():
    model = _shaken()
    motion, au = _batch()
    known = ~au.isnan().any(1)
    own, coded = (model(motion, codes, return_attention=True).adjacency for codes in (None, au))
    torch.testing.assert_close(own[~known], coded[~known], rtol=0, atol=0)
    assert (own[known] - coded[known]).abs().amax(dim=(1, 2, 3, 4)).min() > 1e-4
    model.step_units.bias.data.fill_(60.0)
    all_active = torch.ones_like(au)
    torch.testing.assert_close(
        model(motion, return_attention=True).adjacency, model(motion, all_active, return_attention=True).adjacency
    )


def test_the_class_loss_reaches_the_own_estimates_through_the_edges():
    model = _shaken()
    model(_batch()[0]).logits.square().sum().backward()
    assert model.step_units.weight.grad.abs().max() > 0


@pytest.mark.parametrize("normalise", ["clip-rms", "none"])
def test_a_still_clip_is_finite_throughout(normalise):
    model = _model(normalise=normalise)
    motion = torch.zeros(2, 4, 14, 2, requires_grad=True)
    out = model(motion, torch.full((2, A), torch.nan), return_attention=True)
    (out.logits.square().sum() + out.au_logits.square().sum()).backward()
    assert all(torch.isfinite(value).all() for value in out)
    np.testing.assert_allclose(out.adjacency.sum(-1).detach(), 1, atol=1e-6)
    assert torch.isfinite(motion.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_normalisation_divides_by_rms_but_not_below_the_floor():
    motion, _ = _batch(2)
    scaled = torch.stack([motion[0], motion[0] * 37, motion[0] * 1e-4])
    normal = clip_rms(scaled, 0.05)
    torch.testing.assert_close(normal[0], normal[1])
    assert normal[0].square().mean().item() == pytest.approx(1)
    torch.testing.assert_close(normal[2], scaled[2] / 0.05)


def test_the_default_model_learns_two_shapes_of_motion():
    model = STAG(Config.preset("quick").model, layout="roi18", steps=6, classes=("still brow", "raised brow"))
    generator = torch.Generator().manual_seed(0)
    motion = 0.3 * torch.randn(24, 6, 18, 2, generator=generator)
    label = torch.arange(24) % 2
    motion[label == 1, :, :8, 1] -= 1.0
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    torch.manual_seed(0)
    for _ in range(12):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(motion).logits, label).backward()
        optimiser.step()
    assert (model.eval()(motion).logits.argmax(1) == label).all()


def _stack():
    models = [_model(seed, dropout=0.0).double() for seed in range(3)]
    parameters, _ = stack_module_state(models)
    return models, {name: p.detach() for name, p in parameters.items()}


def test_stacked_models_equal_the_loop():
    models, parameters = _stack()
    data = [_batch(4) for n in range(3)]
    motion = torch.stack([m * (n + 1) for n, (m, _) in enumerate(data)])
    au = torch.stack([u.roll(n, 0) for n, (_, u) in enumerate(data)])

    def call(p, m, u):
        return StagOutput(*functional_call(models[0], p, (m, u), {"return_attention": True}))

    def loss(p, m, u):
        out = functional_call(models[0], p, (m, u))
        return out.logits.square().sum() + out.au_logits.square().sum()

    together = vmap(call)(parameters, motion, au)
    gradients = vmap(grad(loss))(parameters, motion, au)
    for n, model in enumerate(models):
        alone = model(motion[n], au[n], return_attention=True)
        for found, expected in zip(together, alone, strict=True):
            torch.testing.assert_close(found[n], expected, rtol=0, atol=1e-5)
        (alone.logits.square().sum() + alone.au_logits.square().sum()).backward()
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(gradients[name][n], parameter.grad, rtol=1e-5, atol=1e-5, msg=name)


def test_stacked_models_predict_units_and_drop_out_each_their_own_way():
    model = _model(dropout=0.5)
    parameters, _ = stack_module_state([model, model])
    motion = _batch(dtype=torch.float32)[0]

    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, motion):
            return self.inner.forward_from(motion, "predicted").logits

    named = {f"inner.{name}": p for name, p in parameters.items()}

    def judge(parameters, seed):
        with seeded(model, seed):
            return functional_call(Twice(), parameters, (motion,))

    call = vmap(judge)
    seeds = torch.tensor([3, 8], dtype=torch.int32)
    first, second = call(named, seeds)
    assert not torch.allclose(first, second)
    with seeded(model, seeds[1]):
        alone = model.forward_from(motion, "predicted").logits
    torch.testing.assert_close(second, alone, rtol=0, atol=1e-5)
    model.eval()
    first, second = call(named, seeds)
    torch.testing.assert_close(first, model.forward_from(motion, "predicted").logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(first, second, rtol=0, atol=1e-5)


def test_seed_decides_the_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = _model(1), _model(1), _model(2)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.classifier.weight, other.classifier.weight)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_model_can_be_copied_between_workers(copied):
    model = _shaken()
    twin, (motion, au) = copied(model), _batch()
    assert twin.info == model.info
    torch.testing.assert_close(twin(motion, au).logits, model(motion, au).logits, rtol=0, atol=0)


def test_the_door_names_what_does_not_fit():
    model = _model()
    with pytest.raises(ModelError, match=r"\(1, 4, 18, 2\).*T=4, R=14"):
        model(torch.zeros(1, 4, 18, 2))
    with pytest.raises(ModelError, match=r"\(1, 5, 14, 2\)"):
        model.forward_from(torch.zeros(1, 5, 14, 2), "predicted")
    with pytest.raises(ModelError, match=rf"\(1, 3\); expected \(B=1, A={A}\)"):
        model(torch.zeros(1, 4, 14, 2), torch.zeros(1, 3))
    with pytest.raises(ConfigError, match=r"fusion_dim = 9 .*heads = 2"):
        _model(fusion_dim=9)
    with pytest.raises(ModelError, match="roi99"):
        _model(layout="roi99")
    with pytest.raises(ModelError, match="two classes"):
        STAG(ModelConfig(), layout="roi18", steps=4, classes=["only"])


def test_a_model_can_be_exported():
    model, (motion, _) = _shaken(), _batch()
    exported = torch.export.export(model, (motion,)).module()
    torch.testing.assert_close(exported(motion + 1).logits, model(motion + 1).logits, rtol=0, atol=1e-9)
