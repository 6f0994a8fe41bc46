"""A still face gets no class, whatever a codec does to it; a weak expression through the same codec keeps its own."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.degrade import as_jpeg, as_video, filmed
from stag.bench.clips import ClipSpec, render, true_face
from stag.bench.extraction import Known
from stag.config import MotionConfig
from stag.inference.predictor import Predictor
from stag.motion.clip import extract_clip
from stag.types import NO_MOVEMENT, Frame

X264 = [{"crf": "23", "preset": "ultrafast"}, {"crf": "23"}, {"crf": "28"}, {"crf": "35"}]


def images(spec, noise_grey=0.0):
    return filmed(render(spec).clean, np.random.default_rng(0), noise_grey=noise_grey)


def named(spec, pictures, *, softened=True):
    """The class of a clip; not softened: as without a look at its quality."""
    frames = [Frame(image, i / spec.fps) for i, image in enumerate(pictures)]
    tensor = extract_clip(frames, Known(true_face(render(spec))), MotionConfig(), "clip")[0]
    if not softened:
        tensor = replace(tensor, quality=None, flags=tuple(flag for flag in tensor.flags if flag != NO_MOVEMENT))
    return Predictor().classify(tensor, "clip").predicted


@pytest.mark.parametrize("codec", X264, ids=lambda codec: "-".join(codec.values()))
@pytest.mark.parametrize("fps", [30.0, 200.0])
def test_a_photograph_through_x264_names_no_class_and_a_half_pixel_frown_keeps_its_own(codec, fps):
    frown = ClipSpec(3, 48.0, (4,), 0.5, sway=False, fps=fps)
    still = replace(frown, strength_px=0.0)
    assert named(still, as_video(images(still), fps, "libx264", **codec)) == NO_MOVEMENT
    if codec["crf"] == "35":
        return  # little is left of half a pixel
    pictures = as_video(images(frown), fps, "libx264", **codec)
    assert named(frown, pictures) == named(frown, pictures, softened=False)


@pytest.mark.parametrize("noise_grey", [1.0, 3.0])
def test_a_still_face_with_camera_noise_names_no_class_at_30_frames_a_second(noise_grey):
    still = ClipSpec(3, 48.0, (12,), 0.0, sway=False, fps=30.0)
    assert named(still, images(still, noise_grey)) == NO_MOVEMENT


@pytest.mark.parametrize("fps", [30.0, 200.0])
@pytest.mark.parametrize("film", [list, lambda pictures: as_jpeg(pictures, 90), lambda pictures: as_jpeg(pictures, 75)])
def test_a_half_pixel_smile_keeps_its_class_also_where_jpeg_leaves_a_grid(fps, film):
    smile = ClipSpec(3, 48.0, (12,), 0.5, sway=False, fps=fps)
    assert named(smile, film(images(smile, 1.0))) == "positive"
