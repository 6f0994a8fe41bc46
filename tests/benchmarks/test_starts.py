"""Pre-training reads motion alone, learns to fill in what is hidden, and every fold can start from its model."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.starts import (
    compare_starts,
    curve_table,
    learn_to_fill,
    learning_curve,
    pretrain,
    small_corpus,
    starts_table,
)
from stag.config import Config
from stag.model.stag import STAG, clip_rms
from stag.simulate.motion import simulate_motion
from synthetic import synthetic_motion

CONFIG = Config.preset("quick").override(
    [
        "train.epochs=1",
        "train.warmup_epochs=0",
        "model.embed_dim=8",
        "model.transformer_dim=16",
        "model.heads=2",
        "model.graph_layers=1",
        "model.transformer_layers=1",
        "model.dropout=0",
    ]
)


def test_hidden_regions_of_other_clips_are_filled_in_better_than_by_zeros():
    clips = simulate_motion(15, 20, seed=1)
    clips = replace(clips, motion=clips.motion[:, ::4].copy(), time_s=clips.time_s[:, ::4].copy())
    whole = clip_rms(torch.from_numpy(clips.motion), 0.05)[200:]
    hidden = torch.zeros(4, 18, 1)
    hidden[:, 3:6] = 1
    filler = learn_to_fill(clips.subset(np.arange(200)), CONFIG, batches=60, device="cpu", lr=3e-3)
    with torch.no_grad():
        error = (filler(whole * (1 - hidden)) - whole) * hidden
    assert error.square().sum() < 0.8 * (whole * hidden).square().sum()


def test_labels_and_codes_are_not_read():
    clips = synthetic_motion(3, 6)
    other = replace(clips, label=np.roll(clips.label, 1), action_units=np.full_like(clips.action_units, np.nan))
    one, two = (pretrain(some, CONFIG, batches=3, device="cpu").state_dict() for some in (clips, other))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_table_compares_every_start_with_the_first(tmp_path):
    clips = synthetic_motion(3, 6)
    model = pretrain(synthetic_motion(3, 6, dataset="pool"), CONFIG, batches=2, device="cpu")
    rows = compare_starts(clips, CONFIG, [("random", None), ("filled", model)], out=tmp_path, seeds=(0,), device="cpu")
    assert [row.name for row in rows] == ["random", "filled"]
    assert rows[0].difference is None
    assert rows[1].difference == pytest.approx(rows[1].uf1 - rows[0].uf1, abs=2e-6)
    assert "| filled |" in starts_table(rows, "3 people")


def test_the_curve_asks_every_way_at_every_size(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.starts._MANY_CLIPS", 60)
    monkeypatch.setattr("benchmarks.starts.GENTLY", ("train.epochs=1", "train.lr=1e-4"))
    model = pretrain(synthetic_motion(3, 6, dataset="pool"), CONFIG, batches=2, device="cpu")
    model = replace_classes(model, small_corpus(20, 1, "megc3").classes)
    rows = learning_curve((20, 30), CONFIG, model, "mine", out=tmp_path, folds=2, device="cpu")
    assert {(row.clips, row.corpora) for row in rows} == {(20, 3), (30, 2)}
    assert len(rows) == 2 * len({row.way for row in rows}) == 12
    assert all(0 < row.uf1 <= 1 for row in rows)
    table = curve_table(rows, "2 folds")
    assert "20 clips of 5 people (x 3)" in table
    assert table.count("| --init mine") == 2


def replace_classes(model, classes):
    made = STAG(model.info.model, layout=model.info.layout, steps=model.info.steps, classes=classes)
    made.info = replace(made.info, training=model.info.training)
    return made
