"""What calibration error and coverage mean, and what a record of clips held out says in words."""

import numpy as np
import pytest

from stag.evaluation.reliability import calibration_error, coverage
from stag.model.held_out import HeldOut


def test_a_calibrated_forecaster_has_no_error_and_a_boaster_has_his_boast():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1.0, 40_000)
    right = rng.random(40_000) < confidence
    assert calibration_error(confidence, right) < 0.01
    assert calibration_error(np.ones(40_000), right) == pytest.approx(0.25, abs=0.01)
    errors = [level.wrong for level in coverage(confidence, right)]
    assert errors == sorted(errors, reverse=True)
    assert coverage(confidence, right)[0].answered == 1


def test_the_record_says_which_classes_are_one_and_where_silence_begins():
    held = HeldOut(
        clips=100,
        uf1=0.5,
        calibration_error=0.02,
        confusion={
            "a": {"a": 0.5, "b": 0.5, "c": 0.0},
            "b": {"a": 0.4, "b": 0.6, "c": 0.0},
            "c": {"a": 0.1, "b": 0.0, "c": 0.9},
        },
        coverage=((0.0, 1.0, 0.4), (0.8, 0.3, 0.08), (0.9, 0.1, 0.01)),
        units={1: 0.95, 12: 0.8, 7: 0.6},
        unit_calibration_error=0.01,
    )
    assert held.told_apart()["a", "b"] == pytest.approx(0.55)
    assert held.silent_below == 0.8
    said = dict(held.rows())
    assert said["  cannot tell apart"] == "a and b (the right one in 55%)"
    assert "hardly 7" in said["  action units"]
    assert HeldOut.of({"held_out": held.model_dump(mode="json")}) == held
    assert HeldOut.of({"held_out": {"clips": "many"}}) is None
