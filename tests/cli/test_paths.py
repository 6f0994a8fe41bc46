"""What a verb writes: never over an input, another output or a file of another sort; tried first; owned alone."""

import os
import stat
import threading
from types import SimpleNamespace

import pytest

from stag.cli import app
from stag.utils.files import alone


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with inputs of every sort; what is in them matters to nobody, as nothing is read before the outputs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    for name in (
        "in.mp4",
        "other.mp4",
        "plain",
        "a.npz",
        "p.png",
        "movie",
        "face.png",
        "motion.png",
        "motion.npz",
        "figure-4-motion.png",
    ):
        (tmp_path / name).write_bytes(f"{name}\0".encode())
    for name in ("a.csv", "table", "c.toml", "notes.json", "README.md", "ablation.csv"):
        (tmp_path / name).write_text(name)
    for folder, inside in (
        ("frames", "img1.png"),
        ("model", "config.json"),
        ("run", "result.json"),
        ("root", "s.xlsx"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / inside).write_bytes(inside.encode() + b"\0")
    (tmp_path / "link").symlink_to("plain")
    (tmp_path / "same").hardlink_to(tmp_path / "plain")
    (tmp_path / "pictures").symlink_to("frames")
    (tmp_path / "m.npz").mkdir()
    return tmp_path


def everything(folder):
    return {
        str(p.relative_to(folder)): os.readlink(p) if p.is_symlink() else p.read_bytes() if p.is_file() else None
        for p in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        # an output that is an input
        ("predict in.mp4 --csv in.mp4", 2, "a CSV table ends in"),
        ("predict plain --csv plain", 1, "is what VIDEO... reads"),
        ("predict other.mp4 plain --csv ./frames/../plain", 1, "is what VIDEO... reads"),
        ("predict plain --csv {here}/plain", 1, "is what VIDEO... reads"),
        ("predict plain --report link", 1, "is what VIDEO... reads"),
        ("predict link --report plain", 1, "is what VIDEO... reads"),
        ("predict plain --csv same", 1, "is what VIDEO... reads"),
        ("score a.csv --out a.csv", 2, "a JSON file ends in"),
        ("score table --out table", 1, "is what PREDICTIONS.csv reads"),
        ("motion p.png --out p.png", 1, "is what VIDEO reads"),
        ("explain frames --out frames", 1, "is what VIDEO reads"),
        ("train a.npz --init model --out model", 1, "is what --init reads"),
        ("evaluate a.npz --model model --out model", 1, "is what --model reads"),
        ("extract plain --out plain.npz --cache plain", 1, "is what DATASET|VIDEO... reads"),
        ("simulate --as motion --out a.npz/x.npz", 1, "cannot be written"),
        ("figures run --out run", 1, "is what INPUT... reads"),
        ("check samm --root root --json root", 1, "is what --root reads"),
        ("reproduce table3 --motion samm=a.npz --out a.npz", 1, "is what --motion reads"),
        # an output inside a folder that is an input
        ("motion frames --out frames/m.png", 1, "lies in frames, which VIDEO reads"),
        ("motion pictures --out frames/m.png", 1, "lies in pictures, which VIDEO reads"),
        ("predict frames --csv pictures/o.csv", 1, "lies in frames"),
        ("explain frames --out frames/why", 1, "lies in frames"),
        ("extract frames --out frames/deep/x.npz", 1, "lies in frames"),
        ("export --model model --onnx model/m.onnx", 1, "lies in model"),
        ("evaluate a.npz --model model --out model/run", 1, "lies in model"),
        ("info model --json model/facts.json", 1, "lies in model"),
        # two outputs that are one
        ("predict in.mp4 --csv o --report o", 1, "is the output of --csv as well"),
        ("predict in.mp4 --csv o --report ./O", 1, "is the output of --csv as well"),
        ("predict in.mp4 --csv o.csv --report o.csv", 2, "an HTML page ends in"),
        ("predict in.mp4 --csv o --report o/page.html", 1, "is the output of --csv as well"),
        ("extract in.mp4 --out x.npz --cache x.npz", 1, "is the output of --out as well"),
        # a file of another sort
        ("predict in.mp4 --csv other.mp4", 2, "a CSV table ends in"),
        ("predict in.mp4 --csv movie", 1, "is not a CSV table, and would be replaced"),
        ("predict in.mp4 --report a.csv", 2, "an HTML page ends in"),
        ("info --json c.toml", 2, "a JSON file ends in"),
        ("score a.csv --out c.toml", 2, "a JSON file ends in"),
        ("score a.csv --out frames/img1.png", 2, "a JSON file ends in"),
        ("check samm --root root --json root/s.xlsx", 2, "a JSON file ends in"),
        ("export --onnx a.npz", 2, "an ONNX file ends in"),
        ("report run --out run/result.json", 2, "an HTML page ends in"),
        ("extract in.mp4 --out model", 2, "a motion file ends in"),
        ("motion in.mp4 --out in.mp4", 2, "a picture ends in"),
        # a folder for a file, a file for a folder
        ("extract in.mp4 --out m.npz", 1, "is a folder; name a file"),
        ("predict in.mp4 --csv frames", 1, "is a folder; name a file"),
        ("report run --out model", 1, "is a folder; name a file"),
        ("train a.npz --out plain", 1, "is a file; name a folder"),
        ("ablate a.npz --out notes.json", 1, "is a file; name a folder"),
        ("figures --out plain", 1, "is a file; name a folder"),
        ("bench --out plain", 1, "is a file; name a folder"),
        ("demo --out plain", 1, "is a file; name a folder"),
        # somebody else's files in the folder
        ("train a.npz --out .", 1, "contains README.md, not part of a model folder"),
        ("explain in.mp4 --out .", 1, "contains face.png"),
        ("ablate a.npz --out .", 1, "contains ablation.csv"),
        ("bench --out .", 1, "contains motion.png"),
        ("demo --out .", 1, "contains motion.npz"),
        ("figures --out .", 1, "contains figure-4-motion.png"),
        # a place that takes no file
        ("predict in.mp4 --csv /proc/x.csv", 1, "--csv /proc/x.csv: cannot be written"),
        ("predict in.mp4 --report plain/o.html", 1, "--report plain/o.html: cannot be written"),
        ("score a.csv --out /proc/stag/x.json", 1, "--out /proc/stag/x.json: cannot be written"),
        ("motion in.mp4 --out plain/m.png", 1, "--out plain/m.png: cannot be written"),
        ("extract in.mp4 --out good.npz --cache /proc/cache", 1, "--cache /proc/cache: cannot be written"),
        ("audit a.npz --out plain/audit", 1, "--out plain/audit: cannot be written"),
        ("reproduce table3 --out plain/x", 1, "--out plain/x: cannot be written"),
        ("explain --score --out plain/x", 1, "--out plain/x: cannot be written"),
        ("simulate --out /proc/x", 1, "--out /proc/x: cannot be written"),
        ("export --onnx /proc/m.onnx", 1, "--onnx /proc/m.onnx: cannot be written"),
    ],
)  # fmt: skip
def test_an_output_that_would_do_harm_or_cannot_be_is_refused_before_any_work(stag, here, line, code, says):
    before = everything(here)
    found, out, err = stag(*line.format(here=here).split())
    assert (found, out) == (code, "")
    assert says in err
    assert ".partial" not in err
    assert everything(here) == before


