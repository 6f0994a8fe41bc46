"""Tracking on a photograph that is moved, deformed, lit and disturbed by known amounts.

Errors are in crop pixels (1/64 of the distance between the inner eye corners) at the outline of the face.
"""

import cv2
import numpy as np
import pytest
import skimage.data
from scipy.ndimage import map_coordinates, spline_filter

from stag.faces.crop import CROP_PX, compose, crop_transform, invert, transform_points
from stag.faces.detect import DlibDetector
from stag.faces.track import FaceTracker
from stag.types import Landmarks

OUTLINE = [0, 16, 8, 19, 24, 48, 54]
STILL = np.eye(2, 3)
BUMPS = {  # landmarks -> displacement and width of a Gaussian bump, crop pixels
    "AU1": [((20, 21), (0, -1), 16), ((22, 23), (0, -1), 16)],
    "AU4": [((19, 20, 21), (0.3, 1), 18), ((22, 23, 24), (-0.3, 1), 18)],
    "AU9": [((31,), (0, -1), 14), ((35,), (0, -1), 14), ((21, 22), (0, 0.5), 14)],
    "AU12": [((48,), (-0.7, -0.7), 22), ((54,), (0.7, -0.7), 22)],
    "AU26": [((8, 57), (0, 3), 30)],
    "AU45": [((37, 38), (0, 8), 7), ((43, 44), (0, 8), 7)],
}


class Photograph:
    """The astronaut's face, 40 px between the inner eye corners, as a camera with noise would see it move."""

    zoom = 1.6

    def __init__(self):
        grey = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)
        (face,) = DlibDetector(-0.2).detect(grey)
        left, top, size = 120, 20, 210
        self.points = (face.points - [left, top]) * self.zoom
        self.landmarks = Landmarks(self.points, face.score, (0.0, 0.0, 1.0, 1.0))
        self.spline = spline_filter(grey[top : top + size, left : left + size].astype(float), order=3)
        side = int(size * self.zoom)
        self.pixels = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).astype(float)
        self.to_crop = crop_transform(self.points)
        self.px = face.inter_ocular_px * self.zoom / 64

    def frame(self, motion, rng, noise=1.0, bumps=(), gain=1.0, offset=0.0):
        """A frame in which the head has moved by a similarity and the skin by bumps."""
        at = transform_points(self.pixels, invert(motion))
        on_crop = transform_points(at, self.to_crop)
        from_crop = invert(self.to_crop)[:, :2]
        for corners, displacement, width in bumps:
            centre = transform_points(self.points[list(corners)].mean(axis=0), self.to_crop)
            weight = np.exp(-((on_crop - centre) ** 2).sum(axis=-1) / (2 * width**2))
            at = at - weight[..., None] * (from_crop @ np.array(displacement))
        seen = map_coordinates(
            self.spline, [at[..., 1] / self.zoom, at[..., 0] / self.zoom], order=3, prefilter=False, mode="nearest"
        )
        return np.clip(np.rint(gain * seen + offset + rng.normal(0, noise, seen.shape)), 0, 255).astype(np.uint8)

    def motion(self, scale=1.0, degrees=0.0, right=0.0, down=0.0):
        """Similarity about the middle between the eyes; shifts in crop pixels."""
        centre = self.points[[39, 42]].mean(axis=0)
        angle = np.deg2rad(degrees)
        c, s = scale * np.cos(angle), scale * np.sin(angle)
        linear = np.array([[c, -s], [s, c]])
        return np.column_stack([linear, centre - linear @ centre + np.array([right, down]) * self.px])

    def error(self, found, true):
        """Displacement error at the outline of the face ``(7, 2)``, crop pixels."""
        outline = self.points[OUTLINE]
        return (transform_points(outline, found) - transform_points(outline, true)) / self.px


@pytest.fixture(scope="module")
def photograph():
    return Photograph()


def test_a_still_face_stays(photograph, rng):
    tracker = FaceTracker(photograph.frame(STILL, rng), photograph.landmarks)
    errors = np.array([photograph.error(tracker.update(photograph.frame(STILL, rng)).motion, STILL) for _ in range(20)])
    drift = errors - errors.mean(axis=0)
    assert np.sqrt((drift**2).sum(axis=-1).mean()) < 0.03
    assert np.sqrt((errors**2).sum(axis=-1).mean()) < 0.05


def test_a_swaying_head_is_followed_to_a_twentieth_of_a_pixel(photograph, rng):
    tracker = FaceTracker(photograph.frame(STILL, rng), photograph.landmarks)
    errors = []
    for k in range(20):
        truth = photograph.motion(1 + 0.01 * np.sin(k / 4), np.sin(k / 3), 3 * np.sin(k / 2), 3 * np.cos(k / 3))
        tracked = tracker.update(photograph.frame(truth, rng))
        assert not tracked.lost
        assert np.quantile(np.hypot(*tracked.residuals.T), 0.8) < 0.5
        errors.append(photograph.error(tracked.motion, truth))
    assert np.sqrt(np.square(errors).sum(axis=-1).mean()) < 0.05
    linear = tracked.motion[:, :2]
    np.testing.assert_allclose(linear.T @ linear, np.linalg.det(linear) * np.eye(2), atol=1e-12)


