"""The public result of an evaluation, and the comparison of two."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import stag
from stag.errors import DatasetError, RunError
from stag.evaluation.evaluate import evaluate
from stag.studies.study import paired_difference

QUICK = stag.Config.preset("quick").override(["train.epochs=1"])


def test_a_result_is_that_of_the_room_below_and_shows_itself(tmp_path):
    motion = stag.simulate_motion(3, 3, seed=1)
    result = stag.evaluate(motion, QUICK, out=tmp_path / "a", baselines=False)
    below = evaluate(motion, QUICK, out=tmp_path / "b", baselines=False)
    assert result.json == below.json
    pd.testing.assert_frame_equal(result.predictions, below.predictions)
    assert "\n" not in repr(result)
    assert isinstance(result.plot_confusion(), Figure)
    result.report(tmp_path / "page.html")
    assert "leave one subject out" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert stag.evaluate.__doc__ == evaluate.__doc__


def test_two_methods_are_compared_by_file_or_result(tmp_path):
    motion = stag.simulate_motion(3, 3, seed=1)
    ours = stag.evaluate(motion, QUICK, out=tmp_path / "ours", baselines=False)
    right = ours.predictions.assign(predicted=ours.predictions["truth"])
    right.to_csv(tmp_path / "right.csv", index=False)
    table = stag.compare(tmp_path / "right.csv", ours)
    assert list(table.index) == ["uf1", "uar", "war"]
    np.testing.assert_allclose(table["ours"], 1)
    np.testing.assert_allclose(table["theirs"], [ours.json["pooled"][name] for name in table.index], atol=1e-5)
    np.testing.assert_allclose(table["difference"], table["ours"] - table["theirs"], atol=1e-5)
    assert (table["low"] <= table["difference"]).all()
    classes = ["negative", "positive", "surprise"]
    low, high = paired_difference(right, ours.predictions, classes)["uar"].ci95
    assert table.loc["uar", ["low", "high"]].tolist() == [low, high]


def test_files_that_cannot_be_compared_are_refused(tmp_path):
    rows = pd.DataFrame(
        {"clip_id": range(4), "subject": [0, 0, 1, 1], "truth": list("abab"), "predicted": list("abab")}
    )
    rows.to_csv(tmp_path / "four.csv", index=False)
    rows.head(3).to_csv(tmp_path / "three.csv", index=False)
    with pytest.raises(RunError, match="in one of the two runs only"):
        stag.compare(tmp_path / "four.csv", tmp_path / "three.csv")
    with pytest.raises(DatasetError, match=r"nowhere\.csv"):
        stag.compare("nowhere.csv", tmp_path / "four.csv")
