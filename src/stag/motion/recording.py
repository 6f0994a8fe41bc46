"""Measure the motion of every face of a recording of any length, in one pass and constant memory for pictures.

A face is followed as in a clip. Each aligned crop is compared with a reference that is renewed every four seconds; what
the last crop had moved by then is added from then on, so that motion stays continuous and a face that slowly changes
never drifts out of reach. Faster cameras are averaged down to about sixty pictures a second first.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stag.config import MotionConfig
from stag.errors import FaceNotFound, VideoError
from stag.faces.crop import CROP_PX, compose, invert, transform_points
from stag.faces.detect import FaceDetector, load_detector
from stag.faces.track import Tracked
from stag.motion.flow import make_flow
from stag.motion.follow import GAP_S, FollowedFace, follow_all
from stag.motion.quality import LOOK, SourceLook, look_of
from stag.motion.regions import USUAL, Pooling
from stag.types import FloatArray, Frame, GreyImage, Landmarks, RecordingMotion
from stag.video import DEFAULT_FPS, fps_if_untimed, read_frames

RENEWAL_S = 4.0  # assumed; longer than any expression that is spotted
USUAL_S = 2.0  # assumed; time over which the usual picture of the eyes is averaged
_AVERAGED_S = 0.014  # frames nearer than that are averaged: 200 frames a second become 67
_OTHERS_S = 2.0  # between searches for further people
_FORGOTTEN_S = 60.0  # absence after which a face is no longer known by its looks
_LEAST_MOMENTS = 3
_EYES = ((36, 42), (42, 48))
_DRIFT_S = 0.25  # assumed; half a micro-expression, over which parts that cannot move seem to
_LARGEST_DRIFT_PX = 3.0
_BESIDE = 6 + len(LOOK)  # columns of a row before the motion
_TURN_DEG = 3.0  # a smaller turn counts as none
_LEAST_CONTRAST = 2.0  # grey levels
_CENTRE = np.full(2, CROP_PX / 2)

Progress = Callable[[float], None]
"""Takes the time up to which the recording has been read, in seconds."""


def read_recording(
    path: Path,
    *,
    detector: FaceDetector | None = None,
    fps: float | None = None,
    every_face: bool = False,
    progress: Progress | None = None,
) -> list[RecordingMotion]:
    """Return the motion of the largest face of a recording, or of every face, in order of their numbers.

    Args:
        path: A video, an animated picture, or a folder of images.
        detector: Source of faces; that of the default settings where omitted.
        fps: Frames per second where the recording has no times.
        every_face: Whether to follow everybody, or one person at a time.
        progress: Called about twice a second of the recording.

    Raises:
        VideoError: The recording cannot be read or has too few frames.
        FaceNotFound: There is no face.
    """
    detector = detector or usual_detector()
    frames = read_frames(Path(path), fps=fps_if_untimed(Path(path), fps))
    return measure_recording(frames, detector, str(path), every_face=every_face, progress=progress)


def measure_recording(
    frames: Iterable[Frame],
    detector: FaceDetector,
    name: str,
    *,
    every_face: bool = False,
    progress: Progress | None = None,
) -> list[RecordingMotion]:
    """Return the motion of the faces of streamed frames; else as :func:`read_recording`."""
    faces: list[RecordedFace] = []
    told_s, last_s, n_frames = -1.0, 0.0, 0
    for frame, _, faces in follow_all(
        averaged(frames), detector, RecordedFace, every_face=every_face, others_s=_OTHERS_S
    ):
        n_frames += 1
        last_s = frame.time_s
        for face in faces:
            if face.ended or last_s - face.seen_s > _FORGOTTEN_S:
                face.rest()
        if progress is not None and last_s - told_s >= 0.5:
            told_s = last_s
            progress(last_s)
    if n_frames < _LEAST_MOMENTS:
        raise VideoError(f"{name}: has {n_frames} frame(s); a recording needs at least {_LEAST_MOMENTS}")
    for face in faces:
        face.rest()
    people = [[face for face in faces if face.face_id == i] for i in sorted({face.face_id for face in faces})]
    measured = [_joined(some, last_s) for some in people if sum(len(face.time_s) for face in some) >= _LEAST_MOMENTS]
    if not measured:
        raise FaceNotFound(f"{name}: no face found in {n_frames} frames; film closer, with the face towards the camera")
    return measured


def usual_detector() -> FaceDetector:
    """Return the detector of the default settings."""
    settings = MotionConfig()
    return load_detector(settings.landmarks, min_score=settings.min_face_score)


def length_s(path: Path, fps: float | None = None) -> float:
    """Return the length that a recording announces, seconds; 0 where it announces none."""
    if path.is_dir():
        return sum(1 for one in path.iterdir() if one.is_file()) / (fps or DEFAULT_FPS)
    try:
        with av.open(os.path.abspath(path), metadata_errors="replace") as container:
            return float(container.duration / av.time_base) if container.duration else 0.0
    except (av.error.FFmpegError, OSError, ValueError):
        return 0.0  # reading it tells what is wrong


def averaged(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Average frames that follow each other within 14 ms; slower recordings stay as they are."""
    group: list[Frame] = []
    for frame in frames:
        if group and frame.time_s - group[0].time_s >= _AVERAGED_S:
            yield _mean(group)
            group = []
        group.append(frame)
    if group:
        yield _mean(group)


