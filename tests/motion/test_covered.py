"""A mask or sunglasses are told, and nothing that faces usually wear, are lit by, or do."""

import cv2
import numpy as np
import pytest

from benchmarks.degrade import FILMS
from stag.bench.clips import ClipSpec, render, true_face
from stag.config import MotionConfig
from stag.inference.predictor import Predictor
from stag.motion.clip import extract_clip
from stag.motion.recording import measure_recording
from stag.spotting.recognise import interval_motion
from stag.types import NOT_MEASURABLE, Frame, Interval

FPS = 100.0


class Known:
    """Finds the landmarks where they were before the face was covered, as the detector does on most masks."""

    def __init__(self, face):
        self.face = face

    def detect(self, image):
        return [self.face]


def surgical(image, points, eyes_px, grey):
    outline = np.concatenate([points[2:15], points[29:30]])
    cv2.fillPoly(image, [np.round(outline).astype(np.int32)], grey, cv2.LINE_AA)


def pleated(image, points, eyes_px, grey):
    surgical(image, points, eyes_px, grey)
    for shift in (-0.2, 0.1, 0.4):
        left, right = (tuple(np.round(points[i] + [0, shift * eyes_px]).astype(int).tolist()) for i in (48, 54))
        cv2.line(image, left, right, 0.8 * grey, 1, cv2.LINE_AA)


def lenses(image, points, eyes_px, grey, thickness=-1):
    for eye in (points[36:42], points[42:48]):
        middle = tuple(np.round(eye.mean(axis=0) + np.array([0, 0.06 * eyes_px])).astype(int).tolist())
        cv2.ellipse(image, middle, (int(0.5 * eyes_px), int(0.4 * eyes_px)), 0, 0, 360, grey, thickness, cv2.LINE_AA)


def clear_glasses(image, points, eyes_px, grey):
    lenses(image, points, eyes_px, grey, thickness=2)


def tinted(image, points, eyes_px, share):
    dark = image * share
    mask = np.zeros_like(image)
    lenses(mask, points, eyes_px, 1.0)
    image[:] = image * (1 - mask) + dark * mask


def frames_of(clip, draw, *args):
    images = []
    for clean in clip.clean:
        image = clean.copy()
        draw(image, clip.landmarks, clip.spec.inter_ocular_px, *args)
        images.append(image)
    return [
        Frame(image, i / FPS) for i, image in enumerate(FILMS["full quality"](images, FPS, np.random.default_rng(0)))
    ]


@pytest.fixture(scope="module", params=[0, 1, 2])
def smile(request):
    return render(ClipSpec(request.param, 40.0, (12,), 1.0, sway=False, fps=FPS))


def answer(clip, frames):
    tensor = extract_clip(frames, Known(true_face(clip)), MotionConfig(), "clip")[0]
    return Predictor().classify(tensor, "clip"), tensor


@pytest.mark.parametrize(
    ("draw", "how", "part"),
    [
        (surgical, 225.0, "mouth"),
        (surgical, 15.0, "mouth"),
        (pleated, 150.0, "mouth"),
        (lenses, 20.0, "eyes"),
        (tinted, 0.3, "eyes"),
    ],
)
def test_a_covered_part_is_named_and_no_class_is(smile, draw, how, part):
    prediction, tensor = answer(smile, frames_of(smile, draw, how))
    assert tensor.quality.covered == (part,)
    assert prediction.predicted == f"{NOT_MEASURABLE}: {part} covered"
    assert prediction.probabilities.max() < 0.6


@pytest.mark.parametrize("grey", [20.0, 220.0])
def test_clear_glasses_cover_nothing(smile, grey):
    assert answer(smile, frames_of(smile, clear_glasses, grey))[1].quality.covered == ()


@pytest.mark.parametrize("film", FILMS)
def test_no_way_of_filming_covers_anything(smile, film):
    images = FILMS[film](smile.clean[:4], FPS, np.random.default_rng(0))
    if images[0].shape == smile.clean[0].shape:
        frames = [Frame(image, i / FPS) for i, image in enumerate(images)]
        assert answer(smile, frames)[1].quality.covered == ()


def test_a_recording_tells_a_mask_too(smile):
    frames = frames_of(smile, surgical, 225.0)
    (recording,) = measure_recording(frames, Known(true_face(smile)), "recording")
    end_s = float(recording.time_s[-1])
    tensor = interval_motion(recording, Interval(file="recording", onset_s=0.0, offset_s=end_s), MotionConfig())
    assert tensor.flags[0] == f"{NOT_MEASURABLE}: mouth covered"
