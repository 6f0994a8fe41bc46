"""Grey frames with true times, streamed from a video file, a GIF or a folder of images.

There is one way from colour to grey: decode to 8-bit BGR, then ``cv2.cvtColor``. The luma plane of a video would be
cheaper, but images and GIFs have none, and the two ways differ by up to ten grey levels: a clip would look different as
a video and as a folder of its own frames.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from stag.errors import VideoError
from stag.frames.folder import folder_pictures
from stag.frames.picture import Picture
from stag.frames.video_file import (
    animation_pictures,
    carries_times,
    file_pictures,
    is_animated_webp,
    is_gif_without_delays,
)
from stag.types import Frame
from stag.utils.files import atomic_path, no_such

DEFAULT_FPS = 30.0
"""Frame rate of a clip that carries no times, where none is given. # assumed"""

ASSUMED = f"{DEFAULT_FPS:g} fps assumed"
"""The remark on such a clip."""


def read_frames(
    path: Path, *, fps: float | None = None, start: int | None = None, stop: int | None = None
) -> Iterator[Frame]:
    """Stream the frames of a clip; one frame is held at a time.

    A frame without a usable time stamp (missing, or not after the one before) is placed one average frame interval
    after its predecessor. Frames of a file are shown as the file asks: trimmed by its edit list, with square pixels,
    turned or mirrored upright; transparent pixels show white. Images of a folder come in the order of the number that
    counts them (:func:`stag.frames.order.frame_order`); hidden files are ignored. What was assumed or is doubtful comes
    as ``flags`` of the frame at which it became known.

    Args:
        path: A video file, an animated picture, or a folder of images.
        fps: Frames per second. Clips without times need it (else :data:`DEFAULT_FPS`, which is flagged); for a video
            it replaces the file's own times, as a high-speed recording stored for slow playback needs. See
            :func:`fps_if_untimed` to leave those alone.
        start: Position of the first frame wanted, 0-based; ``None`` for the first.
        stop: Position after the last frame wanted; decoding ends there. Positions past the end are no error as long
            as one frame remains.

    Yields:
        Frames with ``time_s`` counted from the first frame yielded.

    Raises:
        VideoError: The path is missing, cannot be read, holds no frame in the range, is cut off, is damaged, or
            changes its frame size. Frames before the fault have been yielded by then.

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
    time_s = origin_s = tick = first_tick = 0.0
    for position, picture in enumerate(_pictures(path, first, stop), start=first):
        flags = picture.flags
        if shape is None:
            shape, origin_s, first_tick = picture.image.shape, picture.own_s or 0.0, picture.tick
            tick = first_tick
        if picture.image.shape != shape:
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
                flags = (*flags, ASSUMED)
            time_s += (picture.tick - tick) * (picture.interval_s or 1 / DEFAULT_FPS)
        tick = picture.tick
        yield Frame(picture.image, time_s, flags)


def fps_if_untimed(path: Path, fps: float | None) -> float | None:
    """The given frame rate for a clip that carries no times of its own, ``None`` for any other.

    Folders of images carry none, nor do animated pictures without delays and bare streams without a rate.

    Args:
        path: A clip, as for :func:`read_frames`.
        fps: Frames per second, or ``None``.
    """
    if fps is None or not os.path.exists(path):
        return None
    untimed = os.path.isdir(path) or is_gif_without_delays(path) or not carries_times(path)
    return fps if untimed else None


def frame_rate(times: Sequence[float]) -> float:
    """Frames per second of a list of times in seconds; robust against pauses and dropped frames.

    The mean of those frame intervals that lie within a half of the median interval; plain medians suffer where a
    container rounds times to milliseconds. ``nan`` for fewer than two times.

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


def write_video(path: Path, frames: Iterable[NDArray[np.uint8]], fps: float) -> None:
    """Write grey frames without loss (FFV1 in Matroska); equal frames give equal bytes.

    Matroska keeps times in milliseconds. The file appears whole, by rename.

    Args:
        path: Target, usually named ``.mkv``.
        frames: ``(height, width)`` uint8 images of one size.
        fps: Frames per second.

    Raises:
        VideoError: There are no frames, or a frame is not grey uint8 of the size of the first.
    """
    with atomic_path(path) as temporary:
        _encode(Path(path), str(temporary), frames, Fraction(fps).limit_denominator(1001))


def _encode(path: Path, temporary: str, frames: Iterable[NDArray[np.uint8]], rate: Fraction) -> None:
    # The bitexact flag leaves out the date, the random segment id and the program version.
    with av.open(temporary, "w", format="matroska", options={"fflags": "+bitexact"}) as container:
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


def _pictures(path: Path, first: int, stop: int | None) -> Iterator[Picture]:
    """The pictures ``first`` to ``stop`` of whatever the clip is, before their times are settled."""
    if path.is_dir():
        return folder_pictures(path, first, stop)
    try:
        with path.open("rb") as stream:
            empty = not stream.read(1)
        drawn = not empty and (is_animated_webp(path) or is_gif_without_delays(path))
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    if empty:
        raise VideoError(f"{path}: the file is empty; copy or record it again")
    return animation_pictures(path, first, stop) if drawn else file_pictures(path, first, stop)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
