"""A head that turns out of the picture plane is followed, its turn is told, and only a far turn is flagged."""

import numpy as np
import pytest

from benchmarks.degrade import FILMS
from stag.bench.clips import ClipSpec, render, true_face
from stag.config import MotionConfig
from stag.motion.clip import extract_clip
from stag.types import Frame

FPS = 60.0


class Known:
    def __init__(self, face):
        self.face = face

    def detect(self, image):
        return [self.face]


def measured(film, turn_deg, units=(12,), strength_px=0.0, end_s=1.0):
    spec = ClipSpec(0, 64.0, units, strength_px, sway=False, turn_deg=turn_deg, fps=FPS, end_s=end_s)
    clip = render(spec)
    images = FILMS[film](clip.clean, FPS, np.random.default_rng(0))
    frames = [Frame(image, float(t)) for image, t in zip(images, clip.time_s, strict=True)]
    (tensor,) = extract_clip(frames, Known(true_face(clip)), MotionConfig(), film)
    pose = clip.renderer.script.pose(clip.renderer.script.time_s)[:, 4:]
    return tensor, clip, (pose - pose[0])[np.rint(tensor.frame_index).astype(int)]


@pytest.mark.parametrize("turn_deg", [(5.0, 0.0), (0.0, 5.0), (-7.0, 7.0)])
def test_a_turn_of_a_still_face_is_hardly_motion_and_is_told(turn_deg):
    """Without the turn taken off it would be .7 px at 5 degrees."""
    tensor, _, truth = measured("full quality", turn_deg)
    assert np.sqrt(np.square(tensor.motion).mean()) < 0.035 * np.hypot(*turn_deg)
    np.testing.assert_allclose(tensor.head_deg[:, :2], truth, atol=0.8)
    assert "head turned" not in tensor.flags


def test_an_expression_survives_a_turn():
    tensor, clip, _ = measured("full quality", (4.0, 4.0), units=(1, 2), strength_px=1.0, end_s=0.365)
    truth = clip.motion[np.rint(tensor.frame_index).astype(int)]
    assert np.corrcoef(tensor.motion.ravel(), truth.ravel())[0, 1] > 0.93


@pytest.mark.parametrize("film", ["full quality", "MJPEG, default", "MPEG-4, default", "exposure x 2.5"])
def test_what_a_camera_does_is_no_turn(film):
    tensor, *_ = measured(film, (0.0, 0.0))
    assert "head turned" not in tensor.flags
    assert np.abs(tensor.head_deg).max() < (1 if film == "full quality" else 4)


@pytest.mark.parametrize("turn_deg", [(22.0, 0.0), (0.0, 22.0)])
def test_a_far_turn_is_flagged(turn_deg):
    assert "head turned" in measured("full quality", turn_deg)[0].flags
