"""The leaky learners leak exactly what their names say, and their honest twins nothing."""

from dataclasses import replace

import numpy as np
import pytest

from stag.config import Config
from stag.evaluation.evaluate import evaluate
from stag.studies import leakage
from stag.studies.leakage import (
    InterpolatedOversampling,
    LeakyNormalisation,
    LeakyOversampling,
    LeakyTestFoldSelection,
    TrainingNormalisation,
    filled_up,
)
from stag.training.fit import Part, fit_many
from synthetic import synthetic_motion
from tiny import TINY

CONFIG = Config.preset("quick").override(TINY)


@pytest.fixture
def shown(monkeypatch):
    """What the learners hand to training."""
    seen = []

    def pretend(train, test, config, seed):
        seen.append((train, test))
        return np.full((len(test), 3), 1 / 3)

    monkeypatch.setattr(leakage, "stag_learner", pretend)
    return seen


@pytest.fixture
def parts():
    motion = synthetic_motion(4)
    motion = motion.subset((motion.label == "negative") | (motion.clip_id > "demo1"))  # classes of unequal size
    test = motion.subject == "003"
    return motion, motion.subset(~test), replace(motion.subset(test), label=np.full(int(test.sum()), ""))


def test_filling_up_makes_all_classes_equal_and_mixes_within_a_class():
    motion = synthetic_motion(4, 7)
    filled = filled_up(motion, 3)
    names, counts = np.unique(filled.label, return_counts=True)
    assert len(set(counts.tolist())) == 1
    assert set(names) == set(motion.label)
    assert len(set(filled.key)) == len(filled)
    assert set(motion.key) <= set(filled.key)
    added = filled.subset(~np.isin(filled.key, motion.key))
    for name in np.unique(added.label):
        of_class = motion.motion[motion.label == name].reshape(int((motion.label == name).sum()), -1)
        for clip in added.motion[added.label == name].reshape(int((added.label == name).sum()), -1):
            low, high = of_class.min(axis=0), of_class.max(axis=0)
            assert ((clip >= low - 1e-5) & (clip <= high + 1e-5)).all()
    shuffled = motion.subset(np.random.default_rng(0).permutation(len(motion)))
    np.testing.assert_array_equal(filled_up(shuffled, 3).motion, filled.motion)


def test_only_the_leaky_oversampling_mixes_test_clips_into_training(parts, shown):
    whole, train, test = parts
    InterpolatedOversampling()(train, test, CONFIG, 0)
    LeakyOversampling(whole)(train, test, CONFIG, 0)
    (honest, _), (leaky, tested) = shown
    assert "demo/003" not in set(honest.group)
    assert "demo/003" in set(leaky.group)
    assert not set(leaky.key) & set(test.key)  # the test clips themselves stay out
    assert tested is test


def test_only_the_leaky_normalisation_moves_with_the_test_clips(parts, shown):
    _, train, test = parts
    far = replace(test, motion=test.motion + np.float32(50))
    for learner in (TrainingNormalisation(), LeakyNormalisation()):
        for clips in (test, far):
            learner(train, clips, CONFIG, 0)
    honest, honest_far, leaky, leaky_far = (train.motion for train, _ in shown)
    np.testing.assert_array_equal(honest, honest_far)
    np.testing.assert_allclose(honest.mean(axis=(0, 1)), 0, atol=1e-5)
    assert np.abs(leaky - leaky_far).max() > 0.1


def test_the_leaky_choice_follows_the_training_of_the_honest_run_and_only_stops_elsewhere(parts, monkeypatch):
    motion, *_ = parts
    index, test = np.flatnonzero(motion.subject != "003"), np.flatnonzero(motion.subject == "003")
    config = CONFIG.override(["train.swa=false", "train.patience=99"])
    fitted = []

    def keeping(*arguments, **options):
        fitted.extend(fit_many(*arguments, **options))
        return fitted

    monkeypatch.setattr("stag.training.fit.fit_many", keeping)
    answers = dict(zip(motion.key.tolist(), motion.label.tolist(), strict=True))
    train, clips = motion.subset(index), motion.subset(test)
    output = LeakyTestFoldSelection(answers)(train, clips, config, 0)
    (honest,) = fit_many(train, [Part(np.arange(len(train)), 0)], config, device="cpu")
    losses = [[row["train_loss"] for row in one.history] for one in (honest, fitted[0])]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    wrong = [int(row["val_loss"]) for row in fitted[0].history]
    assert all(0 <= count <= len(test) for count in wrong)
    said = np.array(clips.classes)[output.probabilities.argmax(axis=1)]
    assert (said != clips.label).sum() == min(wrong)


def test_choosing_on_the_test_fold_cannot_lose_and_wins_on_noise(tmp_path):
    """Without inner validation the honest run keeps the last epoch, which the leaky one could choose as well."""
    motion = synthetic_motion(6, 6, signal=0.1, seed=0)
    off = ("validation_share", "swa", "mixup", "cutmix", "apex_cut")
    settings = (*(f"{name}=0" for name in off), "epochs=12", "lr=0.02", "batch_size=8")
    config = CONFIG.override([*(f"train.{setting}" for setting in settings), "train.patience=99"])
    options = {"protocol": "gkf", "folds": 3, "baselines": False, "device": "cpu"}
    honest = evaluate(motion, config, out=tmp_path / "honest", **options).json
    answers = dict(zip(motion.key.tolist(), motion.label.tolist(), strict=True))
    leaky = evaluate(motion, config, out=tmp_path / "leaky", learner=LeakyTestFoldSelection(answers), **options).json
    assert leaky["pooled"]["war"] > honest["pooled"]["war"] + 0.05
    assert (honest["selection"], leaky["selection"]) == ("none", "test-fold (leaky)")
    assert leaky["run"]["method"] == "LeakyTestFoldSelection"
    assert any(note.startswith("leaky: the epoch is chosen") for note in leaky["notes"])
    assert not any("leaky" in note for note in honest["notes"])
