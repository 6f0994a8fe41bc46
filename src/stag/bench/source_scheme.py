"""Measure motion by the published scheme of He et al. that the paper starts from, as a reference.

Every frame is cropped to one face box of whole pixels; Farneback flow runs inside region boxes from the onset to every
frame; the motion of the nose bridge is subtracted; the strongest pixels of each window are averaged. It shares nothing
with :mod:`stag.motion`, so that a fault there cannot hide here.

Source: He et al., Micro-expression spotting based on optical flow features, Pattern Recognition Letters 163, 2022.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.types import FloatArray, GreyImage

SIDE_PX = 256
_NOSE_KEPT = 0.7
_KEPT = (*[0.2] * 4, *[0.3] * 5, *[0.2] * 7, 0.3, 0.3)
"""Share of strongest pixels of each channel and of the nose bridge."""

Box = tuple[int, int, int, int]
"""Half-open ``(top, bottom, left, right)``."""


def face_box(points: FloatArray) -> Box:
    """Return rows ``[cy - 3d, cy + 5d]`` and columns ``[cx - 4d, cx + 4d]`` in whole pixels of the frame (Eq. 2-4).

    ``d`` is half the distance of the inner eye corners of the ``(68, 2)`` landmarks, ``(cx, cy)`` their middle.
    """
    inner_left, inner_right = points[39], points[42]
    half = float(np.linalg.norm(inner_right - inner_left)) / 2
    x, y = (inner_left + inner_right) / 2
    return int(y - 3 * half), int(y + 5 * half), int(x - 4 * half), int(x + 4 * half)


class SourceScheme:
    """Motion of the 18 channels of one clip, from its first frame and the ``(68, 2)`` landmarks in it."""

    def __init__(self, image: GreyImage, points: FloatArray) -> None:
        top, bottom, left, right = face_box(points)
        # Landmarks are scaled with the part of the box inside the picture, because only that part is resized.
        top, bottom, left, right = max(top, 0), min(bottom, image.shape[0]), max(left, 0), min(right, image.shape[1])
        self._box = top, bottom, left, right
        p = (points - [left, top]) * np.array([SIDE_PX / (right - left), SIDE_PX / (bottom - top)])
        self._head = _grown(p[29:31], 13, 13, 13, 13)
        self._regions = _regions(p)
        self._first = self._face(image)

    def motion(self, frames: Iterable[GreyImage]) -> FloatArray:
        """Return the motion of every channel since the first frame: ``N`` frames -> ``(N, 18, 2)``, crop pixels."""
        return np.stack([self.frame_motion(image) for image in frames])

    def frame_motion(self, image: GreyImage) -> FloatArray:
        """Return the displacement of every channel from the first frame to this one: ``(18, 2)``."""
        face = self._face(image)
        head = _strongest(self._flow(face, self._head), _NOSE_KEPT)
        channels = np.zeros((18, 2))
        for box, windows in self._regions:
            field = np.asarray(self._flow(face, box) - head, dtype=np.float32)
            for channel, (top, bottom, left, right) in windows.items():
                channels[channel] = _strongest(field[top:bottom, left:right], _KEPT[channel])
        return channels

    def _face(self, image: GreyImage) -> GreyImage:
        top, bottom, left, right = self._box
        return np.asarray(cv2.resize(image[top:bottom, left:right], (SIDE_PX, SIDE_PX)), dtype=np.uint8)

    def _flow(self, face: GreyImage, box: Box) -> NDArray[np.float32]:
        top, bottom, left, right = box
        before = np.ascontiguousarray(self._first[top:bottom, left:right])
        now = np.ascontiguousarray(face[top:bottom, left:right])
        start = np.zeros((*before.shape, 2), np.float32)
        return np.asarray(cv2.calcOpticalFlowFarneback(before, now, start, 0.5, 3, 15, 5, 7, 1.5, 0), dtype=np.float32)


def _regions(p: FloatArray) -> list[tuple[Box, dict[int, Box]]]:
    """Return region boxes, and inside each the window of each of its channels, in coordinates of the box."""

    def around(windows: dict[int, int]) -> dict[int, Box]:
        return {channel: _grown(p[i : i + 1], 10, 10, 10, 10) for channel, i in windows.items()}

    left_brow, right_brow = _grown(p[17:22], 15, 5, 5, 0), _grown(p[22:27], 15, 5, 0, 0)
    mouth = _grown(p[48:67], 15, 10, 20, 20)
    corners = {9: _grown(p[48:49], 10, 10, 10, 20), 10: _grown(p[54:55], 10, 10, 20, 10)}
    wings = {14: _grown(p[31:32], 20, 5, 20, 10), 15: _grown(p[35:36], 20, 5, 10, 20)}
    nose = (min(wings[14][0], wings[15][0]), max(wings[14][1], wings[15][1]), wings[14][2], wings[15][3])
    regions = [
        (left_brow, {0: _inset(left_brow, 10), **around({1: 20, 2: 19, 3: 18})}),
        (right_brow, {4: _inset(right_brow, 10), **around({5: 23, 6: 24, 7: 25})}),
        (mouth, {8: _inset(mouth, 10), **corners, **around({11: 51, 12: 57, 13: 62})}),
        (nose, wings),
    ]
    for channel, eye in ((16, p[36:42]), (17, p[42:48])):
        low, high = eye.min(axis=0), eye.max(axis=0)
        middle, width = (low[1] + high[1]) / 2, high[0] - low[0]
        lid = _clipped(middle + width / 4, middle + 3 * width / 4, low[0], high[0])
        regions.append((lid, {channel: _inset(lid, 5)}))
    return [(box, {i: _within(window, box) for i, window in windows.items()}) for box, windows in regions]


def _clipped(top: float, bottom: float, left: float, right: float) -> Box:
    a, b, c, d = (int(np.clip(round(edge), 0, SIDE_PX)) for edge in (top, bottom, left, right))
    return a, b, c, d


def _grown(points: FloatArray, up: float, down: float, to_left: float, to_right: float) -> Box:
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return _clipped(top - up, bottom + down, left - to_left, right + to_right)


def _inset(box: Box, by: int) -> Box:
    return box[0] + by, box[1] - by, box[2] + by, box[3] - by


def _within(window: Box, box: Box) -> Box:
    """Return a window in coordinates of a box, clipped to it."""
    top, bottom = np.clip(window[:2], box[0], box[1]) - box[0]
    left, right = np.clip(window[2:], box[2], box[3]) - box[2]
    return int(top), int(bottom), int(left), int(right)


def _strongest(field: NDArray[np.float32], kept: float) -> FloatArray:
    """Return the mean of the ``kept`` share of strongest pixels (Eq. 10-11); zero for an empty window."""
    if field.size == 0:
        return np.zeros(2)
    flat = field.reshape(-1, 2)
    strength = np.hypot(flat[:, 0], flat[:, 1])
    count = max(1, int(np.ceil(kept * len(flat))))
    return np.asarray(flat[np.argpartition(strength, len(flat) - count)[-count:]].mean(axis=0), dtype=np.float64)
