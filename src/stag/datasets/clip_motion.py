"""Extract what a motion file keeps of one annotated clip: a few kilobytes, whatever the size of the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stag.config import MotionConfig
from stag.datasets.readers.key_frames import LEAST_SHARE
from stag.errors import VideoError
from stag.faces.detect import load_detector
from stag.motion.clip import extract_clip
from stag.motion.transforms import apex_step
from stag.types import Clip, Frame
from stag.utils import limits
from stag.utils.values import ArrayValue
from stag.video import read_frames


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
    """Extract the motion of the largest face of one annotated clip, from onset to offset, and its apex.

    An apex that is missing or outside the clip is estimated from the motion, and flagged. A video that ends before the
    offset is flagged too.

    Raises:
        VideoError: The clip cannot be read, is too short, or has fewer than half of the frames up to the offset.
        FaceNotFound: There is no face.
    """
    onset, stop = clip.onset or 0, None if clip.offset is None else clip.offset + 1
    times_s: list[float] = []

    def frames() -> Iterator[Frame]:
        for frame in read_frames(clip.frames, fps=clip.fps, start=clip.onset, stop=stop, most=limits.FRAMES):
            times_s.append(frame.time_s)
            yield frame

    detector = load_detector(settings.landmarks, min_score=settings.min_face_score)
    tensor = extract_clip(frames(), detector, settings, clip.frames)[0]
    flags = tensor.flags
    expected = 0 if stop is None else stop - onset
    if len(times_s) < expected:
        short = f"{len(times_s)} of {expected} frames from onset to offset in the video"
        if len(times_s) < LEAST_SHARE * expected:
            raise VideoError(f"{clip.frames}: {short}; correct the key frames, which count from 0")
        flags = (*flags, short)
    # The face may appear after the first frame of the clip, from which times count.
    late_s = tensor.start_s - float(tensor.time_s[0])
    result = ClipMotion(tensor.motion, (tensor.time_s + np.float32(late_s)).astype(np.float32), float("nan"), flags)
    if clip.apex is not None:
        if 0 <= clip.apex - onset < len(times_s):
            return replace(result, apex_s=times_s[clip.apex - onset])
        flags = (*flags, "annotated apex outside the clip")
    step = apex_step(tensor.motion, settings.reference)
    if step is None:
        return replace(result, flags=flags)
    return replace(result, apex_s=float(result.time_s[step]), flags=(*flags, "apex estimated"))
