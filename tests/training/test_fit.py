"""The training loop: what it learns, what it keeps, and what it never sees."""

from dataclasses import replace
from itertools import chain, combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stag.config import Config
from stag.doctor import findings
from stag.errors import ConfigError, DatasetError, ModelError
from stag.facs import AU_VOCABULARY
from stag.inference.probabilities import PLAIN, predict_probabilities
from stag.model.stag import STAG
from stag.motion.regions import LAYOUTS
from stag.motion.transforms import mirror_order
from stag.motion_set import MotionSet
from stag.training.fit import Part, _on_device, fit_many, inner_validation, pick_device, train
from stag.training.fold import TrainingFold, learning_rate
from stag.training.losses import class_weights, put_gradients

SMALL = ["train.epochs=12", "train.warmup_epochs=2", "model.graph_layers=1", "model.transformer_layers=1"]
CLASSES = ("negative", "positive", "surprise")
CLIPS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc")), min_size=2, max_size=24)


def corpus(n=48, steps=6, seed=0, classes=CLASSES):
    """Clips whose class shows as movement of one channel pair, with noise."""
    rng = np.random.default_rng(seed)
    motion = rng.normal(0, 0.1, (n, steps, 18, 2))
    label = np.array([classes[i % len(classes)] for i in range(n)])
    units = np.zeros((n, len(AU_VOCABULARY)), np.float32)
    for i, name in enumerate(label):
        channels, au = {"negative": ((1, 5), 4), "positive": ((9, 10), 12), "surprise": ((3, 7), 2)}[name]
        motion[i, :, channels, 1] += np.linspace(0, 1, steps)
        units[i, AU_VOCABULARY.index(au)] = 1
    return MotionSet(
        motion=motion.astype(np.float32),
        label=label,
        subject=np.array([f"{i // 6}" for i in range(n)]),
        dataset=np.full(n, "made"),
        action_units=units,
        clip_id=np.array([f"c{i}" for i in range(n)]),
        time_s=np.tile(np.linspace(0, 0.3, steps, dtype=np.float32), (n, 1)),
        flags=np.full(n, ""),
        meta={"classes": list(CLASSES), "flow": "dis", "layout": "roi18"},
    )


@pytest.fixture(scope="module")
def config():
    return Config.preset("quick").override(SMALL)


@pytest.mark.parametrize("au", ["none", "annotated", "predicted"])
def test_it_learns_a_plain_pattern_under_every_au_source(config, au):
    settings = config.override([f"au={au}", "train.epochs=25", "train.lr=5e-3"])
    model = train(corpus(), settings, seed=1)
    fresh = corpus(seed=9)
    probabilities, units = predict_probabilities(model, fresh, au)
    assert (np.array(CLASSES)[probabilities.argmax(axis=1)] == fresh.label).mean() > 0.9
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-9)
    assert units.shape == (48, len(AU_VOCABULARY))
    assert model.info.training["au_source"] == au


