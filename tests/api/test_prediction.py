"""A prediction and an attribution of a user's clip: one line, a table, a figure, a page."""

import os

import numpy as np
import pytest
from matplotlib.figure import Figure

import stag
from stag import types
from stag.api import prediction
from stag.config import ModelConfig
from stag.errors import ConfigError, ModelError
from stag.inference.predictor import Predictor
from stag.model.stag import STAG
from stag.report.export import prediction_rows, step_csv


@pytest.fixture
def p(here):
    return stag.predict("me.mp4", pictures=True)


def test_a_prediction_is_that_of_the_room_below_and_shows_itself(p, here):
    (below,) = Predictor().predict_frames(stag.video.read_frames(here / "me.mp4"), "me.mp4", "largest")
    np.testing.assert_allclose(p.probabilities, below.probabilities, atol=1e-5)
    assert "\n" not in repr(p)
    assert repr(p).startswith("Prediction(surprise")
    assert "<table>" in p._repr_html_()
    assert p.to_frame().equals(prediction_rows([p]))
    assert isinstance(p.plot(), Figure)
    assert p.plot().get_suptitle() == f"{repr(p)[len('Prediction(') : -1]}  (simulated training)"
    assert p.plot()._repr_png_()[:4] == b"\x89PNG"
    p.report("me.html")
    page = (here / "me.html").read_text(encoding="utf-8")
    assert "Why surprise" in page
    assert "<script>" in page


def test_an_explanation_of_a_video_is_that_of_its_prediction(p):
    why = p.explain()
    for same in (stag.explain("me.mp4"), stag.explain(p), stag.explain(p, "megc3"), stag.explain(p, p.model)):
        np.testing.assert_allclose(same.values, why.values, atol=1e-5)
    assert (
        repr(why) == f"Attribution(surprise {p.probabilities.max():.2f} by Integrated Gradients, 16 steps, 18 regions)"
    )
    assert isinstance(why.plot(), Figure)
    table = why.to_frame()
    assert len(table) == 16 * 18
    np.testing.assert_allclose(table.groupby("channel")["attribution"].sum().sum(), why.values.sum(), atol=1e-5)
    lines = [line.split(",") for line in step_csv(p, why).splitlines()]
    assert lines[0] == list(table)
    np.testing.assert_allclose([float(line[5]) for line in lines[1:]], table["attribution"], rtol=1e-6)
    assert [line[2] for line in lines[1:]] == table["channel"].tolist()
    assert p.explain(method="occlusion", target="positive").class_name == "positive"


def test_what_does_not_go_together_is_refused(p):
    with pytest.raises(ConfigError, match="`fps` and `aus` belong to a video"):
        stag.explain(p, fps=100)
    (below,) = Predictor().predict_frames(stag.video.read_frames("me.mp4"), "me.mp4", "largest")
    assert type(below) is types.Prediction
    with pytest.raises(ConfigError, match="give `model`"):
        stag.explain(below)
    other = STAG(ModelConfig(), layout="roi18", steps=16, classes=("a", "b"))
    with pytest.raises(ModelError, match="the model knows"):
        stag.explain(p, other)


def test_a_named_model_is_loaded_once_until_its_folder_changes(p, here):
    assert stag.predict("me.mp4").model is p.model
    p.model.save_pretrained("model")
    first, again = (stag.predict("me.mp4", "model").model for _ in range(2))
    assert first is again is not p.model
    os.utime(here / "model" / "model.safetensors", (1, 1))
    assert stag.predict("me.mp4", "model").model is not first
    assert prediction._predictor(p.model).model is p.model


def test_every_face_is_predicted(here):
    (face,) = stag.Predictor().predict_faces("me.mp4")
    assert (face.face_id, face.predicted) == (0, "surprise")
