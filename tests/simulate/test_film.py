"""A simulated clip in memory: repeatable, still at first, and true to its script."""

import numpy as np
import pytest

from stag.config import MotionConfig
from stag.motion.clip import extract_clip
from stag.motion.transforms import motion_at
from stag.simulate.film import film_clip
from stag.simulate.settings import SimulationSettings


@pytest.fixture(scope="module")
def clip():
    return film_clip("surprise", settings=SimulationSettings(strength_px=1.5, blink_share=0))


def test_the_same_arguments_give_the_same_frames_and_others_do_not(clip):
    again = film_clip("surprise", settings=SimulationSettings(strength_px=1.5, blink_share=0))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(clip.frames, again.frames, strict=True))
    other = film_clip("surprise", clip=1)
    assert not np.array_equal(other.frames[0].image, clip.frames[0].image)


def test_truth_belongs_to_the_frames(clip):
    assert clip.motion.shape == (len(clip.frames), 18, 2)
    assert not clip.motion[0].any()
    assert np.abs(clip.motion).max() > 0.2
    assert [frame.time_s for frame in clip.frames] == pytest.approx(np.arange(len(clip.frames)) / 100)
    (face,) = clip.detect(clip.frames[0].image)
    assert face.points == pytest.approx(clip.truth.landmarks[0])
    assert "surprise" in repr(clip)


def test_extraction_finds_the_motion_that_was_put_in(clip):
    (tensor,) = extract_clip(clip.frames, clip, MotionConfig(), "clip", every_face=False, pictures=False)
    truth = motion_at(tensor.frame_index, clip.motion)
    moving = np.hypot(truth[..., 0], truth[..., 1]) > 0.1
    assert np.corrcoef(tensor.motion[moving].ravel(), truth[moving].ravel())[0, 1] > 0.9


@pytest.mark.parametrize("person", [0, 1, 2])
def test_alignment_does_not_take_natural_movement_for_the_head(person):
    settings = SimulationSettings(strength_px=0.5, blink_share=0, natural_px=2)
    clip = film_clip("surprise", person=person, settings=settings)
    (tensor,) = extract_clip(clip.frames, clip, MotionConfig(), "clip", every_face=False, pictures=False)
    truth = motion_at(tensor.frame_index, clip.motion)
    assert np.std(truth) > 0.3
    assert np.std(tensor.motion - truth) < 0.5 * np.std(truth)
