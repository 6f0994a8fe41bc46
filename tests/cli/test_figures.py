"""``stag figures`` and ``stag info``: what is asked for, written whole; bad input is one sentence."""

import json

import pytest

from synthetic import synthetic_motion


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--only", "architectur"], 1, "no figure 'architectur'"),
        (["--only", "9"], 1, "no figure '9'"),
        (["nothing.npz"], 1, "nothing.npz"),
        (["empty"], 1, "empty: has no result.json"),
        (["broken.npz"], 1, "broken.npz: is not a motion file"),
        (["--model", "nothing"], 1, "nothing"),
        (["--clip", "nothing.mp4"], 1, "nothing.mp4"),
        (["m.npz", "--only", "maps"], 2, "no figure of --only maps is drawn from a motion file"),
        (["empty", "--only", "maps"], 2, "no figure of --only maps is drawn from a run"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(stag, monkeypatch, tmp_path, words, code, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    synthetic_motion(subjects=2, clips=2).save(tmp_path / "m.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK")
    (tmp_path / "empty").mkdir()
    found, out, err = stag("figures", *words, "--out", "figures", "--quiet")
    assert (found, out) == (code, "")
    assert says in err
    assert code == 2 or err.count("\n") == 1
    assert not (tmp_path / "figures").exists()


def test_a_figure_that_fails_leaves_no_file(stag, monkeypatch, tmp_path):
    from stag.errors import ModelError
    from stag.report.figures import make

    def broken(material):
        raise ModelError("a drawing failed; try again")

    monkeypatch.setitem(make.DRAW, "graphs", broken)
    code, _, err = stag("figures", "--only", "motion,graphs", "--out", tmp_path / "figures", "--quiet")
    assert (code, err) == (1, "stag: a drawing failed; try again\n")
    assert not (tmp_path / "figures").exists()


def test_figures_by_number_are_written_and_can_be_written_again(stag, tmp_path):
    for _ in range(2):
        code, out, err = stag("figures", "--only", "4", "--out", tmp_path / "figures", "--quiet")
        assert (code, err) == (0, "")
        assert "Figure 4. Motion channels of one clip  [simulated data]" in out
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "figure-4-motion.png", "figure-4-motion.svg", "figures.json",
    }  # fmt: skip


def test_info_prints_what_the_json_file_has(stag, tmp_path):
    code, out, err = stag("info", "--json", tmp_path / "facts.json")
    assert (code, err) == (0, "")
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert facts["simulated"] is True
    assert f"{facts['parameters']:,}" in out
    for word in ("classes", "latency", "training data", "AU supervision", "calibration", "licence"):
        assert word in out


def test_info_of_what_is_no_model_is_one_sentence(stag, tmp_path):
    code, out, err = stag("info", tmp_path, "--json", tmp_path / "x.json")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert not (tmp_path / "x.json").exists()


def test_a_clip_of_ones_own_is_named_and_one_of_a_simulated_corpus_is_marked(stag, monkeypatch, tmp_path):
    """The clip is not read here; where it lies says whether a program made it."""
    from stag.config import MotionConfig
    from stag.motion import clip as extraction
    from stag.simulate.film import film_clip

    film = film_clip("happiness")
    (tensor,) = extraction.extract_clip(film.frames, film, MotionConfig(), "clip", every_face=False, pictures=False)
    monkeypatch.setattr(extraction, "video_motion", lambda path, settings, fps: [tensor])
    (tmp_path / "corpus" / "clips").mkdir(parents=True)
    (tmp_path / "corpus" / "simulation.json").write_text("{}")
    for folder, marked in (("corpus/clips", True), (".", False)):
        video = tmp_path / folder / "me.mkv"
        video.write_bytes(b"")
        out = tmp_path / f"out-{marked}"
        code, said, err = stag("figures", "--only", "4", "--clip", video, "--out", out, "--quiet")
        assert (code, err, "[simulated data]" in said) == (0, "", marked)
        index = json.loads((out / "figures.json").read_text())["figures"][0]
        assert index["simulated"] is marked
        assert index["shows"].startswith("Clip me.mkv: ")
