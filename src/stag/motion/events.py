"""What happens in a clip beside the motion of the face: the video cuts to another scene, the eyes blink.

Cuts: each frame is reduced to a few coarse blocks, free of brightness and contrast, and compared with the frame before.
In a cut that difference is large once; in a fast pan it is large in many frames, in a flash of light twice.

Blinks: no channel looks at the upper lids, but a blink pulls brows and lower lids along. A lid moves by many pixels
within a few frames, which is too far for flow; so the picture of the eye opening is compared with its median picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stag.types import FloatArray, GreyImage

_BLOCKS = (16, 12)
_SAMPLED = (128, 96)
_BLANK_GREY = 3.0  # assumed; spread of the blocks below which a frame shows nothing
_JUMP = 0.08  # measured: nods and turns of the head reach .015, cuts between scenes .8, between people mostly above .1
_TIMES_AROUND = 5.0  # assumed; how far a cut stands out from the frames around it
_REMEMBERED = 4

_EYES = ((36, 42), (42, 48))
_GROWN_PX = 2
_CHANGED = 0.33  # measured on simulated clips: docs/measurements/motion.md
_LONGEST_S = 0.4  # assumed; a blink lasts .1 to .4 s
_SLOWEST_S = 0.07  # assumed; frames further apart than that may step over a blink or invent one
_ENOUGH = 24  # frames whose median is the usual picture
_LEAST_CONTRAST = 2.0  # assumed; grey levels, an eye opening with less shows nothing


def blink_times(crops: Sequence[GreyImage], points: FloatArray, times_s: Sequence[float]) -> list[float]:
    """Return the moments at which both eyes are most closed, one for each blink.

    Eyes that look elsewhere, narrow, or close for longer than a blink do not count.

    Args:
        crops: ``N`` aligned crops ``(h, w)`` of one size.
        points: ``(68, 2)`` landmarks on them.
        times_s: ``(N,)`` rising.

    Returns:
        Times out of ``times_s``, rising.
    """
    times = np.asarray(times_s)
    if len(times) < 3 or float(np.median(np.diff(times))) > _SLOWEST_S:
        return []
    change = np.minimum(*(_change(crops, points[first:after]) for first, after in _EYES))
    found: list[float] = []
    for peak in np.flatnonzero(change >= _CHANGED):
        since = times - times[peak]
        before, after = (change[(side * since > 0) & (side * since <= _LONGEST_S)] for side in (-1, 1))
        near = change[np.abs(since) <= _LONGEST_S / 2]
        # Where the clip begins or ends amid a blink, half the way is enough to be sure of the direction.
        rise = _CHANGED if times[peak] - times[0] > _LONGEST_S / 2 else _CHANGED / 2
        fall = _CHANGED if times[-1] - times[peak] > _LONGEST_S / 2 else _CHANGED / 2
        rises = before.size > 0 and change[peak] - before.min() >= rise
        falls = after.size > 0 and change[peak] - after.min() >= fall
        if rises and falls and change[peak] >= near.max():
            found.append(float(times[peak]))
    return found


def _change(crops: Sequence[GreyImage], eye: FloatArray) -> FloatArray:
    """Return how far an eye opening differs from its median picture, ``(N,)``, in units of its contrast."""
    height, width = crops[0].shape
    left, top = np.clip(np.floor(eye.min(axis=0)) - [0, _GROWN_PX], 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(
        np.ceil(eye.max(axis=0)) + np.array([1, _GROWN_PX + 1]), [left + 1, top + 1], [width, height]
    )
    boxes = np.stack([crop[top : int(bottom), left : int(right)] for crop in crops]).astype(np.float32)
    boxes -= boxes.mean(axis=(1, 2), keepdims=True)
    usual = np.median(boxes[:: max(1, len(boxes) // _ENOUGH)], axis=0)
    contrast = max(float(usual.std()), _LEAST_CONTRAST)
    return np.asarray(np.sqrt(np.square(boxes - usual).mean(axis=(1, 2))) / contrast, dtype=np.float64)
