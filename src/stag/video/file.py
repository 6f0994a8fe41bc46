"""The pictures of a video or animation file: which stream, when, in which shape and which way up.

PyAV reads videos and GIFs; Pillow reads animated WebP, and GIFs without delays, for which PyAV invents times.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition
from numpy.typing import NDArray
from PIL import Image

from stag.errors import VideoError
from stag.types import GreyImage
from stag.utils import limits
from stag.video.damage import Damage, is_whole_riff

_GIF_DELAY = re.compile(rb"\x21\xf9\x04.(..).\x00", re.DOTALL)
_HEAD_BYTES = 64
_COMPLETE = 0.9  # assumed; share of the announced length below which a video counts as cut off
_SQUARE = 0.005  # assumed; deviation from square pixels that is not worth a resampling
_STILL = Disposition.attached_pic | Disposition.timed_thumbnails
_HDR_CURVES = {16: "PQ", 18: "HLG"}  # AVCOL_TRC_SMPTE2084 and AVCOL_TRC_ARIB_STD_B67
_NO_TIMES = 0x80  # AVFMT_NOTIMESTAMPS: a bare stream, to which the decoder gives 25 frames per second


class Picture(NamedTuple):
    """A frame before its time is settled.

    Attributes:
        tick: Its time in frame intervals.
        own_s: Its time according to the clip, seconds, or ``None``.
        interval_s: The usual frame interval, or ``None`` where it is unknown.
        flags: Remarks that became known with this frame.
    """

    image: GreyImage
    tick: float
    own_s: float | None = None
    interval_s: float | None = None
    flags: tuple[str, ...] = ()


def to_grey(image: NDArray[np.uint8]) -> GreyImage:
    """Return the grey of a grey, BGR or BGRA image; transparent pixels show white."""
    if image.ndim == 2:
        return image
    if image.shape[2] == 4:
        alpha = image[:, :, 3:].astype(np.uint16)
        image = image[:, :, :3]
        if (alpha < 255).any():
            image = ((image * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def announced_size(data: bytes) -> tuple[int, int]:
    """Return width and height from the head of a PNG, JPEG, BMP, GIF or animated WebP; (0, 0) for any other file.

    Decoders take memory for the announced size before they see whether it is there.
    """
    if data.startswith(b"\x89PNG") and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data.startswith(b"GIF8") and len(data) >= 10:
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    if data[8:16] == b"WEBPVP8X" and len(data) >= 30:
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data.startswith(b"BM") and len(data) >= 26:
        width, height = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (18, 22))
        return abs(width), abs(height)
    at = 2
    while data.startswith(b"\xff\xd8") and at + 9 <= len(data) and data[at] == 0xFF:
        if 0xC0 <= data[at + 1] <= 0xCF and data[at + 1] not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0, 0


def refuse_absurd(path: Path, width: int, height: int) -> None:
    """Raise a `VideoError` for pictures of more pixels than are ever read."""
    if width * height > limits.PICTURE_PIXELS:
        raise VideoError(
            f"{path}: announces pictures of {width}x{height}; at most {limits.PICTURE_PIXELS:,} pixels are read, "
            f"scale it down"
        )


def begins_late(path: Path, frames: int, first: int) -> VideoError:
    """Return the error for a clip that begins after the last frame of its file or folder."""
    return VideoError(
        f"{path}: has {frames} frames and the clip begins at frame {first}, counted from 0; correct its first frame"
    )


def video_stream(path: Path | str, container: Any) -> tuple[Any, tuple[str, ...]]:
    """Return the video stream of a file opened by PyAV, and remarks on the choice.

    Cover pictures and thumbnails are passed over, even where they come first.

    Raises:
        VideoError: There is no video stream, or no decoder for it; the message names ``path``.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & _STILL]
    streams = [stream for stream in streams if stream.frames != 1] or streams
    if not streams:
        raise VideoError(f"{path}: contains no video stream; name a file with moving pictures")
    # A cover that is not marked as one is over after one frame.
    stream = max(streams, key=lambda each: _announced_length(container, each) or 0.0)
    if stream.codec_context is None:
        raise VideoError(f"{path}: is in a format that cannot be decoded; re-encode it")
    return stream, ((f"one of {len(streams)} video streams read",) if len(streams) > 1 else ())


def refuse_long(path: Path, frames: int, most: int | None) -> None:
    """Raise a `VideoError` for a clip that announces more frames than are wanted."""
    if most is not None and frames > most:
        raise VideoError(f"{path}: has {frames} frames, and a clip at most {most}; cut it to the expression")


