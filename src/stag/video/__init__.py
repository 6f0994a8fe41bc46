"""Grey frames with true times, streamed from a video file, an animated picture or a folder of images.

Grey is always decoded to 8-bit BGR first: the luma plane of a video would be cheaper, but differs by up to ten grey
levels, so that a clip would look different as a video and as a folder of its own frames.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from math import sqrt
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stag.errors import VideoError
from stag.types import Frame, GreyImage
from stag.utils.files import atomic_path, no_such
from stag.video.file import (
    Picture,
    animation_pictures,
    has_times,
    is_animated_webp,
    is_gif_without_delays,
    video_pictures,
)
from stag.video.folder import folder_pictures

DEFAULT_FPS = 30.0
"""Frame rate of a clip without times where none is given. # assumed"""

_PART = 3  # frames before a change of size that make a clip
_BLOCKS = (16, 12)
_SAMPLED = (128, 96)
_BLANK_GREY = 3.0  # assumed; spread of the blocks below which a frame shows nothing
_JUMP = 0.08  # measured: nods and turns of the head reach .015, cuts between scenes .8, between people mostly above .1
_TIMES_AROUND = 5.0  # assumed; how far a cut stands out from the frames around it
_REMEMBERED = 4


def read_frames(
    path: Path,
    *,
    fps: float | None = None,
    start: int | None = None,
    stop: int | None = None,
    most: int | None = None,
) -> Iterator[Frame]:
    """Stream the frames of a clip, one at a time.

    Frames of a file are shown as the file asks: trimmed by its edit list, with square pixels, turned or mirrored
    upright; transparent pixels show white. A frame without a usable time stamp (missing, or not after the one before)
    is placed one average interval after its predecessor. Frames that cannot be decoded are left out, and so is the rest
    of a video whose frames change their size. Images of a folder come in the order of
    :func:`stag.video.folder.frame_order`. Assumptions and doubts come as ``flags`` of the frame at which they arose.

    Args:
        path: A video file, an animated picture, or a folder of images.
        fps: Frames per second of a clip without times (where omitted, :data:`DEFAULT_FPS` is flagged). It replaces
            the own times of a video, as slow playback of a high-speed recording needs; see :func:`fps_if_untimed`.
        start: Position of the first frame, 0-based.
        stop: Position after the last frame; decoding ends there. It may lie past the end if one frame remains.
        most: Number of frames that may not be exceeded, as far as the header of the clip gives their number.

    Yields:
        Frames with ``time_s`` counted from the first frame yielded.

    Raises:
        VideoError: The path is missing, cannot be read, contains no frame in the range, more than ``most``, or is cut
            off; or a folder changes its frame size. Frames before the fault have been yielded by then.

    Example:
        >>> from itertools import islice
        >>> times = [frame.time_s for frame in islice(read_frames(Path("clip.mp4")), 10)]  # doctest: +SKIP
    """
    path = Path(path)
    first = start or 0
    if first < 0 or (stop is not None and stop <= first):
        raise VideoError(f"{path}: frames {first} to {stop} were asked for; give 0 <= start < stop")
    if fps is not None and not 0 < fps < float("inf"):
        raise VideoError(f"{path}: cannot run at {fps} frames per second; give a positive number")
    if not os.path.exists(path):  # unlike Path.exists, quiet about names that cannot be
        raise VideoError(no_such(path))
    shape: tuple[int, ...] | None = None
    last: Frame | None = None
    time_s = origin_s = tick = first_tick = 0.0
    for position, picture in enumerate(_pictures(path, first, stop, most), start=first):
        flags = picture.flags
        if shape is None:
            shape, origin_s, first_tick = picture.image.shape, picture.own_s or 0.0, picture.tick
            tick = first_tick
        if picture.image.shape != shape:
            if last is not None and position - first >= _PART and not path.is_dir():
                change = (
                    f"its size changes to {_size(picture.image.shape)} after {last.time_s:.2f} s: the rest is left out"
                )
                yield replace(last, flags=(*last.flags, change))
                return
            raise VideoError(
                f"{path}, frame {position}: is {_size(picture.image.shape)} after frames of {_size(shape)}; "
                f"bring all frames to one size"
            )
        own_s = None if picture.own_s is None else picture.own_s - origin_s
        if fps is not None:
            time_s = (picture.tick - first_tick) / fps
        elif own_s is not None and (own_s > time_s or tick == first_tick == picture.tick):
            time_s = own_s
        else:
            if picture.interval_s is None:
                flags = (*flags, f"{DEFAULT_FPS:g} fps assumed")
            time_s += (picture.tick - tick) * (picture.interval_s or 1 / DEFAULT_FPS)
        tick = picture.tick
        if last is not None:
            yield last
        last = Frame(picture.image, time_s, flags)
    if last is not None:
        yield last


