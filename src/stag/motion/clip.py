"""From the frames of a clip to the motion tensor of each face in it (Eq. 2-11).

Dense flow runs only on the aligned crops that become motion steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.config import MotionConfig
from stag.faces.detect import FaceDetector, load_detector
from stag.faces.landmark_file import FileDetector
from stag.motion.flow import Flow, LucasKanadeFlow, make_flow
from stag.motion.follow import FaceTrack, follow_faces
from stag.motion.quality import blink_times, quality_of, withheld
from stag.motion.regions import Pooling, empty_channels
from stag.motion.transforms import (
    between_steps,
    magnitude_positions,
    motion_at,
    probe_positions,
    since_onset,
    uniform_positions,
)
from stag.types import FloatArray, Frame, GreyImage, MotionTensor
from stag.utils import limits
from stag.video import fps_if_untimed, frame_rate, read_frames

_LOW_RESOLUTION_PX = 20.0
_LONG_S = 2.0


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
    quality = quality_of(
        track.crops,
        crops[0],
        track.points_in_window,
        track.residuals,
        frames,
        crops.reach,
        motion,
        windows,
        track.look,
    )
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
        flags=_flags(track, config, withheld(quality, motion32, config.reference, turned=track.turned)),
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
        head_deg=np.stack(
            [np.interp(positions, np.arange(n_frames), angle) for angle in np.array(track.head).T], axis=1
        ),
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
    path: Path,
    settings: MotionConfig,
    *,
    fps: float | None = None,
    every_face: bool = False,
    pictures: bool = False,
    landmarks: str | None = None,
) -> list[MotionTensor]:
    """Read a clip, find its faces, and measure their motion.

    Args:
        path: A video, a GIF or a folder of images.
        settings: How to extract.
        fps: Frames per second where the clip has no times; a video keeps its own.
        every_face: Whether to measure every face of the clip, or the largest alone.
        pictures: Whether to keep the crop at each step, for the player of a report.
        landmarks: Detector or landmark file in place of the configured one; see `load_detector`.

    Raises:
        VideoError: The clip cannot be read or has too few frames.
        FaceNotFound: No face was found.
        MissingDependency: The landmark model is not installed.
    """
    detector = load_detector(landmarks or settings.landmarks, min_score=settings.min_face_score)
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


def _flags(track: FaceTrack, config: MotionConfig, unanswered: tuple[str, ...]) -> tuple[str, ...]:
    duration_s = track.times_s[-1]
    empty = empty_channels(track.points, config.layout)
    blinks = blink_times(track.crops, track.points_in_window, track.times_s)
    remarks = (
        (len(track.crops) < config.steps, f"interpolated from {len(track.crops)} frames"),
        (track.start_s > 0, f"face found at {track.start_s:.2f} s"),
        (track.lost, f"face lost after {track.start_s + duration_s:.2f} s"),
        (track.gaps > 0 and not track.lost, f"face not followed in {track.gaps} frames"),
        (bool(track.cuts_s), "cut in the video at " + ", ".join(f"{at:.2f} s" for at in track.cuts_s)),
        (track.quarter_turns > 0, f"picture turned by {90 * track.quarter_turns} degrees"),
        (track.turned, "head turned"),
        (bool(blinks), "blink at " + ", ".join(f"{track.start_s + at:.2f} s" for at in blinks)),
        (track.landmarks.inter_ocular_px < _LOW_RESOLUTION_PX, "low resolution"),
        (duration_s > _LONG_S, "longer than a micro-expression"),
        (bool(empty), "outside the picture: " + ", ".join(empty)),
    )
    return (*track.reading, *unanswered, *(text for applies, text in remarks if applies))
