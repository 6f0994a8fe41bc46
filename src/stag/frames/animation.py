"""Animated pictures that the video decoder does not read as they are: WebP, and GIF that gives no times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from stag.errors import VideoError
from stag.frames.picture import Picture, announced_size, begins_late, refuse_absurd, to_grey

_GIF_DELAY = re.compile(rb"\x21\xf9\x04.(..).\x00", re.DOTALL)
_HEAD = 64


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
