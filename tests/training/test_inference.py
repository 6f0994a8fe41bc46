"""From model to probabilities: views, temperature, and clips of another form."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stag.config import ModelConfig
from stag.datasets.motion_file import MotionSet
from stag.errors import ModelError
from stag.facs import AU_VOCABULARY
from stag.model.stag import STAG
from stag.motion.regions import LAYOUTS
from stag.training.augment import mirror
from stag.training.inference import conformed, predict_probabilities, views

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
    seen = views(torch.from_numpy(data.motion), "roi18", mirror_tta=True, jitter_tta=2, cumulative=True)
    assert len(seen) == 6
    assert torch.equal(seen[0], torch.from_numpy(data.motion))
    for plain, flipped in zip(seen[:3], seen[3:], strict=True):
        assert torch.equal(mirror(plain, "roi18"), flipped)
    with torch.no_grad():
        each = [torch.softmax(model(view).logits.double(), dim=-1).numpy() for view in seen]
    found, units = predict_probabilities(model, data, "none", jitter_tta=2)
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-5)
    assert units.shape == (5, len(AU_VOCABULARY))


def test_a_clip_does_not_depend_on_its_company(model):
    data = clips(600)
    together, _ = predict_probabilities(model, data, "none", jitter_tta=1)
    alone, _ = predict_probabilities(model, data.subset(slice(300, 301)), "none", jitter_tta=1)
    np.testing.assert_allclose(together[300:301], alone, atol=1e-5)


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
    with pytest.raises(ModelError, match="layout roi18, the motion file has roi14"):
        conformed(clips(layout="roi14"), model.info)
