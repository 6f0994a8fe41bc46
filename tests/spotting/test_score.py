from itertools import pairwise

import numpy as np
import pytest

from stag.errors import ConfigError, ModelError
from stag.evaluation.intervals import score_intervals
from stag.simulate.recording_motion import simulate_recording
from stag.spotting.fit import fit_spotter, lesson
from stag.spotting.rules import spot_by_rules
from stag.spotting.score import KINDS, Spotter, SpotterNet, calibrated


@pytest.fixture(scope="module")
def unseen():
    """Recordings of six people whom training has not seen."""
    return {f"p{person}": simulate_recording(person, seed=5, duration_s=60.0) for person in range(900, 906)}


def test_the_shipped_spotter_beats_the_rules_on_people_it_has_not_seen(unseen):
    spotter = Spotter.load()
    truth = [one for made in unseen.values() for one, _ in made.seen]
    names = {made.script.expressions[0].file: name for name, made in unseen.items()}
    recordings = dict.fromkeys(names, "")

    def f1(spot):
        spotted = [one for file, name in names.items() for one in spot(unseen[name].motion, file)]
        return score_intervals(truth, spotted, recordings).f1("all")

    assert f1(lambda motion, file: spotter.spot(motion, file).expressions) > 2 * f1(spot_by_rules)


def test_fewer_false_alarms_mean_fewer_of_the_same_intervals(unseen):
    spotter = Spotter.load()
    motion = unseen["p900"].motion
    few, many = (spotter.spot(motion, false_alarms=rate).expressions for rate in (0.2, 5.0))
    assert {one.onset_s for one in few} <= {one.onset_s for one in many}
    for one, other in pairwise(many):
        assert one.overlap(other) < 0.2
        assert one.onset_s <= one.apex_s <= one.offset_s
    with pytest.raises(ConfigError, match="false_alarms"):
        spotter.threshold(0)


def test_calibration_counts():
    scores = np.random.default_rng(0).random(400)
    for rate, threshold in calibrated(scores.tolist(), 40.0):
        assert (scores > threshold).sum() == int(rate * 40)


def test_a_spotter_learns_from_lessons_and_is_read_back(tmp_path, unseen):
    generator = np.random.default_rng(0)
    lessons = [lesson(m.motion, m.script.expressions, m.script.events, generator) for m in unseen.values()]
    kinds = np.concatenate([one.kind for one in lessons])
    shifts = np.concatenate([one.shift for one in lessons])
    assert set(np.unique(kinds)) <= set(range(len(KINDS)))
    assert (np.isfinite(shifts).all(axis=1) == (kinds < 2)).all()
    net = fit_spotter(lessons, epochs=3)
    spotter = Spotter(net, [(0.1, 0.9), (10.0, 0.1)], {"simulated": True})
    spotter.save(tmp_path)
    again = Spotter.load(tmp_path)
    motion = unseen["p901"].motion
    scores = [[one.score for one in s.all_answers(motion)[0]] for s in (spotter, again)]
    assert scores[1] == pytest.approx(scores[0], abs=0.02)  # weights are kept in half precision
    assert again.card["simulated"]
    (tmp_path / "spotter.json").write_text("{}")
    with pytest.raises(ModelError, match="not a spotter"):
        Spotter.load(tmp_path)


def test_the_untrained_network_has_the_right_shapes():
    from torch import zeros

    from stag.spotting.describe import FEATURES

    logits, shift = SpotterNet()(zeros(4, FEATURES))
    assert logits.shape == (4, len(KINDS))
    assert shift.shape == (4, 3)


def test_coded_intervals_are_recognised_where_the_face_is_in_view(unseen):
    from types import SimpleNamespace

    from stag.inference.predictor import Predictor
    from stag.spotting.recognise import timeline
    from stag.types import Interval

    motion = unseen["p902"].motion
    here = float(motion.time_s[motion.stretches()[0].start]) + 0.5
    coded = [
        Interval(file="coded.mp4", onset_s=here, offset_s=here + 0.4, kind="micro"),
        Interval(file="coded.mp4", onset_s=motion.duration_s + 5, offset_s=motion.duration_s + 6, kind="macro"),
        Interval(file="coded.mp4", onset_s=here, offset_s=here + 0.4, kind="micro", face_id=7),
    ]
    face = timeline(motion, "a.mp4", Spotter.load(), Predictor(detector=SimpleNamespace()), coded=coded)
    (one,) = face.expressions
    assert (one.interval.file, one.interval.onset_s, one.interval.face_id) == ("a.mp4", here, 0)
    assert one.prediction.start_s == pytest.approx(here, abs=0.05)
