"""Write a video of a recording with what was spotted drawn onto it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stag.faces.crop import invert, transform_points
from stag.motion.recording import frame_to_crop
from stag.motion.regions import CHANNELS, USUAL, channel_names, channel_window
from stag.report.timeline_files import answer_of
from stag.spotting.recognise import Expression, FaceTimeline
from stag.types import GreyImage
from stag.utils.files import atomic_path
from stag.video import fps_if_untimed, read_frames

_COLOURS = {"micro": (255, 120, 20), "macro": (60, 140, 255)}
_BAR_PX, _ARROW = 10, 10
_TICKS = 12_800  # of the clock of the file, a second


def write_overlay(path: Path, recording: Path, timelines: Sequence[FaceTimeline], *, fps: float | None = None) -> None:
    """Write an MP4 (MPEG-4 video) of the recording: a bar of its timeline, and a line of text for each interval.

    During an expression a box lies around each of its regions, and an arrow shows ten times its motion. Frame times
    stay; the picture is cut to even sides, as the codec needs.
    """
    frames = read_frames(recording, fps=fps_if_untimed(recording, fps))
    length_s = max((face.motion.duration_s for face in timelines), default=0.0)
    with (
        atomic_path(path) as temporary,
        av.open(os.path.abspath(temporary), "w", format="mp4") as container,
    ):
        stream: Any = None
        last = -1
        for frame in frames:
            picture = _drawn(frame.image, frame.time_s, timelines, length_s)
            if stream is None:
                stream = container.add_stream("mpeg4", rate=30)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.bit_rate = max(800_000, 4 * picture.shape[0] * picture.shape[1])
                stream.thread_count = 1
                stream.codec_context.time_base = Fraction(1, _TICKS)
            image = av.VideoFrame.from_ndarray(picture, format="rgb24")
            last = max(last + 1, round(frame.time_s * _TICKS))
            image.pts, image.time_base = last, Fraction(1, _TICKS)
            container.mux(stream.encode(image))
        if stream is not None:
            container.mux(stream.encode())


def _drawn(image: GreyImage, time_s: float, timelines: Sequence[FaceTimeline], length_s: float) -> NDArray[np.uint8]:
    height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    picture = np.repeat(image[:height, :width, None], 3, axis=2)
    across = width / max(length_s, 1e-6)
    line = 0
    for face in timelines:
        for one in face.expressions:
            when, colour = one.interval, _COLOURS[one.interval.kind]
            left, right = round(when.onset_s * across), round(when.offset_s * across)
            cv2.rectangle(picture, (left, height - _BAR_PX), (max(right, left + 2), height), colour, -1)
            if when.onset_s <= time_s <= when.offset_s:
                line += 1
                _draw_regions(picture, time_s, face, one, colour)
                text = f"{when.kind}: {answer_of(one)}"
                cv2.putText(picture, text, (8, 22 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 0, 0), 4, cv2.LINE_AA)
                cv2.putText(picture, text, (8, 22 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.55, colour, 1, cv2.LINE_AA)
        for event in face.events:
            if event.onset_s <= time_s <= event.offset_s:
                line += 1
                cv2.putText(picture, event.kind, (8, 22 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (230, 230, 230), 1)
    cv2.line(picture, (round(time_s * across), height - _BAR_PX), (round(time_s * across), height), (255, 255, 255), 2)
    return np.asarray(picture, dtype=np.uint8)


def _draw_regions(
    picture: NDArray[np.uint8], time_s: float, face: FaceTimeline, one: Expression, colour: tuple[int, int, int]
) -> None:
    motion = face.motion
    if motion.points is None or motion.to_crop is None:
        return
    first, now = np.minimum(np.searchsorted(motion.time_s, [one.interval.onset_s, time_s]), len(motion.time_s) - 1)
    to_frame = invert(frame_to_crop(motion, int(now)))
    for name, channel, moved in zip(
        channel_names("roi18"), CHANNELS[:USUAL], motion.motion[now] - motion.motion[first], strict=True
    ):
        top, bottom, left, right = channel_window(channel, motion.points)
        if name not in one.regions or bottom <= top or right <= left:
            continue
        box = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
        middle = box.mean(axis=0)
        corners = np.rint(transform_points(box, to_frame)).astype(np.int32)
        ends = np.rint(transform_points(np.stack([middle, middle + _ARROW * moved]), to_frame)).astype(int).tolist()
        cv2.polylines(picture, [corners], True, colour, 1, cv2.LINE_AA)
        cv2.arrowedLine(picture, tuple(ends[0]), tuple(ends[1]), (255, 255, 255), 2, cv2.LINE_AA, tipLength=0.3)
