"""Measure over photographs of many people what is otherwise measured on one: face finding and known motion.

A face counts as found if the middle of its points is within a quarter of its width of the true one. Turned heads and
motion are rendered from the photograph, so that these numbers are *simulated*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.motion import DEFAULT, UNIT_SETS, compare
from benchmarks.variants import Measured, measure_clip
from stag.bench.clips import ClipSpec, photograph, still_points
from stag.bench.rows import markdown
from stag.errors import StagError
from stag.faces.detect import landmark_models, load_detector
from stag.utils.parallel import spread

_EYES_PER_WIDTH = 0.3  # distance between the inner eye corners in widths of a face
_LEAST_EYES_PX = 8.0  # smaller faces are drawn at this size and reduced
_FRAME = (640, 480)
_SHOWN, _GREY = 0.75, 110  # half the side of what is shown around a face, in its widths; the rest is grey
_LEAST_SCORE = -0.25
_NOISE = 1.0
_TURN_S = 0.25  # when the swing of a turned head is widest
_WIDTHS = (20, 30, 40, 60, 100, 200, 300)
_POSES = ((100, 15.0, 0.0), (100, 30.0, 0.0), (100, 0.0, 15.0), (100, 0.0, 30.0))

Row = dict[str, Any]


def portrait_paths(folder: Path) -> list[Path]:
    """Return the JPEG and PNG files of a folder, sorted.

    Raises:
        StagError: There is none.
    """
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if not paths:
        raise StagError(f"{folder}: contains no .jpg or .png; give a folder of portraits, one face in each")
    return paths


def finding_rows(paths: Sequence[Path]) -> list[Row]:
    """Return a row for each size, roll and yaw: portraits whose face each installed detector finds, and other faces."""
    names = [model.name for model in landmark_models() if model.available and model.name in ("mesh", "dlib")]
    rows = []
    for width, roll, yaw in (*((width, 0.0, 0.0) for width in _WIDTHS), *_POSES):
        row: Row = {"face": f"{width} px" + (f", roll {roll:g}" if roll else "") + (f", yaw {yaw:g}" if yaw else "")}
        for name in names:
            detector = load_detector(name, min_score=_LEAST_SCORE)
            found = [
                _found(detector.detect(image), middle, width) for image, middle in _scenes(paths, width, roll, yaw)
            ]
            row[name] = f"{sum(here for here, _ in found)} of {len(paths)}"
            row[f"{name}, others"] = sum(others for _, others in found)
        rows.append(row)
    return rows


def motion_rows(paths: Sequence[Path], *, jobs: int, quick: bool = False) -> list[Row]:
    """Return a row for each person: apex errors at 1 px, and false motion of a still head and one that turns."""
    units = UNIT_SETS[:1] if quick else UNIT_SETS
    specs = [spec for path in paths for spec in _clips(path, units)]
    measured = [clips[0] for clips in spread(measure_clip, [(spec, (_NOISE,), (DEFAULT,)) for spec in specs], jobs)]
    rows = []
    for number, path in enumerate(paths, start=1):
        mine = [clip for clip in measured if clip.spec.portrait == path]
        moving = [clip for clip in mine if clip.spec.strength_px]
        worst = min(moving, key=lambda clip: _at_apex([clip])["correlation"])
        rows.append(
            {
                "person": number,
                **_at_apex(moving),
                "worst": "AU " + " + ".join(map(str, worst.spec.units)),
                "worst_correlation": _at_apex([worst])["correlation"],
                **{name: _false(clip) for name, clip in zip(("still", "yaw", "pitch"), _at_rest(mine), strict=True)},
            }
        )
    return rows


def portrait_tables(paths: Sequence[Path], *, jobs: int = 1, quick: bool = False) -> str:
    """Return both tables as Markdown."""
    found, motion = finding_rows(paths), motion_rows(paths, jobs=jobs, quick=quick)
    spans = {"person": "median"} | {
        key: float(np.median([row[key] for row in motion])) for key, value in motion[0].items() if type(value) is float
    }
    headings = (
        ("person", "person"), ("correlation", "apex corr."), ("gain", "apex gain"), ("rmse_px", "apex RMSE"),
        ("worst", "worst clip"), ("worst_correlation", "its corr."), ("still", "false, still"),
        ("yaw", "false, yaw 5"), ("pitch", "false, pitch 5"),
    )  # fmt: skip
    return (
        f"### Faces found (turned heads *simulated*)\n\n{markdown(found, [(key, key) for key in found[0]])}\n\n"
        f"### Known motion of each person (*simulated*)\n\n{markdown([*motion, spans], headings)}\n"
    )


def _clips(path: Path, units: Iterable[tuple[int, ...]]) -> list[ClipSpec]:
    still = [
        ClipSpec(0, 64.0, (12,), 0.0, sway=False, fps=60.0, turn_deg=turn, end_s=1.0, portrait=path)
        for turn in ((0.0, 0.0), (5.0, 0.0), (0.0, 5.0))
    ]
    return [*(ClipSpec(0, 64.0, those, 1.0, portrait=path) for those in units), *still]


def _at_rest(clips: Iterable[Measured]) -> list[Measured]:
    return [clip for clip in clips if not clip.spec.strength_px]


def _at_apex(clips: Sequence[Measured]) -> Row:
    row = compare(np.stack([c.motion[c.apex] for c in clips]), np.stack([c.truth[c.apex] for c in clips]))
    return {name: row[name] for name in ("correlation", "gain", "rmse_px")}


def _false(clip: Measured) -> float:
    return float(np.sqrt(np.square(clip.motion[1:]).mean()))


def _scenes(paths: Iterable[Path], width: int, roll: float, yaw: float) -> Iterable[tuple[Any, Any]]:
    """Yield a frame for each portrait, and the middle of the face in it."""
    eyes_px = max(_EYES_PER_WIDTH * width, _LEAST_EYES_PX)
    for path in paths:
        spec = ClipSpec(0, eyes_px, (12,), 0.0, sway=False, turn_deg=(yaw, 0.0), size=_FRAME, portrait=path)
        image, middle = photograph(spec, _NOISE, _TURN_S if yaw else 0.0), still_points(spec).mean(axis=0)
        turn = cv2.getRotationMatrix2D(middle.tolist(), roll, _EYES_PER_WIDTH * width / eyes_px)
        image = np.asarray(cv2.warpAffine(image, turn, _FRAME, borderMode=cv2.BORDER_REPLICATE), np.uint8)
        # Beyond the photograph its mirror image would show more faces.
        (left, top), (right, bottom) = (
            np.clip(middle + side * _SHOWN * width, 0, _FRAME).astype(int) for side in (-1, 1)
        )
        alone = np.full_like(image, _GREY)
        alone[top:bottom, left:right] = image[top:bottom, left:right]
        yield alone, middle


def _found(faces: Sequence[Any], middle: Any, width: int) -> tuple[bool, int]:
    here = [bool(np.hypot(*(face.points.mean(axis=0) - middle)) < width / 4) for face in faces]
    return any(here), len(here) - any(here)
