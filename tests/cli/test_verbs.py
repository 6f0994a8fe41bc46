"""The command line from outside: what is printed, what is written, and one sentence for everything that is wrong."""

import json
import os
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

from stag.cli.paths import MODEL
from stag.config import Config
from stag.facs import AU_VOCABULARY
from stag.motion_set import MotionSet
from stag.simulate.corpus import simulate_corpus
from stag.utils.files import write_text
from stag.video import write_video

SMALL = ("train.epochs=3", "model.graph_layers=1", "model.transformer_layers=1")
FAST = ["--preset", "quick", *(word for change in SMALL for word in ("--set", change))]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return simulate_corpus(tmp_path_factory.mktemp("cli") / "corpus", subjects=3, clips=3, seed=3, fps=30)


@pytest.fixture(scope="module")
def motion_file(tmp_path_factory):
    """A motion file that something else wrote: random arrays of the documented form, nothing more."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("motion") / "random.npz"
    labels = rng.permutation(["negative", "positive", "surprise"] * 20)
    subjects = np.array([f"{i % 12:03d}" for i in range(60)])
    np.savez(path, motion=rng.normal(size=(60, 8, 18, 2)).astype(np.float32), label=labels, subject=subjects)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory, motion_file):
    from stag.training.fit import train

    folder = tmp_path_factory.mktemp("model") / "model"
    train(MotionSet.load(motion_file), Config.preset("quick").override(SMALL)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bad_inputs(tmp_path_factory, corpus):
    folder = tmp_path_factory.mktemp("bad")
    whole = sorted((corpus / "clips").glob("*.mkv"))[0].read_bytes()
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("this is no video\n" * 50)
    (folder / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    noise = np.random.default_rng(0).integers(0, 255, (6, 120, 160), dtype=np.uint8)
    write_video(folder / "faceless.mkv", noise, 30)
    write_video(folder / "two.mkv", noise[:2], 30)
    frames = folder / "frames"
    frames.mkdir()
    for i, image in enumerate(noise):
        cv2.imwrite(str(frames / f"img{i}.png"), image)
    (frames / "img3.png").write_bytes(b"not a picture")
    return folder


def one_sentence(text, *parts):
    """Exactly one line of error, free of Python, that names each part."""
    lines = [line for line in text.splitlines() if line.startswith("stag: ")]
    assert "Traceback" not in text
    assert len(lines) == 1
    for part in parts:
        assert part in lines[0]
    return True


def test_extract_evaluate_and_report_a_simulated_corpus(stag, corpus, tmp_path):
    out = tmp_path / "motion.npz"
    code, printed, _ = stag("extract", "manifest", "--root", corpus, "--out", out, "--set", "motion.steps=8", "--quiet")
    assert (code, "9 clips, 0 skipped" in printed) == (0, True)
    motion = MotionSet.load(out)
    assert motion.motion.shape == (9, 8, 18, 2)
    assert motion.simulated
    assert motion.settings["flow"] == Config().motion.flow
    assert not np.isnan(motion.action_units).any()
    code, printed, _ = stag("evaluate", out, "--out", tmp_path / "run", *FAST, "--quiet")
    assert code == 0
    assert "simulated" in printed
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["protocol"] == "loso"
    assert result["simulated"]
    assert result["units"] == {"done": 3, "total": 3}
    code, printed, _ = stag("report", tmp_path / "run")
    assert code == 0
    assert "simulated" in (tmp_path / "run" / "report.html").read_text()


def test_a_foreign_motion_file_runs_and_noise_scores_near_chance(stag, motion_file, tmp_path):
    code, _, _ = stag("evaluate", motion_file, "--protocol", "gkf", "--folds", 4, "--out", tmp_path, *FAST, "--quiet")
    assert code == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["units"]["total"] == 4
    assert 0.1 < result["pooled"]["uar"] < 0.55
    assert not result["simulated"]
    table = pd.read_csv(tmp_path / "predictions.csv")
    assert list(table.columns[:8]) == [
        "clip_id", "dataset", "subject", "fold", "seed", "truth", "predicted", "p_negative",
    ]  # fmt: skip
    assert len(table) == 60


def test_train_then_score_the_model_and_cross_sets(stag, motion_file, tmp_path):
    assert stag("train", motion_file, "--out", tmp_path / "model", *FAST, "--quiet")[0] == 0
    assert {path.name for path in (tmp_path / "model").iterdir()} == set(MODEL.files[0])
    code, _, _ = stag("evaluate", motion_file, "--model", tmp_path / "model", "--out", tmp_path / "fixed", "--quiet")
    assert code == 0
    assert json.loads((tmp_path / "fixed" / "result.json").read_text())["protocol"] == "fixed"
    other = tmp_path / "other.npz"
    data = dict(np.load(motion_file))
    np.savez(other, **data)
    code, _, _ = stag("evaluate", "--train", motion_file, "--test", other, "--out", tmp_path / "x", *FAST, "--quiet")
    assert code == 0
    assert json.loads((tmp_path / "x" / "result.json").read_text())["protocol"] == "cross-dataset"


def test_predict_writes_rows_for_good_and_bad_files_alike(stag, corpus, model, bad_inputs, tmp_path):
    clips = sorted((corpus / "clips").glob("*.mkv"))[:2]
    bad = [bad_inputs / name for name in ("empty.mp4", "text.mp4", "cut.mkv", "faceless.mkv", "two.mkv", "frames")]
    csv, report = tmp_path / "rows.csv", tmp_path / "report.html"
    arguments = ["--model", model, "--csv", csv, "--report", report, "--quiet"]
    code, printed, err = stag("predict", clips[0], *bad, clips[1], *arguments)
    assert code == 1
    assert "Traceback" not in err
    sentences = [line for line in err.splitlines() if line.startswith("stag: ")]
    assert len(sentences) == len(bad)
    for path, sentence in zip(bad, sentences, strict=True):
        assert str(path) in sentence
    rows = pd.read_csv(csv)
    assert rows["file"].tolist() == [str(path) for path in (clips[0], *bad, clips[1])]
    good = rows[rows["predicted"].notna()]
    assert set(good["file"]) == set(map(str, clips))
    np.testing.assert_allclose(good.filter(regex="^p_").sum(axis=1), 1, atol=1e-5)
    assert [c for c in rows.columns if c.startswith("au_")] == [f"au_{au}" for au in AU_VOCABULARY]
    assert rows[rows["predicted"].isna()]["flags"].notna().all()
    assert report.read_text().startswith("<!doctype html>")
    assert str(clips[0]) in printed


def test_a_disk_that_fills_up_costs_no_answer(stag, corpus, model, tmp_path, monkeypatch):
    clip = sorted((corpus / "clips").glob("*.mkv"))[0]

    def full(path, text):
        if path.suffix == ".csv":
            raise OSError(28, "No space left on device", str(path))
        write_text(path, text)

    monkeypatch.setattr("stag.utils.files.write_text", full)
    arguments = ["--model", model, "--csv", tmp_path / "rows.csv", "--report", tmp_path / "page.html", "--quiet"]
    code, printed, err = stag("predict", clip, *arguments)
    assert (code, str(clip) in printed) == (1, True)
    assert one_sentence(err, "rows.csv", "no space left")
    assert (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("empty.mp4", "empty.mp4"),
        ("text.mp4", "text.mp4"),
        ("cut.mkv", "cut.mkv"),
        ("faceless.mkv", "no face"),
        ("two.mkv", "2 frame"),
        ("frames", "img3.png"),
        ("absent.mp4", "no such file"),
    ],
)
def test_a_bad_clip_gets_one_sentence_and_leaves_nothing(stag, model, bad_inputs, tmp_path, name, says):
    code, _, err = stag("predict", bad_inputs / name, "--model", model, "--quiet")
    assert (code, one_sentence(err, says)) == (1, True)
    code, _, err = stag("extract", bad_inputs / name, "--out", tmp_path / "m.npz", "--quiet")
    assert (code, one_sentence(err, says)) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_extract_warns_of_subjects_that_look_like_one_person(stag, corpus, motion_file, tmp_path, monkeypatch):
    lines = (corpus / "manifest.csv").read_text().splitlines()
    column = lines[0].split(",").index("subject")
    first = lines[1].split(",")
    first[column] = f"sub-{int(first[column].lstrip('s'))}"
    (corpus / "renamed.csv").write_text("\n".join([lines[0], ",".join(first), *lines[2:]]))
    made = replace(MotionSet.load(motion_file), meta={"skipped": []})
    monkeypatch.setattr("stag.datasets.extract.extract_motion", lambda *_, **__: made)
    code, _, err = stag("extract", "manifest", "--root", corpus / "renamed.csv", "--out", tmp_path / "m.npz", "--quiet")
    assert code == 0
    assert "2 subject ids of simulated look like 1 person" in err


def test_extract_goes_on_past_a_bad_clip(stag, corpus, bad_inputs, tmp_path):
    clip = sorted((corpus / "clips").glob("*.mkv"))[0]
    code, printed, err = stag("extract", bad_inputs / "text.mp4", clip, "--out", tmp_path / "m.npz", "--quiet")
    assert code == 1
    assert "1 clips, 1 skipped" in printed
    assert "text.mp4" in err
    assert len(MotionSet.load(tmp_path / "m.npz")) == 1


@pytest.mark.parametrize("fault", ["nan", "shape", "missing", "text"])
def test_a_bad_motion_file_gets_one_sentence_and_no_run_folder(stag, motion_file, tmp_path, fault):
    arrays = dict(np.load(motion_file))
    path = tmp_path / "bad.npz"
    if fault == "nan":
        arrays["motion"][7, 0, 0, 0] = np.nan
    elif fault == "shape":
        arrays["motion"] = arrays["motion"][:, :, :5]
    if fault == "text":
        path.write_text("no archive")
    elif fault != "missing":
        np.savez(path, **arrays)
    for verb in (["evaluate", path, "--out", tmp_path / "run"], ["train", path, "--out", tmp_path / "model"]):
        code, _, err = stag(*verb, "--quiet")
        assert (code, one_sentence(err, "bad.npz")) == (1, True)
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "model").exists()


def test_wrong_settings_models_and_runs_are_named(stag, motion_file, tmp_path):
    code, _, err = stag("train", motion_file, "--out", tmp_path / "m", "--set", "train.epoch=3")
    assert (code, one_sentence(err, "did you mean 'epochs'")) == (1, True)
    code, _, err = stag("predict", motion_file, "--model", tmp_path / "absent")
    assert (code, one_sentence(err, "no such model folder")) == (1, True)
    code, _, err = stag("report", tmp_path)
    assert (code, one_sentence(err, "result.json")) == (1, True)
    code, _, err = stag("extract", "casme3", "--root", tmp_path, "--out", tmp_path / "m.npz")
    assert (code, one_sentence(err, "no data set 'casme3'")) == (1, True)
    (tmp_path / "file").write_text("")
    code, _, err = stag("train", motion_file, "--out", tmp_path / "file" / "model", *FAST, "--quiet")
    assert (code, one_sentence(err)) == (1, True)
    code, _, err = stag("train", "runs\\m.npz", "--out", tmp_path / "m", *FAST, "--quiet")
    assert (code, one_sentence(err, "runs/m.npz")) == (1, True)


def test_a_model_that_cannot_be_saved_is_kept_elsewhere(stag, motion_file, tmp_path, monkeypatch):
    from stag.model.stag import STAG

    save, spare = STAG.save_pretrained, tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spare))

    def saved(model, folder, **options):
        if folder == tmp_path / "model":
            raise OSError(28, "No space left on device", str(folder))
        return save(model, folder, **options)

    monkeypatch.setattr(STAG, "save_pretrained", saved)
    code, _, err = stag("train", motion_file, "--out", tmp_path / "model", *FAST, "--set", "train.epochs=1", "--quiet")
    assert (code, one_sentence(err, "no space left")) == (1, True)
    (kept,) = spare.glob("*/model")
    assert f"the trained model is kept in {kept}" in err
    assert STAG.from_pretrained(kept).classes == ("negative", "positive", "surprise")


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "--out", "x"],
        ["evaluate", "a.npz", "--out", "x", "--protocol", "lso"],
        ["evaluate", "a.npz", "--out", "x", "--seeds", "one"],
        ["evaluate", "--out", "x", "--train", "a.npz"],
        ["extract", "a.mp4", "--out", "motion.csv"],
        ["predict"],
        ["motion", "a.mp4", "--out", "a.txt"],
        ["fly"],
    ],
)
def test_wrong_usage_is_exit_code_2(stag, arguments, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, _, err = stag(*arguments)
    assert code == 2
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "begins"), [("m.png", b"\x89PNG"), ("m.svg", b"<?xml")])
def test_the_picture_of_a_clip(stag, corpus, bad_inputs, tmp_path, name, begins):
    clip = sorted((corpus / "clips").glob("*.mkv"))[0]
    code, printed, _ = stag("motion", clip, "--out", tmp_path / name)
    assert (code, "strength" in printed) == (0, True)
    assert (tmp_path / name).read_bytes().startswith(begins)
    code, _, err = stag("motion", bad_inputs / "faceless.mkv", "--out", tmp_path / "none.png")
    assert (code, one_sentence(err, "no face")) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_simulated_motion_and_the_doctor(stag, tmp_path):
    code, _, _ = stag("simulate", "--as", "motion", "--out", tmp_path / "m.npz", "--subjects", 2, "--clips", 3)
    assert code == 0
    motion = MotionSet.load(tmp_path / "m.npz")
    assert (len(motion), motion.simulated) == (6, True)
    code, _, _ = stag("simulate", "--as", "smic", "--tiny", "--out", tmp_path / "smic", "--quiet")
    assert (code, len(list((tmp_path / "smic" / "HS").glob("s*/micro/*/*")))) == (0, 164)
    code, printed, _ = stag("doctor")
    assert code == 0
    for word in ("torch", "dlib", "300-W", "threads"):
        assert word in printed
    assert stag("--version")[1].strip() == __import__("stag").__version__


def test_a_file_name_of_another_encoding_is_reported_not_raised(stag, tmp_path):
    name = os.fsdecode(os.fsencode(str(tmp_path)) + b"/caf\xe9.mp4")
    rows, page = tmp_path / "rows.csv", tmp_path / "page.html"
    code, out, err = stag("predict", name, "--csv", rows, "--report", page, "--quiet")
    assert (code, out) == (1, "")
    assert "caf\\udce9.mp4" in err
    assert "caf\\udce9.mp4" in rows.read_text(encoding="utf-8")
    assert "caf" in page.read_text(encoding="utf-8")
