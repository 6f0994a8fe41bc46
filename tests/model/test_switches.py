"""The switches of an ablation: what each takes out, what it leaves, and that weights fit all of them."""

import re

import numpy as np
import pytest
import torch

import by_hand
from stag.config import Config, ModelConfig
from stag.errors import ConfigError
from stag.facs import AU_VOCABULARY
from stag.model.stag import STAG

SMALL = {
    "embed_dim": 4, "embed_hidden": 5, "heads": 2, "graph_layers": 2, "graph_dim": 6, "init_frames": 2,
    "transformer_layers": 2, "transformer_dim": 6, "fusion_dim": 8, "au_embed_dim": 3,
}  # fmt: skip
SWITCHES = (
    {"graph": False}, {"temporal": False}, {"cross_attention": False}, {"initial_graph": "identity"},
    {"initial_graph": "raw"}, {"adjacency": "memoryless"}, {"adjacency": "static"}, {"adjacency": "uniform"},
    {"au_edges": False},
)  # fmt: skip


def model(**changes):
    made = STAG(ModelConfig(**{**SMALL, **changes}), layout="roi14", steps=4, classes=list("abc"))
    return by_hand.shake(made, torch.Generator().manual_seed(12))


def batch(clips=3):
    generator = torch.Generator().manual_seed(11)
    motion = torch.randn(clips, 4, 14, 2, generator=generator, dtype=torch.float64)
    return motion, (torch.rand(clips, len(AU_VOCABULARY), generator=generator) > 0.6).double()


def au_at_every_step(au):
    return np.repeat(au.numpy()[:, None], 4, axis=1)


def parts_by_hand(motion, au, made):
    """z_g and z_t of the whole model, before Eq. 26."""
    w, config = by_hand.weights(made), made.info.model
    embedded = by_hand.roi_embedding(
        by_hand.clip_rms(motion.numpy(), config.rms_floor_px), by_hand.part(w, "embedding")
    )
    z_g, *_ = by_hand.graph_branch(
        embedded, by_hand.moving_steps(motion.numpy()), by_hand.part(w, "spatial"), config, au_at_every_step(au)
    )
    z_t, _ = by_hand.transformer(embedded, by_hand.part(w, "temporal"), layers=2, heads=2)
    return z_g, z_t


@pytest.mark.parametrize(
    ("changes", "graph", "temporal"),
    [({"graph": False}, 0, 1), ({"temporal": False}, 1, 0), ({"cross_attention": False}, 1, 1)],
)
def test_a_branch_that_is_off_leaves_the_other_as_the_equations_have_it(changes, graph, temporal):
    made, (motion, au) = model(**changes), batch()
    z_g, z_t = parts_by_hand(motion, au, made)
    found = made(motion, au).features[:, :12].detach().numpy()
    np.testing.assert_allclose(found, np.concatenate([graph * z_g, temporal * z_t], axis=1), atol=1e-9)


def test_a_static_adjacency_is_one_for_all_steps():
    motion, au = batch(2)
    adjacency = model(adjacency="static")(motion, au, return_attention=True).adjacency
    assert torch.equal(adjacency, adjacency[:, :, :1].expand(-1, -1, 4, -1, -1))
    moving = model()(motion, au, return_attention=True).adjacency
    assert (moving - moving[:, :, :1]).abs().max() > 1e-3


@pytest.mark.parametrize("changes", SWITCHES)
def test_weights_of_the_whole_model_fit_every_ablation(changes):
    whole, cut = model(), model(**changes)
    assert {k: v.shape for k, v in whole.state_dict().items()} == {k: v.shape for k, v in cut.state_dict().items()}
    motion, au = batch()
    assert not torch.allclose(whole(motion, au).logits, cut(motion, au).logits)


@pytest.mark.parametrize("changes", SWITCHES)
def test_attention_keeps_its_shapes_and_sums_to_one(changes):
    out = model(**changes)(*batch(), return_attention=True)
    assert out.adjacency.shape == (3, 0 if "graph" in changes else 2, 4, 14, 14)
    for attention, shape in (
        (out.temporal_attention, (3, 4)), (out.region_to_step, (3, 2, 14, 4)), (out.step_to_region, (3, 2, 4, 14)),
    ):  # fmt: skip
        assert attention.shape == shape
        np.testing.assert_allclose(attention.sum(-1).detach(), 1, atol=1e-9)


SCORES = r"layers\.\d\.(query|key|source|target|bias|self_loop|log_scale|smoothing)$|coupling"
IDLE = (
    r"spatial\.|fusion\.", r"temporal\.|fusion\.", r"fusion\.", "$^", "$^", "smoothing", "$^", SCORES, "coupling",
)  # fmt: skip


@pytest.mark.parametrize(("changes", "pattern"), [*zip(SWITCHES, IDLE, strict=True)])
def test_what_is_off_has_no_gradient_and_the_rest_learns(changes, pattern):
    made = model(**changes)
    made(*batch()).logits.square().sum().backward()
    for name, parameter in made.named_parameters():
        # Codes are given and no AU loss is taken, so these learn nothing either way.
        if not name.startswith(("au_head", "au_embedding", "step_units")):
            learns = parameter.grad is not None and bool(parameter.grad.any())
            assert learns != bool(re.search(pattern, name)), name


def test_a_model_without_any_branch_is_refused():
    with pytest.raises(ConfigError, match=r"model\.graph and model\.temporal are both off"):
        Config().override(["model.graph=false", "model.temporal=false"])


@pytest.mark.parametrize("changes", SWITCHES)
def test_a_folder_remembers_its_switches(tmp_path, changes):
    made = model(**changes).float()
    made.save_pretrained(tmp_path / "m")
    back = STAG.from_pretrained(str(tmp_path / "m"))
    assert back.info.model == made.info.model
    motion, au = (value.float() for value in batch())
    assert torch.equal(back(motion, au).logits, made(motion, au).logits)