def fps_if_untimed(path: Path, fps: float | None) -> float | None:
    """Return ``fps`` for a clip without times of its own, ``None`` for any other.

    Folders of images have none, nor do animated pictures without delays and bare streams without a rate.
    """
    if fps is None or not os.path.exists(path):
        return None
    untimed = os.path.isdir(path) or is_gif_without_delays(path) or not has_times(path)
    return fps if untimed else None


def frame_rate(times: Sequence[float]) -> float:
    """Return the frames per second of times in seconds; ``nan`` for fewer than two times.

    It is the mean of those intervals that lie within a half of the median interval, which pauses and dropped frames
    do not change; plain medians suffer where a container rounds times to milliseconds.

    Example:
        >>> round(frame_rate([0.0, 0.033, 0.067, 0.1, 0.5]), 3)
        30.0
    """
    if len(times) < 2:
        return float("nan")
    intervals = np.diff(np.asarray(times, dtype=np.float64))
    median = float(np.median(intervals))
    usual = intervals[np.abs(intervals - median) <= 0.5 * abs(median)]
    return float(1.0 / usual.mean()) if median > 0 else float("nan")


def mark_cuts(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Yield frames, each with whether the scene changes before it; runs one frame behind.

    Coarse blocks of each frame, free of brightness and contrast, are compared with those of the frame before. In a cut
    the difference is large once; in a fast pan it is large in many frames, in a flash of light twice. A change before
    the last frame does not count: nothing would follow it.
    """
    recent: deque[float] = deque([0.0], maxlen=_REMEMBERED)
    waiting: Frame | None = None
    jump = 0.0
    last_blocks: NDArray[np.float32] | None = None
    for frame in frames:
        blocks = _blocks(frame.image)
        # A blank frame neither is nor hides a cut: the next picture is compared with the last one.
        change = 0.0 if blocks is None or last_blocks is None else 1 - float(np.vdot(blocks, last_blocks))
        last_blocks = last_blocks if blocks is None else blocks
        if waiting is not None:
            cut = jump >= max(_JUMP, _TIMES_AROUND * max(*recent, change))
            yield waiting, cut
            recent.append(0.0 if cut else jump)  # the next scene may be a few frames long
        waiting, jump = frame, change
    if waiting is not None:
        yield waiting, False


def write_video(path: Path, frames: Iterable[NDArray[np.uint8]], fps: float) -> None:
    """Write grey frames ``(height, width)`` uint8 without loss (FFV1 in Matroska); equal frames give equal bytes.

    Matroska keeps times in milliseconds. The file appears whole, by rename.

    Raises:
        VideoError: There are no frames, or a frame is not grey uint8 of the size of the first.
    """
    rate = Fraction(fps).limit_denominator(1001)
    # The bitexact flag leaves out the date, the random segment id and the program version.
    with (
        atomic_path(path) as temporary,
        av.open(os.path.abspath(temporary), "w", format="matroska", options={"fflags": "+bitexact"}) as container,
    ):
        stream: Any = None
        for index, image in enumerate(frames):
            if image.ndim != 2 or image.dtype != np.uint8:
                raise VideoError(f"{path}, frame {index}: is {image.dtype} of shape {image.shape}; write grey uint8")
            if stream is None:
                stream = container.add_stream("ffv1", rate=rate)
                stream.height, stream.width = image.shape
                stream.pix_fmt = "gray"
                stream.thread_count = 1
            if image.shape != (stream.height, stream.width):
                raise VideoError(f"{path}, frame {index}: is {_size(image.shape)}; write frames of one size")
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="gray")
            picture.pts = index
            container.mux(stream.encode(picture))
        if stream is None:
            raise VideoError(f"{path}: there are no frames to write; give at least one")
        container.mux(stream.encode())


def _pictures(path: Path, first: int, stop: int | None, most: int | None) -> Iterator[Picture]:
    if path.is_dir():
        return folder_pictures(path, first, stop, most)
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
        animated = is_animated_webp(path) or is_gif_without_delays(path)
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    if not head:
        raise VideoError(f"{path}: the file is empty; copy or record it again")
    if head in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        raise VideoError(f"{path}: a TIFF is not read as a clip; save its pages as a folder of images, or as a video")
    return (animation_pictures if animated else video_pictures)(path, first, stop, most)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _blocks(image: GreyImage) -> NDArray[np.float32] | None:
    """Return the blocks of a frame with mean 0 and length 1, or ``None`` for a blank frame."""
    sampled = cv2.resize(image, _SAMPLED, interpolation=cv2.INTER_NEAREST)
    blocks = cv2.resize(sampled, _BLOCKS, interpolation=cv2.INTER_AREA).astype(np.float32)
    blocks -= blocks.sum() / blocks.size
    length = sqrt(float(np.vdot(blocks, blocks)))
    return None if length < _BLANK_GREY * sqrt(blocks.size) else blocks / np.float32(length)
