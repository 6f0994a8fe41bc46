"""``stag score``, ``ablate``, ``audit``, ``reproduce`` and ``report`` from outside."""

import json

import numpy as np
import pandas as pd
import pytest

from stag.simulate.corpus import simulate_corpus
from stag.simulate.motion import simulate_motion
from synthetic import contents
from tiny import TINY

SMALL = [part for change in (*TINY, "train.epochs=1") for part in ("--set", change)]
FAST = ["--protocol", "gkf", "--folds", "2", "--preset", "quick", "--quiet", *SMALL]


@pytest.fixture(scope="module")
def motion(tmp_path_factory):
    path = tmp_path_factory.mktemp("studies") / "motion.npz"
    simulate_motion(4, 6, seed=1).save(path)
    return path


def test_predictions_made_elsewhere_are_scored(stag, tmp_path):
    rng = np.random.default_rng(0)
    names = np.array(["negative", "positive", "surprise"])
    truth = names[rng.integers(0, 3, 60)]
    table = pd.DataFrame(
        {
            "clip_id": [f"c{i}" for i in range(60)],
            "subject": [f"s{i % 6}" for i in range(60)],
            "truth": truth,
            "predicted": np.where(rng.random(60) < 0.7, truth, "negative"),
        }
    )
    table.to_csv(tmp_path / "theirs.csv", index=False)
    code, out, err = stag("score", tmp_path / "theirs.csv", "--out", tmp_path / "theirs.json")
    assert (code, err) == (0, "")
    found = json.loads((tmp_path / "theirs.json").read_text())
    assert found["pooled"]["war"] == pytest.approx((table["truth"] == table["predicted"]).mean())
    assert f"{found['pooled']['uf1']:.4f}".lstrip("0") in out

    table.drop(columns="truth").to_csv(tmp_path / "broken.csv", index=False)
    before = set(tmp_path.iterdir())
    code, out, err = stag("score", tmp_path / "broken.csv", "--out", tmp_path / "broken.json")
    assert (code, out) == (1, "")
    assert "truth" in err
    assert len(err.splitlines()) == 1
    assert set(tmp_path.iterdir()) == before


def test_another_method_is_evaluated_and_reads_no_settings(stag, motion, tmp_path):
    code, out, err = stag("evaluate", motion, "--method", "logistic", "--out", tmp_path / "run", "--quiet")
    assert (code, err) == (0, "")
    assert "logistic, pooled" in out
    found = json.loads((tmp_path / "run" / "result.json").read_text())
    assert found["run"]["method"] == "logistic"
    assert found["pooled"]["uf1"] == found["baselines"]["motion_logistic"]["uf1"]
    assert stag("report", tmp_path / "run")[0] == 0
    assert '<th scope="row">logistic' in (tmp_path / "run" / "report.html").read_text()
    for extra in (("--preset", "quick"), ("--au", "none"), ("--set", "train.epochs=1")):
        code, _, err = stag("evaluate", motion, "--method", "svm", *extra, "--out", tmp_path / "none")
        assert code == 2
        assert f"{extra[0]} has no effect with a --method that is not a network" in " ".join(err.split())


def test_a_network_is_evaluated_by_name_with_settings_and_a_wrong_name_is_corrected(stag, motion, tmp_path):
    code, out, err = stag("evaluate", motion, "--method", "tcn", "--au", "annotated", "--out", tmp_path / "run", *FAST)
    assert (code, err) == (0, "")
    assert "tcn, pooled" in out
    assert "AU source annotated" in out
    code, out, err = stag("evaluate", motion, "--method", "stgcn", "--preset", "quick", "--out", tmp_path / "none")
    assert (code, out) == (2, "")
    assert "did you mean 'st-gcn'?" in " ".join(err.split())
    assert not (tmp_path / "none").exists()


def test_an_ablation_is_made_resumed_reported_and_refused_when_stale(stag, motion, tmp_path):
    out = tmp_path / "ablation"
    code, text, err = stag("ablate", motion, "--only", "tta", "--out", out, *FAST)
    assert (code, err) == (0, "")
    assert "(simulated)" in text
    assert json.loads((out / "ablation.json").read_text())["rows"]
    before = contents(out)
    assert stag("ablate", motion, "--only", "tta", "--out", out, *FAST)[0] == 0
    assert contents(out) == before

    assert stag("report", out)[0] == 0
    assert "simulated" in (out / "report.html").read_text()

    code, _, err = stag("ablate", motion, "--only", "tta", "--out", out, *FAST, "--set", "train.lr=0.5")
    assert code == 1
    assert "lr" in err
    code, _, err = stag("ablate", motion, "--only", "beauty", "--out", tmp_path / "none", *FAST)
    assert code == 1
    assert "beauty" in err
    assert "architecture" in err
    assert not (tmp_path / "none").exists()


def test_an_audit_names_every_leak_and_other_data_is_refused(stag, motion, tmp_path):
    out = tmp_path / "audit"
    code, text, err = stag("audit", motion, "--out", out, *FAST)
    assert (code, err) == (0, "")
    found = json.loads((out / "audit.json").read_text())
    for row in found["rows"]:
        assert row["leak"] in text
        assert row["explanation"] in text
    assert stag("report", out, "--out", tmp_path / "audit.html")[0] == 0

    simulate_motion(4, 6, seed=2).save(tmp_path / "other.npz")
    code, _, err = stag("audit", tmp_path / "other.npz", "--out", out, *FAST)
    assert code == 1
    assert "data" in err
    assert json.loads((out / "audit.json").read_text()) == found


def test_a_table_is_reproduced_from_a_tree_and_says_what_is_missing(stag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = simulate_corpus(tmp_path / "name", subjects=4, clips=2, seed=3, fps=30)
    table = pd.read_csv(root / "manifest.csv", dtype=str)
    emotions = [("happiness", "surprise", "anger")[i % 3] for i in range(len(table))]
    table.assign(emotion=emotions).to_csv(root / "manifest.csv", index=False)
    fast = [*FAST, "--set", "motion.steps=5", "--set", "motion.flow=dis"]
    code, text, err = stag("reproduce", "table3", "--root", f"name={root}", *fast)
    assert (code, err) == (0, "")
    folder = tmp_path / "runs" / "table3"
    content = json.loads((folder / "table3.json").read_text())
    done = [row for row in content["rows"] if row["measured"]]
    assert done
    assert all(row["labels"]["data set"] == "NaME" for row in done)
    assert content["missing"] == ["fourdme", "smic", "dfme"]
    assert "simulated" in text
    assert {path.suffix for path in folder.glob("table3.*")} == {".json", ".csv", ".tex", ".html"}
    before = contents(folder)
    assert stag("reproduce", "table3", "--root", f"name={root}", *fast)[0] == 0
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("table99",), "table99"),
        (("table5",), "samm"),
        (("table5", "--root", "sam=x"), "sam"),
        (("table5", "--root", "samm=nowhere"), "nowhere"),
        (("table5", "--motion", "samm=nothing.npz"), "nothing.npz"),
    ],
)
def test_what_cannot_be_reproduced_is_one_sentence(stag, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    code, _, err = stag("reproduce", *arguments, *FAST)
    assert code == 1
    assert says in err
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()
