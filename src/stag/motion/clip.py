"""From the frames of a clip to the motion tensor of each face in it (Eq. 2-11).

Frames are read once. Each face is detected once, tracked from its first frame, and kept as a stack of small aligned
crops; dense flow runs only on the crops that become motion steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.config import MotionConfig
from stag.errors import FaceNotFound, VideoError
from stag.faces.crop import CropReader, compose, crop_transform, invert, transform_points, warp_crop
from stag.faces.detect import FaceDetector, load_detector
from stag.faces.landmark_file import FileDetector
from stag.faces.track import FaceTracker
from stag.motion.flow import Flow, LucasKanadeFlow, make_flow
from stag.motion.quality import SourceLook, blink_times, is_still, not_measurable, quality_of
from stag.motion.regions import Pooling, covering_window, empty_channels
from stag.motion.transforms import (
    between_steps,
    magnitude_positions,
    motion_at,
    probe_positions,
    since_onset,
    uniform_positions,
)
from stag.types import NO_MOVEMENT, NOT_MEASURABLE, FloatArray, Frame, GreyImage, Landmarks, MotionTensor, Quality
from stag.utils import limits
from stag.video import fps_if_untimed, frame_rate, mark_cuts, read_frames

_MIN_FRAMES = 3
_LOW_RESOLUTION_PX = 20.0
_LONG_S = 2.0
_REDETECT_S = 0.4
_SEARCH_S = 0.1  # time between searches while no face is followed
_GAP_S = 0.5  # longest absence of a face that is bridged
_TURNED_DEG = 6.0  # turn that is worth a remark; docs/measurements/quality.md has those of still heads
_SAME_PLACE = 1.5  # inter-ocular distances within which a detection is a known face
_FLOW_MARGIN_PX = 16  # assumed; flow at the edge of its picture is poor


class FaceTrack:
    """The aligned crops of one face, each cut to the window of the motion channels; the first also as ``picture``.

    Attributes:
        points: ``(68, 2)`` landmarks on the first crop.
        lost: Whether the face was missing for too long.
        ended: Whether its scene is over.
        gaps: Number of frames in which it was not followed.
        cuts_s: Times at which the video changes its scene, seconds from its start.
        reading: Remarks from reading the clip.
        residuals: ``(n, 2)`` float32 for each crop: deviation of the stable patches from the alignment, crop pixels.
        look: Signs of picture quality in the frames themselves.
    """

    def __init__(self, frame: Frame, landmarks: Landmarks, face_id: int) -> None:
        self.landmarks = landmarks
        self.face_id = face_id
        self.crops: list[GreyImage] = []
        self.times_s: list[float] = []
        self.start_s = frame.time_s
        self.lost = self.ended = False
        self.gaps = 0
        self.cuts_s: tuple[float, ...] = ()
        self.reading: tuple[str, ...] = ()
        self.residuals: list[NDArray[np.float32]] = []
        self.look = SourceLook(landmarks.points)
        self._turns_deg: list[float] = []
        self._tracker = FaceTracker(frame.image, landmarks)
        self._to_crop = crop_transform(landmarks.points)
        self.points = transform_points(landmarks.points, self._to_crop)
        self.window = covering_window(self.points, "roi18", _FLOW_MARGIN_PX)
        self.picture = warp_crop(frame.image, self._to_crop)
        self._motion: FloatArray = np.eye(2, 3)
        self.look.see(frame.image)
        self.keep(frame, self._to_crop)

    @property
    def points_in_window(self) -> FloatArray:
        """Landmarks ``(68, 2)`` in coordinates of the crops."""
        return self.points - [self.window[2], self.window[0]]

    @property
    def turned(self) -> bool:
        """Whether the head has turned out of the picture plane, in two frames in a row."""
        turns = np.array(self._turns_deg)
        return bool((np.minimum(turns[1:], turns[:-1]) > _TURNED_DEG).any())

    def follow(self, frame: Frame) -> None:
        """Align one more frame, or count a gap; a face that is missing for half a second is lost."""
        reader = CropReader(frame.image, self.window)
        tracked = self._tracker.update(reader)
        if tracked.lost:
            self.lost = frame.time_s - self.start_s - self.times_s[-1] > _GAP_S
            self.gaps += 1
            return
        self.look.see(frame.image)
        self.residuals.append(tracked.residuals.astype(np.float32))
        self._turns_deg.append(tracked.turn_deg)
        self._motion = tracked.motion
        self.keep(frame, compose(self._to_crop, invert(tracked.motion)), reader)

    def near(self, face: Landmarks) -> bool:
        """Return whether a detection is where this face is, or was last."""
        middle = self.landmarks.points.mean(axis=0)
        distance = self._motion[:, :2] @ middle + self._motion[:, 2] - face.points.mean(axis=0)
        return float(np.hypot(*distance)) < _SAME_PLACE * face.inter_ocular_px

    def keep(self, frame: Frame, transform: FloatArray, reader: CropReader | None = None) -> None:
        """Add the crop of a frame, aligned by a similarity ``(2, 3)`` from frame to crop."""
        self.crops.append((reader or CropReader(frame.image)).read(transform, self.window))
        self.times_s.append(frame.time_s - self.start_s)


def follow_faces(
    frames: Iterable[Frame], detector: FaceDetector, name: str, *, every_face: bool = False
) -> list[FaceTrack]:
    """Detect and track the largest face of a clip, or every face; return one track per face, ordered by id.

    Detection runs again only to find a face that is not followed: when there is none, and, with ``every_face``, when
    one is lost and every 0.4 seconds for people who appear later. A face that was lost and is found again near the
    same place keeps its id; of its stretches the longest counts, and where one face is wanted, the longest of all. No
    stretch reaches over a cut.

    Raises:
        VideoError: The clip has fewer than 3 frames, or more than :data:`limits.FRAMES`.
        FaceNotFound: No face was found.
    """
    tracks: list[FaceTrack] = []
    n_frames, next_search_s = 0, 0.0
    cuts_s: list[float] = []
    reading: dict[str, None] = {}
    for frame, cut in mark_cuts(frames):
        n_frames += 1
        reading.update(dict.fromkeys(frame.flags))
        if n_frames > limits.FRAMES:
            raise VideoError(f"{name}: has more than {limits.FRAMES} frames; cut it to the expression")
        if cut:
            cuts_s.append(frame.time_s)
            next_search_s = frame.time_s
            for track in tracks:
                track.ended = True
        active = [track for track in tracks if not (track.lost or track.ended)]
        for track in active:
            track.follow(frame)
        if any(track.lost for track in active):
            next_search_s = frame.time_s
        active = [track for track in active if not track.lost]
        if (every_face or not active) and frame.time_s >= next_search_s:
            next_search_s = frame.time_s + (_REDETECT_S if active else _SEARCH_S)
            new = [face for face in detector.detect(frame.image) if not any(track.near(face) for track in active)]
            for face in new if every_face else new[:1]:
                here = [track.face_id for track in tracks if (track.lost or track.ended) and track.near(face)]
                unused = 1 + max((track.face_id for track in tracks), default=-1) if every_face else 0
                tracks.append(FaceTrack(frame, face, here[-1] if here else unused))
    if n_frames < _MIN_FRAMES:
        raise VideoError(f"{name}: has {n_frames} frame(s); a clip needs at least {_MIN_FRAMES}")
    longest: dict[int, FaceTrack] = {}
    for track in tracks:
        known = longest.get(track.face_id)
        if len(track.crops) >= max(_MIN_FRAMES, len(known.crops) + 1 if known else 0):
            longest[track.face_id] = track
    if not longest:
        if tracks:
            raise FaceNotFound(f"{name}: no face can be followed for {_MIN_FRAMES} frames; cut it to one scene")
        raise FaceNotFound(f"{name}: no face found in {n_frames} frames; crop closer, or lower motion.min_face_score")
    followed = [longest[face_id] for face_id in sorted(longest)]
    for track in followed:
        track.cuts_s, track.reading = tuple(cuts_s), tuple(reading)
    return followed


def track_motion(
    track: FaceTrack,
    config: MotionConfig,
    *,
    flow: Flow | None = None,
    kept: float | None = None,
    pictures: bool = False,
) -> MotionTensor:
    """Return the motion tensor of one followed face.

    Args:
        track: Crops of at least 3 frames.
        config: Layout, steps, flow, reference, sampling and smoothing.
        flow: Flow algorithm in place of the configured one.
        kept: Share of strongest pixels in place of each channel's own.
        pictures: Whether to keep the crop at each step, for a player.

    Source: Eq. 8-11.
    """
    n_frames = len(track.crops)
    times_s = np.asarray(track.times_s)
    crops = _Smoothed(track.crops, frame_rate(track.times_s), config.smooth_s)
    positions = uniform_positions(n_frames, config.steps)
    if config.sampling == "magnitude" and n_frames > config.steps:
        positions = magnitude_positions(*_probed_steps(crops, n_frames), config.steps)
    frames = np.arange(n_frames) if n_frames < config.steps else positions.astype(np.int64)
    windows = Pooling.of(track.points_in_window, config.layout, kept)
    motion = _displacement(crops, frames, flow or make_flow(config.flow), windows, config)
    if n_frames < config.steps:
        motion = motion_at(positions, motion)
    quality = quality_of(track.crops, crops[0], track.residuals, frames, crops.reach, motion, windows, track.look)
    if config.reference == "previous":
        motion = between_steps(motion)
    motion32 = np.nan_to_num(motion).astype(np.float32)
    step_pictures = None
    if pictures:
        top, bottom, left, right = track.window
        step_pictures = np.repeat(track.picture[None], len(positions), axis=0)
        for picture, position in zip(step_pictures, positions, strict=True):
            picture[top:bottom, left:right] = track.crops[int(position + 0.5)]
    return MotionTensor(
        motion=motion32,
        time_s=np.interp(positions, np.arange(n_frames), times_s).astype(np.float32),
        frame_index=positions,
        flags=_flags(track, config, quality, is_still(motion32, config.reference)),
        strength_px=float(np.sqrt(np.mean(np.square(motion32, dtype=np.float64)))),
        crop=track.picture,
        points=track.points,
        n_frames=n_frames,
        duration_s=float(times_s[-1]),
        start_s=track.start_s,
        face_id=track.face_id,
        face_score=track.landmarks.score,
        pictures=step_pictures,
        quality=quality,
    )


def extract_clip(
    frames: Iterable[Frame],
    detector: FaceDetector,
    config: MotionConfig,
    name: str | Path,
    *,
    every_face: bool = False,
    pictures: bool = False,
) -> list[MotionTensor]:
    """Return the motion of the largest face of a clip, or of every face; else as :func:`video_motion`."""
    if isinstance(detector, FileDetector):
        frames = detector.frames_with_points(frames)
    tracks = follow_faces(frames, detector, str(name), every_face=every_face)
    return [track_motion(track, config, pictures=pictures) for track in tracks]


def video_motion(
    path: Path, settings: MotionConfig, *, fps: float | None = None, every_face: bool = False, pictures: bool = False
) -> list[MotionTensor]:
    """Read a clip, find its faces with dlib, and measure their motion.

    Args:
        path: A video, a GIF or a folder of images.
        settings: How to extract.
        fps: Frames per second where the clip has no times; a video keeps its own.
        every_face: Whether to measure every face of the clip, or the largest alone.
        pictures: Whether to keep the crop at each step, for the player of a report.

    Raises:
        VideoError: The clip cannot be read or has too few frames.
        FaceNotFound: No face was found.
        MissingDependency: The landmark model is not installed.
    """
    detector = load_detector("dlib", min_score=settings.min_face_score)
    frames = read_frames(path, fps=fps_if_untimed(path, fps), most=limits.FRAMES)
    return extract_clip(frames, detector, settings, path, every_face=every_face, pictures=pictures)


class _Smoothed:
    """Aligned crops, each averaged with its neighbours in time where ``smooth_s`` asks for it."""

    def __init__(self, crops: list[GreyImage], fps: float, smooth_s: float) -> None:
        self._crops = crops
        self.reach = int(smooth_s / 2 * fps + 0.01)

    def __getitem__(self, index: int) -> GreyImage:
        if self.reach == 0:
            return self._crops[index]
        near = self._crops[max(0, index - self.reach) : index + self.reach + 1]
        total = near[0].astype(np.float32)
        for crop in near[1:]:
            cv2.accumulate(crop, total)
        return np.asarray(cv2.convertScaleAbs(total, alpha=1 / len(near)), dtype=np.uint8)


def _displacement(
    crops: _Smoothed, frames: NDArray[np.int64], flow: Flow, pooling: Pooling, config: MotionConfig
) -> FloatArray:
    """Return the displacement of every channel since the first frame, ``(N, R, 2)``; the first row is zero."""
    pooled = pooling.without_head if config.nose_subtraction else pooling.static
    images = [crops[int(index)] for index in frames]
    before = images[:1] * (len(images) - 1) if config.reference == "first" else images[:-1]
    moved = pooled(np.stack([flow(*pair) for pair in zip(before, images[1:], strict=True)]))
    if config.reference == "previous":
        moved = since_onset(moved)
    return np.concatenate([np.zeros_like(moved[:1]), moved])


def _probed_steps(crops: _Smoothed, n_frames: int) -> tuple[FloatArray, FloatArray]:
    """Return ``(P,)`` frames and the motion ``(P - 1,)`` between them, from coarse flow at a few dozen frames.

    Consecutive motion is smaller than its noise, so displacement since the first frame is measured, averaged over
    blocks, and differenced; the smallest steps count as noise and are subtracted.
    """
    probes = np.unique(probe_positions(n_frames))
    flow = LucasKanadeFlow(rounds=0)
    height, width = crops[0].shape
    size, coarse = (width // 2, height // 2), (width // 16, height // 16)
    small = [np.asarray(cv2.resize(crops[int(i)], size, interpolation=cv2.INTER_AREA), np.uint8) for i in probes]
    blocks = [np.zeros((coarse[1], coarse[0], 2), np.float32)]
    for image in small[1:]:
        field = cv2.resize(flow(small[0], image), coarse, interpolation=cv2.INTER_AREA)
        blocks.append(field - field.mean(axis=(0, 1)))
    change = np.diff(np.stack(blocks), axis=0)
    step = np.sqrt((change**2).sum(axis=-1).mean(axis=(1, 2)))
    return probes, np.clip(step - np.quantile(step, 0.2), 0, None).astype(np.float64)


def _flags(track: FaceTrack, config: MotionConfig, quality: Quality, still: bool) -> tuple[str, ...]:
    duration_s = track.times_s[-1]
    empty = empty_channels(track.points, config.layout)
    blinks = blink_times(track.crops, track.points_in_window, track.times_s)
    reason = not_measurable(quality)
    remarks = (
        (reason is not None, f"{NOT_MEASURABLE}: {reason}"),
        (still, NO_MOVEMENT),
        (len(track.crops) < config.steps, f"interpolated from {len(track.crops)} frames"),
        (track.start_s > 0, f"face found at {track.start_s:.2f} s"),
        (track.lost, f"face lost after {track.start_s + duration_s:.2f} s"),
        (track.gaps > 0 and not track.lost, f"face not followed in {track.gaps} frames"),
        (bool(track.cuts_s), "cut in the video at " + ", ".join(f"{at:.2f} s" for at in track.cuts_s)),
        (track.turned, "head turned"),
        (bool(blinks), "blink at " + ", ".join(f"{track.start_s + at:.2f} s" for at in blinks)),
        (track.landmarks.inter_ocular_px < _LOW_RESOLUTION_PX, "low resolution"),
        (duration_s > _LONG_S, "longer than a micro-expression"),
        (bool(empty), "outside the picture: " + ", ".join(empty)),
    )
    return (*track.reading, *(text for applies, text in remarks if applies))
