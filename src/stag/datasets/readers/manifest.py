"""The manifest: a CSV or TSV by which a user brings any data set.

Columns ``clip_id, subject, frames, emotion`` and optionally ``dataset, onset, apex, offset, fps, action_units,
split``, found by name. ``frames`` is a video or a folder of images, relative to the manifest. Frame
numbers are positions in the file, from 0.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from stag.datasets.readers.key_frames import KeyFrames, locate, locate_in_video
from stag.datasets.readers.result import Loaded, Options, Remark, Skipped, Unusable
from stag.datasets.readers.sheet import Columns, read_sheet
from stag.datasets.readers.tree import index_frames
from stag.errors import DatasetError
from stag.facs import parse_facs
from stag.types import Clip
from stag.utils.cells import RATES, frame_rate, is_missing, text

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
    options.refuse("A manifest", "annotation", "layout")
    path = _find(root)
    clips: list[Clip] = []
    skipped: list[Skipped] = []
    remarks: list[Remark] = []
    seen: set[tuple[str, str]] = set()
    sheet = read_sheet(path, COLUMNS, OPTIONAL)
    for line, row in sheet.rows:
        try:
            clip, said = _clip(row, path)
            if (clip.dataset, clip.clip_id) in seen:
                raise Unusable("duplicate", f"the id occurs again in line {line}; ids must be unique")
        except Unusable as problem:
            name, emotion = text(row["clip_id"]) or f"line {line}", text(row["emotion"]).casefold()
            about = (emotion, text(row["subject"]), text(row["split"]), _dataset(row, path))
            skipped.append(Skipped(name, problem.kind, str(problem), *about))
            continue
        seen.add((clip.dataset, clip.clip_id))
        clips.append(clip)
        remarks += [Remark(kind, one, clip.clip_id) for kind, one in said]
    if options.split is not None:
        clips = [clip for clip in clips if clip.split == options.split]
        skipped = [clip for clip in skipped if clip.split == options.split]
    return Loaded(
        tuple(clips), (*sheet.skipped, *skipped), (*sheet.remarks, *remarks), is_simulated(path.parent), sheet=path
    )


def load_name(root: Path, options: Options) -> Loaded:
    """Read NaME: its layout is not public, so a manifest describes it; schemes and counts are those of the set."""
    loaded = load(root, options)
    return replace(loaded, clips=tuple(replace(clip, dataset="name") for clip in loaded.clips))


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


def _clip(row: dict[str, str], path: Path) -> tuple[Clip, list[tuple[str, str]]]:
    """The clip of a row, and ``(kind, text)`` of what had to be corrected or could not be read."""
    for column in REQUIRED:
        if not row[column]:
            raise Unusable("row incomplete", f"column {column!r} is empty")
        if is_missing(row[column]):
            raise Unusable("row incomplete", f"column {column!r} holds {row[column]!r}, which means missing")
    frames = path.parent / row["frames"]
    if not _exists(frames):
        hint = "; write / instead of \\ in paths" if "\\" in row["frames"] else ""
        raise Unusable("frames missing", f"frames {row['frames']!r} do not exist{hint}")
    found = _key_frames(frames, row["onset"], row["apex"], row["offset"])
    fps = frame_rate(row["fps"])
    if fps is None and not is_missing(row["fps"]):
        low, high = RATES
        raise Unusable("row incomplete", f"fps {row['fps']!r} is no frame rate from {low:.0f} to {high:,.0f}")
    code = parse_facs(text(row["action_units"]))
    clip = Clip(
        clip_id=text(row["clip_id"]),
        subject=text(row["subject"]),
        frames=frames,
        emotion=text(row["emotion"]).casefold(),
        dataset=_dataset(row, path),
        onset=found.onset,
        apex=found.apex,
        offset=found.offset,
        fps=fps,
        action_units=code if code.units else None,
        split=text(row["split"]),
    )
    unread = [("action units", f"{one!r} in {row['action_units']!r}") for one in code.unread]
    return clip, [*found.remarks, *unread]


def _key_frames(frames: Path, *cells: str) -> KeyFrames:
    """Key frames by place: the frames of a manifest are counted from 0, whatever their names."""
    if not frames.is_dir():
        return locate_in_video(*cells)
    index = index_frames(frames)
    by_place = replace(index.order, numbers=tuple(range(len(index.numbers))))
    found = locate(replace(index, order=by_place), *cells, optional=True)
    return replace(found, remarks=(*(("files", one) for one in index.order.remarks), *found.remarks))


def _dataset(row: dict[str, str], path: Path) -> str:
    return text(row["dataset"]) or path.parent.resolve().name


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or holds a zero byte
        return False


def _marked(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / SIMULATION).read_text(encoding="utf-8")).get("simulated"))
    except (OSError, ValueError, AttributeError):
        return False
