"""Leave out the frames of a video that cannot be decoded, and those that build on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av


class Damage:
    """Decodes a stream, from its start, without what cannot be decoded and what builds on it up to the next key frame.

    Attributes:
        skipped: Number of frames left out before the frame that was yielded last; at the end, after it.
        goes_on: Whether the file goes on after the frames that are left out last.
        error: What the decoder said.
    """

    def __init__(self, stream: Any) -> None:
        self.skipped = 0
        self.goes_on = False
        self.error = "it does not follow from its data"
        self._stream = stream
        self._failed: list[int] = []  # times of the frames that do not come out of the decoder
        self._built_on: set[int] = set()  # times of those that come out and build on them
        if stream.codec_context.name == "mjpeg":  # it paints what is missing grey, and says so to no one
            stream.codec_context.options = {"err_detect": "explode"}

    def whole_frames(self, container: Any) -> Iterator[Any]:
        """Yield the frames that are as they were recorded."""
        waiting = False  # for a key frame that goes into the decoder
        wrong = False  # until a key frame comes out of it
        for packet in container.demux(self._stream):
            at = packet.pts if packet.pts is not None else packet.dts
            self.goes_on = self.goes_on or packet.size > 0
            waiting = waiting and not packet.is_keyframe
            try:
                frames = packet.decode()
            except av.error.InvalidDataError as error:
                frames, waiting, self.goes_on, self.error = [], True, False, str(error.strerror)
                if at is None:
                    self.skipped, wrong = self.skipped + 1, True
                else:
                    self._failed.append(at)
            if waiting and at is not None:
                self._built_on.add(at)
            for frame in frames:
                wrong = frame.is_corrupt or (wrong and not frame.key_frame)
                if wrong or frame.pts in self._built_on:
                    self.skipped += 1
                    self.goes_on = self.goes_on and not frame.is_corrupt
                    continue
                before = [at for at in self._failed if frame.pts is None or at < frame.pts]
                self._failed = self._failed[len(before) :]
                self.skipped += len(before)
                yield frame
                self.skipped = 0
        self.skipped += len(self._failed)


def is_whole_riff(path: Path) -> bool:
    """Return whether a file has all the bytes that its RIFF parts announce."""
    at, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while (head := file.read(8))[:4] == b"RIFF" and len(head) == 8:
            length = int.from_bytes(head[4:], "little")
            at += 8 + length + length % 2
            if at > size + 1 or length < 4:
                return False
            file.seek(at)
    return at > 0