def test_large_steps_are_bridged_and_errors_do_not_add_up(photograph, rng):
    tracker = FaceTracker(photograph.frame(STILL, rng), photograph.landmarks)
    for k in range(12):
        truth = photograph.motion(1 + 0.05 * np.sin(k), 8 * np.sin(k), 18 * np.sin(2.1 * k), 14 * np.cos(1.7 * k))
        tracked = tracker.update(photograph.frame(truth, rng))
        assert not tracked.lost
        assert np.abs(photograph.error(tracked.motion, truth)).max() < 0.15
    back = photograph.frame(STILL, rng)
    fresh = FaceTracker(photograph.frame(STILL, np.random.default_rng(0)), photograph.landmarks).update(back)
    again = tracker.update(back)
    assert np.abs(photograph.error(again.motion, fresh.motion)).max() < 0.03


@pytest.mark.parametrize("unit", BUMPS)
def test_no_action_unit_is_swallowed(photograph, unit, rng):
    """The estimate of a still head must not move with the skin: less than a tenth of a 1 px action."""
    tracker = FaceTracker(photograph.frame(STILL, rng), photograph.landmarks)
    found = {}
    for name, bumps in (("rest", ()), ("acting", BUMPS[unit])):
        frames = [photograph.frame(STILL, rng, bumps=bumps) for _ in range(6)]
        found[name] = np.mean([tracker.update(frame).motion for frame in frames], axis=0)
    assert np.abs(photograph.error(found["acting"], found["rest"])).max() < 0.1


@pytest.mark.parametrize(("gain", "offset"), [(1.12, 0), (0.85, 0), (1, 25), (0.9, -20)])
def test_flicker_of_the_light_is_no_motion(photograph, gain, offset, rng):
    tracker = FaceTracker(photograph.frame(STILL, rng), photograph.landmarks)
    tracked = tracker.update(photograph.frame(STILL, rng, gain=gain, offset=offset))
    assert np.abs(photograph.error(tracked.motion, STILL)).max() < 0.08


def test_brows_forehead_and_mouth_have_no_say(photograph, rng):
    """Nothing above the eyes (point 27 and what lies between the brows) and nothing at the mouth is looked at."""
    first, second = photograph.frame(STILL, rng), photograph.frame(photograph.motion(right=1, degrees=0.5), rng)
    height = transform_points(photograph.pixels, photograph.to_crop)[..., 1]
    eyes = transform_points(photograph.points[36:48], photograph.to_crop)[:, 1]
    nose = transform_points(photograph.points[33], photograph.to_crop)[1]
    unseen = (height < eyes.mean() - 27) | (height > nose + 27)
    assert transform_points(photograph.points[17:27], photograph.to_crop)[:, 1].max() < eyes.mean() - 10
    spoilt = second.copy()
    spoilt[unseen] = rng.integers(0, 256, unseen.sum())
    clean = FaceTracker(first, photograph.landmarks).update(second)
    disturbed = FaceTracker(first, photograph.landmarks).update(spoilt)
    assert np.abs(photograph.error(disturbed.motion, clean.motion)).max() < 0.01
    np.testing.assert_allclose(disturbed.residuals, clean.residuals, atol=0.05)


def test_a_face_that_vanishes_is_lost_and_found_again(photograph, rng):
    tracker = FaceTracker(photograph.frame(STILL, rng), photograph.landmarks)
    truth = photograph.motion(right=2)
    before = tracker.update(photograph.frame(truth, rng))
    size = photograph.frame(truth, rng).shape
    for nothing in (np.full(size, 128, np.uint8), rng.integers(0, 256, size, dtype=np.uint8)):
        tracked = tracker.update(nothing)
        assert tracked.lost
        np.testing.assert_array_equal(tracked.motion, before.motion)
    far = tracker.update(photograph.frame(photograph.motion(right=5000), rng))
    assert far.lost
    again = tracker.update(photograph.frame(truth, rng))
    assert not again.lost
    assert np.abs(photograph.error(again.motion, truth)).max() < 0.1


def test_tracking_is_deterministic(photograph, rng):
    frames = [photograph.frame(photograph.motion(right=k), rng) for k in range(4)]
    runs = [[FaceTracker(frames[0], photograph.landmarks).update(f).motion for f in frames] for _ in range(2)]
    np.testing.assert_array_equal(*runs)


def test_a_motion_places_the_crop(photograph, rng):
    """The crop of a later frame is that of landmarks moved along."""
    truth = photograph.motion(1.02, 2, 4, -3)
    tracker = FaceTracker(photograph.frame(STILL, rng), photograph.landmarks)
    tracked = tracker.update(photograph.frame(truth, rng))
    to_crop = compose(photograph.to_crop, invert(tracked.motion))
    expected = crop_transform(transform_points(photograph.points, truth))
    corners = transform_points(np.array([[0.0, 0.0], [CROP_PX, CROP_PX]]), invert(expected))
    np.testing.assert_allclose(transform_points(corners, to_crop), [[0, 0], [CROP_PX, CROP_PX]], atol=0.2)