def has_times(path: Path) -> bool:
    """Return whether a file says when its frames are shown; ``True`` also where it cannot be read."""
    try:
        with av.open(os.path.abspath(path), metadata_errors="replace") as container:
            stream, _ = video_stream(path, container)
            return _timed(container) or bool(stream.codec_context.framerate)
    except (av.FFmpegError, VideoError):
        return True


def video_pictures(path: Path, first: int, stop: int | None, most: int | None) -> Iterator[Picture]:
    """Stream the pictures ``first`` to ``stop`` of a video file as they are to be shown, without damaged ones.

    Raises:
        VideoError: The file cannot be read, contains no video, is damaged, cut off, ends before ``first``, or announces
            more than ``most`` pictures.
    """
    av.logging.set_level(None)
    try:
        # FFmpeg takes what is before a colon in a relative name for a protocol.
        container = av.open(os.path.abspath(path), metadata_errors="replace")
    except av.FFmpegError as error:
        raise VideoError(f"{path}: is not a readable video ({error.strerror}); copy or re-encode it") from error
    with container:
        stream, flags = video_stream(path, container)
        stream.thread_count = 1  # clips are read in parallel processes
        aspect = float(stream.sample_aspect_ratio or 1)
        refuse_absurd(path, *_square_size(stream.width, stream.height, aspect))
        timed = _timed(container)
        # The container, where there is one, may know the rate better than the codec.
        rate = stream.average_rate if timed else stream.codec_context.framerate
        interval_s = float(1 / rate) if rate else None
        refuse_long(path, len(range(_announced_frames(container, stream))[first:stop]), most)
        end_s = 0.0
        reached, interlaced = 0, False
        flags += _looks(stream)
        damage = Damage(stream)
        shown: Picture | None = None
        try:
            for decoded in damage.whole_frames(container):
                own_s = decoded.time if timed else None
                reached, skipped = reached + damage.skipped, damage.skipped
                if stop is not None and reached >= stop:
                    break
                if skipped:
                    flags += (f"damaged at {end_s:.2f} s: {skipped} frame{'s' * (skipped > 1)} left out",)
                if decoded.interlaced_frame and not interlaced:
                    interlaced, flags = True, (*flags, "interlaced: each frame shows two moments")
                if reached >= first:
                    if shown is not None:
                        yield shown
                    shown = Picture(_upright_grey(decoded, aspect), reached, own_s, interval_s, flags)
                    flags = ()
                shown_s = float(decoded.duration * stream.time_base) if decoded.duration and stream.time_base else 0.0
                end_s = (end_s if own_s is None else own_s) + max(interval_s or 0.0, shown_s)
                reached += 1
        except av.FFmpegError as error:
            raise _undecodable(path, reached, error) from error
        flags = ()
        if stop is None or reached < stop:
            if damage.skipped and not damage.goes_on:
                raise _undecodable(path, reached, damage.error)
            if damage.skipped:
                flags = (f"damaged from {end_s:.2f} s on: only what comes before is read",)
                reached += damage.skipped
            elif container.format.name == "avi" and is_whole_riff(path):
                # Recorders store an empty chunk for a frame that they dropped.
                dropped = stream.frames - reached
                flags = (
                    (f"{dropped} frame{'s' * (dropped > 1)} dropped by the recorder",)
                    if dropped > 0 and stop is None
                    else ()
                )
            elif stop is None:
                _refuse_cut_off(path, container, stream, reached, end_s)
        if shown is not None:
            yield shown._replace(flags=shown.flags + flags)
        elif reached == 0 or damage.skipped == reached:
            raise VideoError(f"{path}: not one frame could be decoded; the file is damaged or cut off, copy it again")
        else:
            raise begins_late(path, reached, first)


def _looks(stream: Any) -> tuple[str, ...]:
    """Return a remark on the brightness curve of a stream that is made for HDR screens."""
    curve = _HDR_CURVES.get(stream.codec_context.color_trc)
    return (f"HDR video ({curve}): read as if it were SDR",) if curve else ()


def _undecodable(path: Path, frame: int, error: av.FFmpegError | str) -> VideoError:
    why = error if isinstance(error, str) else error.strerror
    return VideoError(
        f"{path}, frame {frame}: cannot be decoded ({why}); the file is damaged or cut off, copy or re-encode it"
    )


