"""Whatever is in a file: an answer that holds what it says, or one sentence. ``make fuzz`` tries a thousand each."""

import json
from collections import Counter

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mutation import mutants, no_hang
from stag.config import Config
from stag.datasets.clips import load_dataset
from stag.datasets.readers.sheet import read_sheet
from stag.errors import StagError
from stag.evaluation.prediction_file import score_predictions
from stag.model.onnx import OnnxSession, export_onnx
from stag.model.stag import STAG
from stag.motion_set import MotionSet
from stag.report.pages.prediction import report_run
from stag.simulate.motion import simulate_motion
from stag.video import read_frames, write_video
from tiny import TINY

CASES = pytest.mark.parametrize("cases", [40, pytest.param(1000, marks=pytest.mark.fuzz)])


def tried(original, read, cases, *, beside=None):
    """Read mutants of a file in its place; returns how many were refused and how many were read."""
    content = original.read_bytes()
    read(beside or original)  # undamaged, it can be read
    seen = Counter()
    for mutant in mutants(content, cases):
        original.write_bytes(mutant)
        with no_hang():
            try:
                read(beside or original)
            except StagError as error:
                seen["refused"] += 1
                words = str(error)
            else:
                seen["read"] += 1
                words = "read, and as it says"
        assert 10 < len(words) < 1000
    original.write_bytes(content)
    assert seen["refused"] > 0
    return seen


def frames(path):
    shapes = set()
    for number, frame in enumerate(read_frames(path)):
        assert frame.image.dtype == np.uint8
        assert np.isfinite(frame.time_s)
        shapes.add(frame.image.shape)
        assert number < 10_000
    assert len(shapes) == 1


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    base = cv2.GaussianBlur(rng.integers(0, 256, (48, 64), dtype=np.uint8), (0, 0), 2)
    return [np.roll(base, i, axis=1) for i in range(6)]


@CASES
@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4", "clip.avi", "clip.gif"])
def test_videos(pictures, tmp_path, name, cases):
    codec = {".mp4": "mp4v", ".avi": "MJPG"}.get(name[-4:])
    if name.endswith(".gif"):
        first, *rest = map(Image.fromarray, pictures)
        first.save(tmp_path / name, save_all=True, append_images=rest, duration=40)
    elif codec is None:
        write_video(tmp_path / name, pictures, 30.0)
    else:
        writer = cv2.VideoWriter(str(tmp_path / name), cv2.VideoWriter.fourcc(*codec), 30.0, (64, 48), isColor=False)
        for picture in pictures:
            writer.write(picture)
        writer.release()
    tried(tmp_path / name, frames, cases)


@CASES
@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".tif"])
def test_images_of_a_folder(pictures, tmp_path, ending, cases):
    for i, picture in enumerate(pictures[:2]):
        cv2.imwrite(str(tmp_path / f"img{i}{ending}"), picture)
    tried(tmp_path / f"img1{ending}", frames, cases, beside=tmp_path)


@CASES
def test_motion_files(tmp_path, cases):
    path = tmp_path / "motion.npz"
    simulate_motion(2, 2, steps=4).save(path)

    def read(path):
        motion = MotionSet.load(path)
        assert motion.motion.shape == (len(motion), motion.steps, 18, 2)
        assert np.isfinite(motion.motion).all()
        assert len(motion.label) == len(motion.subject) == len(motion.clip_id)

    tried(path, read, cases)


@CASES
@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_model_folders(tmp_path, name, cases):
    config = Config.preset("quick").override([*TINY])
    model = STAG(config.model, layout="roi18", steps=4, classes=("negative", "positive"), seed=0)
    model.save_pretrained(tmp_path)

    def read(folder):
        found = STAG.from_pretrained(folder)
        assert found.state_dict().keys() == model.state_dict().keys()
        for key, value in found.state_dict().items():
            assert value.shape == model.state_dict()[key].shape
            assert value.isfinite().all()

    tried(tmp_path / name, read, cases, beside=tmp_path)


@CASES
@pytest.mark.parametrize("name", ["sheet.xlsx", "sheet.csv"])
def test_sheets(tmp_path, name, cases):
    table = pd.DataFrame({"Subject": [f"{i:02d}" for i in range(8)], "Emotion": ["surprise"] * 8, "Onset": range(8)})
    path = tmp_path / name
    table.to_csv(path, index=False) if name.endswith("csv") else table.to_excel(path, index=False)
    tried(path, lambda path: read_sheet(path, {name.lower(): (name,) for name in table.columns}), cases)


@CASES
def test_manifests(pictures, tmp_path, cases):
    write_video(tmp_path / "clip.mkv", pictures, 30.0)
    columns = {
        "clip_id": ["a", "b"],
        "subject": ["1", "2"],
        "frames": ["clip.mkv"] * 2,
        "emotion": ["anger", "surprise"],
    }
    pd.DataFrame({**columns, "fps": [30, 30]}).to_csv(tmp_path / "manifest.csv", index=False)
    tried(tmp_path / "manifest.csv", lambda folder: load_dataset("manifest", folder), cases, beside=tmp_path)


@CASES
def test_predictions_and_runs(tmp_path, cases):
    truth = ["negative", "positive", "surprise"] * 4
    table = pd.DataFrame({"clip_id": range(12), "subject": [f"s{i % 4}" for i in range(12)], "truth": truth})
    path = tmp_path / "predictions.csv"
    table.assign(predicted=truth).to_csv(path, index=False)

    def read(path):
        found = score_predictions(path)
        assert 0 <= found.pooled.uf1 <= 1

    tried(path, read, cases)


@CASES
@pytest.mark.parametrize("name", ["result.json", "predictions.csv"])
def test_reports_of_damaged_runs(run, tmp_path, name, cases):
    for path in run.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    tried(tmp_path / name, report_run, cases, beside=tmp_path)


@CASES
def test_settings(tmp_path, cases):
    path = tmp_path / "config.toml"
    path.write_text(Config().to_toml())
    tried(path, Config.from_toml, cases)


@CASES
def test_onnx_files(tmp_path, cases):
    config = Config.preset("quick").override([*TINY])
    model = STAG(config.model, layout="roi18", steps=4, classes=("negative", "positive"), seed=0)
    export_onnx(model, tmp_path / "model.onnx")
    tried(tmp_path / "model.onnx", OnnxSession, cases // 4)  # onnxruntime takes its time


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    from stag.evaluation.evaluate import evaluate

    out = tmp_path_factory.mktemp("fuzz") / "run"
    config = Config.preset("quick").override([*TINY, "train.epochs=1"])
    evaluate(simulate_motion(4, 3, steps=4, seed=1), config, protocol="gkf", folds=2, out=out)
    assert json.loads((out / "result.json").read_text())["simulated"]
    return out
