"""Random numbers that are alike in channels that are close on the face."""

from __future__ import annotations

from functools import cache

import numpy as np

from stag.faces.crop import crop_transform, transform_points
from stag.facs import AU_VOCABULARY
from stag.motion.regions import CHANNELS, USUAL, channel_window
from stag.simulate.face import astronaut
from stag.types import FloatArray

_PERSON_REACH_PX = 40.0  # assumed; natural movement of brow regions 43 px apart correlates at .63
_NOISE_REACH_PX = 24.0  # measured: noise of channels 20 to 30 px apart correlates at .5


def person_answer(generator: np.random.Generator, regions: int = USUAL) -> FloatArray:
    """Draw how the channels of a person answer to each action unit and side: ``(A, 2, R)`` standard normal."""
    return _normal(generator, (len(AU_VOCABULARY), 2), regions, _PERSON_REACH_PX)


def noise_alike(generator: np.random.Generator, shape: tuple[int, ...], regions: int) -> FloatArray:
    """Draw standard normal numbers ``(*shape, R)`` that are as alike as the noise of close channels."""
    return _normal(generator, shape, regions, _NOISE_REACH_PX)


def _normal(generator: np.random.Generator, shape: tuple[int, ...], regions: int, reach_px: float) -> FloatArray:
    """Draw standard normal numbers ``(*shape, R)`` that are alike in close channels.

    Those of the upper lids have a source of their own, so that the others are the same with and without lids.
    """
    drawn = generator.standard_normal((*shape, USUAL))
    if regions > USUAL:
        lids = generator.spawn(1)[0].standard_normal((*shape, regions - USUAL))
        drawn = np.concatenate([drawn, lids], axis=-1)
    return np.asarray(drawn @ neighbours(reach_px)[:regions, :regions])


def centres(points: FloatArray) -> FloatArray:
    """Return the centre of each channel's window ``(20, 2)`` on landmarks ``(68, 2)``, crop pixels."""
    windows = np.array([channel_window(channel, points) for channel in CHANNELS])  # top, bottom, left, right
    return np.asarray((windows[:, [2, 0]] + windows[:, [3, 1]] - 1) / 2)


def alike(centre: FloatArray, reach_px: float) -> FloatArray:
    """Return the factor ``(R, R)`` that makes independent numbers of channels alike where channels are close.

    Args:
        centre: ``(R, 2)`` centres of the windows, crop pixels.
        reach_px: Distance at which the correlation has fallen to .6.
    """
    distance = np.linalg.norm(centre[:, None] - centre, axis=-1)
    return _root(np.exp(-0.5 * np.square(distance / reach_px)))


def _root(covariance: FloatArray) -> FloatArray:
    share, axes = np.linalg.eigh(covariance)
    return np.asarray((axes * np.sqrt(np.maximum(share, 0))) @ axes.T)


@cache
def neighbours(reach_px: float) -> FloatArray:
    """Return a factor as :func:`alike` does for the face of the astronaut, ``(20, 20)``; the first 18 need no lids."""
    original = astronaut().points
    centre = centres(transform_points(original, crop_transform(original)))
    factor, both = np.zeros((len(CHANNELS), len(CHANNELS))), alike(centre, reach_px)
    covariance = both @ both
    first = factor[:USUAL, :USUAL] = alike(centre[:USUAL], reach_px)
    across = factor[:USUAL, USUAL:] = np.linalg.pinv(first, rcond=1e-6) @ covariance[:USUAL, USUAL:]
    factor[USUAL:, USUAL:] = _root(covariance[USUAL:, USUAL:] - across.T @ across)
    return factor
