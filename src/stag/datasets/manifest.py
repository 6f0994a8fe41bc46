"""The manifest: a CSV or TSV by which a user brings any data set.

Columns ``clip_id, subject, frames, emotion`` and optionally ``dataset, onset, apex, offset, fps, action_units,
split``, found by name. ``frames`` is a video or a folder of images, relative to the manifest. Frame
numbers are positions in the file, from 0.
"""

from __future__ import annotations

import json
from pathlib import Path

from stag.datasets.loaded import Loaded, Options, Remark, Skipped, Unusable
from stag.datasets.places import refuse
from stag.datasets.sheets import Columns, read_sheet
from stag.errors import DatasetError
from stag.facs import parse_facs
from stag.types import Clip

REQUIRED = ("clip_id", "subject", "frames", "emotion")
OPTIONAL = ("dataset", "onset", "apex", "offset", "fps", "action_units", "split")
COLUMNS: Columns = {name: (name,) for name in (*REQUIRED, *OPTIONAL)}
NAMES = ("manifest.csv", "manifest.tsv")
SIMULATION = "simulation.json"
"""File beside the manifest of a simulated corpus."""


def load(root: Path, options: Options = Options()) -> Loaded:
    """Read a manifest.

    Args:
        root: The manifest itself, or the folder that holds ``manifest.csv`` or ``manifest.tsv``.
        options: May ask for one split.

    Raises:
        DatasetError: There is no manifest, it is no table, or a required column is missing.
    """
    refuse(options, "A manifest", "annotation", "layout")
    path = _find(root)
    clips: list[Clip] = []
    skipped: list[Skipped] = []
    remarks: list[Remark] = []
    seen: set[tuple[str, str]] = set()
    for line, row in read_sheet(path, COLUMNS, OPTIONAL).rows:
        try:
            clip, unread = _clip(row, path)
            if (clip.dataset, clip.clip_id) in seen:
                raise Unusable("duplicate", f"the id occurs again in line {line}; ids must be unique")
        except Unusable as problem:
            name, emotion = row["clip_id"] or f"line {line}", row["emotion"].casefold()
            whose = row["dataset"] or path.parent.resolve().name
            skipped.append(Skipped(name, problem.kind, str(problem), emotion, row["subject"], row["split"], whose))
            continue
        seen.add((clip.dataset, clip.clip_id))
        clips.append(clip)
        remarks += [Remark("action units", f"{text!r} in {row['action_units']!r}", clip.clip_id) for text in unread]
        if clip.apex is None:
            remarks.append(Remark("apex estimated", "the manifest gives no apex", clip.clip_id))
    if options.split is not None:
        clips = [clip for clip in clips if clip.split == options.split]
        skipped = [clip for clip in skipped if clip.split == options.split]
    return Loaded(tuple(clips), tuple(skipped), tuple(remarks), is_simulated(path.parent), sheet=path)


def is_simulated(*folders: Path) -> bool:
    """Whether one of the folders carries the mark of the simulator."""
    return any(_marked(folder) for folder in folders)


def _find(root: Path) -> Path:
    if root.is_file():
        return root
    for name in NAMES:
        if (root / name).is_file():
            return root / name
    raise DatasetError(f"{root}: holds no {NAMES[0]}; write one with the columns {', '.join(REQUIRED)}")


def _clip(row: dict[str, str], path: Path) -> tuple[Clip, tuple[str, ...]]:
    """The clip of a row, and what of its action units could not be read."""
    for column in REQUIRED:
        if not row[column]:
            raise Unusable("row incomplete", f"column {column!r} is empty")
    frames = path.parent / row["frames"]
    if not _exists(frames):
        raise Unusable("frames missing", f"frames {row['frames']!r} do not exist")
    onset, apex, offset = (_whole(row, column) for column in ("onset", "apex", "offset"))
    known = [value for value in (onset, apex, offset) if value is not None]
    if known != sorted(known):
        raise Unusable("key frames", f"onset, apex and offset are out of order ({', '.join(map(str, known))})")
    code = parse_facs(row["action_units"])
    clip = Clip(
        clip_id=row["clip_id"],
        subject=row["subject"],
        frames=frames,
        emotion=row["emotion"].casefold(),
        dataset=row["dataset"] or path.parent.resolve().name,
        onset=onset,
        apex=apex,
        offset=offset,
        fps=_positive(row, "fps"),
        action_units=row["action_units"] if code.units else None,
        split=row["split"],
    )
    return clip, code.unread


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or holds a zero byte
        return False


def _whole(row: dict[str, str], column: str) -> int | None:
    text = row[column]
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Unusable("key frames", f"{column} {text!r} is not a frame number")
    return int(text)


def _positive(row: dict[str, str], column: str) -> float | None:
    text = row[column]
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1e6:
        raise Unusable("row incomplete", f"{column} {text!r} is not a positive number")
    return value


def _marked(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / SIMULATION).read_text(encoding="utf-8")).get("simulated"))
    except (OSError, ValueError, AttributeError):
        return False
