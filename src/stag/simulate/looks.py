"""Give people looks that the portrait does not have: complexion, beard, brows, lips, moles and creases.

Sizes are shares of the distance between the inner eye corners; all amounts are assumed.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.types import FloatArray

_BEARD = (*range(2, 15), 35, 33, 31)
_OUTER_LIPS = tuple(range(48, 60))
_BROWS = (tuple(range(17, 22)), tuple(range(22, 27)))
_FOLDS = ((31, 48, 5), (35, 54, 11))  # from the nose wing, beside the mouth corner, towards the jaw
_SHARP = 4  # OpenCV draws at 1/16 px


def add_looks(
    texture: NDArray[np.float32],
    size: tuple[int, int],
    points: FloatArray,
    amount: float,
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """Return a texture with the looks of another person; an ``amount`` of 0 changes nothing.

    Args:
        texture: Grey, several pixels for each of the frame, without light.
        size: Height and width of the frame.
        points: ``(68, 2)`` landmarks on the frame.
        amount: Spread of the looks.
        generator: Source of randomness.
    """
    eyes_px = float(np.linalg.norm(points[39] - points[42]))
    dark = np.zeros(size, np.float32)
    lips = _soft(_filled(size, points[list(_OUTER_LIPS)]), 0.04 * eyes_px)
    if generator.random() < 0.5:
        hair = generator.standard_normal(size).astype(np.float32)
        hair = cv2.GaussianBlur(hair, (0, 0), 0.8) + cv2.GaussianBlur(hair, (0, 0), 0.1 * eyes_px)
        where = _soft(_filled(size, points[list(_BEARD)]), 0.12 * eyes_px) * (1 - lips)
        dark += generator.uniform(0, 40) * where * (1 + 0.4 * hair / hair.std())
    dark += generator.uniform(-15, 30) * lips
    for brow in _BROWS:
        line = _lines(size, [points[list(brow)]], generator.uniform(0.1, 0.2) * eyes_px)
        dark += generator.uniform(-25, 35) * _soft(line, 0.05 * eyes_px)
    for wing, corner, jaw in _FOLDS:
        outwards = points[corner] + 0.25 * (points[corner] - points[57])
        fold = np.stack([points[wing], outwards, 0.7 * outwards + 0.3 * points[jaw]])
        dark += generator.uniform(0, 20) * _soft(_lines(size, [fold], 0.03 * eyes_px), 0.03 * eyes_px)
    low, high = points.min(axis=0), points.max(axis=0)
    for x, y in generator.uniform(low, high, (generator.poisson(6), 2)):
        spot = np.hypot(np.arange(size[1])[None, :] - x, np.arange(size[0])[:, None] - y)
        dark += generator.uniform(10, 50) * np.exp(-0.5 * (spot / (generator.uniform(0.015, 0.04) * eyes_px)) ** 2)
    finer = cv2.resize(dark.astype(np.float32), texture.shape[::-1], interpolation=cv2.INTER_LINEAR)
    gamma = np.float32(np.exp(amount * generator.uniform(-0.5, 0.9)))
    grey = 255 * (np.clip(texture - np.float32(amount) * finer, 0, 255) / 255) ** gamma
    return np.asarray(grey, dtype=np.float32)


def _filled(size: tuple[int, int], outline: FloatArray) -> NDArray[np.float32]:
    mask = np.zeros(size, np.float32)
    cv2.fillPoly(mask, [_fixed(outline)], 1.0, cv2.LINE_8, _SHARP)
    return mask


def _lines(size: tuple[int, int], lines: Sequence[FloatArray], width_px: float) -> NDArray[np.float32]:
    mask = np.zeros(size, np.float32)
    thick = max(round(width_px), 1)
    cv2.polylines(mask, [_fixed(line) for line in lines], False, 1.0, thick, cv2.LINE_8, _SHARP)
    return mask


def _fixed(points: FloatArray) -> NDArray[np.int32]:
    return np.asarray(np.rint(points * 2**_SHARP), dtype=np.int32)


def _soft(mask: NDArray[np.float32], by_px: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(by_px, 0.5)), dtype=np.float32)