def is_animated_webp(path: Path) -> bool:
    """Return whether a file is a WebP with more than one image."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20:21] and head[20] & 2)


def is_gif_without_delays(path: Path) -> bool:
    """Return whether a file is a GIF in which no image says how long it is shown."""
    with path.open("rb") as stream:
        if not stream.read(6).startswith(b"GIF8"):
            return False
        return not any(delay != b"\0\0" for delay in _GIF_DELAY.findall(stream.read()))


def animation_pictures(path: Path, first: int, stop: int | None, most: int | None) -> Iterator[Picture]:
    """Stream the pictures ``first`` to ``stop`` of an animated picture; without times where it has no delays.

    Raises:
        VideoError: The file is damaged, cut off, or too large.
    """
    with path.open("rb") as stream:
        refuse_absurd(path, *announced_size(stream.read(_HEAD_BYTES)))
    at, shown_ms = 0, 0
    timed = is_animated_webp(path)
    try:
        with Image.open(path, formats=("WEBP", "GIF")) as animation:
            frames = getattr(animation, "n_frames", 1)
            if frames <= first:
                raise begins_late(path, frames, first)
            refuse_long(path, len(range(frames)[first:stop]), most)
            for at in range(frames)[:stop]:
                animation.seek(at)
                image = np.asarray(animation.convert("RGBA"))
                if at >= first:
                    grey = to_grey(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA), dtype=np.uint8))
                    yield Picture(grey, at, shown_ms / 1000 if timed else None)
                shown_ms += animation.info.get("duration", 0)
    except VideoError:
        raise
    except Exception as error:  # Pillow reports damage as OSError, EOFError, struct.error and more
        raise VideoError(
            f"{path}, frame {at}: cannot be decoded; the file is damaged or cut off, copy it again"
        ) from error


def _timed(container: Any) -> bool:
    return not int(container.format.flags) & _NO_TIMES


def _announced_length(container: Any, stream: Any) -> float | None:
    """Return the length of a stream in seconds, ``None`` where the file does not say it."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    clock = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if clock:
        return float(clock[1]) * 3600 + float(clock[2]) * 60 + float(clock[3])
    # The length of the whole file may be that of a longer sound track.
    alone = len(container.streams) == 1 and container.duration
    return float(container.duration) / av.time_base if alone else None


def _announced_frames(container: Any, stream: Any) -> int:
    """Return the number of frames that a header announces, 0 where it does not: the number counts hidden ones too."""
    in_time = (_announced_length(container, stream) or 0.0) * float(stream.average_rate or 0)
    return min((frames for frames in (int(stream.frames), int(in_time)) if frames), default=0)


def _refuse_cut_off(path: Path, container: Any, stream: Any, frames: int, end_s: float) -> None:
    # Matroska and others end silently where the file was cut; only their headers tell how much there should be. The
    # length is that of what is shown; the number of frames counts also those that an edit list hides.
    announced_s = _announced_length(container, stream)
    if announced_s is not None and end_s < _COMPLETE * announced_s:
        raise VideoError(
            f"{path}: ends after frame {frames - 1}, {end_s:.2f} of {announced_s:.2f} s; the file is cut off, "
            f"copy it again"
        )
    by_frames = announced_s is None or container.format.name == "avi"  # whose length is that of what is there
    if by_frames and frames < _COMPLETE * stream.frames:
        raise VideoError(f"{path}: ends after {frames} of {stream.frames} frames; the file is cut off, copy it again")
    if container.format.name == "gif":
        with path.open("rb") as file:
            file.seek(-min(1024, path.stat().st_size), os.SEEK_END)
            if not file.read().rstrip(b"\0").endswith(b";"):
                raise VideoError(f"{path}: ends in the middle of frame {frames}; the file is cut off, copy it again")


def _upright_grey(decoded: Any, aspect: float) -> GreyImage:
    """Return the grey of a decoded frame, with square pixels, turned and mirrored by its display matrix."""
    transparent = any(component.is_alpha for component in decoded.format.components)
    image = to_grey(decoded.to_ndarray(format="bgra" if transparent else "bgr24"))
    size = _square_size(decoded.width, decoded.height, aspect)
    if size != (decoded.width, decoded.height):
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    try:
        matrix = decoded.side_data.get(SideData.DISPLAYMATRIX)
    except ValueError:  # PyAV does not know every sort of side data that FFmpeg gives
        matrix = None
    if matrix is None:
        return image
    # A pixel at (x, y) is shown at (a x + c y, b x + d y).
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(float)
    if abs(a) + abs(d) < abs(b) + abs(c):
        image, a, d = image.T, c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _square_size(width: int, height: int, aspect: float) -> tuple[int, int]:
    """Return width and height in square pixels; ``aspect`` is the width of a pixel over its height."""
    if abs(aspect - 1) < _SQUARE or not aspect > 0:
        return width, height
    return round(width * max(aspect, 1)), round(height * max(1 / aspect, 1))
