"""Measure the motion of every face of a recording of any length, in one pass and constant memory for pictures.

A face is tracked as in a clip. Each aligned crop is compared with a reference that is renewed every four seconds; what
the last crop had moved by then is added from then on, so that motion stays continuous and a face that slowly changes
never drifts out of reach. Faster cameras are averaged down to about sixty pictures a second first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stag.config import MotionConfig
from stag.errors import FaceNotFound, VideoError
from stag.faces.crop import CropReader, compose, crop_transform, invert, transform_points, warp_crop
from stag.faces.detect import FaceDetector, load_detector
from stag.faces.track import FaceTracker
from stag.motion.flow import make_flow
from stag.motion.regions import Pooling, covering_window
from stag.types import FloatArray, Frame, GreyImage, Landmarks, RecordingMotion
from stag.video import DEFAULT_FPS, fps_if_untimed, mark_cuts, read_frames

RENEWAL_S = 4.0  # assumed; longer than any expression that is spotted
USUAL_S = 2.0  # assumed; time over which the usual picture of the eyes is averaged
_AVERAGED_S = 0.014  # frames nearer than that are averaged: 200 frames a second become 67
_FLOW_MARGIN_PX = 16
_GAP_S = 0.5  # longest absence of a face within a stretch
_SEARCH_S, _OTHERS_S = 0.2, 2.0  # between searches where no face is followed, and for further people
_SAME_PLACE = 1.5  # inter-ocular distances within which a detection is a known face
_LEAST_MOMENTS = 3
_EYES = ((36, 42), (42, 48))
_LEAST_TURN = 0.01  # radians; a smaller turn moves nothing by a tenth of a pixel
_TURN_DEG = 3.0  # a smaller turn counts as none
_LEAST_CONTRAST = 2.0  # grey levels
_HEAD_PLACE = np.array([128.0, 128.0])

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
    faces: list[_Face] = []
    next_search_s, told_s, last_s, n_frames = 0.0, -1.0, 0.0, 0
    for frame, cut in mark_cuts(averaged(frames)):
        n_frames += 1
        last_s = frame.time_s
        if progress is not None and last_s - told_s >= 0.5:
            told_s = last_s
            progress(last_s)
        for face in faces:
            if cut:
                face.leave()
            face.follow(frame)
        followed = [face for face in faces if face.followed]
        if cut or not followed:
            next_search_s = min(next_search_s, frame.time_s + (0.0 if cut else _SEARCH_S))
        if frame.time_s < next_search_s or (followed and not every_face):
            continue
        next_search_s = frame.time_s + (_OTHERS_S if followed else _SEARCH_S)
        new = [one for one in detector.detect(frame.image) if not any(face.near(one) for face in followed)]
        for one in new if every_face else new[:1]:
            known = [face for face in faces if not face.followed and face.near(one)]
            face = known[0] if known else _Face(len(faces))
            if not known:
                faces.append(face)
            face.enter(frame, one)
    if n_frames < _LEAST_MOMENTS:
        raise VideoError(f"{name}: has {n_frames} frame(s); a recording needs at least {_LEAST_MOMENTS}")
    measured = [face.motion(last_s) for face in faces if len(face.time_s) >= _LEAST_MOMENTS]
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
        with av.open(str(path), metadata_errors="replace") as container:
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


class _Face:
    """One person: the measurements so far, and the stretch in which the face is followed."""

    def __init__(self, face_id: int) -> None:
        self.face_id = face_id
        self.time_s: list[float] = []
        self._rows: list[NDArray[np.float32]] = []
        self._stretch: list[int] = []
        self._number = -1
        self._view: _View | None = None
        self._place: Landmarks | None = None
        self._crop: GreyImage | None = None
        self._points: FloatArray | None = None
        self._to_crop: list[FloatArray] = []
        self._seen_s = 0.0

    @property
    def followed(self) -> bool:
        return self._view is not None

    def enter(self, frame: Frame, landmarks: Landmarks) -> None:
        """Begin a stretch."""
        self._number += 1
        self._place = landmarks
        self._view = _View(frame, landmarks)
        self._to_crop.append(self._view.to_crop)
        if self._crop is None:
            self._crop, self._points = self._view.picture, self._view.points
        self._keep(frame, self._view.first())

    def leave(self) -> None:
        """End the stretch."""
        self._view = None

    def follow(self, frame: Frame) -> None:
        if self._view is None:
            return
        row = self._view.measure(frame)
        if row is not None:
            self._keep(frame, row)
        elif frame.time_s - self._seen_s > _GAP_S:
            self.leave()

    def near(self, other: Landmarks) -> bool:
        """Return whether a detection is where this face is, or was last."""
        assert self._place is not None
        here = self._place.points.mean(axis=0) if self._view is None else self._view.centre()
        return float(np.hypot(*(here - other.points.mean(axis=0)))) < _SAME_PLACE * other.inter_ocular_px

    def motion(self, duration_s: float) -> RecordingMotion:
        table = np.stack(self._rows)
        return RecordingMotion(
            time_s=np.array(self.time_s),
            motion=table[:, 6:].reshape(len(table), -1, 2),
            stretch=np.array(self._stretch, np.int64),
            head=table[:, :4],
            turn_deg=table[:, 4],
            eyes=table[:, 5],
            face_id=self.face_id,
            duration_s=duration_s,
            crop=self._crop,
            points=self._points,
            to_crop=np.stack(self._to_crop),
        )

    def _keep(self, frame: Frame, row: NDArray[np.float32]) -> None:
        self.time_s.append(frame.time_s)
        self._rows.append(row)
        self._stretch.append(self._number)
        self._seen_s = frame.time_s


class _View:
    """The face of one stretch: tracker, reference crop, and the usual picture of the eyes."""

    def __init__(self, frame: Frame, landmarks: Landmarks) -> None:
        self._centre = landmarks.points.mean(axis=0)
        self.to_crop = crop_transform(landmarks.points)
        self._from_crop = invert(self.to_crop)
        self.points = transform_points(landmarks.points, self.to_crop)
        self.picture = warp_crop(frame.image, self.to_crop)
        self._window = covering_window(self.points, "roi18", _FLOW_MARGIN_PX)
        inside = self.points - [self._window[2], self._window[0]]
        self._pooling = Pooling.of(inside, "roi18")
        self._tracker = FaceTracker(frame.image, landmarks)
        self._flow = make_flow("lucas-kanade")
        self._reference = CropReader(frame.image).read(self.to_crop, self._window)
        self._renewed_s = self._before_s = frame.time_s
        self._offset = np.zeros((18, 2))
        self._boxes = [_box(inside[first:after], self._reference.shape) for first, after in _EYES]
        self._usual = [_centred(self._reference, box) for box in self._boxes]
        self._motion: FloatArray = np.eye(2, 3)

    def first(self) -> NDArray[np.float32]:
        """Return the row of the first frame, in which nothing has moved."""
        return np.zeros(6 + 36, np.float32)

    def measure(self, frame: Frame) -> NDArray[np.float32] | None:
        """Return head ``(4,)``, turn, eyes and motion ``(18, 2)`` as one row, or ``None`` where the face is lost."""
        reader = CropReader(frame.image, self._window)
        tracked = self._tracker.update(reader)
        if tracked.lost:
            return None
        self._motion = tracked.motion
        turn = tracked.turn
        shift = self._tracker.shape.shift(turn, self._window) if np.abs(turn).max() > _LEAST_TURN else None
        crop = reader.read(compose(self.to_crop, invert(tracked.motion)), self._window, shift)
        moved = self._pooling.without_head(self._flow(self._reference, crop)) + self._offset
        if frame.time_s - self._renewed_s >= RENEWAL_S:
            self._reference, self._offset, self._renewed_s = crop, moved, frame.time_s
        eyes = self._eyes(crop, frame.time_s - self._before_s)
        self._before_s = frame.time_s
        turn_deg = float(np.degrees(np.hypot(*turn)))
        turn_deg = turn_deg if turn_deg > _TURN_DEG else 0.0
        row = np.concatenate([self._head(), [turn_deg, eyes], np.nan_to_num(moved).ravel()])
        return row.astype(np.float32)

    def centre(self) -> FloatArray:
        """Return the middle of the landmarks in the last frame."""
        return transform_points(self._centre, self._motion)

    def _head(self) -> FloatArray:
        (a, _, x), (b, _, y) = compose(self.to_crop, compose(self._motion, self._from_crop))
        linear = np.array([[a, -b], [b, a]])
        shift = linear @ _HEAD_PLACE + [x, y] - _HEAD_PLACE
        return np.array([*shift, np.degrees(np.arctan2(b, a)), np.log(max(float(np.hypot(a, b)), 1e-3))])

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
