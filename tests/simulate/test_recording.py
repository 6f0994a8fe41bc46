from itertools import pairwise

import numpy as np
import pytest

from stag.simulate.recording import MACRO_S, MICRO_S, Movement
from stag.simulate.recording_motion import simulate_recording


@pytest.fixture(scope="module")
def made():
    return [simulate_recording(person, duration_s=60.0) for person in range(8)]


def test_equal_arguments_give_equal_recordings(made):
    again = simulate_recording(2, duration_s=60.0)
    assert again.motion.motion.tobytes() == made[2].motion.motion.tobytes()
    assert again.script.expressions == made[2].script.expressions
    assert simulate_recording(2, 1, duration_s=60.0).script.expressions != made[2].script.expressions


def test_kinds_are_lengths_and_expressions_do_not_overlap(made):
    for one in made:
        for e in one.script.expressions:
            length = e.offset_s - e.onset_s
            assert length <= MICRO_S + 1e-9 if e.kind == "micro" else MICRO_S < length <= MACRO_S
            assert e.onset_s < e.apex_s < e.offset_s
        ends = [(e.onset_s, e.offset_s) for e in one.script.expressions]
        assert all(b < c for (_, b), (c, _) in pairwise(ends))
    assert {e.kind for one in made for e in one.script.expressions} == {"micro", "macro"}


def test_the_face_moves_when_the_script_says_so(made):
    script = made[1].script
    time_s = np.arange(0, 60, 0.02)
    amounts = script.amounts(time_s)
    for e, px in zip(script.expressions, script.strength_px, strict=True):
        inside = (time_s >= e.onset_s) & (time_s <= e.offset_s)
        assert amounts[inside].max() > 0.5 * px
    level = Movement(1.0, 0.2, 0.1, 0.2, ()).level(time_s)
    assert level.max() == pytest.approx(1)
    assert (level[(time_s < 1.0) | (time_s > 1.5)] == 0).all()


def test_without_expressions_everything_else_goes_on():
    quiet = simulate_recording(1, duration_s=60.0, expressions=False)
    assert quiet.script.expressions == quiet.seen == []
    assert {"blink", "gaze"} <= {e.kind for e in quiet.script.events}
    assert np.isfinite(quiet.motion.motion).all()


def test_only_expressions_in_view_count(made):
    for one in made:
        for e, _ in one.seen:
            rows = (one.motion.time_s >= e.onset_s) & (one.motion.time_s <= e.offset_s)
            assert len(np.unique(one.motion.stretch[rows])) == 1
