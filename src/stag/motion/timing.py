"""Temporal standardisation: which frames of a clip become its ``T`` motion steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stag.types import FloatArray


def uniform_positions(n_frames: int, steps: int) -> FloatArray:
    """``(T,)`` equally spaced frame positions from onset to offset; whole numbers where there are enough frames."""
    positions = np.linspace(0, n_frames - 1, steps)
    return positions if n_frames < steps else np.rint(positions)


def magnitude_positions(step_px: FloatArray, steps: int, still_share: float = 0.2) -> FloatArray:
    """``(T,)`` frame positions at equal shares of the cumulative motion magnitude.

    Every frame adds at least a little, so that a stretch without motion still gets a few steps and the answer is
    defined for a still clip (it is then uniform). Onset and offset are always kept, and no frame is taken twice.

    Args:
        step_px: ``(N - 1,)`` magnitude of the motion between consecutive frames.
        steps: ``T``.
        still_share: Share of the steps that is spread evenly over time.
    """
    n_frames = len(step_px) + 1
    if n_frames <= steps:
        return uniform_positions(n_frames, steps)
    total = float(step_px.sum())
    even = np.full(n_frames - 1, 1 / (n_frames - 1))
    share = even if total <= 0 else (1 - still_share) * step_px / total + still_share * even
    cumulative = np.concatenate([[0.0], np.cumsum(share)])
    wanted = np.interp(np.linspace(0, cumulative[-1], steps), cumulative, np.arange(n_frames))
    return _distinct(np.rint(wanted).astype(np.int64), n_frames).astype(np.float64)


def _distinct(index: NDArray[np.int64], n_frames: int) -> NDArray[np.int64]:
    """Nearest strictly increasing whole numbers within ``0 .. n_frames - 1``, ends fixed."""
    index[0], index[-1] = 0, n_frames - 1
    rising = np.arange(len(index))
    index = np.maximum.accumulate(index - rising) + rising
    latest = n_frames - len(index) + rising
    return np.minimum(index, latest)


def motion_at(positions: FloatArray, frames: FloatArray, motion: FloatArray) -> FloatArray:
    """Cumulative motion at fractional frame positions, linear in time: ``(N, R, 2) -> (T, R, 2)``.

    Args:
        positions: ``(T,)`` wanted frame positions.
        frames: ``(N,)`` frame positions at which ``motion`` is known, rising.
        motion: ``(N, R, 2)`` displacement since the first frame.
    """
    flat = motion.reshape(len(frames), -1)
    columns = [np.interp(positions, frames, flat[:, i]) for i in range(flat.shape[1])]
    return np.stack(columns, axis=1).reshape(len(positions), *motion.shape[1:])