def _mean(group: list[Frame]) -> Frame:
    if len(group) == 1:
        return group[0]
    total = group[0].image.astype(np.float32)
    for frame in group[1:]:
        cv2.accumulate(frame.image, total)
    image = np.asarray(cv2.convertScaleAbs(total, alpha=1 / len(group)), dtype=np.uint8)
    return Frame(image, float(np.mean([frame.time_s for frame in group])), group[0].flags)


class RecordedFace(FollowedFace):
    """The motion of one face as it is followed: a row for each moment, measured against a reference that is renewed.

    Attributes:
        time_s: Times of the moments.
    """

    def __init__(self, frame: Frame, landmarks: Landmarks, face_id: int) -> None:
        self.time_s: list[float] = []
        # One array, since small ones between the pictures of each frame would scatter over memory.
        self._table = np.empty((1024, _BESIDE + 2 * USUAL), np.float32)
        self._flow = make_flow("lucas-kanade")
        self._offset = np.zeros((USUAL, 2))
        self._renewed_s = self._before_s = frame.time_s
        self._looked = 0
        self._residuals: deque[tuple[float, FloatArray]] = deque()
        super().__init__(frame, landmarks, face_id)

    def keep(self, frame: Frame, crop: GreyImage, tracked: Tracked | None) -> None:
        """Measure the crop of a frame; in the first one nothing has moved."""
        if tracked is None:
            self._reference = crop
            self._pooling = Pooling.of(self.points_in_window, "roi18")
            self._boxes = [_box(self.points_in_window[first:after], crop.shape) for first, after in _EYES]
            self._usual = [_centred(crop, box) for box in self._boxes]
            self._look = SourceLook(self.landmarks.points)
            self._look.see(frame.image)
            self._add(frame.time_s, np.zeros(_BESIDE + 2 * USUAL))
            return
        self._look.see(frame.image)
        moved = self._pooling.without_head(self._flow(self._reference, crop)) + self._offset
        if frame.time_s - self._renewed_s >= RENEWAL_S:
            self._fill_looks()
            self._look = SourceLook(transform_points(self.landmarks.points, tracked.motion))
            self._reference, self._offset, self._renewed_s = crop, moved, frame.time_s
        eyes = self._eyes(crop, frame.time_s - self._before_s)
        self._before_s = frame.time_s
        turn_deg = float(np.degrees(np.hypot(*tracked.turn)))
        drift_px = self._drift_px(frame.time_s, tracked.residuals)
        beside = [turn_deg if turn_deg > _TURN_DEG else 0.0, eyes, drift_px, *np.zeros(len(LOOK) - 1)]
        head = _head(compose(self.to_crop, compose(tracked.motion, invert(self.to_crop))))
        self._add(frame.time_s, np.concatenate([head, beside, np.nan_to_num(moved).ravel()]))

    def stretches(self) -> list[slice]:
        """Return the rows of each time without a longer absence."""
        edges = (np.flatnonzero(np.diff(self.time_s) > GAP_S) + 1).tolist()
        return [slice(a, b) for a, b in zip([0, *edges], [*edges, len(self.time_s)], strict=True)]

    def rest(self) -> None:
        """End it, and forget all pictures but the first crop."""
        self.ended = True
        self._fill_looks()
        for name in ("_tracker", "_reference", "_usual", "_flow", "_pooling"):
            vars(self).pop(name, None)

    @property
    def rows(self) -> NDArray[np.float32]:
        """``(N, 50)``: head (4), turn out of the plane, eyes, quality of the picture (8), motion (18 x 2)."""
        return self._table[: len(self.time_s)]

    def _add(self, time_s: float, row: FloatArray) -> None:
        if len(self.time_s) == len(self._table):
            self._table = np.concatenate([self._table, np.empty_like(self._table)])
        self._table[len(self.time_s)] = row
        self.time_s.append(time_s)

    def _fill_looks(self) -> None:
        """Write the quality of the picture into the rows of the last seconds."""
        if self._looked < len(self.time_s):
            self.rows[self._looked :, 7:_BESIDE] = look_of(
                self._reference, self.points_in_window, self._pooling, self._look
            )
            self._looked = len(self.time_s)

    def _drift_px(self, time_s: float, residuals: FloatArray) -> float:
        """Return how far the parts that cannot move seem to have moved within a quarter of a second (RMS)."""
        self._residuals.append((time_s, residuals))
        while len(self._residuals) > 2 and self._residuals[1][0] <= time_s - _DRIFT_S:
            self._residuals.popleft()
        return min(float(np.sqrt(np.square(residuals - self._residuals[0][1]).mean())), _LARGEST_DRIFT_PX)

    def _eyes(self, crop: GreyImage, passed_s: float) -> float:
        """Return how far both eyes differ from their usual picture, in units of its contrast."""
        changes = []
        weight = min(passed_s / USUAL_S, 1.0)
        for i, box in enumerate(self._boxes):
            now, usual = _centred(crop, box), self._usual[i]
            contrast = max(float(usual.std()), _LEAST_CONTRAST)
            changes.append(float(np.sqrt(np.square(now - usual).mean())) / contrast)
            self._usual[i] = usual + weight * (now - usual)
        return min(changes)


