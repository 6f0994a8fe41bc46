"""The examples as a reader starts them: offline, in an empty folder, and with files of their own."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stag.model.shipped import DEFAULT_MODEL
from stag.model.stag import STAG
from stag.simulate.motion import simulate_motion

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ("own_clip", "evaluate_motion_file", "compare_predictions", "fine_tune")


@pytest.fixture
def here(monkeypatch, capsys, tmp_path):
    """Run an example in this process, in an empty folder; returns exit code or message, and stdout."""

    def start(name, *arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        code = 0
        try:
            runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        except SystemExit as stop:
            code = stop.code
        printed, err = capsys.readouterr()
        assert err == ""
        return code, printed

    return start


@pytest.fixture
def run(here):
    """Output of an example that is given nothing."""

    def start(name):
        code, told = here(name)
        assert code == 0
        assert "simulated" in told
        return told

    return start


def test_every_example_is_tested_and_told_of():
    guide = (EXAMPLES.parent / "docs/guide/quick-start.md").read_text(encoding="utf-8")
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(NAMES)
    assert all(f"`{name}.py " in guide for name in NAMES)


def test_a_clip_is_measured_judged_and_explained(tmp_path):
    """In a process of its own, as a reader starts it."""
    command = [sys.executable, str(EXAMPLES / "own_clip.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = done.stdout
    assert "simulated" in told
    assert "prediction   surprise" in told
    assert re.search(r"why +For it: .*brow", told)
    made = tmp_path / "runs/own-clip"
    assert (made / "motion.png").read_bytes()[:4] == b"\x89PNG"
    report = (made / "report.html").read_text(encoding="utf-8")
    assert "simulated motion only" in report
    assert "Why surprise" in report


def test_an_evaluation_tells_the_scores_of_its_run_folder(run, tmp_path):
    told = run("evaluate_motion_file")
    result = json.loads((tmp_path / "runs/evaluate-motion-file/result.json").read_text())
    assert (result["protocol"], result["au_source"], result["simulated"]) == ("loso", "none", True)
    scores = dict(re.findall(r"^(\w+) +UF1 (\d\.\d+) .*simulated", told, re.MULTILINE))
    wanted = {"STAG": result["pooled"]["uf1"], **{name: s["uf1"] for name, s in result["baselines"].items()}}
    assert scores == {name: f"{uf1:.3f}" for name, uf1 in wanted.items()}
    better = re.search(r"not beaten here: (.*)", told)[1]
    assert better == (", ".join(n for n in wanted if n != "STAG" and wanted[n] >= wanted["STAG"]) or "none")


def test_a_method_that_sees_the_motion_is_ahead_of_one_that_does_not(run, tmp_path):
    told = run("compare_predictions")
    scores = dict(re.findall(r"^(\w+) +UF1 (\S+)", told, re.MULTILINE))
    assert float(scores["difference"]) == pytest.approx(float(scores["logistic"]) - float(scores["majority"]), abs=2e-3)
    assert "logistic, ahead" in told
    assert list(tmp_path.iterdir()) == []


def test_own_predictions_are_compared(here, tmp_path):
    truth = np.tile(["a", "b"], 20)
    table = pd.DataFrame({"clip_id": np.arange(40), "subject": np.arange(40) // 8, "truth": truth})
    table.assign(predicted=truth).to_csv(tmp_path / "ours.csv", index=False)
    table.assign(predicted=np.roll(truth, 1)).to_csv(tmp_path / "theirs.csv", index=False)
    code, told = here("compare_predictions", "theirs.csv", "ours.csv")
    assert code == 0
    assert "UF1 -1.000" in told
    assert "theirs, behind" in told
    assert "these clips cannot tell" in here("compare_predictions", "ours.csv", "ours.csv")[1]
    assert "simulated" not in told


def test_the_weights_that_ship_are_trained_on(run, tmp_path):
    told = run("fine_tune")
    before, after = map(float, re.search(r"test people: (\S+) as shipped, (\S+) fine-tuned", told).groups())
    assert 0.4 < before <= 1
    assert 0.4 < after <= 1
    tuned, shipped = (STAG.from_pretrained(m) for m in (tmp_path / "runs/fine-tuned", DEFAULT_MODEL))
    assert tuned.classes == shipped.classes
    assert not np.allclose(tuned.classifier.weight.detach().numpy(), shipped.classifier.weight.detach().numpy())


def test_classes_that_the_model_does_not_have_are_refused(here, tmp_path):
    simulate_motion(4, 4, scheme="paper5").save(tmp_path / "five.npz")
    code, _ = here("fine_tune", "five.npz")
    assert "five.npz: has the classes" in code
    assert "--scheme megc3" in code
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_one_sentence(here, name):
    files = ["nowhere.csv"] * 2 if name == "compare_predictions" else ["nowhere.npz"]
    code, told = here(name, *files)
    assert str(code).startswith("error: nowhere.")
    assert "\n" not in code
    assert "UF1" not in told
