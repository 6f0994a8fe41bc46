import numpy as np
import pytest

from stag.errors import FaceNotFound, VideoError
from stag.facs import AU_VOCABULARY
from stag.motion.recording import averaged, measure_recording
from stag.motion.regions import pool_static
from stag.simulate.actions import action_fields, forward_flow, on_pixels
from stag.spotting.sensitivity import Planted, planted_frames
from stag.types import Frame


def test_a_planted_movement_is_measured_where_and_when_it_is(still):
    frames, clip = still
    (before,) = measure_recording(frames, clip, "still")
    fields = action_fields(before.points, (4,))
    planted = [Planted(1.0, (4,), 2.0)]
    (after,) = measure_recording(planted_frames(frames, before, fields, planted), clip, "planted")
    moved = after.motion - before.motion
    outside = (after.time_s < 1.0) | (after.time_s > 1.45)
    assert np.abs(moved[outside]).max() < 0.2
    amount = np.zeros((len(AU_VOCABULARY), 2))
    amount[AU_VOCABULARY.index(4)] = 2.0
    truth = pool_static(on_pixels(forward_flow(fields.combine(amount))), before.points)
    at = int(np.argmin(np.abs(after.time_s - 1.2)))
    brows = list(range(8))
    assert np.corrcoef(moved[at, brows].ravel(), truth[brows].ravel())[0, 1] > 0.9
    assert np.abs(moved[at, brows] - truth[brows]).mean() < 0.4


def test_a_still_face_stays_where_it_is_when_the_reference_is_renewed(still, monkeypatch):
    frames, clip = still
    monkeypatch.setattr("stag.motion.recording.RENEWAL_S", 0.5)
    (motion,) = measure_recording(frames, clip, "still")
    assert np.abs(motion.motion).max() < 0.35
    assert len(motion.stretches()) == 1
    assert motion.measured_s == pytest.approx(89 / 30)


def test_a_face_that_leaves_ends_a_stretch(still):
    frames, clip = still
    blank = np.full_like(frames[0].image, 128)
    gone = [Frame(blank, f.time_s) if 1.0 <= f.time_s < 1.9 else f for f in frames]

    class Seeing:
        def detect(self, image):
            return [] if image.std() < 5 else clip.detect(image)

    (motion,) = measure_recording(gone, Seeing(), "leaves")
    assert len(motion.stretches()) == 2
    assert not ((motion.time_s >= 1.0) & (motion.time_s < 1.9)).any()
    assert len(motion.to_crop) == 2
    with pytest.raises(FaceNotFound, match="no face found"):
        measure_recording([Frame(blank, i / 30) for i in range(5)], Seeing(), "blank")
    with pytest.raises(VideoError, match="at least 3"):
        measure_recording(frames[:2], clip, "short")


def test_fast_cameras_are_averaged_and_slow_ones_are_not():
    def rate(fps):
        image = np.zeros((4, 4), np.uint8)
        return len(list(averaged([Frame(image, i / fps) for i in range(round(fps))])))

    assert [rate(fps) for fps in (25, 30, 60)] == [25, 30, 60]
    assert all(45 <= rate(fps) <= 75 for fps in (100, 120, 200, 240, 500))
    pair = [Frame(np.full((2, 2), value, np.uint8), at) for value, at in ((10, 0.0), (20, 0.005))]
    (mean,) = averaged(pair)
    assert (mean.image == 15).all()
    assert mean.time_s == pytest.approx(0.0025)