def test_same_seed_same_weights_and_the_global_generator_is_left_alone(config):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (train(corpus(24), config, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_the_weights_of_the_best_epoch_are_kept_and_patience_ends_training(config):
    seen = []
    # A learning rate this large makes the later epochs worse, so that the best one is not the last.
    settings = config.override(["train.lr=0.05", "train.epochs=60", "train.patience=6", "train.swa=false"])
    model = train(corpus(24), settings, seed=0, progress=lambda done, total: seen.append((done, total)))
    losses = [row["val_loss"] for row in model.history]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 6 < 60
    assert seen[-1] == (len(losses), 60)
    data = corpus(24)
    inner, held = inner_validation(data.group, data.label, settings.train.validation_share, 0)
    with torch.no_grad():
        logits = model(torch.from_numpy(data.motion[held])).logits
    label = torch.tensor([CLASSES.index(name) for name in data.label[held]])
    counts = torch.tensor([int((data.label[inner] == name).sum()) for name in CLASSES])
    loss = torch.nn.functional.cross_entropy(logits, label, weight=class_weights(counts))
    assert float(loss) == pytest.approx(min(losses), abs=1e-4)


def test_averaging_takes_the_mean_of_the_last_epochs_and_is_kept_without_validation(config):
    settings = config.override(["train.validation_share=0", "train.epochs=8", "train.swa_start=0.5"])
    weights = {}
    clips = _on_device(corpus(24), torch.device("cpu"))
    model = STAG(settings.model, layout="roi18", steps=6, classes=CLASSES, seed=0)
    fold = TrainingFold(model, clips, torch.arange(24), torch.arange(0), settings, 0)
    while not fold.done:
        for number in range(fold.begin_epoch()):
            put_gradients([fold.objective], [fold.batch(number)])
            fold.step(0.0, number)
        weights[len(fold.history)] = model.classifier.weight.detach().clone()
        fold.end_epoch()
    mean = torch.stack([weights[epoch] for epoch in range(4, 8)]).mean(dim=0)
    torch.testing.assert_close(model.classifier.weight.detach(), mean)
    assert all("val_loss" not in row for row in fold.history)


def test_where_patience_ends_averaging_begins_at_the_best_weights_and_is_kept(config):
    """As large a learning rate as this is best early; the mean of the epochs after it is what training returns."""
    settings = config.override(["train.lr=0.05", "train.epochs=40", "train.patience=4", "train.swa_start=0.9"])
    history = train(corpus(24), settings, seed=0).history
    rates = [row["lr"] for row in history]
    best = int(np.argmin([row["val_loss"] for row in history[:-4]]))
    assert len(history) == best + 1 + 4 + 4 < 40
    assert rates[-4:] == [settings.train.swa_lr] * 4
    assert rates[-5] > settings.train.swa_lr
    mean = train(corpus(24), settings, seed=0)
    alone = train(corpus(24), settings.override(["train.swa=false"]), seed=0)
    distance = [float((a - b).detach().norm()) for a, b in zip(mean.parameters(), alone.parameters(), strict=True)]
    assert max(distance) > 0


def test_warm_up_then_cosine_then_the_rate_of_averaging(config):
    settings = config.train
    rates = [learning_rate(epoch, settings) for epoch in np.arange(0, 12, 0.25)]
    peak = int(np.argmax(rates))
    assert peak == 8
    assert rates[0] < 0.01 * settings.lr
    assert rates[peak] == settings.lr
    assert all(a >= b for a, b in zip(rates[peak:], rates[peak + 1 :], strict=False))
    assert rates[36:] == [settings.swa_lr] * 12
    assert learning_rate(12, settings.model_copy(update={"swa": False})) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("au", ["none", "annotated", "predicted"])
def test_what_trains_beside_a_fold_does_not_change_it(config, au):
    """Groups of 1, 2 and all: the same chance, so only the rounding of sums differs, grown over some 40 steps."""
    data, settings = corpus(48), config.override([f"au={au}", "train.epochs=7", "train.patience=1", "train.lr=0.02"])
    # Folds of other sizes, so that some have fewer batches and some stop earlier than others.
    parts = [Part(np.flatnonzero(data.subject != str(left))[: 48 - 7 * left], left) for left in range(4)]
    alone = [fit_many(data, [part], settings)[0] for part in parts]
    pairs = fit_many(data, parts[:2], settings) + fit_many(data, parts[2:], settings)
    together = fit_many(data, parts, settings)
    assert len({len(model.history) for model in alone}) > 1
    for one, two, four in zip(alone, pairs, together, strict=True):
        expected, units = predict_probabilities(one, data, au)
        for other in (two, four):
            assert len(other.history) == len(one.history)
            found, found_units = predict_probabilities(other, data, au)
            np.testing.assert_allclose(found, expected, atol=1e-3)
            np.testing.assert_allclose(found_units, units, atol=1e-3)


def test_it_starts_from_a_trained_model(config):
    data = corpus(24)
    base = train(data, config, seed=0)
    still = config.override(["train.epochs=1", "train.lr=1e-12", "train.weight_decay=0", "train.swa=false"])
    again = train(data, still.override(["model.embed_dim=8"]), seed=5, init=base)
    assert again.info.model == base.info.model
    for name, value in base.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=1e-8)
    renamed = replace(data, label=np.where(data.label == "surprise", "fear", data.label), meta={})
    other = train(renamed, still, seed=5, init=base)
    assert other.classes == ("fear", "negative", "positive")
    torch.testing.assert_close(other.au_head.weight, base.au_head.weight, rtol=0, atol=1e-8)
    assert not torch.allclose(other.classifier.weight, base.classifier.weight)
    with pytest.raises(ModelError, match=r"6 steps.*motion\.steps=6"):
        train(corpus(24, steps=7), still, init=base)


def test_test_time_averaging_makes_a_clip_and_its_mirror_image_equal(config):
    model, data = train(corpus(24), config, seed=0), corpus(6, seed=2)
    flipped = data.motion[:, :, list(mirror_order("roi18"))] * np.array([-1, 1], np.float32)
    mirrored = replace(data, motion=np.ascontiguousarray(flipped))
    here, _ = predict_probabilities(model, data, "none")
    there, _ = predict_probabilities(model, mirrored, "none")
    np.testing.assert_allclose(here, there, atol=1e-5)
    single, _ = predict_probabilities(model, data, "none", views=PLAIN)
    assert np.abs(single - here).max() > 1e-5


def test_labels_and_hidden_codes_do_not_reach_a_prediction(config):
    model, data = train(corpus(24), config.override(["au=annotated"]), seed=0), corpus(6, seed=2)
    blank = replace(data, label=np.full(6, ""), action_units=np.full_like(data.action_units, np.nan))
    for source in ("none", "predicted"):
        for a, b in zip(
            predict_probabilities(model, data, source), predict_probabilities(model, blank, source), strict=True
        ):
            np.testing.assert_array_equal(a, b)
    annotated, units = predict_probabilities(model, data, "annotated")
    assert np.abs(annotated - predict_probabilities(model, data, "none")[0]).max() > 1e-6
    np.testing.assert_array_equal(units, predict_probabilities(model, data, "none")[1])


@pytest.mark.parametrize("au", ["none", "predicted"])
def test_degenerate_folds_stay_finite(config, au):
    settings = config.override([f"au={au}", "train.epochs=4"])
    one_class = corpus(12, classes=("negative",))
    single = replace(corpus(13), label=np.array(["negative"] * 12 + ["surprise"]))
    still = replace(corpus(12), motion=np.zeros((12, 6, 18, 2), np.float32))
    uncoded = replace(corpus(12), action_units=np.full((12, len(AU_VOCABULARY)), np.nan, np.float32))
    lonely = replace(corpus(12), subject=np.full(12, "1"))
    for data in (one_class, single, still, uncoded, lonely):
        model = train(data, settings, seed=0)
        assert all(np.isfinite(list(row.values())).all() for row in model.history)
        assert np.isfinite(predict_probabilities(model, data, au)[0]).all()


@pytest.mark.parametrize("epochs", [40, pytest.param(200, marks=pytest.mark.nightly)])
def test_gradients_stay_finite_to_the_end_for_every_seed(config, monkeypatch, epochs):
    norms = []
    clip = torch.nn.utils.clip_grad_norm_

    def watched(parameters, most):
        norm = clip(parameters, most, error_if_nonfinite=True)
        norms.append(float(norm))
        return norm

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", watched)
    data = corpus(12)
    data.motion[0] = 0
    data.motion[1] *= 1e4
    long = config.override([f"train.epochs={epochs}", f"train.patience={epochs}", "au=annotated"])
    for model in fit_many(data, [Part(np.arange(12), seed) for seed in range(3)], long, device="cpu"):
        assert len(model.history) == epochs
        assert all(torch.isfinite(weight).all() for weight in model.state_dict().values())
        assert np.isfinite(predict_probabilities(model, data, "annotated")[0]).all()
    assert len(norms) == 3 * epochs


def test_the_small_layout_trains_too(config):
    data = corpus(12)
    small = replace(data, motion=np.ascontiguousarray(data.motion[:, :, list(LAYOUTS["roi14"])]))
    assert train(small, config.override(["train.epochs=2"]), seed=0).info.layout == "roi14"


def parts(groups, labels, share=0.25, seed=0):
    train, held_out = inner_validation(groups, labels, share, seed)
    assert sorted([*train, *held_out]) == list(range(len(labels)))
    assert len(train) > 0
    assert len(held_out) > 0
    return train, held_out


@settings(max_examples=200, deadline=None)
@given(clips=CLIPS, seed=st.integers(0, 9))
def test_subjects_stay_whole_and_classes_stay_in_the_fitting_part_whenever_they_can(clips, seed):
    groups, labels = (np.array(column) for column in zip(*clips, strict=True))
    train, held_out = parts(groups, labels, seed=seed)
    subjects = sorted(set(groups.tolist()))
    if len(subjects) == 1:
        return
    assert not set(groups[train]) & set(groups[held_out])
    ways = chain.from_iterable(combinations(subjects, k) for k in range(1, len(subjects)))
    possible = any(set(labels[~np.isin(groups, way)]) == set(labels) for way in ways)
    assert (set(labels[train]) == set(labels)) == possible


@pytest.mark.parametrize("seed", range(20))
def test_the_validation_part_holds_every_class_and_is_near_its_share(seed):
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(25), generator.integers(2, 12, 25))
    labels = generator.choice(["a", "b", "c"], size=len(groups), p=[0.6, 0.25, 0.15])
    for share in (0.1, 0.2, 0.4):
        train, held_out = parts(groups, labels, share, seed)
        assert set(labels[held_out]) == set(labels[train]) == {"a", "b", "c"}
        assert abs(len(held_out) / len(labels) - share) < 0.06
        shares = [np.mean(labels[held_out] == c) - np.mean(labels == c) for c in "abc"]
        assert np.abs(shares).max() < 0.16


