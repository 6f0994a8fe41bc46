"""How the channels of a few faces answer to each action unit, taken from their dense fields once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stag.faces.crop import crop_transform, transform_points
from stag.facs import AU_VOCABULARY
from stag.motion.regions import CHANNELS, Pooling, channel_window
from stag.simulate.actions import GRID_SIZE, action_fields, on_pixels
from stag.simulate.emotions import UNIT_SHARES
from stag.simulate.face import astronaut, vary_shape
from stag.types import FloatArray
from stag.utils.values import ArrayValue

CATCHES = 3
"""Catches of each face: which pixels a window happens to see."""

_SHAPES = 12
_PEAK_STEP_PX = 8
_SHOWN = tuple(unit for unit in AU_VOCABULARY if unit == 45 or any(unit in odds for odds in UNIT_SHARES.values()))


@dataclass(frozen=True, eq=False, repr=False)
class ChannelBank(ArrayValue):
    """How the channels of a few faces answer to each action unit.

    Attributes:
        response: ``(S, J, A, 2, 18, 2)`` float32: face, catch (which pixels a window happens to see), unit, side of
            the image, channel, ``(u, v)``; crop pixels per crop pixel of peak displacement.
        surface: ``(S, A, 2, P, 2)`` float32: displacement at ``P`` places on the crop, to measure peaks.
        centre: ``(S, 18, 2)`` middle of each window on the crop.
    """

    response: NDArray[np.float32]
    surface: NDArray[np.float32]
    centre: FloatArray


@lru_cache(maxsize=16)
def channel_bank(shape: float, window_px: float, kept: tuple[float, float]) -> ChannelBank:
    """The bank of a variety of faces and catches; it takes a few seconds once, and is kept.

    Args:
        shape: Spread of face shapes, see :class:`SimulationSettings`.
        window_px: Standard deviation of the place of a window, see :class:`ExtractionErrors`.
        kept: Range of the factor on the share of pixels that is averaged.
    """
    responses, surfaces, centres = [], [], []
    for number in range(_SHAPES):
        points, fields, generator = _face(shape, number)
        dense = np.stack([on_pixels(field) for field in fields])
        catches = []
        for _ in range(CATCHES):
            seen = points + window_px * generator.standard_normal((1, 2))
            seen = seen + 0.5 * window_px * generator.standard_normal(points.shape)
            factor = np.exp(generator.uniform(*np.log(kept)))
            catches.append(Pooling.of(seen).caught(factor).static(dense).astype(np.float32))
        responses.append(np.stack(catches).reshape(CATCHES, len(AU_VOCABULARY), 2, len(CHANNELS), 2))
        surfaces.append(dense[:, ::_PEAK_STEP_PX, ::_PEAK_STEP_PX].reshape(len(AU_VOCABULARY), 2, -1, 2))
        centres.append([_centre(channel_window(channel, points)) for channel in CHANNELS])
    return ChannelBank(np.stack(responses), np.stack(surfaces), np.array(centres))


def _face(shape: float, number: int) -> tuple[FloatArray, NDArray[np.float32], np.random.Generator]:
    """Landmarks and unit fields of one face, and the generator that its catches are drawn from."""
    generator = np.random.default_rng([_SHAPES, number])
    original = astronaut().points
    points = vary_shape(transform_points(original, crop_transform(original)), shape, generator)
    return points, _fields(points.tobytes()), generator


@lru_cache(maxsize=4 * _SHAPES)
def _fields(points: bytes) -> NDArray[np.float32]:
    """Unit fields of a face; solving for them takes seconds, so other windows on the same face share them."""
    landmarks = np.frombuffer(points).reshape(-1, 2)
    return np.asarray(action_fields(landmarks, _SHOWN).unit_px.reshape(-1, GRID_SIZE, GRID_SIZE, 2))


def _centre(window: tuple[int, int, int, int]) -> tuple[float, float]:
    top, bottom, left, right = window
    return (left + right - 1) / 2, (top + bottom - 1) / 2