OUTPUTS = {
    "predict": "predict in.mp4 --csv o.csv",
    "explain": "explain in.mp4 --out o",
    "motion": "motion in.mp4 --out o.png",
    "spot": "spot in.mp4 --csv o.csv",
    "sensitivity": "sensitivity in.mp4 --csv o.csv",
    "simulate": "simulate --out o",
    "check": "check samm --root root --json o.json",
    "extract": "extract in.mp4 --out o.npz",
    "train": "train a.npz --out o",
    "export": "export --onnx o.onnx",
    "evaluate": "evaluate a.npz --out o",
    "score": "score a.csv --out o.json",
    "ablate": "ablate a.npz --out o",
    "audit": "audit a.npz --out o",
    "reproduce": "reproduce table3 --out o",
    "report": "report run --out o.html",
    "demo": "demo --out o",
    "bench": "bench --out o",
    "settings": "settings --out o.toml",
    "figures": "figures a.npz --out o",
    "info": "info --json o.json",
}


def test_every_verb_that_writes_is_tried():
    assert {command.callback.__name__ for command in app.registered_commands} - set(OUTPUTS) == {"serve", "doctor"}


@pytest.mark.parametrize("line", OUTPUTS.values(), ids=OUTPUTS)
def test_the_second_of_two_commands_with_one_output_is_refused(stag, here, line):
    output = here / line.split()[-1]
    before = everything(here)
    with alone(output):
        code, out, err = stag(*line.split())
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert f"{output.name}: another process is working on it" in err
    assert everything(here) == before


def test_outputs_beside_inputs_and_earlier_outputs_are_welcome(stag, here, monkeypatch):
    """A motion file in the root of its set, a table written again, a file without an ending."""
    seen = []
    monkeypatch.setattr(
        "stag.evaluation.prediction_file.score_predictions",
        lambda path, classes: seen.append(path) or SimpleNamespace(plain=dict),
    )
    monkeypatch.setattr("stag.studies.side_by_side.score_lines", lambda found: [])
    for line in ("score a.csv --out new/deep/x.json", "score a.csv --out notes.json", "score a.csv --out run/x.dat"):
        assert stag(*line.split())[0] == 0
    assert len(seen) == 3
    assert sorted(p.name for p in (here / "new" / "deep").iterdir()) == ["x.json"]
    for line in ("extract samm --root root --out root/x.npz", "check samm --root root --json root/audit.json"):
        code, _, err = stag(*line.split())
        assert (code, "--out" in err, "--json" in err) == (1, False, False)


def test_a_pipe_and_a_link_stay_what_they_are(stag, here, monkeypatch):
    monkeypatch.setattr(
        "stag.evaluation.prediction_file.score_predictions", lambda *_: SimpleNamespace(plain=lambda: {"uf1": 1.0})
    )
    monkeypatch.setattr("stag.studies.side_by_side.score_lines", lambda found: [])
    os.mkfifo(here / "pipe")
    heard = []
    listener = threading.Thread(target=lambda: heard.append((here / "pipe").read_text()))
    listener.start()
    assert stag("score", "a.csv", "--out", "pipe")[0] == 0
    listener.join(timeout=20)
    assert heard == ['{\n  "uf1": 1.0\n}\n']
    assert stat.S_ISFIFO((here / "pipe").stat().st_mode)
    (here / "latest.json").symlink_to("notes.json")
    assert stag("score", "a.csv", "--out", "latest.json")[0] == 0
    assert (here / "latest.json").is_symlink()
    assert (here / "notes.json").read_text() == heard[0]
    assert stag("score", "a.csv", "--out", "/dev/null")[0] == 0
