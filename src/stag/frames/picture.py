"""One picture of a clip, whatever it comes from: its size, its grey, and what is known about its time."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.errors import VideoError
from stag.types import GreyImage
from stag.utils import limits


class Picture(NamedTuple):
    """A frame before its time is settled.

    Attributes:
        image: Grey image.
        tick: Its time in frame intervals.
        own_s: Its time as the clip tells it, seconds, or ``None``.
        interval_s: A usual frame interval, or ``None`` where nothing tells it.
        flags: Remarks that became known with this frame.
    """

    image: GreyImage
    tick: float
    own_s: float | None = None
    interval_s: float | None = None
    flags: tuple[str, ...] = ()


def to_grey(image: NDArray[np.uint8]) -> GreyImage:
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


def announced_size(data: bytes) -> tuple[int, int]:
    """Width and height as the head of a PNG, JPEG, BMP, GIF or animated WebP tells them; (0, 0) for any other.

    Decoders take memory for what is announced before they see whether it is there.
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
    """Refuse pictures of more pixels than are ever read.

    Raises:
        VideoError: The size is beyond :data:`limits.PICTURE_PIXELS`.
    """
    if width * height > limits.PICTURE_PIXELS:
        raise VideoError(
            f"{path}: announces pictures of {width}x{height}; at most {limits.PICTURE_PIXELS:,} pixels are read, "
            f"scale it down"
        )


def begins_late(path: Path, frames: int, first: int) -> VideoError:
    """The error for a clip whose first frame lies behind the last one of its file or folder."""
    return VideoError(
        f"{path}: has {frames} frames and the clip begins at frame {first}, counted from 0; correct its first frame"
    )
