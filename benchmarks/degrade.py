"""Film a clip well and badly: less light, more noise, fewer pixels, compression, overexposure."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stag.types import GreyImage

Clean = Sequence[NDArray[np.float32]]
Film = Callable[[Clean, float, np.random.Generator], list[GreyImage]]
"""Clean frames, frames per second and a random generator -> filmed frames."""


def filmed(
    clean: Clean, generator: np.random.Generator, *, light: float = 1.0, noise_grey: float = 1.0
) -> list[GreyImage]:
    """Return the frames of an 8-bit camera: signal times light, noise, rounding, white at 255."""
    frames = []
    for image in clean:
        noise = np.float32(noise_grey) * generator.standard_normal(image.shape, np.float32)
        frames.append(np.clip(np.rint(np.float32(light) * image + noise), 0, 255).astype(np.uint8))
    return frames


def shrunk(clean: Clean, share: float) -> list[NDArray[np.float32]]:
    """Return frames with a share of the pixels of each axis."""
    height, width = clean[0].shape
    size = (round(width * share), round(height * share))
    return [np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32) for image in clean]


def as_jpeg(frames: Sequence[GreyImage], quality: int) -> list[GreyImage]:
    """Return each frame after JPEG compression."""
    coded = [cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for frame in frames]
    return [np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8) for data in coded]


def as_video(frames: Sequence[GreyImage], fps: float, codec: str, **options: str) -> list[GreyImage]:
    """Return frames after a lossy video encoder, at its default quality unless an option changes it."""
    if codec == "libx264":  # its vector code gives other bytes now and then; without it runs and processors agree
        options["x264-params"] = "asm=0"
    file = io.BytesIO()
    height, width = (n - n % 2 for n in frames[0].shape)
    with av.open(file, "w", format="matroska") as container:
        stream: Any = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options)
        stream.width, stream.height, stream.thread_count = width, height, 1
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for frame in frames:
            colour = cv2.cvtColor(np.ascontiguousarray(frame[:height, :width]), cv2.COLOR_GRAY2BGR)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(colour, format="bgr24")))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as coded:
        decoded = (picture.to_ndarray(format="bgr24") for picture in coded.decode(video=0))
        return [np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8) for picture in decoded]


def _camera(**settings: float) -> Film:
    return lambda clean, _fps, generator: filmed(clean, generator, **settings)


def _size(share: float) -> Film:
    return lambda clean, _fps, generator: filmed(shrunk(clean, share), generator)


def _jpeg(quality: int) -> Film:
    return lambda clean, _fps, generator: as_jpeg(filmed(clean, generator), quality)


def _video(codec: str, **options: str) -> Film:
    return lambda clean, fps, generator: as_video(filmed(clean, generator), fps, codec, **options)


FILMS: dict[str, Film] = {
    "full quality": _camera(),
    "light 50 %": _camera(light=0.5),
    "light 25 %": _camera(light=0.25),
    "light 12 %": _camera(light=0.12),
    "noise 3": _camera(noise_grey=3.0),
    "noise 6": _camera(noise_grey=6.0),
    "noise 10": _camera(noise_grey=10.0),
    "size 60 %": _size(0.6),
    "size 40 %": _size(0.4),
    "size 30 %": _size(0.3),
    "JPEG 75": _jpeg(75),
    "JPEG 25": _jpeg(25),
    "MJPEG, default": _video("mjpeg"),
    "MPEG-4, default": _video("mpeg4"),
    "H.264, crf 18": _video("libx264", crf="18", preset="veryfast"),
    "H.264, crf 28": _video("libx264", crf="28", preset="veryfast"),
    "H.264, crf 40": _video("libx264", crf="40", preset="veryfast"),
    "exposure x 1.5": _camera(light=1.5),
    "exposure x 2.5": _camera(light=2.5),
}
"""Name -> way of filming."""
