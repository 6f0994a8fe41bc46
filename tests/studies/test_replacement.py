import numpy as np
import pytest
import torch

import by_hand
from stag.config import Config
from stag.model.stag import STAG
from stag.studies.replacement import PARTS, replace_parts, without
from synthetic import synthetic_motion
from tiny import TINY


def _model(motion, *settings):
    config = Config().override([*TINY, *settings]).model
    model = STAG(config, layout=motion.layout, steps=motion.steps, classes=motion.classes)
    return by_hand.shake(model, torch.Generator().manual_seed(3)).float()


def test_each_part_is_replaced_alone_and_the_model_stays_as_it_was():
    motion = synthetic_motion()
    model = _model(motion)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rows = replace_parts(model, motion)
    assert [row.part for row in rows] == list(PARTS)
    clips = torch.from_numpy(motion.motion)
    with torch.no_grad():
        plain = torch.softmax(model(clips).logits.double(), dim=-1).numpy()
        for row in rows:
            changed = without(model, row.part)
            assert not changed.training
            other = torch.softmax(changed(clips).logits.double(), dim=-1).numpy()
            assert row.largest == pytest.approx(np.abs(other - plain).max(), abs=1e-6)
            assert row.mean == pytest.approx(np.abs(other - plain).mean(), abs=1e-6)
            assert row.answers == np.mean(other.argmax(1) != plain.argmax(1))
            assert row.largest > 1e-4, row.part
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_adjacency_of_a_replacement_is_what_it_says():
    motion = synthetic_motion()
    even = without(_model(motion), "adjacency by 1/R")
    adjacency = even(torch.from_numpy(motion.motion), return_attention=True).adjacency
    np.testing.assert_allclose(adjacency.detach(), 1 / 18)


def test_a_model_of_one_branch_keeps_it():
    motion = synthetic_motion()
    parts = [row.part for row in replace_parts(_model(motion, "model.temporal=false"), motion)]
    assert "graph branch off" not in parts
    assert "temporal branch off" in parts
