"""Tell a face that does not move: its motion is noise, or what a codec does to a picture that stays.

The limits are from half of the people, reported on the others: docs/measurements/quality.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stag.types import Quality

STILL_RATIO = 1.6
"""Ratio of motion to its roughness below which it is noise: still faces gave 1.2 and 1.4, the weakest of 400 simulated
expressions 1.9."""
STILL_RMS_PX = 0.05
LEAST_GRID = 0.05
"""Strength of a grid below which no codec is seen."""
SECOND_DIFFERENCE = np.sqrt(6.0)  # 1 + 4 + 1 independent errors make one second difference
_FROZEN, _STAYS, _SHARPENS, _OF_NOISE = 0.8, 0.95, 0.5, 0.8  # false motion of a codec
FULL_TEXTURE, MUCH_WHITE = 0.75, 0.3
"""Share of a motion that is seen, below which flow measures too little; share of white pixels that is too much."""


def is_still(motion: NDArray[np.float32], reference: str, quality: Quality | None = None) -> bool:
    """Return whether motion ``(T, R, 2)`` does not rise above the noise of extraction.

    Noise differs from step to step while a movement goes on, so that second differences in time measure it. Noise of
    the first frame, from which all motion counts, and what a codec does are in the quality.
    """
    strength_px = float(np.sqrt(np.mean(np.square(motion, dtype=np.float64))))
    if reference != "first" or len(motion) < 4:
        return strength_px < STILL_RMS_PX
    bend = np.diff(motion[1:].astype(np.float64), 2, axis=0)
    noise_px = float(np.sqrt(np.mean(bend**2))) / SECOND_DIFFERENCE
    still = bool(strength_px < max(STILL_RMS_PX, STILL_RATIO * noise_px))
    return still or (quality is not None and _is_false(motion, strength_px, quality))


def _is_false(motion: NDArray[np.float32], strength_px: float, quality: Quality) -> bool:
    """Return whether motion that is smooth in time is no more than its estimated error, or a picture that gets sharper.

    The grid of JPEG overrates its error, so that a grid counts only where a codec left it that predicts from frame to
    frame: its false motion stays to the end. Where a picture gets sharper, the first three steps go most of the way.
    """
    coded = quality.block_grid > LEAST_GRID
    if not coded and (quality.texture.mean() < FULL_TEXTURE or quality.saturated > MUCH_WHITE):
        return False  # there the patches that measure the error err more than the channels
    level_px = np.sqrt(np.square(motion, dtype=np.float64).mean(axis=(1, 2)))
    if coded and (quality.frozen <= _FROZEN or level_px[-1] <= _STAYS * level_px.max()):
        return False
    step_px = np.sqrt(np.square(np.diff(motion, axis=0), dtype=np.float64).mean(axis=(1, 2)))
    sharpens = coded and step_px[:3].sum() > _SHARPENS * step_px.sum()
    error_px = (_OF_NOISE if coded else 1) * np.sqrt(np.mean(np.square(quality.noise_px)))
    return bool(sharpens or strength_px < error_px)
