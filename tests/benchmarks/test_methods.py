"""The comparison of methods: every method in one table, paired with STAG, with sizes that can be counted by hand."""

import sys

import pandas as pd
import pytest

from benchmarks.__main__ import main
from benchmarks.methods import MethodScore, methods_table, network_costs
from stag.config import Config
from stag.studies.study import paired_difference
from stag.utils.choices import METHODS, NETWORK_NAMES
from synthetic import synthetic_motion
from tiny import TINY


def test_every_method_stands_in_one_table_beside_stag(tmp_path, monkeypatch, capsys):
    settings = [text for change in (*TINY, "train.epochs=1") for text in ("--set", change)]
    size = ["--people", "3", "--clips", "12", "--seeds", "1", "--device", "cpu", "--jobs", "1"]
    monkeypatch.setattr("benchmarks.methods._SECONDS", 0.0)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "methods", "--out", str(tmp_path), *size, *settings])
    main()
    table = pd.read_csv(tmp_path / "methods.csv").set_index("method")
    assert list(table.index) == list(METHODS)
    assert table["simulated"].all()
    assert table.loc["au-only", "au_source"] == "annotated"
    assert table.loc[list(NETWORK_NAMES), ["parameters", "flops", "ms_per_clip"]].notna().all(axis=None)
    assert table.drop(index=list(NETWORK_NAMES))[["parameters", "flops", "ms_per_clip"]].isna().all(axis=None)
    runs = {name: pd.read_csv(tmp_path / "methods" / name / "predictions.csv") for name in ("stag", "gru")}
    classes = [name.removeprefix("p_") for name in runs["stag"].columns if name.startswith("p_")]
    gap = paired_difference(runs["gru"], runs["stag"], classes)["uf1"]
    found = table.loc["gru", ["difference", "difference_low", "difference_high"]].tolist()
    assert found == pytest.approx([gap.value, *gap.ends])
    assert table.loc["gru", "difference"] == pytest.approx(table.loc["gru", "uf1"] - table.loc["stag", "uf1"], abs=1e-5)
    text = (tmp_path / "methods.md").read_text()
    assert text.startswith("*simulated*: 12 clips of 3 people, scheme megc3, loso, 1 seed, preset default")
    assert all(f"| {name} |" in text for name in METHODS)
    assert "simulated" in capsys.readouterr().out


def test_parameters_and_operations_are_those_counted_by_hand(monkeypatch):
    monkeypatch.setattr("benchmarks.methods._SECONDS", 0.0)
    motion = synthetic_motion(2, 3, steps=4)
    config = Config().override(["model.transformer_dim=8", "model.au_embed_dim=4"])
    costs = network_costs(["gru"], motion, config)
    units = motion.action_units.shape[1]
    network = 36 * 24 + 24 + 8 * 24 + 24
    steps = 36 * units + units
    heads = 9 * units + units + (9 + 4) * 3 + 3 + units * 4 + 4 + 4 * 4 + 4 + 4
    assert costs["gru"].parameters == network + steps + heads
    assert costs["gru"].flops == 2 * (4 * (36 * 24 + 8 * 24 + 36 * units) + 9 * units + 13 * 3)
    assert costs["gru"].ms_per_clip > 0


def test_the_table_is_sorted_by_score_and_says_what_is_missing():
    rows = [
        MethodScore(method="stag", au_source="none", uf1=0.5, ci95=(0.4, 0.6)),
        MethodScore(
            method="svm", au_source="none", uf1=0.75, ci95=None, difference=0.25, difference_ci95=(0.125, 0.375)
        ),
    ]
    lines = methods_table(rows, "2 clips").splitlines()
    assert "*simulated*: 2 clips." in lines[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[-2:]]
    assert [row[0] for row in cells] == ["svm", "stag"]
    assert cells[0][3:6] == ["0.750", "+0.250 [0.125, 0.375]", ""]
    assert cells[1][3:5] == ["0.500 [0.400, 0.600]", ""]
