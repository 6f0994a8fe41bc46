"""Cuts between scenes are found; pans, flashes, flicker and black frames are none."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stag.types import Frame
from stag.video import mark_cuts

SIZE = (120, 160)


def scene(seed, size=SIZE):
    """Large soft shapes, as a room out of focus."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (size[0] // 20 + 2, size[1] // 20 + 2)).astype(np.float32)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 255)


def film(images, fps=30.0, seed=0):
    rng = np.random.default_rng(seed)
    noisy = (np.clip(np.rint(image + rng.normal(0, 1.5, image.shape)), 0, 255).astype(np.uint8) for image in images)
    return [Frame(image, i / fps) for i, image in enumerate(noisy)]


def cuts(images):
    return [i for i, (_, cut) in enumerate(mark_cuts(film(images))) if cut]


@given(st.integers(0, 10_000), st.integers(1, 18))
@settings(max_examples=30, deadline=None)
def test_a_cut_is_found_where_it_is_and_frames_pass_unchanged(seed, at):
    frames = film([scene(seed)] * at + [scene(seed + 1)] * (20 - at))
    marked = list(mark_cuts(frames))
    assert [frame for frame, _ in marked] == frames
    assert [i for i, (_, cut) in enumerate(marked) if cut] == [at]


@pytest.mark.parametrize("length", [2, 3, 4, 7])
def test_eight_scenes_have_seven_cuts_however_short_they_are(length):
    images = [scene(number) for number in range(8) for _ in range(length)]
    assert cuts(images) == list(range(length, 8 * length, length))


@pytest.mark.parametrize("px_per_frame", [2, 8, 16, 30])
def test_a_pan_is_no_cut(px_per_frame):
    wide = scene(3, (120, 160 + 24 * px_per_frame))
    # A camera has mass: it comes up to speed and stops over some frames.
    pace = np.concatenate([[0] * 4, np.linspace(0, 1, 6), [1] * 10, np.linspace(1, 0, 6), [0] * 4])
    left = np.rint(np.cumsum(pace) * px_per_frame).astype(int)
    assert cuts([wide[:, x : x + 160] for x in left]) == []


@given(st.integers(0, 1000), st.floats(1, 14))
@settings(max_examples=20, deadline=None)
def test_flicker_of_eight_percent_is_no_cut(seed, hz):
    images = [scene(seed) * (1 + 0.08 * np.sin(2 * np.pi * hz * i / 30)) for i in range(30)]
    assert cuts(images) == []


@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize(("gain", "offset"), [(1.6, 30), (0.4, 0), (1.0, 60)])
def test_a_flash_of_light_is_no_cut(length, gain, offset):
    here = scene(5) * 0.6
    flash = (gain * here + offset).clip(0, 255)
    assert cuts([here] * 10 + [flash] * length + [here] * 10) == []


def test_black_frames_are_no_cut_but_hide_none():
    black = np.zeros(SIZE)
    assert cuts([scene(0)] * 8 + [black] * 5 + [scene(0)] * 8) == []
    assert cuts([scene(0)] * 8 + [black] * 5 + [scene(1)] * 8) == [13]
    assert cuts([black] * 20) == []


def test_short_and_empty_videos():
    assert list(mark_cuts([])) == []
    assert cuts([scene(0)]) == []
    assert cuts([scene(0), scene(1)]) == []
