"""Transforms of ready motion: mirror, region layout, reference, number of steps, and the apex.

Each is written once, here, for NumPy. Axes are ``(..., T, R, 2)``: one clip or a batch of clips.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stag.motion.regions import LAYOUTS, MIRROR_PAIRS
from stag.types import FloatArray

MIRROR_SIGNS = (-1.0, 1.0)
"""Factors of ``u`` and ``v`` in a mirror image."""

JITTER_SPANS = ((0.0, 0.95), (0.05, 1.0), (0.0, 0.9), (0.1, 1.0), (0.05, 0.95), (0.0, 0.85), (0.15, 1.0), (0.1, 0.9))
"""Parts of a clip, shares from 0 to 1, over which test-time augmentation averages; the first ones count first."""


def mirror_order(layout: str) -> tuple[int, ...]:
    """Return the position of each channel's mirror partner within a layout; a permutation of length ``R``."""
    ids = LAYOUTS[layout]
    partner = {a: b for pair in MIRROR_PAIRS for a, b in (pair, pair[::-1])}
    return tuple(ids.index(partner.get(i, i)) for i in ids)


def layout_order(available: str, needed: str) -> tuple[int, ...] | None:
    """Return where the channels of one layout are in another; ``None`` where that one lacks any of them."""
    ids = LAYOUTS[available]
    return tuple(map(ids.index, LAYOUTS[needed])) if set(LAYOUTS[needed]) <= set(ids) else None


def is_cumulative(reference: object) -> bool:
    """Return whether motion of that reference counts from the first step; only ``"previous"`` does not."""
    return reference != "previous"


def since_onset(motion: NDArray[np.floating]) -> NDArray[np.floating]:
    """Sum up motion between consecutive steps, of the same type: displacement since the first step."""
    return np.cumsum(motion, axis=-3, dtype=motion.dtype)


def between_steps(motion: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return motion from each step to the next for displacement since the first; the inverse of `since_onset`."""
    return np.diff(motion, axis=-3, prepend=np.zeros_like(motion[..., :1, :, :]))


def motion_at(positions: FloatArray, motion: NDArray[np.floating]) -> FloatArray:
    """Return cumulative motion at fractional positions, linear in time.

    Args:
        positions: ``(..., T)`` positions that rise from 0 to the last frame of each clip.
        motion: ``(..., N, R, 2)`` displacement since the first frame, at frames ``0 .. N - 1``.

    Returns:
        ``(..., T, R, 2)``.
    """
    low = np.minimum(np.floor(positions), positions[..., -1:] - 1).astype(np.int64)[..., None, None]
    part = positions[..., None, None] - low
    before, after = (np.take_along_axis(motion, at, axis=-3) for at in (low, low + 1))
    return np.asarray((1 - part) * before + part * after)


def strongest_step(motion: NDArray[np.floating]) -> int:
    """Return the step of the largest RMS over channels, of motion ``(T, R, 2)``: where a reader looks first."""
    return int(np.argmax(np.square(motion).sum(axis=-1).mean(axis=-1)))


def apex_step(motion: NDArray[np.floating], reference: str = "first") -> int | None:
    """Return the step at which the face is farthest from its onset; never the first or the last.

    The size of a step is the RMS over channels of its displacement since the onset. It is averaged with its
    neighbours, weights 1/4, 1/2, 1/4, since a single noisy step is no apex; of equal steps the first counts.

    Args:
        motion: ``(T, R, 2)`` crop pixels.
        reference: What the motion is relative to: ``"first"`` the onset, ``"previous"`` the step before.

    Returns:
        The index of the step, or ``None`` where there are fewer than three.

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
