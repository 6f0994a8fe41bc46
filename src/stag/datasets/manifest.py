"""The manifest: a CSV or TSV by which a user brings any data set.

Columns ``clip_id, subject, frames, emotion`` and optionally ``dataset, onset, apex, offset, fps, action_units``, found
by name. ``frames`` is a video or a folder of images, relative to the manifest. Frame numbers are positions in the
file, from 0.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from stag.errors import DatasetError
from stag.types import Clip

REQUIRED = ("clip_id", "subject", "frames", "emotion")
NAMES = ("manifest.csv", "manifest.tsv")
SIMULATION = "simulation.json"
"""File beside the manifest of a simulated corpus."""


def load(root: Path) -> tuple[list[Clip], list[tuple[str, str]], bool]:
    """Read a manifest.

    Args:
        root: The manifest itself, or the folder that holds ``manifest.csv`` or ``manifest.tsv``.

    Returns:
        The usable clips, ``(clip id, reason)`` of the others, and whether the corpus is simulated.

    Raises:
        DatasetError: There is no manifest, it is no table, or a required column is missing.
    """
    path = _find(root)
    table = _read(path)
    clips: list[Clip] = []
    skipped: list[tuple[str, str]] = []
    seen: set[tuple[str, str]] = set()
    for position, values in enumerate(table.itertuples(index=False, name=None), start=2):
        row = dict(zip(table.columns, values, strict=True))
        name = row["clip_id"] or f"line {position}"
        try:
            clip = _clip(row, path)
            if (clip.dataset, clip.clip_id) in seen:
                raise ValueError(f"the id occurs again in line {position}; ids must be unique")
        except ValueError as error:
            skipped.append((name, str(error)))
            continue
        seen.add((clip.dataset, clip.clip_id))
        clips.append(clip)
    return clips, skipped, _is_simulated(path.parent)


def _find(root: Path) -> Path:
    if root.is_file():
        return root
    for name in NAMES:
        if (root / name).is_file():
            return root / name
    raise DatasetError(f"{root}: holds no {NAMES[0]}; write one with the columns {', '.join(REQUIRED)}")


def _read(path: Path) -> pd.DataFrame:
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DatasetError(f"{path}: cannot be read as a table ({error}); save it as UTF-8 CSV") from error
    table.columns = [str(column).strip().lower().replace(" ", "_") for column in table.columns]
    missing = [column for column in REQUIRED if column not in table.columns]
    if missing:
        raise DatasetError(f"{path}: has no column {missing[0]!r}; found {', '.join(table.columns)}")
    repeated = table.columns[table.columns.duplicated()]
    if len(repeated):
        raise DatasetError(f"{path}: has two columns {repeated[0]!r}; keep one")
    for column in table.columns:
        table[column] = table[column].str.strip()
    return table


def _clip(row: dict[str, str], path: Path) -> Clip:
    for column in REQUIRED:
        if not row[column]:
            raise ValueError(f"column {column!r} is empty")
    frames = path.parent / row["frames"]
    if not frames.exists():
        raise ValueError(f"frames {row['frames']!r} do not exist")
    onset, apex, offset = (_whole(row, column) for column in ("onset", "apex", "offset"))
    known = [value for value in (onset, apex, offset) if value is not None]
    if known != sorted(known):
        raise ValueError(f"onset, apex and offset are out of order ({', '.join(map(str, known))})")
    return Clip(
        clip_id=row["clip_id"],
        subject=row["subject"],
        frames=frames,
        emotion=row["emotion"].lower(),
        dataset=row.get("dataset") or path.parent.resolve().name,
        onset=onset,
        apex=apex,
        offset=offset,
        fps=_positive(row, "fps"),
        action_units=row.get("action_units") or None,
    )


def _whole(row: dict[str, str], column: str) -> int | None:
    text = row.get(column, "")
    if not text:
        return None
    if not text.isdecimal():
        raise ValueError(f"{column} {text!r} is not a frame number")
    return int(text)


def _positive(row: dict[str, str], column: str) -> float | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1e6:
        raise ValueError(f"{column} {text!r} is not a positive number")
    return value


def _is_simulated(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / SIMULATION).read_text(encoding="utf-8")).get("simulated"))
    except (OSError, ValueError, AttributeError):
        return False
