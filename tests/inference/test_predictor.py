"""A prediction and everything that is made of it: one answer, whatever the action units come from."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from stag.config import ModelConfig
from stag.errors import ConfigError, ModelError
from stag.evaluation.evaluate import evaluate_model
from stag.explanation.explain import explain
from stag.facs import AU_VOCABULARY, au_vector
from stag.inference.predictor import Predictor
from stag.inference.probabilities import model_views
from stag.model.stag import STAG
from stag.report.export import explanation_dict, prediction_dict, prediction_rows
from stag.report.pages.face import AU_NOTES, face_view
from stag.report.pages.prediction import prediction_page
from stag.report.wording import share
from stag.simulate.motion import simulate_motion
from stag.types import MotionTensor
from stag.web.answer import result_html

SMALL = ModelConfig(
    embed_dim=8, embed_hidden=8, heads=2, graph_layers=2, graph_dim=8, transformer_layers=1, transformer_dim=8,
    fusion_dim=8, au_embed_dim=4,
)  # fmt: skip
CLASSES = ("negative", "positive", "surprise")
CASES = [("none", None), ("annotated", None), ("annotated", "4+7"), ("predicted", None), ("predicted", "R12B")]
"""What a model was trained with, and the codes that come with a clip."""


def model_of(trained="annotated", **training):
    """A model whose answer hangs on its action units."""
    model = STAG(SMALL, layout="roi18", steps=8, classes=CLASSES, seed=0).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    model.info = replace(model.info, temperature=1.7, training={"au_source": trained, **training})
    return model


def predictor_of(model, engine="torch"):
    return Predictor(model, detector=object(), engine=engine)


@pytest.fixture
def tensor(face_points):
    motion = np.random.default_rng(3).normal(0, 0.5, (8, 18, 2)).astype(np.float32)
    motion[0] = 0
    return MotionTensor(
        motion=motion, time_s=np.linspace(0, 0.4, 8, dtype=np.float32), frame_index=np.arange(8.0), flags=(),
        strength_px=0.5, crop=np.full((256, 256), 90, np.uint8), points=face_points, n_frames=8, duration_s=0.4,
        start_s=0.1,
    )  # fmt: skip


def by_hand(model, view, source, codes, **options):
    """What each source gives to the classifier, and codes alone to the graph."""
    annotated = torch.tensor([au_vector(set(codes))]) if source == "annotated" else None
    fused = model.fuse(model.encode(view), annotated)
    given = torch.sigmoid(fused.au_logits) if source == "predicted" else annotated
    return model.classify(fused, given, **options)


@pytest.mark.parametrize(("trained", "aus"), CASES)
def test_prediction_explanation_report_and_page_are_one_answer(tensor, trained, aus):
    model = model_of(trained)
    predictor = predictor_of(model)
    p = predictor.classify(tensor, "clip.avi", predictor.codes(aus))
    why = explain(model, p)
    source = "annotated" if aus else "predicted" if trained == "predicted" else "none"
    # By hand: the mean over the views, each read with the action units of that source.
    seen = [
        view.of(torch.from_numpy(tensor.motion)[None], "roi18", cumulative=True) for view in model_views(model.info)
    ]
    with torch.no_grad():
        logits = torch.cat([by_hand(model, view, source, p.codes).logits for view in seen]).double()
        shown = by_hand(model, seen[0], source, p.codes, return_attention=True)
    best = int(p.probabilities.argmax())
    np.testing.assert_allclose(p.probabilities, torch.softmax(logits / 1.7, dim=-1).mean(dim=0), atol=1e-5)
    np.testing.assert_allclose(p.adjacency, shown.adjacency[0], atol=1e-5)
    np.testing.assert_allclose(p.au_steps, torch.sigmoid(shown.au_step_logits[0]), atol=1e-5)
    assert (why.class_name, why.probability) == (p.most_probable, p.probabilities[best])
    assert why.score == pytest.approx(float((logits[:, best] - logits.mean(dim=1)).mean()), abs=1e-4)
    assert why.values.sum() == pytest.approx(why.score - why.checks["still_score"], abs=0.02)
    np.testing.assert_allclose(explain(model, p, method="attention").attention.adjacency, p.adjacency, atol=1e-5)
    # What is written of it.
    told, reason = prediction_dict(p, why), explanation_dict(why, p)
    assert p.au_source == why.au_source == told["au_source"] == reason["au_source"] == source
    assert told["explanation"]["probability"] == reason["probability"] == told["probabilities"][p.most_probable]
    assert told["codes"] == reason["codes"] == (None if aus is None else list(p.codes))
    row = prediction_rows([p]).iloc[0]
    assert row[f"p_{p.most_probable}"] == why.probability
    assert ("AU codes given" in row["flags"]) == (aus is not None)
    view = face_view(p, "face-1", why)
    assert view["player"]["answer"] == f"{why.class_name} {share(why.probability)}"
    assert ("an input to" in view["au_use"], "codes that were given" in view["au_use"]) == (
        source == "predicted",
        source == "annotated",
    )
    report, page = prediction_page([p], attributions=[why]), result_html(p, why)
    assert [name for name, note in AU_NOTES.items() if note in report.replace("&#39;", "'")] == [source]
    assert f"{p.most_probable.capitalize()} {share(why.probability)}" in page


@pytest.mark.parametrize("trained", ["annotated", "predicted"])
def test_both_engines_say_the_same(tensor, trained):
    model = model_of(trained)
    here, there = (predictor_of(model, engine).classify(tensor, "clip.avi") for engine in ("torch", "onnx"))
    assert here.au_source == there.au_source
    for name in ("probabilities", "au_probabilities", "adjacency", "temporal_attention", "au_steps"):
        np.testing.assert_allclose(getattr(here, name), getattr(there, name), atol=1e-5)
    assert explain(model, there, method="gradcam").probability == there.probabilities.max()


@pytest.mark.parametrize("trained", ["none", "annotated", "predicted"])
def test_the_evaluation_of_a_finished_model_says_what_its_prediction_does(tensor, trained, tmp_path):
    model = model_of(trained)
    clips = simulate_motion(2, 3, steps=8, seed=1)
    scored = evaluate_model(clips, model, out=tmp_path / "run")
    assert scored.json["au_source"] == model.info.au_source()
    rows = scored.predictions.set_index("clip_id").loc[clips.clip_id.tolist(), [f"p_{name}" for name in CLASSES]]
    for motion, row in zip(clips.motion, rows.to_numpy(), strict=True):
        one = predictor_of(model).classify(replace(tensor, motion=motion), "clip.avi")
        np.testing.assert_allclose(row, one.probabilities, atol=1e-5)


def test_codes_change_the_answer_and_need_a_model_that_reads_them(tensor):
    predictor = predictor_of(model_of())
    free, coded = (predictor.classify(tensor, "a", predictor.codes(aus)) for aus in (None, "AU4 + L7B"))
    assert (free.codes, coded.codes, coded.au_source) == (None, (4, 7), "annotated")
    assert np.abs(free.probabilities - coded.probabilities).max() > 1e-3
    np.testing.assert_allclose(free.au_probabilities, coded.au_probabilities, atol=1e-5)
    with pytest.raises(ModelError, match="trained without action units"):
        predictor_of(model_of("none")).codes("4+7")
    predictor._session = object()  # as with engine="onnx", without the time of an export
    with pytest.raises(ModelError, match="torch engine"):
        predictor.codes("4+7")


@pytest.mark.parametrize("aus", ["", " ", "4+frown", "99", "4+8", "AD29", "M4", "R4(k)", "four", "4+7)x"])
def test_codes_that_cannot_be_read_are_refused_before_any_frame_is(aus):
    def frames():
        raise AssertionError("a frame was read")
        yield

    with pytest.raises(ConfigError, match=r"no action unit.*write for example 4\+7"):
        predictor_of(model_of()).predict_frames(frames(), "clip.avi", aus=aus)


def test_the_views_are_those_of_the_model_folder(tensor, tmp_path):
    settings = {"mirror_tta": False, "jitter_tta": 0}
    model_of(train=settings).save_pretrained(tmp_path / "model")
    predictor = predictor_of(STAG.from_pretrained(tmp_path / "model"))
    with torch.no_grad():
        logits = predictor.model(torch.from_numpy(tensor.motion)[None]).logits.double()
    found = predictor.classify(tensor, "clip.avi").probabilities
    np.testing.assert_allclose(found, torch.softmax(logits / 1.7, dim=-1)[0], atol=1e-5)
    config = tmp_path / "model" / "config.json"
    text = json.loads(config.read_text())
    for training, words in [
        ({"train": {"jitter_tta": 99}}, "training.train is not accepted"),
        ({"train": 3}, "training.train is not accepted"),
        ({"au_source": "expert"}, "training.au_source is 'expert'"),
    ]:
        config.write_text(json.dumps({**text, "training": training}))
        with pytest.raises(ModelError, match=words):
            STAG.from_pretrained(tmp_path / "model")


def test_a_prediction_is_explained_as_it_was_made(tensor):
    model = model_of()
    p = predictor_of(model).classify(tensor, "clip.avi")
    with pytest.raises(ConfigError, match="explained as it was made"):
        explain(model, p, au_source="predicted")
    other = STAG(SMALL, layout="roi18", steps=8, classes=("a", "b"))
    with pytest.raises(ModelError, match="the model knows"):
        explain(other, p)
    why = explain(model, p, method="attention")
    assert why != explain(model, p, method="attention")
    assert len({why, why.attention}) == 2
    assert all("\n" not in repr(one) and len(repr(one)) < 100 for one in (why, why.attention))
    assert len(AU_VOCABULARY) == len(p.au_probabilities)
