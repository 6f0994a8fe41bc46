import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stag.config import ModelConfig
from stag.explanation.explain import explain
from stag.explanation.scoring import score_methods
from stag.model.stag import STAG
from stag.report.pages.explanation_file import write_explanation, write_scores
from stag.report.wording import regions_in_words


@pytest.fixture
def model():
    return STAG(ModelConfig(), layout="roi18", steps=8, classes=("negative", "positive", "surprise")).eval()


@pytest.mark.parametrize("method", ["gradcam", "attention"])
def test_the_files_hold_the_attribution(make_prediction, model, tmp_path, method):
    p = make_prediction(flags=("no clear movement",), simulated=True)
    found = explain(model, p.motion, method=method, target="positive")
    files = write_explanation(tmp_path / "out", found, p)
    assert [file.name for file in files] == ["explanation.json", "attribution.csv", "explanation.png", "face.png"]
    assert {file.name for file in (tmp_path / "out").iterdir()} == {file.name for file in files}
    told = json.loads(files[0].read_text())
    assert (told["explained"], told["method"], told["simulated"]) == ("positive", method, True)
    assert told["flags"] == ["no clear movement"]
    np.testing.assert_allclose(told["values"], found.values)
    np.testing.assert_allclose(told["by_channel"], found.values.sum(axis=0))
    assert told["class_specific"] == (method == "gradcam")
    assert (told["attention"] is not None) == (method == "attention")
    if told["attention"]:
        np.testing.assert_allclose(told["attention"]["adjacency"], found.attention.adjacency, atol=1e-6)
    table = pd.read_csv(files[1])
    assert len(table) == 8 * 18
    np.testing.assert_allclose(table["attribution"].to_numpy().reshape(8, 18), found.values, rtol=1e-6)
    np.testing.assert_allclose(table[["u_px", "v_px"]].to_numpy().reshape(8, 18, 2), p.motion.motion, atol=1e-6)
    assert list(table["channel"][:18]) == told["channels"]
    for picture in files[2:]:
        with Image.open(picture) as image:
            assert min(image.size) > 400


def test_the_same_clip_gives_the_same_bytes(make_prediction, model, tmp_path):
    p = make_prediction()
    runs = [write_explanation(tmp_path / name, explain(model, p.motion, method="hirescam"), p) for name in "ab"]
    for one, other in zip(*runs, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_scores_come_with_a_picture(model, tmp_path):
    scores = score_methods(model, clips=3, methods=("gradcam", "attention"))
    files = write_scores(tmp_path, scores)
    assert [file.name for file in files] == ["faithfulness.json", "faithfulness.csv", "faithfulness.png"]
    assert json.loads(files[0].read_text())["clips"] == 3
    assert files[2].read_bytes()[:4] == b"\x89PNG"


def test_regions_in_words():
    values = np.zeros(18)
    assert regions_in_words(values, "roi18", signed=True) == "No region counts."
    values[[1, 8, 12]] = 1.0, 0.5, -0.3
    values[3] = 0.05
    assert regions_in_words(values, "roi18", signed=True) == "For it: left inner brow, mouth. Against it: lower lip."
    assert regions_in_words(abs(values), "roi18", signed=False) == "Counts most: left inner brow, mouth, lower lip."
