"""Grey frames with true times, streamed from a video file, a GIF or a folder of images.

There is one way from colour to grey: decode to 8-bit BGR, then ``cv2.cvtColor``. The luma plane of a video would be
cheaper, but images and GIFs have none, and the two ways differ by up to ten grey levels: a clip would look different as
a video and as a folder of its own frames.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stag import limits
from stag.errors import VideoError
from stag.files import atomic_path, no_such
from stag.types import Frame, GreyImage

DEFAULT_FOLDER_FPS = 30.0
"""Frame rate of a folder of images where none is given. # assumed"""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

_COMPLETE = 0.9  # assumed; share of the announced length below which a video counts as cut off
_SENSOR_BITS = (8, 10, 12, 14, 16)
_LAST_INTEGER = re.compile(r"(\d+)(?!.*\d)")


def read_frames(
    path: Path, *, fps: float | None = None, start: int | None = None, stop: int | None = None
) -> Iterator[Frame]:
    """Stream the frames of a clip; one frame is held at a time.

    A frame without a usable time stamp (missing, or not after the one before) is placed one average frame interval
    after its predecessor. Frames of a file are turned upright by its rotation mark; transparent pixels show white.
    Images of a folder come in the order of the last integer in their names; hidden files are ignored.

    Args:
        path: A video file, a GIF, or a folder of images.
        fps: Frames per second. Needed for folders (else :data:`DEFAULT_FOLDER_FPS`); for a video it replaces the
            file's own times, as a high-speed recording stored for slow playback needs.
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
    if first < 0 or (stop is not None and stop <= first) or (fps is not None and not 0 < fps < float("inf")):
        raise VideoError(f"{path}: frames {first} to {stop} at {fps} fps were asked for; ask for 0 <= start < stop")
    if not path.exists():
        raise VideoError(no_such(path))
    timed = _folder_images(path, first, stop) if path.is_dir() else _file_images(path, first, stop)
    size: tuple[int, ...] | None = None
    origin = 0.0
    for position, (image, own_time_s) in enumerate(timed, start=first):
        if size is None:
            size, origin = image.shape, own_time_s or 0.0
        if image.shape != size:
            raise VideoError(
                f"{path}, frame {position}: is {_size(image.shape)} after frames of {_size(size)}; "
                f"re-encode the clip at one size"
            )
        rate = fps if fps is not None else (DEFAULT_FOLDER_FPS if own_time_s is None else None)
        time_s = (position - first) / rate if rate is not None else (own_time_s or 0.0) - origin
        yield Frame(image, time_s)
    if size is None:
        raise VideoError(f"{path}: holds no frame from position {first} on; lower the first frame asked for")


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


def _file_images(path: Path, first: int, stop: int | None) -> Iterator[tuple[GreyImage, float | None]]:
    """Grey images ``first`` to ``stop`` of a video file with their presentation times."""
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: the file is empty; copy or record it again")
    av.logging.set_level(None)
    try:
        container = av.open(str(path), metadata_errors="replace")
    except av.FFmpegError as error:
        raise VideoError(f"{path}: is not a readable video ({error.strerror}); copy or re-encode it") from error
    with container:
        if not container.streams.video:
            raise VideoError(f"{path}: holds no video stream; name a file with pictures")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise VideoError(f"{path}: is in a format that cannot be decoded; re-encode it")
        stream.thread_count = 1  # clips are read in parallel processes
        _refuse_absurd(path, stream.width, stream.height)
        interval = float(1 / stream.average_rate) if stream.average_rate else 1 / DEFAULT_FOLDER_FPS
        time_s = end_s = 0.0
        reached = 0
        try:
            for decoded in islice(container.decode(stream), stop):
                own_s = decoded.time
                if reached == 0:
                    time_s = own_s or 0.0
                else:
                    time_s = own_s if own_s is not None and own_s > time_s else time_s + interval
                if reached >= first:
                    if decoded.is_corrupt:
                        raise VideoError(f"{path}, frame {reached}: is damaged; copy or re-encode the file")
                    yield _upright_grey(decoded), time_s
                held_s = float(decoded.duration * stream.time_base) if decoded.duration and stream.time_base else 0.0
                end_s = time_s + max(interval, held_s)
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


def _refuse_cut_off(path: Path, container: Any, stream: Any, frames: int, end_s: float) -> None:
    # Matroska and others end silently where the file was cut; only their headers tell how much there should be.
    if stream.frames:
        if frames < _COMPLETE * stream.frames:
            raise VideoError(
                f"{path}: ends after {frames} of {stream.frames} frames; the file is cut off, copy it again"
            )
        if container.format.name == "gif" and not _has_gif_trailer(path):
            raise VideoError(f"{path}: ends in the middle of frame {frames}; the file is cut off, copy it again")
        return
    announced_s = _announced_length(container, stream)
    if announced_s is not None and end_s < _COMPLETE * announced_s:
        raise VideoError(
            f"{path}: ends after frame {frames - 1}, {end_s:.2f} of {announced_s:.2f} s; the file is cut off, "
            f"copy it again"
        )


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


def _upright_grey(decoded: Any) -> GreyImage:
    transparent = any(component.is_alpha for component in decoded.format.components)
    image = _grey(decoded.to_ndarray(format="bgra" if transparent else "bgr24"))
    quarter_turns = round(decoded.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image


def _folder_images(path: Path, first: int, stop: int | None) -> Iterator[tuple[GreyImage, None]]:
    """Grey images ``first`` to ``stop`` of a folder; they carry no times."""
    names = [p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    if not names:
        raise VideoError(f"{path}: the folder holds no image; expected files ending in {', '.join(IMAGE_SUFFIXES)}")
    names.sort(key=_frame_number)
    bits = 8
    for position, name in enumerate(names[:stop]):
        if position and position < first:
            continue
        image = _load(name)
        if position == 0 and image.dtype == np.uint16:
            # Cameras store 10- to 14-bit samples in 16; one scale for the folder, or brightness would jump.
            bits = min(b for b in _SENSOR_BITS if int(image.max()) < 1 << b)
        if position >= first:
            yield _grey(_to_8_bit(image, bits, name)), None


def _frame_number(name: Path) -> tuple[int, str]:
    number = _LAST_INTEGER.search(name.stem)
    return int(number[1]) if number else -1, name.name


def _load(name: Path) -> NDArray[Any]:
    try:
        data = name.read_bytes()
    except OSError as error:
        raise VideoError(f"{name}: cannot be read ({error.strerror}); check the file") from error
    _refuse_absurd(name, *announced_size(data))
    if _is_complete(data):
        # Only a picture without transparency can be turned by its orientation mark.
        jpeg = data.startswith(b"\xff\xd8")
        flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH if jpeg else cv2.IMREAD_UNCHANGED
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error:
            image = None
        if image is not None:
            return np.asarray(image)
    raise VideoError(f"{name}: is not a readable image; copy it again or take it out of the folder")


def announced_size(data: bytes) -> tuple[int, int]:
    """Width and height as the head of a PNG, JPEG or BMP tells them; (0, 0) for what is none of these.

    Decoders take memory for what is announced before they see whether it is there.
    """
    if data.startswith(b"\x89PNG") and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data.startswith(b"BM") and len(data) >= 26:
        width, height = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (18, 22))
        return abs(width), abs(height)
    at = 2
    while data.startswith(b"\xff\xd8") and at + 9 <= len(data) and data[at] == 0xFF:
        if 0xC0 <= data[at + 1] <= 0xCF and data[at + 1] not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0, 0


def _refuse_absurd(path: Path, width: int, height: int) -> None:
    if width * height > limits.PICTURE_PIXELS:
        raise VideoError(
            f"{path}: announces pictures of {width}x{height}; at most {limits.PICTURE_PIXELS:,} pixels are read, "
            f"scale it down"
        )


def _is_complete(data: bytes) -> bool:
    # OpenCV fills the rest of a cut-off JPEG or PNG with grey and prints a warning.
    if data.startswith(b"\xff\xd8"):
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    if data.startswith(b"\x89PNG"):
        return b"IEND" in data[-4096:]
    return len(data) > 0


def _to_8_bit(image: NDArray[Any], bits: int, name: Path) -> NDArray[np.uint8]:
    if image.dtype == np.uint8:
        return image
    if image.dtype != np.uint16:
        raise VideoError(f"{name}: has pixels of type {image.dtype}; save it with 8 or 16 bits")
    return np.asarray(cv2.convertScaleAbs(image, alpha=255.0 / ((1 << bits) - 1)), dtype=np.uint8)


def _grey(image: NDArray[np.uint8]) -> GreyImage:
    """Grey of a grey, BGR or BGRA image; transparent parts show white paper."""
    if image.ndim == 2:
        return image
    if image.shape[2] == 4:
        alpha = image[:, :, 3:].astype(np.uint16)
        if (alpha < 255).any():
            image = ((image[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
        else:
            image = image[:, :, :3]
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
