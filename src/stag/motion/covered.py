"""Tell from one crop whether a mask or dark glasses cover the mouth or the eyes of a face.

Landmarks are placed on a mask as if there were lips, and nothing there moves. Two ratios tell, neither of which depends
on light, skin or focus: contrast around the lips to that within the eyes, and brightness of the skin just below the
lids to that of the cheek. The limits are chosen on photographs of some people: docs/measurements/quality.md.
"""

from __future__ import annotations

import cv2
import numpy as np

from stag.types import FloatArray, GreyImage

PARTS = ("mouth", "eyes")
WHITE = 254
"""Grey level from which a pixel is white."""

_LEAST_CONTRAST = 0.33  # contrast of the mouth to that of the eyes; lowest of uncovered faces without glasses .36
_LEAST_LIGHT = 0.6  # brightness below the eyes to that of the cheek; lowest of uncovered faces .64
_WASHED_OUT = 0.6  # white share of the crop beyond which light hides lips as a mask does
_MOUTH, _EYES = slice(48, 60), (slice(36, 42), slice(42, 48))
_NOISE, _BLACK = 0.5, 4.0  # assumed; grey levels
_COARSE = 0.2  # in widths of the part; contrast of larger things, as shadows, does not count


def covered_parts(crop: GreyImage, points: FloatArray) -> tuple[str, ...]:
    """Return which of :data:`PARTS` are covered.

    Args:
        crop: ``(h, w)`` aligned crop, averaged over time.
        points: ``(68, 2)`` landmarks on it.
    """
    eyes = float(np.mean([_contrast(crop, points[eye], 1.0, 0.5) for eye in _EYES]))
    mouth = _contrast(crop, points[_MOUTH], 1.2, 0.8)
    signs = (
        (mouth + _NOISE) / (eyes + _NOISE) < _LEAST_CONTRAST and np.mean(crop >= WHITE) < _WASHED_OUT,
        max(_light_below(crop, points[eye]) for eye in _EYES) < _LEAST_LIGHT,
    )
    return tuple(part for part, applies in zip(PARTS, signs, strict=True) if applies)


def _contrast(crop: GreyImage, part: FloatArray, width: float, height: float) -> float:
    """Return the deviation of grey from its surroundings in a box about a part, in widths of the part."""
    size = float(np.ptp(part[:, 0]))
    grey = _box(crop, _middle(part), size * np.array([-width, width]) / 2, size * np.array([-height, height]) / 2)
    fine = cv2.GaussianBlur(grey, (0, 0), max(size / 40, 0.5))
    return float((fine - cv2.GaussianBlur(grey, (0, 0), max(_COARSE * size, 1.0))).std())


def _light_below(crop: GreyImage, eye: FloatArray) -> float:
    """Return the brightness just below an eye to that of the cheek; a frame of glasses alone leaves bright skin."""
    size, (middle, _) = float(np.ptp(eye[:, 0])), _middle(eye)
    lid = np.array([middle, eye[4:, 1].mean()])
    below = _box(crop, lid, size * np.array([-0.35, 0.35]), size * np.array([0.1, 0.35]))
    cheek = _box(crop, lid, size * np.array([-0.3, 0.3]), size * np.array([0.9, 1.3]))
    return (float(np.percentile(below, 80)) + _BLACK) / (float(np.median(cheek)) + _BLACK)


def _middle(part: FloatArray) -> FloatArray:
    return np.asarray((part.min(axis=0) + part.max(axis=0)) / 2)


def _box(crop: GreyImage, at: FloatArray, across: FloatArray, down: FloatArray) -> FloatArray:
    """Return the pixels within ranges beside a place, at least one."""
    height, width = crop.shape
    left, right = np.clip(np.floor(at[0] + across), [0, 1], [width - 1, width]).astype(int)
    top, bottom = np.clip(np.floor(at[1] + down), [0, 1], [height - 1, height]).astype(int)
    return crop[top : max(bottom, top + 1), left : max(right, left + 1)].astype(np.float64)
