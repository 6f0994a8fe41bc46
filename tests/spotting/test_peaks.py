import numpy as np
import pytest

from stag.motion.transforms import mirror_order
from stag.simulate.recording_motion import simulate_recording
from stag.spotting.describe import FEATURES, describe, mirrored
from stag.spotting.peaks import candidates, courses, rise_and_fall
from stag.spotting.rules import empirical_modes, spot_by_rules, spot_by_threshold
from stag.types import Interval, RecordingMotion


def recording(bump_s=(2.0, 2.2, 2.4), height=3.0, fps=50.0, length_s=6.0):
    """Noise with one rise and fall of the brows."""
    generator = np.random.default_rng(0)
    time_s = np.arange(int(length_s * fps)) / fps
    motion = 0.05 * generator.standard_normal((len(time_s), 18, 2))
    bump = np.interp(time_s, bump_s, [0, height, 0])
    motion[:, :8, 1] -= bump[:, None]
    zeros = np.zeros(len(time_s), np.float32)
    return RecordingMotion(
        time_s=time_s, motion=motion.astype(np.float32), stretch=np.zeros(len(time_s), np.int64),
        head=np.zeros((len(time_s), 4), np.float32), turn_deg=zeros, eyes=zeros, duration_s=length_s,
    )  # fmt: skip


def test_rise_and_fall_is_a_second_difference():
    motion = np.random.default_rng(0).standard_normal((20, 18, 2))
    found = rise_and_fall(motion, 3)
    for t in range(3, 17):
        assert found[t] == pytest.approx(motion[t] - 0.5 * (motion[t - 3] + motion[t + 3]))


def test_the_highest_candidate_is_the_bump():
    (course,) = courses(recording())
    best = max(candidates(course), key=lambda c: c.height)
    times = [float(course.time_s(row)) for row in (best.onset, best.apex, best.offset)]
    assert times == pytest.approx([2.0, 2.2, 2.4], abs=0.06)


def test_candidates_do_not_depend_on_the_units_of_motion():
    weak, strong = (courses(recording(height=h)) for h in (1.0, 1.0))
    strong[0].motion[:] *= 4
    assert [(c.onset, c.offset) for c in candidates(weak[0])] == [(c.onset, c.offset) for c in candidates(strong[0])]


def test_features_of_a_mirrored_recording_are_the_mirrored_features():
    made = simulate_recording(3, duration_s=20.0).motion
    order = list(mirror_order("roi18"))
    flipped = RecordingMotion(
        **{**vars(made), "motion": made.motion[:, order] * np.array([-1, 1], np.float32),
           "head": made.head * np.array([-1, 1, -1, 1], np.float32)}
    )  # fmt: skip
    for course, other in zip(courses(made), courses(flipped), strict=True):
        found = candidates(course)
        features = describe(course, found)
        assert features.shape == (len(found), FEATURES)
        np.testing.assert_allclose(mirrored(features), describe(other, found), atol=1e-4)


def test_modes_sum_to_the_signal():
    signal = np.cumsum(np.random.default_rng(0).standard_normal(200))
    modes = empirical_modes(signal)
    assert len(modes) > 2
    np.testing.assert_allclose(sum(modes), signal, atol=1e-9)
    crossings = [np.count_nonzero(np.diff(np.sign(mode - mode.mean()))) for mode in modes]
    assert crossings == sorted(crossings, reverse=True)


@pytest.mark.parametrize("spot", [spot_by_rules, spot_by_threshold])
def test_rules_find_a_strong_movement_and_nothing_in_noise(spot):
    strong = recording(bump_s=(2.0, 2.3, 2.6), height=6.0)
    truth = Interval(file="", onset_s=2.0, offset_s=2.6)
    assert [one.overlap(truth) > 0.5 for one in spot(strong)] == [True]
    assert spot(recording(height=0.0)) == []
