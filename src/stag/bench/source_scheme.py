"""The scheme of He et al. that the paper starts from, written out as published: the reference to beat.

One face box of whole pixels from the first frame, cut out of every frame and resized; Farneback flow inside a few
region boxes from the onset to every frame; the motion of the nose bridge subtracted; the strongest pixels of each
window averaged. Nothing is shared with :mod:`stag.motion`, so that a fault there cannot hide here.

Source: He et al., Micro-expression spotting based on optical flow features, Pattern Recognition Letters 163, 2022.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.types import FloatArray, GreyImage

SIDE_PX = 256
_NOSE = slice(29, 31)
_NOSE_MARGIN = 13
_NOSE_KEPT = 0.7
_BROW_LEFT, _BROW_RIGHT, _MOUTH = slice(17, 22), slice(22, 27), slice(48, 67)
_EYES = (slice(36, 42), slice(42, 48))

Box = tuple[int, int, int, int]
"""Half-open ``(top, bottom, left, right)``."""


def face_box(points: FloatArray) -> Box:
    """Return rows ``[cy - 3d, cy + 5d]`` and columns ``[cx - 4d, cx + 4d]`` in whole pixels of the frame (Eq. 2-4).

    Args:
        points: ``(68, 2)`` landmarks of the first frame; ``d`` is half the distance of the inner eye corners and
            ``(cx, cy)`` the middle between them.
    """
    inner_left, inner_right = points[39], points[42]
    half = float(np.linalg.norm(inner_right - inner_left)) / 2
    x, y = (inner_left + inner_right) / 2
    return int(y - 3 * half), int(y + 5 * half), int(x - 4 * half), int(x + 4 * half)


class SourceScheme:
    """Motion of the 18 channels of one clip, frame by frame.

    Args:
        image: The first frame ``(height, width)`` uint8.
        points: ``(68, 2)`` landmarks in it.

    Example:
        >>> motion = SourceScheme(first, face.points).motion(others)  # doctest: +SKIP
    """

    def __init__(self, image: GreyImage, points: FloatArray) -> None:
        self._box = face_box(points)
        top, bottom, left, right = self._box
        # Part of the box that lies in the picture; landmarks are scaled with what is really resized.
        self._box = (max(top, 0), min(bottom, image.shape[0]), max(left, 0), min(right, image.shape[1]))
        top, bottom, left, right = self._box
        scale = np.array([SIDE_PX / (right - left), SIDE_PX / (bottom - top)])
        p = (points - [left, top]) * scale
        nose = _grown(p[_NOSE], _NOSE_MARGIN, _NOSE_MARGIN, _NOSE_MARGIN, _NOSE_MARGIN)
        self._head: tuple[Box, Box] = (nose, (0, nose[1] - nose[0], 0, nose[3] - nose[2]))
        self._regions = _regions(p)
        self._first = self._face(image)

    def motion(self, frames: Iterable[GreyImage]) -> FloatArray:
        """Return the motion of every channel since the first frame: ``N`` frames -> ``(N, 18, 2)``, crop pixels."""
        return np.stack([self.frame_motion(image) for image in frames])

    def frame_motion(self, image: GreyImage) -> FloatArray:
        """Return the displacement of every channel from the first frame to this one: ``(18, 2)``."""
        face = self._face(image)
        head = _strongest(self._flow(face, self._head[0]), _NOSE_KEPT)
        channels = np.zeros((18, 2))
        for box, windows in self._regions:
            field = np.asarray(self._flow(face, box) - head, dtype=np.float32)
            for channel, (top, bottom, left, right), kept in windows:
                channels[channel] = _strongest(field[top:bottom, left:right], kept)
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


_Windows = list[tuple[int, Box, float]]


def _regions(p: FloatArray) -> list[tuple[Box, _Windows]]:
    """Return region boxes, and inside each the windows of its channels: ``(channel, window in the box, kept)``."""
    brow_left = _grown(p[_BROW_LEFT], 15, 5, 5, 0)
    brow_right = _grown(p[_BROW_RIGHT], 15, 5, 0, 0)
    mouth = _grown(p[_MOUTH], 15, 10, 20, 20)
    wings = [(14, _grown(p[31:32], 20, 5, 20, 10)), (15, _grown(p[35:36], 20, 5, 10, 20))]
    around = [box for _, box in wings]
    nose = (around[0][0], around[0][1], around[0][2], around[1][3])
    nose = (min(nose[0], around[1][0]), max(nose[1], around[1][1]), nose[2], nose[3])
    at = {i: p[i : i + 1] for i in range(68)}
    corner_left, corner_right = _grown(at[48], 10, 10, 10, 20), _grown(at[54], 10, 10, 20, 10)
    plan: list[tuple[Box, list[tuple[int, Box, float]]]] = [
        (
            brow_left,
            [(0, _inset(brow_left, 10), 0.2), *((i, _around(at[j]), 0.2) for i, j in ((1, 20), (2, 19), (3, 18)))],
        ),
        (
            brow_right,
            [(4, _inset(brow_right, 10), 0.3), *((i, _around(at[j]), 0.3) for i, j in ((5, 23), (6, 24), (7, 25)))],
        ),
        (
            mouth,
            [
                (8, _inset(mouth, 10), 0.3),
                (9, corner_left, 0.2),
                (10, corner_right, 0.2),
                *((i, _around(at[j]), 0.2) for i, j in ((11, 51), (12, 57), (13, 62))),
            ],
        ),
        (nose, [(i, box, 0.2) for i, box in wings]),
    ]
    for channel, eye in zip((16, 17), _EYES, strict=True):
        low, high = p[eye].min(axis=0), p[eye].max(axis=0)
        middle, width = (low[1] + high[1]) / 2, high[0] - low[0]
        lid = _clipped(middle + width / 4, middle + 3 * width / 4, low[0], high[0])
        plan.append((lid, [(channel, _inset(lid, 5), 0.3)]))
    return [(box, [(i, _within(window, box), kept) for i, window, kept in windows]) for box, windows in plan]


def _clipped(top: float, bottom: float, left: float, right: float) -> Box:
    a, b, c, d = (int(np.clip(round(edge), 0, SIDE_PX)) for edge in (top, bottom, left, right))
    return a, b, c, d


def _grown(points: FloatArray, up: float, down: float, to_left: float, to_right: float) -> Box:
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return _clipped(top - up, bottom + down, left - to_left, right + to_right)


def _around(point: FloatArray) -> Box:
    return _grown(point, 10, 10, 10, 10)


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
