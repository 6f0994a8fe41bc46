"""Blinks of simulated people are told from expressions, glances and noise."""

import numpy as np
import pytest

from stag.bench.clips import ClipSpec, render, true_face
from stag.faces.crop import crop_transform, transform_points, warp_crop
from stag.motion.quality import blink_times

FPS = 60.0


def crops_of(**changes):
    """Aligned crops of a person that simulates, with landmarks and times; the head keeps still."""
    spec = ClipSpec(0, 40.0, changes.pop("units", (12,)), 2.0, sway=False, fps=FPS, **changes)
    clip = render(spec)
    transform = crop_transform(true_face(clip).points)
    crops = [warp_crop(frame.image, transform) for frame in clip.filmed(1.5)]
    return crops, transform_points(clip.landmarks, transform), clip.time_s


@pytest.fixture(scope="module")
def blinking():
    return crops_of(blink=True)


def test_a_blink_is_found_when_the_lids_are_lowest(blinking):
    crops, points, times = blinking
    (at,) = blink_times(crops, points, times)
    assert at == pytest.approx(0.03 + 0.18, abs=2.5 / FPS)


@pytest.mark.parametrize("units", [(5,), (6, 12), (7, 4), (43,), (1, 2)])
def test_expressions_of_two_pixels_are_none(units):
    assert blink_times(*crops_of(units=units)) == []


def test_one_eye_is_not_enough(blinking):
    crops, points, times = blinking
    half = int(points[27:31, 0].mean())
    winking = [np.concatenate([crops[0][:, :half], crop[:, half:]], axis=1) for crop in crops]
    assert blink_times(winking, points, times) == []


def test_eyes_that_stay_closed_do_not_blink(blinking):
    crops, points, times = blinking
    lowest = int(np.argmin(np.abs(times - blink_times(*blinking)[0])))
    closed = [*crops[: lowest + 1], *[crops[lowest]] * 40]
    assert blink_times(closed, points, np.arange(len(closed)) / FPS) == []


def test_two_blinks_are_two(blinking):
    crops, points, _ = blinking
    rest = [crops[0]] * 20
    twice = [*crops, *rest, *crops]
    assert len(blink_times(twice, points, np.arange(len(twice)) / FPS)) == 2


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 40), (0.92, 0), (1.08, 0)])
def test_light_that_changes_is_no_blink(gain, offset):
    crops, points, times = crops_of()
    lit = [c if 8 > i or i > 12 else np.clip(gain * c + offset, 0, 255).astype(np.uint8) for i, c in enumerate(crops)]
    assert blink_times(lit, points, times) == []


def test_slow_pictures_and_even_ones_say_nothing(blinking):
    crops, points, times = blinking
    assert blink_times(crops[::6], points, times[::6]) == []
    even = [np.full_like(crops[0], 128)] * len(crops)
    assert blink_times(even, points, times) == []
    assert blink_times(crops[:2], points, times[:2]) == []


@pytest.mark.parametrize("shift", [(0, -200), (0, 300), (-300, 0), (300, 0), (0, -90)])
def test_eyes_beyond_the_edge_of_the_crop_break_nothing(blinking, shift):
    crops, points, times = blinking
    assert set(blink_times(crops, points + np.array(shift), times)) <= set(times.tolist())
