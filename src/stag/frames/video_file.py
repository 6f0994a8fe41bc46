"""Pictures of one file as it asks to show them: which stream, when, in what shape and which way up.

PyAV reads videos and GIFs; Pillow reads what PyAV does not read as it is: animated WebP, and GIF without delays.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition
from PIL import Image

from stag.errors import VideoError
from stag.frames.picture import Picture, announced_size, begins_late, refuse_absurd, to_grey
from stag.types import GreyImage

_GIF_DELAY = re.compile(rb"\x21\xf9\x04.(..).\x00", re.DOTALL)
_HEAD = 64
_COMPLETE = 0.9  # assumed; share of the announced length below which a video counts as cut off
_SQUARE = 0.005  # assumed; deviation from square pixels that is not worth a resampling
_STILL = Disposition.attached_pic | Disposition.timed_thumbnails
_NO_TIMES = 0x80  # AVFMT_NOTIMESTAMPS: a bare stream, to which the decoder gives 25 frames per second


def video_stream(path: Path | str, container: Any) -> tuple[Any, tuple[str, ...]]:
    """The stream of a file that is its video, and remarks on the choice.

    Cover pictures and thumbnails are passed over, even where they come first.

    Args:
        path: What to call the file.
        container: The file, opened by PyAV.

    Raises:
        VideoError: There is no video stream, or no decoder for it.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & _STILL]
    streams = [stream for stream in streams if stream.frames != 1] or streams
    if not streams:
        raise VideoError(f"{path}: holds no video stream; name a file with moving pictures")
    # A cover that is not marked as one is over after one frame.
    stream = max(streams, key=lambda each: _announced_length(container, each) or 0.0)
    if stream.codec_context is None:
        raise VideoError(f"{path}: is in a format that cannot be decoded; re-encode it")
    return stream, ((f"one of {len(streams)} video streams read",) if len(streams) > 1 else ())


def carries_times(path: Path) -> bool:
    """Whether a file tells when its frames are shown; ``True`` also for what cannot be read, as reading tells why."""
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            stream, _ = video_stream(path, container)
            return _timed(container) or bool(_bare_rate(stream))
    except (av.FFmpegError, VideoError):
        return True


def file_pictures(path: Path, first: int, stop: int | None) -> Iterator[Picture]:
    """Stream the pictures ``first`` to ``stop`` of a video file as they are to be shown.

    Raises:
        VideoError: The file cannot be read, holds no video, is damaged, cut off, or ends before ``first``.
    """
    av.logging.set_level(None)
    try:
        container = av.open(str(path), metadata_errors="replace")
    except av.FFmpegError as error:
        raise VideoError(f"{path}: is not a readable video ({error.strerror}); copy or re-encode it") from error
    with container:
        stream, flags = video_stream(path, container)
        stream.thread_count = 1  # clips are read in parallel processes
        aspect = float(stream.sample_aspect_ratio or 1)
        refuse_absurd(path, *_square_size(stream.width, stream.height, aspect))
        timed = _timed(container)
        rate = stream.average_rate if timed else _bare_rate(stream)
        interval_s = float(1 / rate) if rate else None
        end_s = 0.0
        reached = 0
        try:
            for decoded in islice(container.decode(stream), stop):
                own_s = decoded.time if timed else None
                if reached >= first:
                    if decoded.is_corrupt:
                        raise VideoError(f"{path}, frame {reached}: is damaged; copy or re-encode the file")
                    yield Picture(_upright_grey(decoded, aspect), reached, own_s, interval_s, flags)
                    flags = ()
                held_s = float(decoded.duration * stream.time_base) if decoded.duration and stream.time_base else 0.0
                end_s = (end_s if own_s is None else own_s) + max(interval_s or 0.0, held_s)
                reached += 1
        except av.FFmpegError as error:
            raise VideoError(
                f"{path}, frame {reached}: cannot be decoded ({error.strerror}); the file is damaged or cut off, "
                f"copy or re-encode it"
            ) from error
        if reached == 0:
            raise VideoError(f"{path}: not one frame could be decoded; the file is damaged or cut off, copy it again")
        if stop is None:
            _refuse_cut_off(path, container, stream, reached, end_s)
        if reached <= first:
            raise begins_late(path, reached, first)


def _timed(container: Any) -> bool:
    return not int(container.format.flags) & _NO_TIMES


