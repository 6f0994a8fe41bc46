"""What the page accepts: how large, how long and how wide a clip may be, checked before and while it is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av

from stag.errors import VideoError
from stag.types import Frame
from stag.utils import limits
from stag.video.file import video_stream

_CUT = "cut it to the expression"
_TAKE = "take a clip such as .mp4, .mov, .avi, .mkv, .webm or .gif"


@dataclass(frozen=True)
class Limits:
    """The largest clip that is accepted.

    Attributes:
        size_mb: Of the file.
        duration_s: Between the first frame and the last.
        frames: Number of frames.
        pixels: Of one frame.
    """

    size_mb: int = limits.UPLOAD_MB
    duration_s: float = limits.UPLOAD_S
    frames: int = limits.FRAMES
    pixels: int = limits.UPLOAD_PIXELS

    @property
    def sentence(self) -> str:
        """Return the limits for people."""
        return f"Up to {self.size_mb} MB, {self.duration_s:.0f} seconds and {self.frames} frames."


def check_file(path: Path, name: str, limits: Limits) -> int:
    """Check a file by its header alone, and return the number of frames in it, 0 where the header has none.

    Raises:
        VideoError: It is not a video, or larger, longer or wider than allowed.
    """
    size = path.stat().st_size
    if size > limits.size_mb * 1_000_000:
        raise VideoError(f"{name}: has {size / 1e6:.0f} MB and {limits.size_mb} are allowed; {_CUT}")
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.video:
                raise VideoError(f"{name}: contains no video; {_TAKE}")
            stream, _ = video_stream(name, container)
            seconds = _duration_s(container, stream)
            width, height = stream.codec_context.width, stream.codec_context.height
            frames = int(stream.frames) or round(seconds * float(stream.average_rate or 0))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{name}: is no video that can be read; {_TAKE}") from error
    if seconds > limits.duration_s:
        raise VideoError(f"{name}: lasts {_spoken(seconds)} and {_spoken(limits.duration_s)} are allowed; {_CUT}")
    if frames > limits.frames:
        raise VideoError(f"{name}: has {frames} frames and {limits.frames} are allowed; {_CUT}")
    if width * height > limits.pixels:
        raise VideoError(f"{name}: is {width} x {height}, too large a picture; make it smaller")
    return frames


def limited(frames: Iterable[Frame], name: str, limits: Limits) -> Iterator[Frame]:
    """Yield the frames; a header may be wrong, so that the limits are checked again.

    Raises:
        VideoError: The clip is beyond a limit.
    """
    for number, frame in enumerate(frames, start=1):
        if frame.time_s > limits.duration_s:
            raise VideoError(f"{name}: lasts more than {_spoken(limits.duration_s)}; {_CUT}")
        if number > limits.frames:
            raise VideoError(f"{name}: has more than {limits.frames} frames; {_CUT}")
        if frame.image.size > limits.pixels:
            raise VideoError(f"{name}: is {frame.image.shape[1]} x {frame.image.shape[0]}, too large a picture")
        yield frame


def _duration_s(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> float:
    """Return the longer of what the file and the stream announce."""
    whole = container.duration / av.time_base if container.duration else 0.0
    own = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
    return max(whole, own)


def _spoken(seconds: float) -> str:
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
