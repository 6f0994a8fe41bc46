"""``stag explain`` from outside."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest

from stag.cli.paths import EXPLANATION
from stag.config import ModelConfig
from stag.model.stag import STAG
from stag.simulate.corpus import simulate_corpus


@pytest.fixture
def why(stag):
    return partial(stag, "explain")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explain") / "model"
    small = ModelConfig(graph_layers=1, transformer_layers=1)
    STAG(small, layout="roi18", steps=8, classes=("negative", "positive", "surprise"), seed=3).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    corpus = simulate_corpus(tmp_path_factory.mktemp("explain") / "corpus", subjects=1, clips=1, seed=3, fps=30)
    return next((corpus.parent if corpus.is_file() else corpus).rglob("*.mkv"))


def test_a_video_is_explained(why, model, video, tmp_path):
    code, out, err = why(video, "--model", model, "--out", tmp_path / "why", "--class", "surprise", "--quiet")
    assert (code, err) == (0, "")
    assert "surprise" in out
    assert "Integrated Gradients" in out
    told = json.loads((tmp_path / "why" / "explanation.json").read_text())
    assert (told["explained"], told["method"]) == ("surprise", "ig")
    table = pd.read_csv(tmp_path / "why" / "attribution.csv")
    np.testing.assert_allclose(table.groupby("channel", sort=False)["attribution"].sum(), told["by_channel"], atol=1e-6)
    assert (tmp_path / "why" / "explanation.png").stat().st_size > 10_000
    assert {path.name for path in (tmp_path / "why").iterdir()} == set(EXPLANATION.files[0])


def test_the_methods_are_scored(why, model, tmp_path):
    code, out, _ = why("--score", "--model", model, "--clips", 3, "--out", tmp_path, "--quiet")
    assert code == 0
    assert "3 simulated clips" in out
    for title in ("Integrated Gradients", "Cross-attention", "Size of the motion", "chance"):
        assert title in out
    table = pd.read_csv(tmp_path / "faithfulness.csv")
    assert set(table["method"]) >= {"ig", "occlusion", "gradcam", "attention", "random"}
    assert {path.name for path in tmp_path.iterdir()} == set(EXPLANATION.files[1])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--out", "x"], 2, "give a VIDEO to explain, or --score"),
        (["a.mp4", "--score", "--out", "x"], 2, "VIDEO has no effect with --score"),
        (["a.mp4"], 2, "--out"),
        (["a.mp4", "--out", "x", "--method", "lime"], 2, "lime"),
        (["--score", "--clips", "0", "--out", "x", "--model", "MODEL"], 2, "clips"),
        (["a.mp4", "--out", "x", "--model", "nowhere"], 1, "nowhere"),
        (["a.mp4", "--out", "x", "--model", "MODEL"], 1, "a.mp4: no such file"),
    ],
)
def test_what_is_wrong_is_one_sentence(why, model, tmp_path, monkeypatch, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    found, out, err = why(*(str(model) if word == "MODEL" else word for word in arguments))
    assert found == code
    assert words in err
    assert out == ""
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_codes_of_a_clip_are_an_input_and_bad_ones_are_one_sentence(stag, why, model, video, tmp_path):
    code, _, err = why(video, "--model", model, "--out", tmp_path, "--aus", "1+2", "--quiet", "--method", "gradcam")
    assert (code, err) == (0, "")
    told = json.loads((tmp_path / "explanation.json").read_text())
    assert (told["au_source"], told["codes"]) == ("annotated", [1, 2])
    assert told["probability"] == max(told["probabilities"].values())
    options = ("--model", model, "--csv", tmp_path / "rows.csv", "--quiet")
    code, out, _ = stag("predict", video, *options, "--aus", "1+2")
    assert (code, "AU codes given: 1+2" in out) == (0, True)
    row = pd.read_csv(tmp_path / "rows.csv").iloc[0]
    for name, share in told["probabilities"].items():
        assert row[f"p_{name}"] == pytest.approx(share, abs=1e-5)
    (tmp_path / "rows.csv").unlink()
    code, _, err = stag("predict", video, *options, "--aus", "1+frown")
    assert code == 1
    assert err.count("'frown' is no action unit") == len(err.strip().splitlines()) == 1
    assert not (tmp_path / "rows.csv").exists()
    code, _, err = why("--score", "--model", model, "--out", tmp_path / "x", "--aus", "1")
    assert (code, "--aus" in err) == (2, True)
