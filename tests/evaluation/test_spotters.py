import pytest

from stag.errors import DatasetError
from stag.evaluation import spotters
from stag.evaluation.intervals import score_intervals
from stag.evaluation.spotters import CodedMotion, leave_one_subject_out
from stag.simulate.recording_motion import simulate_recording
from stag.spotting.score import Spotter


def coded(person, recording):
    made = simulate_recording(person, recording, seed=3, duration_s=60.0)
    return CodedMotion(f"{person}-{recording}", f"s{person}", made.motion, tuple(one for one, _ in made.seen))


def test_no_fold_learns_from_its_subject(monkeypatch):
    recordings = [coded(person, recording) for person in range(3) for recording in range(2)]
    learned, calibrated_on = [], []
    fit, alarms = spotters.fit_spotter, spotters._alarms
    names = {}
    lesson = spotters.lesson

    def named(motion, *rest):
        made = lesson(motion, *rest)
        names[id(made)] = next(one.subject for one in recordings if one.motion is motion)
        return made

    monkeypatch.setattr(spotters, "lesson", named)
    monkeypatch.setattr(
        spotters, "fit_spotter", lambda some, **how: (learned.append({names[id(x)] for x in some}), fit(some, **how))[1]
    )
    monkeypatch.setattr(
        spotters, "_alarms", lambda s, some: (calibrated_on.append({one.subject for one in some}), alarms(s, some))[1]
    )
    found = leave_one_subject_out(recordings, Spotter.load(), false_alarms=2.0, epochs=1)
    assert learned == calibrated_on == [{"s1", "s2"}, {"s0", "s2"}, {"s0", "s1"}]
    truth = [type(e)(**{**vars(e), "file": one.name}) for one in recordings for e in one.expressions]
    scores = score_intervals(truth, found, {one.name: one.subject for one in recordings})
    assert scores.f1("all") > 0.2
    with pytest.raises(DatasetError, match="at least two"):
        leave_one_subject_out(recordings[:2], Spotter.load(), false_alarms=1.0)
