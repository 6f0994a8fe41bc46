"""Where a video jumps from one scene to another between two frames.

Each frame is reduced to a few coarse blocks, free of brightness and contrast, and compared with the frame before. In a
cut that difference is large once; in a fast pan it is large in many frames, in a flash of light twice: there and back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from math import sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.types import Frame, GreyImage

_BLOCKS = (16, 12)
_SAMPLED = (128, 96)
_BLANK_GREY = 3.0  # assumed; spread of the blocks below which a frame shows nothing
_JUMP = 0.08  # measured: nods and turns of the head reach .015, cuts between scenes .8, between people mostly above .1
_TIMES_AROUND = 5.0  # assumed; how far a cut stands out from the frames around it
_REMEMBERED = 4

Look = NDArray[np.float32] | None
"""Blocks of a frame with mean 0 and length 1, or ``None`` for one that shows nothing."""


def mark_cuts(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Pass frames on, each with whether the scene changes before it; runs one frame behind.

    A change before the last frame is not told: nothing would follow it.

    Example:
        >>> cuts_s = [frame.time_s for frame, cut in mark_cuts(frames) if cut]  # doctest: +SKIP
    """
    recent: deque[float] = deque([0.0], maxlen=_REMEMBERED)
    waiting: Frame | None = None
    jump, seen = 0.0, None
    for frame in frames:
        look = _look(frame.image)
        # A blank frame neither is nor hides a cut: the next picture is compared with the last one.
        change = 0.0 if look is None or seen is None else 1 - float(np.vdot(look, seen))
        seen = seen if look is None else look
        if waiting is not None:
            yield waiting, jump >= max(_JUMP, _TIMES_AROUND * max(*recent, change))
            recent.append(jump)
        waiting, jump = frame, change
    if waiting is not None:
        yield waiting, False


def _look(image: GreyImage) -> Look:
    sampled = cv2.resize(image, _SAMPLED, interpolation=cv2.INTER_NEAREST)
    blocks = cv2.resize(sampled, _BLOCKS, interpolation=cv2.INTER_AREA).astype(np.float32)
    blocks -= blocks.sum() / blocks.size
    length = sqrt(float(np.vdot(blocks, blocks)))
    return None if length < _BLANK_GREY * sqrt(blocks.size) else blocks / np.float32(length)
