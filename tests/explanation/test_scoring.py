import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from stag.errors import ConfigError, ModelError
from stag.explanation import methods, scoring
from stag.explanation.methods import Method, Raw
from stag.explanation.scoring import (
    CONTROLS,
    METRICS,
    area,
    bootstrap_mean,
    mass_share,
    moving_cells,
    rank_similarity,
    removal_curves,
    score_methods,
    shuffled,
    top_hits,
)
from stag.simulate.motion import simulate_motion_and_truth

FAST = ("gradcam", "attention")


@pytest.fixture(scope="module")
def model(make_model):
    return make_model(1)


@pytest.fixture(scope="module")
def scores(model):
    return score_methods(model, clips=12, methods=FAST)


def test_every_method_and_control_has_every_number(scores):
    assert [scored.method for scored in scores.methods] == [*FAST, *CONTROLS]
    for scored in scores.methods:
        missing = {"shuffled_share", "similarity"} if scored.method == "random" else set()
        assert set(scored.metrics) == set(METRICS) - missing
        for mean, low, high in scored.metrics.values():
            assert low <= mean <= high
        assert scored.deletion.shape == scored.insertion.shape == (17,)
        assert scored.deletion[0] == pytest.approx(scored.insertion[-1], abs=1e-5)
    assert set(scores.chance) == set(METRICS)


def test_one_who_knows_the_truth_gets_everything_and_one_who_knows_nothing_gets_chance(model, monkeypatch):
    _, truth = simulate_motion_and_truth(40, 1, steps=6, seed=5)
    marked = torch.from_numpy(moving_cells(truth).astype(np.float32))
    monkeypatch.setattr(scoring, "_CHUNK", 40)
    oracle = Method("Oracle", lambda function: Raw(marked), False, False, "")
    monkeypatch.setitem(methods.METHODS, "oracle", oracle)
    found = score_methods(model, clips=40, seed=5, methods=("oracle",))
    knows = found.methods[0].metrics
    assert knows["share"][0] == knows["channel_share"][0] == knows["step_share"][0] == 1
    assert knows["top_hits"][0] > 0.95  # a clip may have fewer than ten moving cells
    assert knows["similarity"][0] == pytest.approx(1)
    size, random = (scored.metrics for scored in found.methods[1:])
    assert random["share"][0] == pytest.approx(found.chance["share"], abs=0.03)
    assert found.chance["share"] + 0.05 < size["share"][0] < 1
    assert size["similarity"][0] == pytest.approx(1)


