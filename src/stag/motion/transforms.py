"""Which frames of a clip become its ``T`` motion steps, and transforms of ready motion.

Motion is ``(..., T, R, 2)``: one clip or a batch of clips; leading axes are broadcast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stag.motion.regions import LAYOUTS, MIRROR_PAIRS
from stag.types import FloatArray

PROBES = 48
"""Moments at which the motion of a longer clip is measured before its steps are chosen."""

_STILL_SHARE = 0.2  # assumed; share of the steps that is spread evenly over time

MIRROR_SIGNS = (-1.0, 1.0)
"""Factors of ``u`` and ``v`` in a mirror image."""

JITTER_SPANS = ((0.0, 0.95), (0.05, 1.0), (0.0, 0.9), (0.1, 1.0), (0.05, 0.95), (0.0, 0.85), (0.15, 1.0), (0.1, 0.9))
"""Parts of a clip, shares from 0 to 1, over which test-time augmentation averages; the first ones count first."""


def uniform_positions(n_frames: ArrayLike, steps: int) -> FloatArray:
    """Return equally spaced frame positions ``(..., T)``, whole numbers where there are enough frames."""
    frames = np.asarray(n_frames)
    positions = np.linspace(0, frames - 1, steps, axis=-1)
    return np.where(frames[..., None] < steps, positions, np.rint(positions))


def probe_positions(n_frames: ArrayLike) -> FloatArray:
    """Return whole frame positions ``(..., P)``; a clip with fewer frames than :data:`PROBES` repeats its last."""
    last = np.asarray(n_frames)[..., None] - 1
    spread = np.rint(np.linspace(0, 1, PROBES) * last)
    return np.asarray(np.where(last < PROBES, np.minimum(np.arange(PROBES), last), spread), np.float64)


def magnitude_positions(probes: FloatArray, step_px: FloatArray, steps: int) -> FloatArray:
    """Return frame positions ``(..., T)`` at equal shares of the cumulative motion magnitude.

    Every frame adds a little, so that a stretch without motion still gets a few steps; those of a still clip are
    uniform. Onset and offset are always kept, and no frame is taken twice.

    Args:
        probes: ``(..., P)`` frame positions at which the motion is known, 0 to the last frame; repeated ones add
            nothing.
        step_px: ``(..., P - 1)`` magnitude of the motion between consecutive probes.
        steps: ``T``.
    """
    last = probes[..., -1:]
    gap = np.diff(probes, axis=-1) / last
    total = step_px.sum(axis=-1, keepdims=True)
    moving = (1 - _STILL_SHARE) * step_px / np.where(total > 0, total, 1) + _STILL_SHARE * gap
    share = np.where(total > 0, moving, gap)
    reached = np.concatenate([np.zeros_like(last), np.cumsum(share, axis=-1)], axis=-1)
    target = np.linspace(0, 1, steps) * reached[..., -1:]
    segment = (reached[..., None, 1:-1] <= target[..., None]).sum(axis=-1)
    low, size = (np.take_along_axis(values, segment, axis=-1) for values in (reached, share))
    start, length = (np.take_along_axis(values, segment, axis=-1) for values in (probes, np.diff(probes, axis=-1)))
    place = start + length * (target - low) / np.where(size > 0, size, 1)
    frames = last[..., 0].astype(np.int64) + 1
    return np.where(last < steps, uniform_positions(frames, steps), _distinct(np.rint(place), last))


def _distinct(index: FloatArray, last: FloatArray) -> FloatArray:
    """Return the nearest strictly increasing whole numbers within ``0 .. last``, ends fixed: ``(..., T)``."""
    rising = np.arange(index.shape[-1])
    index[..., 0], index[..., -1] = 0, last[..., 0]
    index = np.maximum.accumulate(index - rising, axis=-1) + rising
    return np.asarray(np.minimum(index, last + 1 - index.shape[-1] + rising))


def mirror_order(layout: str) -> tuple[int, ...]:
    """Return the position of each channel's mirror partner within a layout; a permutation of length ``R``."""
    ids = LAYOUTS[layout]
    partner = {a: b for pair in MIRROR_PAIRS for a, b in (pair, pair[::-1])}
    return tuple(ids.index(partner.get(i, i)) for i in ids)


def layout_order(available: str, needed: str) -> tuple[int, ...] | None:
    """Return the positions of the channels of a needed layout in an available one; ``None`` where one is missing."""
    ids = LAYOUTS[available]
    return tuple(map(ids.index, LAYOUTS[needed])) if set(LAYOUTS[needed]) <= set(ids) else None


def is_cumulative(reference: object) -> bool:
    """Return whether motion of that reference counts from the first step; only ``"previous"`` does not."""
    return reference != "previous"


def since_onset(motion: NDArray[np.floating]) -> NDArray[np.floating]:
    """Sum up motion between consecutive steps, of the same type: displacement since the first step."""
    return np.cumsum(motion, axis=-3, dtype=motion.dtype)


def between_steps(motion: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return motion from each step to the next of displacement since the first; the inverse of `since_onset`."""
    return np.diff(motion, axis=-3, prepend=np.zeros_like(motion[..., :1, :, :]))


def motion_at(positions: FloatArray, motion: NDArray[np.floating]) -> FloatArray:
    """Return cumulative motion ``(..., T, R, 2)`` at fractional positions, linear in time.

    Args:
        positions: ``(..., T)`` positions that rise from 0 to the last frame of each clip.
        motion: ``(..., N, R, 2)`` displacement since the first frame, at frames ``0 .. N - 1``.
    """
    low = np.minimum(np.floor(positions), positions[..., -1:] - 1).astype(np.int64)[..., None, None]
    part = positions[..., None, None] - low
    before, after = (np.take_along_axis(motion, at, axis=-3) for at in (low, low + 1))
    return np.asarray((1 - part) * before + part * after)


def strongest_step(motion: NDArray[np.floating]) -> int:
    """Return the step of the largest RMS over channels, of motion ``(T, R, 2)``."""
    return int(np.argmax(np.square(motion).sum(axis=-1).mean(axis=-1)))


def apex_step(motion: NDArray[np.floating], reference: str = "first") -> int | None:
    """Return the step at which the face is farthest from its onset, never the first or the last.

    The size of a step is the RMS over channels of its displacement since the onset, averaged with its neighbours by
    weights 1/4, 1/2, 1/4; of equal steps the first counts. ``None`` for fewer than three steps.

    Args:
        motion: ``(T, R, 2)`` crop pixels.
        reference: What the motion is relative to: ``"first"`` the onset, ``"previous"`` the step before.

    Example:
        >>> apex_step(np.array([0.0, 1, 3, 2, 0]).reshape(5, 1, 1) * np.ones(2))
        2
    """
    if len(motion) < 3:
        return None
    displacement = np.asarray(motion, dtype=np.float64)
    if not is_cumulative(reference):
        displacement = np.asarray(since_onset(displacement))
    size = np.sqrt(np.square(displacement).sum(axis=2).mean(axis=1))
    smooth = (size[:-2] + 2 * size[1:-1] + size[2:]) / 4
    return 1 + int(np.argmax(smooth))
