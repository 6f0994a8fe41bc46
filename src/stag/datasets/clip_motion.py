"""One annotated clip -> what the motion file keeps of it: a few kilobytes, whatever the size of the pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stag.config import MotionConfig
from stag.datasets.readers.key_frames import LEAST_SHARE
from stag.errors import VideoError
from stag.faces.detect import load_detector
from stag.motion.clip import extract_clip
from stag.motion.transforms import apex_step
from stag.types import Clip, Frame, MotionTensor
from stag.utils.values import ArrayValue
from stag.video import read_frames

ESTIMATED = "apex estimated"
"""Flag of a clip whose apex comes from its motion."""

OUTSIDE = "annotated apex outside the clip"
"""Flag of a clip whose annotated apex is no frame of it."""


@dataclass(frozen=True, eq=False, repr=False)
class ClipMotion(ArrayValue):
    """The row of one clip in a motion file.

    Attributes:
        motion: ``(T, R, 2)`` float32, crop pixels.
        time_s: ``(T,)`` float32, time of each step since the first frame of the clip.
        apex_s: Time of the apex since the first frame of the clip, ``nan`` where unknown.
        flags: Remarks about the clip.
    """

    motion: NDArray[np.float32]
    time_s: NDArray[np.float32]
    apex_s: float
    flags: tuple[str, ...]


def clip_motion(clip: Clip, settings: MotionConfig) -> ClipMotion:
    """Motion of the largest face of one annotated clip, from onset to offset, and its apex.

    The annotated apex is taken where there is one within the clip; else it is estimated from the motion, and flagged.
    So is a video that ends before the offset.

    Raises:
        VideoError: The clip cannot be read, is too short, or holds fewer than half of the frames up to the offset.
        FaceNotFound: No face was found.
    """
    stop = None if clip.offset is None else clip.offset + 1
    frames = read_frames(clip.frames, fps=clip.fps, start=clip.onset, stop=stop)
    detector = load_detector("dlib", min_score=settings.min_face_score)
    times_s: list[float] = []
    tensor = extract_clip(_noting_times(frames, times_s), detector, settings, clip.frames)[0]
    there, wanted = len(times_s), 0 if stop is None else stop - (clip.onset or 0)
    if there < wanted:
        short = f"{there} of {wanted} frames from onset to offset in the video"
        if there < LEAST_SHARE * wanted:
            raise VideoError(f"{clip.frames}: {short}; correct the key frames, which count from 0")
        tensor = replace(tensor, flags=(*tensor.flags, short))
    return reduced(tensor, times_s, None if clip.apex is None else clip.apex - (clip.onset or 0), settings.reference)


def reduced(tensor: MotionTensor, frame_times_s: list[float], apex: int | None, reference: str) -> ClipMotion:
    """What the motion file keeps of a motion tensor.

    Args:
        tensor: The motion of the clip.
        frame_times_s: Time of every frame since the first.
        apex: Position of the annotated apex among those frames, or ``None``.
        reference: What the motion is relative to.
    """
    # A face may turn up after the first frame of the clip; the first step is always its first frame.
    late_s = tensor.start_s - float(tensor.time_s[0])
    time_s = (tensor.time_s + np.float32(late_s)).astype(np.float32)
    if apex is not None and 0 <= apex < len(frame_times_s):
        return ClipMotion(tensor.motion, time_s, frame_times_s[apex], tensor.flags)
    remarks = (OUTSIDE,) if apex is not None else ()
    step = apex_step(tensor.motion, reference)
    if step is None:
        return ClipMotion(tensor.motion, time_s, float("nan"), (*tensor.flags, *remarks))
    return ClipMotion(tensor.motion, time_s, float(time_s[step]), (*tensor.flags, *remarks, ESTIMATED))


def _noting_times(frames: Iterable[Frame], times_s: list[float]) -> Iterator[Frame]:
    for frame in frames:
        times_s.append(frame.time_s)
        yield frame
