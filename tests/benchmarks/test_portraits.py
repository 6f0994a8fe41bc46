"""The benchmark over photographs: a known face is found and measured, and a folder without photographs is refused."""

import sys

import cv2
import pytest

from benchmarks.__main__ import main
from benchmarks.portraits import finding_rows, portrait_paths
from stag.errors import StagError
from stag.simulate.face import astronaut


def test_a_photograph_is_found_and_measured(tmp_path, monkeypatch, capsys):
    cv2.imwrite(str(tmp_path / "one.png"), astronaut().image[20:240, 120:330])
    monkeypatch.setattr("benchmarks.portraits._WIDTHS", (100,))
    monkeypatch.setattr("benchmarks.portraits._POSES", ((100, 30.0, 0.0),))
    for row in finding_rows(portrait_paths(tmp_path)):
        assert (row["found"], row["others"], row["frames followed"], row["usable"]) == ("1 of 1", 0, "10 of 10", 1)
    given = ["portraits", "--quick", "--portraits", str(tmp_path), "--out", str(tmp_path), "--jobs", "1"]
    monkeypatch.setattr(sys, "argv", ["benchmarks", *given])
    main()
    assert "AU 2" in (tmp_path / "portraits.md").read_text()
    assert "simulated" in capsys.readouterr().out


def test_a_folder_without_photographs_is_refused(tmp_path):
    with pytest.raises(StagError, match=r"contains no \.jpg or \.png"):
        portrait_paths(tmp_path)
