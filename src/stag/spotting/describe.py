"""Describe candidates by numbers: their motion on a common clock, what is around them, and their size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stag.motion.regions import USUAL
from stag.motion.transforms import MIRROR_SIGNS, mirror_order
from stag.spotting.peaks import RATE, Candidate, Course, rise_and_fall
from stag.types import FloatArray

SAMPLES = 24
"""Moments of a candidate, from half its length before its onset to half its length after its offset."""

_AROUND_S = 2.0
_SIDE_UNIT = np.array([1.0, 1.0, 1.0, 0.01, 5.0, 0.3])  # of head shift, turn, log size, turn out of the plane, eyes
_LEAST_PX = 0.02
_REGIONS = USUAL
_SIDES = len(_SIDE_UNIT)
_CONTEXT = 2 * (_REGIONS + _SIDES)
FEATURES = SAMPLES * (2 * _REGIONS + _SIDES) + _CONTEXT + _REGIONS + 4
"""Numbers that describe a candidate."""


def describe(course: Course, found: Sequence[Candidate]) -> NDArray[np.float32]:
    """Return the features ``(n, FEATURES)`` of candidates of a stretch.

    Motion counts from the onset and is divided by its RMS, so that a weak expression looks like a strong one; size,
    noise and the unrest of the two seconds on either side follow as logarithms.
    """
    if not found:
        return np.zeros((0, FEATURES), np.float32)
    onset, offset = (np.array([getattr(c, name) for c in found], float) for name in ("onset", "offset"))
    length = np.maximum(offset - onset, 2)
    place = (onset - 0.5 * length)[:, None] + np.linspace(0, 2, SAMPLES) * length[:, None]
    motion = _at(course.motion.reshape(len(course.motion), -1), place)
    motion -= _at(course.motion.reshape(len(course.motion), -1), onset[:, None])
    side = (_at(course.side, place) - _at(course.side, onset[:, None])) / _SIDE_UNIT
    rms = np.sqrt(np.square(motion).mean(axis=(1, 2), keepdims=True)) + _LEAST_PX
    near = rise_and_fall(course.motion, round(0.17 * RATE))
    unrest = np.column_stack([np.square(near).sum(axis=2), np.square(np.gradient(course.side, axis=0) / _SIDE_UNIT)])
    context = _around(unrest, onset.astype(int), offset.astype(int))
    noise = np.log(course.noise_px + _LEAST_PX)
    height, scale = (np.array([getattr(c, name) for c in found]) for name in ("height", "scale_s"))
    size = np.column_stack([np.log(length / RATE), np.log(rms[:, 0, 0]), np.log(height), np.log(scale)])
    parts = [(motion / rms).reshape(len(found), -1), np.clip(side, -10, 10).reshape(len(found), -1), context]
    parts += [np.log(rms[:, 0]) - noise, size]
    return np.concatenate(parts, axis=1).astype(np.float32)


def mirrored(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the features of the same movements in a mirror."""
    order = np.array(mirror_order("roi18"))
    swapped = features.copy()
    cut = SAMPLES * 2 * _REGIONS
    motion = features[:, :cut].reshape(len(features), SAMPLES, _REGIONS, 2)
    swapped[:, :cut] = (motion[:, :, order] * np.array(MIRROR_SIGNS, np.float32)).reshape(len(features), cut)
    side = swapped[:, cut : cut + SAMPLES * _SIDES].reshape(len(features), SAMPLES, _SIDES)
    side[..., [0, 2]] *= -1
    start = cut + SAMPLES * _SIDES
    for begin in (start, start + _REGIONS + _SIDES, start + _CONTEXT):
        swapped[:, begin : begin + _REGIONS] = features[:, begin + order]
    return swapped


def _at(values: FloatArray, place: FloatArray) -> NDArray[np.float64]:
    """Read ``(N, K)`` values at fractional rows ``(n, m)``, held at either end: ``(n, m, K)``."""
    place = np.clip(place, 0, len(values) - 1)
    low = np.minimum(place.astype(int), max(len(values) - 2, 0))
    part = (place - low)[..., None]
    return np.asarray((1 - part) * values[low] + part * values[np.minimum(low + 1, len(values) - 1)])


def _around(unrest: FloatArray, onset: NDArray[np.int64], offset: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the log of the mean unrest in the seconds before and after: ``(N, K) -> (n, 2 K)``."""
    sums = np.concatenate([np.zeros_like(unrest[:1]), np.cumsum(unrest, axis=0)])
    n, reach = len(unrest), int(_AROUND_S * RATE)
    sides = []
    for low, high in ((onset - reach, onset), (offset, offset + reach)):
        a, b = np.clip(low, 0, n), np.clip(high, 0, n)
        sides.append((sums[b] - sums[a]) / np.maximum(b - a, 1)[:, None])
    return 0.5 * np.log(np.concatenate(sides, axis=1) + _LEAST_PX**2)