def test_a_class_of_two_people_is_shared_between_the_parts():
    groups = np.repeat(np.arange(10), 6)
    labels = np.where(np.isin(groups, (3, 8)) & (np.arange(60) % 6 == 0), "rare", "common")
    for seed in range(20):
        train, held_out = parts(groups, labels, 0.2, seed)
        assert "rare" in labels[train]
        assert "rare" in labels[held_out]


def test_seeds_differ_and_repeat():
    groups, labels = np.repeat(np.arange(20), 3), np.tile(["a", "b", "c"], 20)
    draws = [tuple(inner_validation(groups, labels, 0.2, seed)[1]) for seed in range(10)]
    assert len(set(draws)) > 5
    assert draws[3] == tuple(inner_validation(groups, labels, 0.2, 3)[1])


@given(labels=st.lists(st.sampled_from("abc"), min_size=2, max_size=12), share=st.floats(0.05, 0.95))
def test_a_single_subject_is_split_by_clip_with_every_class_left_to_learn(labels, share):
    labels = np.array(labels)
    train, held_out = parts(np.zeros(len(labels)), labels, share)
    if max(np.unique(labels, return_counts=True)[1]) > 1:
        assert set(labels[train]) == set(labels)
        assert set(labels[held_out]) == {c for c in labels if (labels == c).sum() > 1}


def test_one_clip_is_refused():
    with pytest.raises(DatasetError, match="at least 2"):
        inner_validation(["s"], ["a"], 0.2, 0)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: no kernel image is available for execution on the device"),
        RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable"),
        torch.OutOfMemoryError("CUDA out of memory."),
        AssertionError("Torch not compiled with CUDA enabled"),
        NotImplementedError("Could not run 'aten::empty.memory_format'"),
    ],
)
def test_a_gpu_that_is_seen_and_does_not_compute_gives_way_to_the_processor(monkeypatch, caplog, error):
    def no(*_, **__):
        raise error

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", no)
    assert pick_device("auto").type == pick_device("cpu").type == "cpu"
    assert [str(error) in record.getMessage() for record in caplog.records] == [True]
    with pytest.raises(ConfigError, match=r"the GPU cannot be used .*; use `device=cpu`"):
        pick_device("cuda")
    assert dict(findings()[0])["device"].startswith("cpu; the GPU cannot be used")
