"""Grey images of a folder, in the order that their names tell."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.errors import VideoError
from stag.frames.order import IMAGE_SUFFIXES, FrameOrder, OrderUnknownError, frame_order, is_image, ranges_text
from stag.frames.picture import Picture, announced_size, begins_late, refuse_absurd, to_grey

_SENSOR_BITS = (8, 10, 12, 14, 16)


def list_images(folder: Path) -> tuple[FrameOrder, int]:
    """The images of a folder in the order of their frames, and the number of visible files that are no images.

    Raises:
        OSError: The folder cannot be read.
        OrderUnknownError: The names do not tell the order.
    """
    with os.scandir(folder) as entries:
        files = [entry.name for entry in entries if not entry.is_dir()]
    images = [name for name in files if is_image(name)]
    return frame_order(images), len(files) - len(images)


def folder_pictures(path: Path, first: int, stop: int | None) -> Iterator[Picture]:
    """Stream the images ``first`` to ``stop`` of a folder.

    Where numbers count the frames, a missing number is a missing frame, during which time passes. Remarks on the
    folder come with the first image.

    Raises:
        VideoError: The folder or an image cannot be read, or the names do not tell the order.
    """
    try:
        order, _ = list_images(path)
    except OSError as error:
        raise VideoError(f"{path}: the folder cannot be read ({error.strerror}); check it") from error
    except OrderUnknownError as error:
        raise VideoError(f"{path}: {error}") from error
    if not order.names:
        raise VideoError(f"{path}: the folder holds no image; expected files ending in {', '.join(IMAGE_SUFFIXES)}")
    clip = FrameOrder(order.names[first:stop], order.numbers[first:stop])
    if not clip.names:
        raise begins_late(path, len(order.names), first)
    flags = [*order.remarks]
    if clip.holes:
        flags.append(f"frames missing: {ranges_text(clip.holes)}")
    if order.step is None and len(order.names) > 2:
        flags.append("frame numbers are uneven")
    files = [path / name for name in clip.names]
    start = _load(files[0])
    bits = _sample_bits(start, files[1:])
    for position, (file, number) in enumerate(zip(files, clip.numbers, strict=True)):
        image = _load(file) if position else start
        if image.dtype != start.dtype:
            raise VideoError(
                f"{file}: has {8 * image.itemsize} bits a sample after images of {8 * start.itemsize}; save all alike"
            )
        tick = (number - clip.numbers[0]) / order.step if order.step else position
        yield Picture(to_grey(_to_8_bit(image, bits, file)), tick, flags=() if position else tuple(flags))


def _sample_bits(start: NDArray[Any], others: Sequence[Path]) -> int:
    """Bits that the samples use: cameras store 10 to 14 in 16, and one scale must do for dark and bright frames."""
    if start.dtype != np.uint16:
        return 8
    top = int(start.max())
    with suppress(VideoError):  # a damaged image is named when its turn comes
        for file in others:
            if top >> _SENSOR_BITS[-2]:
                break
            top = max(top, int(_load(file).max()))
    return next(bits for bits in _SENSOR_BITS if not top >> bits)


def _load(name: Path) -> NDArray[Any]:
    try:
        data = name.read_bytes()
    except OSError as error:
        raise VideoError(f"{name}: cannot be read ({error.strerror}); check the file") from error
    refuse_absurd(name, *announced_size(data))
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