def _joined(faces: Sequence[RecordedFace], duration_s: float) -> RecordingMotion:
    """Return the motion of one person, who may have been found anew several times."""
    parts = sorted(((face, rows) for face in faces for rows in face.stretches()), key=lambda p: p[0].time_s[p[1].start])
    kept: list[tuple[FloatArray, NDArray[np.float32], FloatArray]] = []
    for face, rows in parts:
        time_s = np.array(face.time_s[rows])
        if not kept or time_s[0] > kept[-1][0][-1]:  # one person is in one place at a time
            kept.append((time_s, face.rows[rows], face.to_crop))
    table = np.concatenate([rows for _, rows, _ in kept])
    return RecordingMotion(
        time_s=np.concatenate([time_s for time_s, _, _ in kept]),
        motion=table[:, _BESIDE:].reshape(len(table), -1, 2),
        stretch=np.repeat(np.arange(len(kept)), [len(rows) for _, rows, _ in kept]),
        head=table[:, :4],
        turn_deg=table[:, 4],
        eyes=table[:, 5],
        face_id=faces[0].face_id,
        duration_s=duration_s,
        crop=faces[0].picture,
        points=faces[0].points,
        to_crop=np.stack([to_crop for _, _, to_crop in kept]),
        look=table[:, 6:_BESIDE],
    )


def _head(moved: FloatArray) -> FloatArray:
    """Return a similarity ``(2, 3)`` on the crop as shift (crop pixels), turn (degrees) and log size: ``(4,)``."""
    (a, _, _), (b, _, _) = moved
    shift = transform_points(_CENTRE, moved) - _CENTRE
    return np.array([*shift, np.degrees(np.arctan2(b, a)), np.log(max(float(np.hypot(a, b)), 1e-3))])


def frame_to_crop(motion: RecordingMotion, row: int) -> FloatArray:
    """Return the similarity ``(2, 3)`` from the frame of a moment to its aligned crop."""
    if motion.to_crop is None:
        raise ValueError("the motion has no pictures; measure it from a recording")
    x, y, degrees, log_size = (float(value) for value in motion.head[row])
    angle, scale = np.deg2rad(degrees), np.exp(log_size)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = np.column_stack([linear, _CENTRE - linear @ _CENTRE + [x, y]])  # as _head tells
    return compose(invert(moved), motion.to_crop[motion.stretch[row]])


def _box(eye: FloatArray, shape: tuple[int, ...]) -> tuple[slice, slice]:
    height, width = shape
    left, top = np.clip(np.floor(eye.min(axis=0)) - [0, 2], 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(eye.max(axis=0)) + np.array([1, 3]), [left + 1, top + 1], [width, height]).astype(
        int
    )
    return slice(top, bottom), slice(left, right)


def _centred(crop: GreyImage, box: tuple[slice, slice]) -> NDArray[np.float32]:
    part = crop[box].astype(np.float32)
    return np.asarray(part - part.mean(), dtype=np.float32)
