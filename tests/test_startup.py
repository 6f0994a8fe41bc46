"""What a verb loads: what it needs and no more, so that the first answer comes soon."""

import json
import os
import subprocess
import sys

import pytest

from stag.simulate.corpus import simulate_corpus

CODE = """
import sys
from stag.cli import main
sys.argv = ["stag", *sys.argv[1:]]
try:
    main()
finally:
    print("loaded", *sys.modules)
"""
NEVER = {"sklearn", "plotly", "fastapi", "onnx", "onnxruntime", "distributed", "playwright", "huggingface_hub"}
"""What no verb needs that looks at one clip."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return simulate_corpus(tmp_path_factory.mktemp("startup") / "corpus", subjects=1, clips=2, seed=3, fps=30)


def loaded_by(*arguments):
    done = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    return set(done.stdout.rpartition("loaded ")[2].split())


def unneeded(loaded, names):
    return sorted(loaded & {*names.split(), *NEVER})


def test_a_prediction_loads_the_model_and_no_pictures(corpus, tmp_path):
    clips = sorted((corpus / "clips").glob("*.mkv"))[:2]
    seen = loaded_by("predict", *clips, "--quiet")
    assert (
        unneeded(seen, "matplotlib captum jinja2 pandas scipy joblib stag.simulate stag.report.pages.prediction") == []
    )
    assert "torch" in seen


def test_an_explanation_draws_nothing_from_the_simulator(corpus, tmp_path):
    clip = min((corpus / "clips").glob("*.mkv"))
    seen = loaded_by("explain", clip, "--method", "occlusion", "--out", tmp_path / "why")
    assert unneeded(seen, "pandas jinja2 joblib stag.simulate scipy.stats") == []
    assert json.loads((tmp_path / "why" / "explanation.json").read_text())["method"] == "occlusion"


def test_motion_needs_no_model(corpus, tmp_path):
    seen = loaded_by("motion", min((corpus / "clips").glob("*.mkv")), "--out", tmp_path / "m.png")
    assert unneeded(seen, "torch pandas captum jinja2 joblib stag.model.stag stag.simulate") == []


def test_extraction_needs_no_model_and_no_pictures(corpus, tmp_path):
    seen = loaded_by("extract", "manifest", "--root", corpus, "--scheme", "megc3", "--out", tmp_path / "m.npz")
    assert unneeded(seen, "torch matplotlib captum scipy joblib stag.model.stag stag.simulate") == []


def test_a_score_needs_no_model(tmp_path):
    rows = [f"c{i},{i % 4},{name},{name}" for i, name in enumerate(["negative", "positive", "surprise"] * 4)]
    (tmp_path / "p.csv").write_text("\n".join(["clip_id,subject,truth,predicted", *rows]))
    seen = loaded_by("score", tmp_path / "p.csv")
    assert sorted(seen & {"torch", "av", "dlib", "matplotlib", "captum", "stag.model.stag", "stag.simulate"}) == []
