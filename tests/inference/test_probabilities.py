"""From model to probabilities: views, temperature, and clips of another form."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stag.config import ModelConfig
from stag.errors import ModelError
from stag.facs import AU_VOCABULARY
from stag.inference.probabilities import answer, conformed, model_views, predict_probabilities
from stag.model.stag import STAG
from stag.motion.regions import LAYOUTS
from stag.motion_set import MotionSet

CONFIG = ModelConfig(embed_dim=4, heads=2, graph_layers=1, transformer_layers=1, transformer_dim=4, fusion_dim=4)
CLASSES = ("negative", "positive")


def clips(n=5, steps=7, layout="roi18", **meta):
    rng = np.random.default_rng(0)
    motion = rng.normal(0, 1, (n, steps, len(LAYOUTS[layout]), 2)).astype(np.float32)
    motion[:, 0] = 0
    text = np.array([str(i) for i in range(n)])
    return MotionSet(
        motion=motion,
        label=np.full(n, ""),
        subject=text,
        dataset=np.full(n, "made"),
        action_units=np.full((n, len(AU_VOCABULARY)), np.nan, np.float32),
        clip_id=text,
        time_s=np.tile(np.linspace(0, 0.3, steps, dtype=np.float32), (n, 1)),
        flags=np.full(n, ""),
        meta={"classes": list(CLASSES), "layout": layout, **meta},
    )


@pytest.fixture
def model():
    return STAG(CONFIG, layout="roi18", steps=7, classes=CLASSES, seed=3).eval()


def test_probabilities_are_the_mean_over_views(model):
    data = clips()
    seen = [view.of(torch.from_numpy(data.motion), "roi18", cumulative=True) for view in model_views(model.info)]
    with torch.no_grad():
        each = [torch.softmax(model(view).logits.double(), dim=-1).numpy() for view in seen]
    found, units = predict_probabilities(model, data, "none")
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-5)
    assert units.shape == (5, len(AU_VOCABULARY))


@pytest.mark.parametrize("au_source", ["none", "predicted", "annotated"])
def test_attention_is_that_of_the_pass_that_led_to_the_class(model, au_source):
    with torch.no_grad():
        for parameter in model.parameters():  # as after training, so that action units drive the graph
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    motion = torch.from_numpy(clips().motion)
    codes = torch.zeros(5, len(AU_VOCABULARY))
    codes[:, :4] = 1
    found = answer(model, motion, au_source=au_source, au=codes, attention=True)
    with torch.no_grad():
        free = model(motion, return_attention=True)
        expected = model(motion, codes if au_source == "annotated" else None, return_attention=True)
    np.testing.assert_allclose(found.adjacency, expected.adjacency, atol=1e-5)
    np.testing.assert_allclose(found.temporal_attention, expected.temporal_attention, atol=1e-5)
    np.testing.assert_allclose(found.au_steps, torch.sigmoid(free.au_step_logits), atol=1e-5)
    if au_source == "annotated":
        assert np.abs(found.adjacency - free.adjacency.numpy()).max() > 1e-3
    without = answer(model, motion, au_source=au_source, au=codes)
    assert without.adjacency is None
    np.testing.assert_allclose(without.probabilities, found.probabilities, atol=1e-5)
    np.testing.assert_allclose(
        found.au_probabilities, answer(model, motion, au_source="none").au_probabilities, atol=1e-5
    )


def test_a_clip_does_not_depend_on_its_company(model):
    data = clips(600)
    together, _ = predict_probabilities(model, data, "none")
    alone, _ = predict_probabilities(model, data.subset(slice(300, 301)), "none")
    np.testing.assert_allclose(together[300:301], alone, atol=1e-5)


def test_motion_between_steps_is_cut_as_such(model):
    model.info = replace(model.info, motion={"reference": "previous"})
    motion = torch.from_numpy(clips().motion)
    views = [view.of(motion, "roi18", cumulative=False) for view in model_views(model.info)]
    with torch.no_grad():
        each = [torch.softmax(model(view).logits.double(), dim=-1).numpy() for view in views]
    np.testing.assert_allclose(answer(model, motion, au_source="none").probabilities, np.mean(each, axis=0), atol=1e-5)


def test_temperature_softens_and_keeps_the_order(model):
    data = clips()
    sharp, _ = predict_probabilities(model, data, "none")
    model.info = replace(model.info, temperature=4.0)
    soft, _ = predict_probabilities(model, data, "none")
    assert np.abs(soft - 0.5).max() < np.abs(sharp - 0.5).max()
    np.testing.assert_array_equal(soft.argmax(axis=1), sharp.argmax(axis=1))


def test_other_steps_are_met_by_interpolation_in_time(model):
    long = conformed(clips(steps=13), model.info)
    assert long.motion.shape == (5, 7, 18, 2)
    np.testing.assert_allclose(long.motion, clips(steps=13).motion[:, ::2], atol=1e-5)
    np.testing.assert_allclose(long.time_s, clips(steps=13).time_s[:, ::2], atol=1e-5)
    same = conformed(clips(), model.info)
    np.testing.assert_array_equal(same.motion, clips().motion)


def test_steps_and_sums_of_motion_become_each_other(model):
    sums = clips()
    between = np.diff(sums.motion, axis=1, prepend=np.zeros_like(sums.motion[:, :1]))
    steps = replace(sums, motion=between, meta={**sums.meta, "reference": "previous"})
    np.testing.assert_allclose(conformed(steps, model.info).motion, sums.motion, atol=1e-5)
    wanted = replace(model.info, motion={"reference": "previous"})
    np.testing.assert_allclose(conformed(sums, wanted).motion, between, atol=1e-5)
    np.testing.assert_allclose(conformed(steps, wanted).motion, between, atol=1e-5)


def test_regions_are_taken_by_name_or_missed(model):
    small = STAG(CONFIG, layout="roi14", steps=7, classes=CLASSES)
    taken = conformed(clips(), small.info)
    np.testing.assert_array_equal(taken.motion, clips().motion[:, :, list(LAYOUTS["roi14"])])
    assert taken.layout == "roi14"
    more = clips(layout="roi20")
    np.testing.assert_array_equal(conformed(more, model.info).motion, more.motion[:, :, :18])
    with pytest.raises(ModelError, match="layout roi18, the motion file has roi14"):
        conformed(clips(layout="roi14"), model.info)
    with_lids = STAG(CONFIG, layout="roi20", steps=7, classes=CLASSES)
    with pytest.raises(ModelError, match=r"layout roi20, the motion file has roi18.*`motion\.layout=roi20`"):
        conformed(clips(), with_lids.info)
