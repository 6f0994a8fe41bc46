"""The benchmark's numbers, against arrays whose answer is known and one clip measured for real."""

import numpy as np
import pytest

from benchmarks.motion import compare
from benchmarks.variants import Variant, measure_clip
from stag.bench.clips import ClipSpec
from stag.bench.rows import markdown


def test_compare_tells_gain_error_and_false_motion():
    truth = np.zeros((1, 4, 2))
    truth[0, :2] = [(1.0, -0.5), (0.02, 0.4)]
    motion = 0.8 * truth
    motion[0, 2:] = [(0.03, 0.04), (0.0, 0.0)]
    row = compare(motion, truth, "apex_")
    assert row["apex_gain"] == pytest.approx(0.8)
    assert row["apex_correlation"] == pytest.approx(1.0)
    assert row["apex_rmse_px"] == pytest.approx(0.2 * np.sqrt((1 + 0.25 + 0.16) / 3))
    assert row["apex_relative"] == pytest.approx(0.2)
    assert row["apex_false_px"] == pytest.approx(np.sqrt(0.0025 / 4))


def test_a_still_truth_has_false_motion_only():
    row = compare(np.full((2, 18, 2), 0.1), np.zeros((2, 18, 2)))
    assert row["false_px"] == pytest.approx(0.1)
    assert all(np.isnan(row[key]) for key in ("correlation", "gain", "rmse_px"))


def test_tracking_beats_the_source_scheme_when_the_head_sways():
    spec = ClipSpec(0, 40.0, (4, 9), 1.0, fps=30.0)
    ways = (Variant("ours", true_face=True), Variant("source", tracker="source", true_face=True))
    ours, source = (compare(m.motion[m.apex], m.truth[m.apex]) for m in measure_clip(spec, (1.0,), ways))
    assert ours["rmse_px"] < 0.5 * source["rmse_px"]
    assert ours["correlation"] > 0.9


def test_markdown_leaves_blank_what_is_missing():
    text = markdown([{"a": 1, "b": float("nan")}], (("a", "A"), ("b", "B"), ("c", "C")))
    assert text.splitlines()[-1] == "| 1 |  |  |"
