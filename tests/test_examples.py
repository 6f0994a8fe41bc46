"""The examples as a reader starts them: offline, in an empty folder, and with files of their own."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

import stag
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


def test_a_clip_is_predicted_and_explained(tmp_path):
    """In a process of its own, as a reader starts it."""
    command = [sys.executable, str(EXAMPLES / "own_clip.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "simulated" in done.stdout
    assert "Prediction(positive" in done.stdout
    assert re.search(r"by Integrated Gradients.*\n(mouth|(left|right) mouth corner) ", done.stdout)
    made = tmp_path / "runs/own-clip"
    assert all((made / name).read_bytes()[:4] == b"\x89PNG" for name in ("motion.png", "explanation.png"))
    report = (made / "report.html").read_text(encoding="utf-8")
    assert "simulated motion only" in report
    assert "Why positive" in report


def test_an_evaluation_tells_the_scores_of_its_run_folder(run, tmp_path):
    told = run("evaluate_motion_file")
    result = json.loads((tmp_path / "runs/evaluate-motion-file/result.json").read_text())
    assert (result["protocol"], result["au_source"], result["simulated"]) == ("loso", "none", True)
    scores = dict(re.findall(r"^(\w+) +UF1 (\d\.\d+) .*simulated", told, re.MULTILINE))
    wanted = {"STAG": result["pooled"]["uf1"], **{name: s["uf1"] for name, s in result["baselines"].items()}}
    assert scores == {name: f"{uf1:.3f}" for name, uf1 in wanted.items()}
    assert (tmp_path / "runs/evaluate-motion-file/report.html").exists()


def test_a_model_is_ahead_of_a_guess(run, tmp_path):
    told = run("compare_predictions")
    ours, theirs, difference, low, _ = map(float, re.search(r"^uf1 +(.*)$", told, re.MULTILINE)[1].split())
    assert difference == pytest.approx(ours - theirs, abs=2e-3)
    assert low > 0
    assert "model against guess, by UF1: ahead" in told
    assert list(tmp_path.iterdir()) == []


def test_own_predictions_are_compared(here, tmp_path):
    truth = np.tile(["a", "b"], 20)
    table = pd.DataFrame({"clip_id": np.arange(40), "subject": np.arange(40) // 8, "truth": truth})
    table.assign(predicted=truth).to_csv(tmp_path / "ours.csv", index=False)
    table.assign(predicted=np.roll(truth, 1)).to_csv(tmp_path / "theirs.csv", index=False)
    code, told = here("compare_predictions", "theirs.csv", "ours.csv")
    assert code == 0
    assert re.search(r"^uf1 +0.0 +1.0 +-1.0 ", told, re.MULTILINE)
    assert "theirs against ours, by UF1: behind" in told
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
    assert "is not among the classes ['negative', 'positive', 'surprise'] of the model" in code
    assert "`scheme`" in code
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_one_sentence(here, name):
    files = ["nowhere.csv"] * 2 if name == "compare_predictions" else ["nowhere.npz"]
    code, told = here(name, *files)
    assert str(code).startswith("error: nowhere.")
    assert "\n" not in code
    assert "UF1" not in told


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["own_clip", "own_data_set"])
def test_a_notebook_runs_and_shows_its_results(name, tmp_path):
    """In a kernel of its own, in an empty folder."""
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = {kind for cell in notebook.cells for out in cell.get("outputs", []) for kind in out.get("data", {})}
    assert {"image/png", "text/html"} <= shown
    imported = {line.split()[1] for cell in notebook.cells for line in cell.source.splitlines() if "import" in line}
    assert {module for module in imported if module.startswith("stag")} == {"stag"}


def test_examples_need_nothing_but_the_public_names():
    for path in EXAMPLES.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "from stag" not in text
        assert set(re.findall(r"\bstag\.(\w+)\.?", re.sub(r'""".*?"""', "", text, flags=re.DOTALL))) <= set(
            stag.__all__
        )
