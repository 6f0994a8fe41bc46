"""Keep the measured motion of recordings in files, so that a stopped batch goes on and another rate costs nothing."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stag.types import RecordingMotion
from stag.utils.files import write_npz

_ARRAYS = ("time_s", "motion", "stretch", "head", "turn_deg", "eyes", "crop", "points", "to_crop", "look")
_VERSION = 4


def kept_or_read(
    path: Path, folder: Path | None, how: str, read: Callable[[], list[RecordingMotion]]
) -> list[RecordingMotion]:
    """Return the motion of a recording from the folder, or read it and keep it there.

    Args:
        path: The recording. A file that has changed in size or time is read again.
        folder: Where motion is kept; ``None`` to keep none.
        how: What else the motion depends on, such as which faces were followed.
        read: Reads the recording.
    """
    if folder is None:
        return read()
    state = path.stat()
    key = f"{path.resolve()} {state.st_size} {state.st_mtime_ns} {how} {_VERSION}"
    place = folder / f"{path.stem[:60]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
    known = _load(place)
    if known is not None:
        return known
    faces = read()
    arrays = {f"{name}_{i}": getattr(face, name) for i, face in enumerate(faces) for name in _ARRAYS}
    about = [{"face_id": face.face_id, "duration_s": face.duration_s} for face in faces]
    write_npz(place, {**arrays, "about": np.array(json.dumps(about))})
    return faces


def _load(place: Path) -> list[RecordingMotion] | None:
    try:
        with np.load(place, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            return [
                RecordingMotion(**{name: file[f"{name}_{i}"] for name in _ARRAYS}, **one) for i, one in enumerate(about)
            ]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None  # a damaged file is made again
