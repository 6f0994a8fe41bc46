"""Read a manifest: a CSV or TSV that describes any data set.

Columns ``clip_id, subject, frames, emotion`` and optionally ``dataset, onset, apex, offset, fps, action_units,
split``, found by name. ``frames`` is a video or a folder of images, relative to the manifest. Frame
numbers are positions in the file, from 0.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from stag.datasets.readers.entries import collect
from stag.datasets.readers.key_frames import KeyFrames, locate, locate_in_video
from stag.datasets.readers.result import Loaded, Options, Skipped, Unusable
from stag.datasets.readers.sheet import Columns, read_sheet
from stag.datasets.readers.tree import index_frames
from stag.errors import DatasetError
from stag.facs import outside_vocabulary, parse_facs
from stag.types import Clip
from stag.utils.cells import RATES, frame_rate, is_missing, text

REQUIRED = ("clip_id", "subject", "frames", "emotion")
OPTIONAL = ("dataset", "onset", "apex", "offset", "fps", "action_units", "split")
COLUMNS: Columns = {name: (name,) for name in (*REQUIRED, *OPTIONAL)}
NAMES = ("manifest.csv", "manifest.tsv")
SIMULATION = "simulation.json"
"""File beside the manifest of a simulated corpus."""


def load(root: Path, options: Options = Options()) -> Loaded:
    """Read a manifest: the file itself, or ``manifest.csv`` or ``manifest.tsv`` in a folder.

    Raises:
        DatasetError: There is no manifest, it is not a table, or a required column is missing.
    """
    options.refuse("A manifest", "annotation", "layout")
    path = root if root.is_file() else next((root / name for name in NAMES if (root / name).is_file()), None)
    if path is None:
        raise DatasetError(f"{root}: holds no {NAMES[0]}; write one with the columns {', '.join(REQUIRED)}")
    sheet = read_sheet(path, COLUMNS, OPTIONAL)
    seen: set[tuple[str, str]] = set()

    def read(numbered: tuple[int, dict[str, str]]) -> tuple[Clip, list[tuple[str, str]]]:
        line, row = numbered
        clip, remarks = _clip(row, path)
        if (clip.dataset, clip.clip_id) in seen:
            raise Unusable("duplicate", f"the id occurs again in line {line}; ids must be unique")
        seen.add((clip.dataset, clip.clip_id))
        return clip, remarks

    def skip(numbered: tuple[int, dict[str, str]], problem: Unusable) -> Skipped:
        line, row = numbered
        about = (text(row["emotion"]).casefold(), text(row["subject"]), text(row["split"]), _dataset(row, path))
        return Skipped(text(row["clip_id"]) or f"line {line}", problem.kind, str(problem), *about)

    clips, skipped, remarks = collect(sheet.rows, read, skip)
    if options.split is not None:
        clips = tuple(clip for clip in clips if clip.split == options.split)
        skipped = tuple(clip for clip in skipped if clip.split == options.split)
    simulated = is_simulated(path.parent)
    return Loaded(clips, (*sheet.skipped, *skipped), (*sheet.remarks, *remarks), simulated, sheet=path)


def load_name(root: Path, options: Options) -> Loaded:
    """Read NaME: its layout is not public, so a manifest describes it; schemes and counts are those of the set."""
    loaded = load(root, options)
    return replace(loaded, clips=tuple(replace(clip, dataset="name") for clip in loaded.clips))


def is_simulated(*folders: Path) -> bool:
    """Whether the simulator has marked one of the folders."""

    def marked(folder: Path) -> bool:
        try:
            return bool(json.loads((folder / SIMULATION).read_text(encoding="utf-8")).get("simulated"))
        except (OSError, ValueError, AttributeError):
            return False

    return any(map(marked, folders))


def _clip(row: dict[str, str], path: Path) -> tuple[Clip, list[tuple[str, str]]]:
    """Return the clip of a row, and ``(kind, text)`` of corrected or unreadable cells."""
    for column in REQUIRED:
        if not row[column]:
            raise Unusable("row incomplete", f"column {column!r} is empty")
        if is_missing(row[column]):
            raise Unusable("row incomplete", f"column {column!r} holds {row[column]!r}, which means missing")
    frames = path.parent / row["frames"]
    try:
        exists = frames.exists()
    except (OSError, ValueError):  # the name is too long or contains a zero byte
        exists = False
    if not exists:
        hint = "; write / instead of \\ in paths" if "\\" in row["frames"] else ""
        raise Unusable("frames missing", f"frames {row['frames']!r} do not exist{hint}")
    key_frames = _key_frames(frames, row["onset"], row["apex"], row["offset"])
    fps = frame_rate(row["fps"])
    if fps is None and not is_missing(row["fps"]):
        low, high = RATES
        raise Unusable("row incomplete", f"fps {row['fps']!r} is no frame rate from {low:.0f} to {high:,.0f}")
    codes = parse_facs(text(row["action_units"]))
    clip = Clip(
        clip_id=text(row["clip_id"]), subject=text(row["subject"]), frames=frames,
        emotion=text(row["emotion"]).casefold(), dataset=_dataset(row, path), onset=key_frames.onset,
        apex=key_frames.apex, offset=key_frames.offset, fps=fps, action_units=codes if codes.units else None,
        split=text(row["split"]),
    )  # fmt: skip
    unread = [("action units", f"{piece!r} in {row['action_units']!r}") for piece in codes.unread]
    unread += [
        ("action units", f"{unit} in {row['action_units']!r} is not known to models")
        for unit in outside_vocabulary(codes)
    ]
    return clip, [*key_frames.remarks, *unread]


def _key_frames(frames: Path, *cells: str) -> KeyFrames:
    """Return key frames by place: the frames of a manifest are counted from 0, whatever their names."""
    if not frames.is_dir():
        return locate_in_video(*cells)
    index = index_frames(frames)
    by_place = replace(index.order, numbers=tuple(range(len(index.numbers))))
    key_frames = locate(replace(index, order=by_place), *cells, optional=True)
    return replace(key_frames, remarks=(*(("files", one) for one in index.order.remarks), *key_frames.remarks))


def _dataset(row: dict[str, str], path: Path) -> str:
    return text(row["dataset"]) or path.parent.resolve().name
