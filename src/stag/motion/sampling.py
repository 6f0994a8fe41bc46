"""Temporal standardisation: which frames of a clip become its ``T`` motion steps.

Every function takes one clip or a batch of clips: leading axes are broadcast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stag.types import FloatArray

PROBES = 48
"""Moments at which the motion of a longer clip is looked at before its steps are chosen."""

_STILL_SHARE = 0.2  # assumed; share of the steps that is spread evenly over time


def uniform_positions(n_frames: ArrayLike, steps: int) -> FloatArray:
    """Equally spaced frame positions from onset to offset, whole numbers where there are enough frames.

    Args:
        n_frames: ``(...)`` frames of each clip.
        steps: ``T``.

    Returns:
        ``(..., T)``.
    """
    frames = np.asarray(n_frames)
    positions = np.linspace(0, frames - 1, steps, axis=-1)
    return np.where(frames[..., None] < steps, positions, np.rint(positions))


def probe_positions(n_frames: ArrayLike) -> FloatArray:
    """``(..., P)`` whole frame positions; of a clip with fewer frames than :data:`PROBES` the last is repeated."""
    last = np.asarray(n_frames)[..., None] - 1
    spread = np.rint(np.linspace(0, 1, PROBES) * last)
    return np.asarray(np.where(last < PROBES, np.minimum(np.arange(PROBES), last), spread), np.float64)


def magnitude_positions(probes: FloatArray, step_px: FloatArray, steps: int) -> FloatArray:
    """Frame positions at equal shares of the cumulative motion magnitude.

    Every frame adds at least a little, so that a stretch without motion still gets a few steps and the answer is
    defined for a still clip (it is then uniform). Onset and offset are always kept, and no frame is taken twice.

    Args:
        probes: ``(..., P)`` frame positions at which the motion is known, 0 to the last frame; repeated ones add
            nothing.
        step_px: ``(..., P - 1)`` magnitude of the motion between consecutive probes.
        steps: ``T``.

    Returns:
        ``(..., T)``.
    """
    last = probes[..., -1:]
    gap = np.diff(probes, axis=-1) / last
    total = step_px.sum(axis=-1, keepdims=True)
    moving = (1 - _STILL_SHARE) * step_px / np.where(total > 0, total, 1) + _STILL_SHARE * gap
    share = np.where(total > 0, moving, gap)
    reached = np.concatenate([np.zeros_like(last), np.cumsum(share, axis=-1)], axis=-1)
    wanted = np.linspace(0, 1, steps) * reached[..., -1:]
    segment = (reached[..., None, 1:-1] <= wanted[..., None]).sum(axis=-1)
    low, size = (np.take_along_axis(values, segment, axis=-1) for values in (reached, share))
    start, length = (np.take_along_axis(values, segment, axis=-1) for values in (probes, np.diff(probes, axis=-1)))
    place = start + length * (wanted - low) / np.where(size > 0, size, 1)
    frames = last[..., 0].astype(np.int64) + 1
    return np.where(last < steps, uniform_positions(frames, steps), _distinct(np.rint(place), last))


def _distinct(index: FloatArray, last: FloatArray) -> FloatArray:
    """Nearest strictly increasing whole numbers within ``0 .. last``, ends fixed: ``(..., T) -> (..., T)``."""
    rising = np.arange(index.shape[-1])
    index[..., 0], index[..., -1] = 0, last[..., 0]
    index = np.maximum.accumulate(index - rising, axis=-1) + rising
    return np.asarray(np.minimum(index, last + 1 - index.shape[-1] + rising))