def _bare_rate(stream: Any) -> Fraction | None:
    """Frames per second that the codec itself tells; its container, if any, may know better."""
    rate: Fraction | None = stream.codec_context.framerate
    return rate or None


def _refuse_cut_off(path: Path, container: Any, stream: Any, frames: int, end_s: float) -> None:
    # Matroska and others end silently where the file was cut; only their headers tell how much there should be. The
    # length is that of what is shown; the number of frames counts also those that an edit list hides.
    announced_s = _announced_length(container, stream)
    if announced_s is not None and end_s < _COMPLETE * announced_s:
        raise VideoError(
            f"{path}: ends after frame {frames - 1}, {end_s:.2f} of {announced_s:.2f} s; the file is cut off, "
            f"copy it again"
        )
    if announced_s is None and frames < _COMPLETE * stream.frames:
        raise VideoError(f"{path}: ends after {frames} of {stream.frames} frames; the file is cut off, copy it again")
    if container.format.name == "gif" and not _has_gif_trailer(path):
        raise VideoError(f"{path}: ends in the middle of frame {frames}; the file is cut off, copy it again")


def _has_gif_trailer(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-min(1024, path.stat().st_size), os.SEEK_END)
        return stream.read().rstrip(b"\0").endswith(b";")


def _announced_length(container: Any, stream: Any) -> float | None:
    if stream.duration:
        return float(stream.duration * stream.time_base)
    clock = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if clock:
        return float(clock[1]) * 3600 + float(clock[2]) * 60 + float(clock[3])
    # The length of the whole file may be that of a longer sound track.
    alone = len(container.streams) == 1 and container.duration
    return float(container.duration) / av.time_base if alone else None


def _upright_grey(decoded: Any, aspect: float) -> GreyImage:
    """Grey of a decoded frame, with square pixels, turned and mirrored by its display matrix.

    Args:
        decoded: The frame.
        aspect: Width of a pixel over its height.
    """
    transparent = any(component.is_alpha for component in decoded.format.components)
    image = to_grey(decoded.to_ndarray(format="bgra" if transparent else "bgr24"))
    size = _square_size(decoded.width, decoded.height, aspect)
    if size != (decoded.width, decoded.height):
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    matrix = decoded.side_data.get(SideData.DISPLAYMATRIX)
    if matrix is None:
        return image
    # A pixel at (x, y) is shown at (a x + c y, b x + d y).
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(float)
    if abs(a) + abs(d) < abs(b) + abs(c):
        image, a, d = image.T, c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _square_size(width: int, height: int, aspect: float) -> tuple[int, int]:
    """Width and height in square pixels, the smaller side of a pixel kept."""
    if abs(aspect - 1) < _SQUARE or not aspect > 0:
        return width, height
    return round(width * max(aspect, 1)), round(height * max(1 / aspect, 1))


def is_animated_webp(path: Path) -> bool:
    """Whether a file is a WebP with more than one image."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20:21] and head[20] & 2)


def is_gif_without_delays(path: Path) -> bool:
    """Whether a file is a GIF in which no image says how long it is shown; decoders then make a time up."""
    with path.open("rb") as stream:
        if not stream.read(6).startswith(b"GIF8"):
            return False
        return not any(delay != b"\0\0" for delay in _GIF_DELAY.findall(stream.read()))


def animation_pictures(path: Path, first: int, stop: int | None) -> Iterator[Picture]:
    """Stream the pictures ``first`` to ``stop`` of an animated picture; without times where it has no delays.

    Raises:
        VideoError: The file is damaged, cut off, or too large.
    """
    with path.open("rb") as stream:
        refuse_absurd(path, *announced_size(stream.read(_HEAD)))
    at, shown_ms = 0, 0
    timed = is_animated_webp(path)
    try:
        with Image.open(path, formats=("WEBP", "GIF")) as picture:
            frames = getattr(picture, "n_frames", 1)
            if frames <= first:
                raise begins_late(path, frames, first)
            for at in range(frames)[:stop]:
                picture.seek(at)
                image = np.asarray(picture.convert("RGBA"))
                if at >= first:
                    grey = to_grey(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA), dtype=np.uint8))
                    yield Picture(grey, at, shown_ms / 1000 if timed else None)
                shown_ms += picture.info.get("duration", 0)
    except VideoError:
        raise
    except Exception as error:  # damage shows in Pillow as OSError, EOFError, struct.error and more
        raise VideoError(
            f"{path}, frame {at}: cannot be decoded; the file is damaged or cut off, copy it again"
        ) from error
