"""Movement that is no expression: people speak, look around, nod and breathe, and windows follow that imperfectly.

Measured on five people in three short public clips (10 s together, 12 to 30 frames a second; they talk, walk and look
around), as this program extracts them, turns of the head removed: within .24 s the regions move by .6 to 1.3 crop
pixels (root mean square, median of each person), and the change grows with the square root of the time. The eight
patterns hold 79 % of the variance of such changes; each is even (both sides alike: nods, speech, brows) or odd (one
side against the other, the face aside), because mirrored people count too. The noise of small, compressed faces is in
them.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from stag.motion.regions import CHANNELS, MIRROR_PAIRS, USUAL
from stag.types import FloatArray

_LEFT = (0, 1, 2, 3, 8, 9, 11, 12, 13, 14, 16)
_MID_BROW, _LOWER_LID, _UPPER_LID = 2, 16, 18
_EVEN = (
    "-.14,-.57 -.02,-.53 -.07,-.51 -.32,-.49 0,1.11 .07,1.15 0,1.15 0,.44 0,1.35 .01,.61 -.04,.10",
    "-.04,.74 -.05,.71 0,.79 0,.55 0,.46 -.06,.54 0,.23 0,.39 0,.36 -.02,.16 -.01,.26",
    "-.25,-.09 -.02,-.02 -.15,-.07 -.35,.01 0,.08 -.23,-.04 0,-.12 0,.75 0,-.02 -.17,-.56 .02,.23",
    ".33,.04 .06,-.03 .13,-.01 .50,-.03 0,.06 -.24,-.14 0,.49 0,.03 0,.46 -.05,-.40 -.02,.01",
)
_ODD = (
    ".17,-.65 .22,-.55 .09,-.60 .20,-.58 -.17,0 -.19,-.26 -.09,0 -.12,0 -.09,0 -.02,-.08 .12,-.19",
    ".54,.10 .39,.12 .37,.08 .65,.06 .43,0 .39,-.05 .36,0 .45,0 .35,0 .16,-.06 .39,.06",
    "-.10,-.17 .02,-.14 .05,-.17 -.29,-.09 .27,0 .37,.51 .11,0 .08,0 .12,0 .13,.25 .05,.07",
    "-.01,-.01 -.17,.01 -.19,.05 .34,-.10 -.04,0 .03,.15 -.21,0 -.04,0 -.21,0 .28,.06 -.08,.01",
)
"""Patterns ``u,v`` at the channels on the left of the image, in units of the root mean square of a change."""

_HZ = np.geomspace(0.4, 6.4, 5)
_AMPLITUDE = np.sqrt(_HZ[0] / _HZ) / 1.345  # a change over .24 s has size 1
DRAWS = (len(_HZ), 2, len(_EVEN) + len(_ODD))
"""Shape of the standard normal numbers of one clip."""


@cache
def patterns() -> FloatArray:
    """Return the patterns ``(8, 20, 2)``."""
    both = np.zeros((len(_EVEN) + len(_ODD), len(CHANNELS), 2))
    for i, text in enumerate(_EVEN + _ODD):
        both[i, _LEFT] = [[float(part) for part in pair.split(",")] for pair in text.split()]
        both[i, _UPPER_LID] = both[i, [_MID_BROW, _LOWER_LID]].mean(axis=0)  # assumed; it lies between them
        for left, right in MIRROR_PAIRS:
            both[i, right] = both[i, left] * ([-1, 1] if i < len(_EVEN) else [1, -1])
    return both


def natural_amounts(drawn: FloatArray, time_s: FloatArray) -> FloatArray:
    """Return how much of each pattern there is, ``(B, M, 8)``; see :func:`natural_movement`."""
    return np.asarray(_waves(time_s) @ drawn.reshape(len(drawn), -1, DRAWS[2]))


def natural_movement(drawn: FloatArray, time_s: FloatArray) -> FloatArray:
    """Return natural movement ``(B, M, 20, 2)`` at ``(B, M)`` times, from ``(B, *DRAWS)`` standard normal numbers.

    Waves whose power falls with the square of the frequency, each in patterns of its own; changes over .24 s have a
    root mean square of about 1.
    """
    return np.asarray(np.tensordot(natural_amounts(drawn, time_s), patterns(), 1))


def movement_of_no_pattern(drawn: FloatArray, time_s: FloatArray) -> FloatArray:
    """Return movement as strong as :func:`natural_movement` in which channels follow no pattern.

    Args:
        drawn: ``(B, 5, 2, 2, R)`` standard normal numbers; how alike close channels are is in them.
        time_s: ``(B, M)``.

    Returns:
        ``(B, M, R, 2)``.
    """
    size = np.sqrt(np.square(patterns()[:, :USUAL]).sum(axis=0).mean())
    moved = _waves(time_s) @ (size * drawn).reshape(len(drawn), 2 * len(_HZ), -1)
    return np.asarray(moved.reshape(*time_s.shape, 2, -1).swapaxes(2, 3))


def _waves(time_s: FloatArray) -> FloatArray:
    """Return the waves that movement is made of, ``(B, M, 10)`` at ``(B, M)`` times."""
    angle = 2 * np.pi * time_s[..., None] * _HZ
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=-1) * _AMPLITUDE[:, None]
    return np.asarray(waves.reshape(*time_s.shape, -1))
