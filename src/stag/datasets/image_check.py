"""Which images of a clip cannot be read, told from their first bytes and their size alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stag.datasets.readers.result import Unusable
from stag.datasets.readers.tree import index_frames
from stag.types import Clip

_MAGIC: dict[str, tuple[bytes, ...]] = {
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".bmp": (b"BM",),
    ".tif": (b"II*\x00", b"MM\x00*"),
    ".tiff": (b"II*\x00", b"MM\x00*"),
}
_ANY = tuple({magic for some in _MAGIC.values() for magic in some})


def unreadable(clip: Clip) -> Iterator[tuple[str, str]]:
    """``(file name, what is wrong)`` of the frames from onset to offset that cannot be images.

    A picture under the ending of another kind is fine, since readers go by content. A picture that is damaged further
    on is found at extraction.
    """
    if not clip.frames.is_dir():
        return
    try:
        index = index_frames(clip.frames)
    except Unusable as problem:
        yield clip.frames.name, str(problem)
        return
    stop = None if clip.offset is None else clip.offset + 1
    for name in index.names[clip.onset or 0 : stop]:
        wrong = _wrong(clip.frames / name)
        if wrong:
            yield name, wrong


def _wrong(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
    except OSError as error:
        return f"cannot be opened ({error.strerror})"
    if not head:
        return "is empty"
    return "" if head.startswith(_ANY) else "is no image"
