"""The apex of a clip that has none annotated: where its motion is largest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stag.types import FloatArray

ESTIMATED = "apex estimated"
"""Flag of a clip whose apex comes from its motion."""

OUTSIDE = "annotated apex outside the clip"
"""Flag of a clip whose annotated apex is no frame of it."""


def apex_step(motion: NDArray[np.floating], reference: str = "first") -> int | None:
    """Step at which the face is farthest from its onset; never the first or the last.

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
    since_onset: FloatArray = np.asarray(motion, dtype=np.float64)
    if reference == "previous":
        since_onset = np.cumsum(since_onset, axis=0)
    size = np.sqrt(np.square(since_onset).sum(axis=2).mean(axis=1))
    smooth = (size[:-2] + 2 * size[1:-1] + size[2:]) / 4
    return 1 + int(np.argmax(smooth))
