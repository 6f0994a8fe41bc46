"""Pictures of a face for the report of a long recording: all along it, and magnified where something was spotted.

A recording is read once more for them, since its motion is measured without keeping pictures. *Magnified* pictures
exaggerate the skin's motion since the onset of an interval: each aligned picture is warped by a multiple of the dense
flow that was measured on it.

Source: Liu et al., Motion Magnification, ACM Transactions on Graphics 24, 2005 (layers left out).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.faces.crop import CROP_PX, warp_crop
from stag.motion.flow import LucasKanadeFlow
from stag.motion.recording import averaged, frame_to_crop
from stag.motion.regions import HEAD_MOTION, channel_window, pool
from stag.spotting.recognise import Expression, FaceTimeline
from stag.types import FloatArray, Frame, GreyImage, RecordingMotion
from stag.utils.values import ArrayValue
from stag.video import fps_if_untimed, read_frames

_SIDE_PX = 192
_ALONG = 160  # assumed; pictures of a face all along its recording
_EXPRESSIONS = 16  # assumed; the expressions of a face that are shown in pictures, the surest ones
_STEPS = 14  # pictures of each
_AROUND_S = 0.12
_FACTOR, _LARGEST_PX = 10.0, 12.0  # assumed; more than that tears the picture
_SMOOTH_PX = 5.0
_EDGE_PX = 10.0


@dataclass(frozen=True, eq=False, repr=False)
class Moments(ArrayValue):
    """Pictures of one face.

    Attributes:
        rows: ``(P,)`` rows of its motion, rising.
        pictures: ``(P, S, S)`` uint8 aligned faces.
        factor: Expression -> how many times its motion is magnified.
        magnified: Expression -> row -> ``(S, S)`` uint8.
    """

    rows: NDArray[np.int64]
    pictures: NDArray[np.uint8]
    factor: dict[int, float]
    magnified: dict[int, dict[int, GreyImage]]


def read_moments(recording: Path, faces: Sequence[FaceTimeline], fps: float | None = None) -> list[Moments]:
    """Return pictures of the faces of a recording, in one pass and bounded memory.

    Args:
        recording: The file or folder.
        faces: Its faces, measured from it.
        fps: Frames per second where it has no times, as when it was measured.

    Raises:
        VideoError: It can no longer be read.
    """
    collected = [_Collected(face) for face in faces]
    for frame in averaged(read_frames(recording, fps=fps_if_untimed(recording, fps))):
        for one in collected:
            one.see(frame)
    return [one.finished() for one in collected]


class _Collected:
    """What was kept of the frames of one face so far."""

    def __init__(self, face: FaceTimeline) -> None:
        self.motion = face.motion
        shown = sorted(range(len(face.expressions)), key=lambda i: -face.expressions[i].interval.score)[:_EXPRESSIONS]
        self._spans = {i: interval_rows(face.motion, face.expressions[i]) for i in sorted(shown)}
        along = np.linspace(0, len(face.motion.time_s) - 1, _ALONG).astype(int)
        self._wanted = set(along.tolist()).union(*(rows.tolist() for rows in self._spans.values()))
        self._crops: dict[int, GreyImage] = {}
        self._small: dict[int, GreyImage] = {}
        self._factor: dict[int, float] = {}
        self._magnified: dict[int, dict[int, GreyImage]] = {}

    def see(self, frame: Frame) -> None:
        row = int(np.searchsorted(self.motion.time_s, frame.time_s - 1e-6))
        if self.motion.to_crop is None or row not in self._wanted or abs(self.motion.time_s[row] - frame.time_s) > 1e-3:
            return
        crop = warp_crop(frame.image, frame_to_crop(self.motion, row))
        self._small[row] = _small(crop)
        if any(rows[0] <= row <= rows[-1] for rows in self._spans.values()):
            self._crops[row] = crop
        for i, rows in self._spans.items():
            if row == rows[-1]:
                here = [r for r in rows.tolist() if r in self._crops]
                self._factor[i], pictures = magnified([self._crops[r] for r in here], self.motion)
                self._magnified[i] = dict(zip(here, map(_small, pictures), strict=True))
        first = min((rows[0] for rows in self._spans.values() if rows[-1] > row), default=row + 1)
        self._crops = {r: kept for r, kept in self._crops.items() if r >= first}

    def finished(self) -> Moments:
        rows = np.array(sorted(self._small), np.int64)
        pictures = np.array([self._small[row] for row in rows.tolist()], np.uint8).reshape(-1, _SIDE_PX, _SIDE_PX)
        return Moments(rows, pictures, self._factor, self._magnified)


def interval_rows(motion: RecordingMotion, one: Expression) -> NDArray[np.int64]:
    """Return the rows of the pictures of an expression: even ones from a little before it, and its apex."""
    when = one.interval
    first, apex, last = np.searchsorted(
        motion.time_s, [when.onset_s - _AROUND_S, when.apex_s, when.offset_s + _AROUND_S]
    )
    stretch = motion.stretch[min(int(apex), len(motion.time_s) - 1)]
    inside = np.flatnonzero(motion.stretch == stretch)
    low, high = int(max(first, inside[0])), int(min(last, inside[-1]))
    even = np.linspace(low, high, _STEPS).round().astype(np.int64)
    return np.unique([*even.tolist(), int(np.clip(apex, low, high))])


def magnified(crops: Sequence[GreyImage], motion: RecordingMotion) -> tuple[float, list[GreyImage]]:
    """Return the factor, and aligned crops ``(256, 256)`` with their motion since the first one magnified by it."""
    assert motion.points is not None
    flow = LucasKanadeFlow()
    fields = np.stack([_field(flow(crops[0], crop), motion.points) for crop in crops])
    beside = np.pad(fields, ((1, 1), (0, 0), (0, 0), (0, 0)), mode="edge")
    fields = 0.5 * fields + 0.25 * (beside[:-2] + beside[2:])  # noise is magnified, too
    largest = float(np.quantile(np.hypot(fields[..., 0], fields[..., 1]).max(axis=0), 0.99))
    factor = float(np.clip(_LARGEST_PX / max(largest, 1e-3), 1.0, _FACTOR))
    factor = round(factor) if factor >= 2 else round(factor, 1)
    columns, rows = np.meshgrid(*[np.arange(CROP_PX, dtype=np.float32)] * 2)
    here = np.stack([columns, rows], axis=-1)
    drawn = [
        np.asarray(
            cv2.remap(crop, (here - (factor - 1) * field).astype(np.float32), np.empty(0), cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)
        for crop, field in zip(crops, fields, strict=True)
    ]  # fmt: skip
    return factor, drawn


def _field(flow_px: NDArray[np.float32], points: FloatArray) -> NDArray[np.float32]:
    """Return the flow without what the head still moves, smooth, and fading out towards the edge of the face."""
    top, bottom, left, right = channel_window(HEAD_MOTION, points)
    own = flow_px - pool(flow_px[top:bottom, left:right], HEAD_MOTION.kept).astype(np.float32)
    inside = np.zeros((CROP_PX, CROP_PX), np.float32)
    brow = points[17:27] - [0.0, 24.0]
    hull = cv2.convexHull(np.concatenate([points, brow]).astype(np.float32)).astype(np.int32)
    cv2.fillConvexPoly(inside, hull, 1.0)
    inside = cv2.GaussianBlur(inside, (0, 0), _EDGE_PX)
    return np.asarray(cv2.GaussianBlur(own * inside[..., None], (0, 0), _SMOOTH_PX), dtype=np.float32)


def _small(crop: GreyImage) -> GreyImage:
    return np.asarray(cv2.resize(crop, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA), dtype=np.uint8)
