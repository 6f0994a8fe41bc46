import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from stag.errors import ConfigError, ModelError
from stag.explanation import methods, scoring
from stag.explanation.faithfulness import moving_cells
from stag.explanation.methods import Method, Raw
from stag.explanation.scoring import CONTROLS, METRICS, score_methods
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
