"""The quality of a clip follows what was done to it, and its answer follows the quality."""

import numpy as np
import pytest

from benchmarks.degrade import FILMS, as_jpeg, filmed
from stag.bench.clips import ClipSpec, render, true_face
from stag.config import MotionConfig
from stag.inference.predictor import Predictor
from stag.motion.clip import extract_clip
from stag.motion.quality import block_grid, not_measurable, trust
from stag.types import NOT_MEASURABLE, Frame, Landmarks, Quality

FPS = 200.0


class Known:
    def __init__(self, face):
        self.face = face

    def detect(self, image):
        return [self.face]


@pytest.fixture(scope="module")
def smile():
    """A still face, smiling by 1 px at 200 frames a second."""
    return render(ClipSpec(0, 32.0, (12,), 1.0, sway=False, fps=FPS))


@pytest.fixture(scope="module")
def measured(smile):
    """Name of a way of filming, or frames -> motion tensor; each way once."""
    known = {}

    def measure(name, film=None):
        if name not in known:
            images = (film or FILMS[name])(smile.clean, FPS, np.random.default_rng(0))
            share = images[0].shape[0] / smile.clean[0].shape[0]
            face = true_face(smile)
            seen = Landmarks((face.points + 0.5) * share - 0.5, 1.0, face.box)
            frames = [Frame(image, i / FPS) for i, image in enumerate(images)]
            known[name] = extract_clip(frames, Known(seen), MotionConfig(), name)[0]
        return known[name]

    return measure


@pytest.mark.parametrize(
    ("worse", "field", "ways"),
    [
        ("darker", "brightness", ["light 12 %", "light 25 %", "light 50 %", "full quality"]),
        ("darker", "texture", ["light 12 %", "light 25 %", "light 50 %", "full quality"]),
        ("darker", "drift_px", ["full quality", "light 50 %", "light 25 %", "light 12 %"]),
        ("noisier", "noise_grey", ["full quality", "noise 3", "noise 6", "noise 10"]),
        ("noisier", "noise_px", ["full quality", "noise 3", "noise 6", "noise 10"]),
        ("smaller", "eyes_px", ["size 30 %", "size 60 %", "full quality"]),
        ("smaller", "drift_px", ["full quality", "size 60 %", "size 30 %"]),
        ("compressed", "block_grid", ["full quality", "H.264, crf 18", "JPEG 75", "JPEG 25", "MJPEG, default"]),
        ("compressed", "noise_px", ["full quality", "JPEG 75", "JPEG 25", "MJPEG, default"]),
        ("compressed", "frozen", ["full quality", "H.264, crf 28", "H.264, crf 40"]),
        ("brighter", "saturated", ["full quality", "exposure x 1.5", "exposure x 2.5"]),
    ],
)
def test_each_measure_rises_with_what_it_measures(measured, worse, field, ways):
    values = [float(np.mean(getattr(measured(name).quality, field))) for name in ways]
    assert values == sorted(values), worse
    assert values[-1] > 1.2 * values[0]


def test_the_noise_of_a_clip_is_the_size_of_its_error(measured, smile):
    for name in ("full quality", "noise 6", "noise 10", "JPEG 25", "MJPEG, default"):
        tensor = measured(name)
        error = tensor.motion - smile.motion[tensor.frame_index.astype(int)]
        ratio = np.sqrt(np.mean(tensor.quality.noise_px**2) / np.mean(error[1:] ** 2))
        assert 0.4 < ratio < 2.5, name


BAD = {
    "light 12 %": "too dark",
    "size 40 %": None,
    "MJPEG, default": None,
    "exposure x 2.5": None,
    "H.264, crf 40": None,
    "MPEG-4, default": "compressed",
}


@pytest.mark.parametrize("name", BAD)
def test_a_smile_filmed_badly_gets_no_wrong_answer_above_sixty_percent(measured, name):
    tensor = measured(name)
    prediction = Predictor().classify(tensor, name)
    assert prediction.predicted == "positive" or prediction.abstains or prediction.probabilities.max() <= 0.6
    assert not any(flag == "head turned" for flag in tensor.flags)
    if BAD[name] is not None:
        assert prediction.predicted == f"{NOT_MEASURABLE}: {BAD[name]}"


def test_full_quality_is_trusted_and_keeps_its_answer(measured):
    tensor = measured("full quality")
    assert trust(tensor.quality) > 0.95
    assert not_measurable(tensor.quality) is None
    assert trust(None) == 1


@pytest.mark.parametrize(("quality", "least"), [(85, 0.3), (60, 1.5)])
def test_the_grid_of_jpeg_is_seen_wherever_it_begins_and_no_other_pattern_is(smile, quality, least):
    rng = np.random.default_rng(0)
    (image,) = as_jpeg(filmed(smile.clean[:1], rng), quality)
    assert block_grid(image) > least
    assert block_grid(image[3:, 5:]) > least
    assert abs(block_grid(filmed(smile.clean[:1], rng)[0])) < 0.1
    assert abs(block_grid(rng.integers(0, 256, (200, 200)).astype(np.uint8))) < 0.1
    assert block_grid(np.zeros((9, 9), np.uint8)) == 0


GOOD = dict(
    noise_px=np.full(18, 0.05), drift_px=0.03, texture=np.full(18, 0.9), noise_grey=1.0, brightness=120.0,
    saturated=0.0, block_grid=0.0, frozen=0.2, eyes_px=48.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"drift_px": 1.2}, "too noisy"),
        ({"drift_px": 1.2, "brightness": 10.0}, "too dark"),
        ({"texture": np.full(18, 0.1), "brightness": 12.0}, "too dark"),
        ({"texture": np.full(18, 0.1), "saturated": 0.8}, "overexposed"),
        ({"drift_px": 1.2, "eyes_px": 12.0}, "too small"),
        ({"eyes_px": 6.0}, "too small"),
        ({"drift_px": 1.2, "block_grid": 9.0}, "compressed"),
        ({"block_grid": 40.0}, "compressed"),
        ({"block_grid": 0.45, "frozen": 1.0}, None),
        ({"frozen": 1.0}, None),
    ],
)
def test_the_reason_is_named(change, reason):
    assert not_measurable(Quality(**{**GOOD, **change})) == reason