def test_the_same_command_gives_the_same_numbers(model, scores, tmp_path):
    again = score_methods(model, clips=12, methods=FAST)
    scores.save(tmp_path / "a")
    again.save(tmp_path / "b")
    for name in ("faithfulness.json", "faithfulness.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_json_and_csv_agree(scores, tmp_path):
    scores.save(tmp_path)
    told = json.loads((tmp_path / "faithfulness.json").read_text())
    assert told["simulated"] is True
    assert told["clips"] == 12
    assert 0 <= told["accuracy"] <= 1
    table = pd.read_csv(tmp_path / "faithfulness.csv").set_index(["method", "metric"])
    assert len(table) == 8 * 3 + 6
    for row in told["methods"]:
        for name, found in row["metrics"].items():
            for key in ("mean", "low", "high"):
                assert table.loc[(row["method"], name), key] == pytest.approx(found[key], abs=1e-6)


def test_progress_counts_the_methods(model):
    calls = []
    score_methods(model, clips=2, methods=FAST, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]


def test_what_cannot_be_scored_is_refused(model):
    with pytest.raises(ConfigError, match="at least 1 clip"):
        score_methods(model, clips=0)
    with pytest.raises(ConfigError, match="no explanation method 'lime'"):
        score_methods(model, clips=1, methods=("lime",))
    stepwise = type(model).from_info(replace(model.info, motion={"reference": "previous"}))
    with pytest.raises(ModelError, match=r"motion\.reference=first"):
        score_methods(stepwise, clips=1)


def test_cells_move_from_a_quarter_of_the_peak_on(rng):
    truth = rng.normal(size=(5, 4, 6, 2))
    truth[4] = 0
    found = moving_cells(truth)
    for n, t, r in np.ndindex(5, 4, 6):
        peak = max(np.hypot(*truth[n, i, j]) for i in range(4) for j in range(6))
        assert found[n, t, r] == (peak > 0 and np.hypot(*truth[n, t, r]) >= 0.25 * peak)


def test_the_share_of_the_truth_is_one_and_of_nothing_is_chance(rng):
    mask = rng.random((20, 6, 18)) < 0.2
    chance = mask.mean(axis=(1, 2))
    np.testing.assert_allclose(mass_share(mask * rng.random(mask.shape), mask), 1)
    np.testing.assert_allclose(mass_share(~mask * 1.0, mask), 0)
    np.testing.assert_allclose(mass_share(np.ones(mask.shape), mask), chance)
    np.testing.assert_allclose(mass_share(np.zeros(mask.shape), mask), chance)
    values = rng.normal(size=mask.shape)
    np.testing.assert_allclose(mass_share(-3.5 * values, mask), mass_share(values, mask))


def test_random_attributions_get_chance(rng):
    mask = rng.random((400, 6, 18)) < 0.2
    assert mass_share(rng.random(mask.shape), mask).mean() == pytest.approx(mask.mean(), abs=0.01)
    assert top_hits(rng.random(mask.shape), mask).mean() == pytest.approx(mask.mean(), abs=0.03)


@pytest.mark.parametrize("seed", range(20))
def test_ties_among_the_strongest_count_as_if_drawn(seed):
    rng = np.random.default_rng(seed)
    values, mask = rng.integers(0, 4, (1, 5, 6)).astype(float), rng.random((1, 5, 6)) < 0.4
    drawn = []
    for _ in range(3000):
        order = np.lexsort((rng.random(30), -values.ravel()))
        drawn.append(mask.ravel()[order[:8]].mean())
    assert top_hits(values, mask, 8)[0] == pytest.approx(np.mean(drawn), abs=0.02)


def test_curves_hold_the_strongest_cells_still_one_share_after_another(make_model, make_motion, ask, rng):
    asked = ask(make_model(), make_motion())
    values = rng.normal(size=(3, 6, 18))
    deletion, insertion = removal_curves(asked, values, steps=4)
    for n in range(3):
        order = np.argsort(-values[n].ravel())
        for k in range(5):
            gone = np.zeros(108, bool)
            gone[order[: 27 * k]] = True
            for curve, kept in ((deletion, ~gone), (insertion, gone)):
                clip = asked.motion[n] * torch.from_numpy(kept.reshape(6, 18, 1))
                with torch.no_grad():
                    expected = torch.softmax(asked.model(clip[None]).logits, dim=-1)[0, n]
                assert curve[n, k] == pytest.approx(float(expected), abs=1e-5)
    np.testing.assert_allclose(deletion[:, 0], insertion[:, -1], atol=1e-5)
    np.testing.assert_allclose(deletion[:, -1], insertion[:, 0], atol=1e-5)


def test_areas():
    np.testing.assert_allclose(area(np.array([[1, 1, 1], [0, 0.5, 1], [1, 0, 0]], float)), [1, 0.5, 0.25])


def test_similarity_is_spearmans(rng):
    one, other = rng.normal(size=(2, 10, 6, 18)).round(1)
    expected = [spearmanr(np.abs(a).ravel(), np.abs(b).ravel()).statistic for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(rank_similarity(one, other), expected)
    np.testing.assert_allclose(rank_similarity(one, -2 * one), 1)
    assert rank_similarity(one[:1], np.ones((1, 6, 18)))[0] == 0


def test_shuffling_keeps_the_values_of_every_tensor_and_nothing_else(make_model, make_motion):
    model = make_model()
    before = {name: value.clone() for name, value in model.named_parameters()}
    other = shuffled(model, 1)
    moved = 0
    for name, value in other.named_parameters():
        assert value.flatten().sort().values.equal(before[name].flatten().sort().values)
        moved += not value.equal(before[name])
    assert moved > 20
    assert all(value.equal(before[name]) for name, value in model.named_parameters())
    motion = make_motion()
    with torch.no_grad():
        assert shuffled(model, 1)(motion).logits.equal(other(motion).logits)
        assert not shuffled(model, 2)(motion).logits.equal(other(motion).logits)


def test_intervals_cover_the_mean_as_often_as_they_say():
    hits = 0
    for seed in range(200):
        mean, low, high = bootstrap_mean(np.random.default_rng(seed).exponential(size=60), seed, repeats=400)
        assert low < mean < high
        hits += low <= 1 <= high
    assert 0.86 <= hits / 200 <= 0.99
    assert bootstrap_mean(np.array([0.3]), 0) == (0.3, 0.3, 0.3)
