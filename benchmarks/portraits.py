"""Measure over photographs of many people what is otherwise measured on one: face finding and known motion.

A face counts as found if the middle of its points is within a quarter of its width of the true one. Of each scene a
short clip of a still face that sways is followed; its answer is usable if it is not flagged ``not measurable``. Turned
heads and motion are rendered from the photograph, so that these numbers are *simulated*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.motion import DEFAULT, compare
from benchmarks.variants import Measured, measure_clip
from stag.bench.clips import ClipSpec, photograph, still_points
from stag.bench.rows import markdown
from stag.config import MotionConfig
from stag.errors import FaceNotFound, StagError
from stag.faces.detect import DlibDetector, FaceDetector, load_detector
from stag.facs import AU_VOCABULARY
from stag.motion.clip import extract_clip
from stag.types import NOT_MEASURABLE, FloatArray, Frame, GreyImage
from stag.utils.parallel import spread

_EYES_PX, _EYES_PER_WIDTH = 60.0, 0.3  # distance between the inner eye corners as drawn; in widths of a face
_FRAME = (640, 480)
_SHOWN, _GREY = 0.75, 110  # half the side of what is shown around a face, in its widths; the rest is grey
_LEAST_SCORE = -0.25
_NOISE = 1.0
_TURN_S = 0.25  # when the swing of a turned head is widest
_WIDTHS = (20, 30, 40, 60, 100, 200, 300)
_POSES = ((100, 15.0, 0.0), (100, 30.0, 0.0), (100, 0.0, 15.0), (100, 0.0, 30.0))
_FRAMES, _SWAY_PER_WIDTH, _SWAY_DEG = 10, 0.01, 0.5
_QUICK_UNITS = 2

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
    """Return a row for each size, roll and yaw: portraits that are found, followed and usable, and by dlib alone."""
    detector, dlib = load_detector(min_score=_LEAST_SCORE), DlibDetector(_LEAST_SCORE, alone=True)
    rows = []
    for width, roll, yaw in (*((width, 0.0, 0.0) for width in _WIDTHS), *_POSES):
        clips = [_scenes(path, width, roll, yaw) for path in paths]
        now, before = (
            [_found(d.detect(images[0]), middle, width) for images, middle in clips] for d in (detector, dlib)
        )
        followed = [_followed(images, detector) for images, _ in clips]
        rows.append(
            {
                "face": f"{width} px" + (f", roll {roll:g}" if roll else "") + (f", yaw {yaw:g}" if yaw else ""),
                "found": f"{sum(here for here, _ in now)} of {len(paths)}",
                "others": sum(others for _, others in now),
                "frames followed": f"{sum(n for n, _ in followed)} of {_FRAMES * len(paths)}",
                "usable": sum(usable for _, usable in followed),
                "found by dlib alone": sum(here for here, _ in before),
                "its others": sum(others for _, others in before),
            }
        )
    return rows


def measure_portraits(paths: Sequence[Path], *, jobs: int, quick: bool = False) -> list[Measured]:
    """Measure each action unit alone (1 px) on each person, and a still head, one that turns and one that nods."""
    units = AU_VOCABULARY[:_QUICK_UNITS] if quick else AU_VOCABULARY
    specs = [spec for path in paths for spec in _clips(path, units)]
    return [clips[0] for clips in spread(measure_clip, [(spec, (_NOISE,), (DEFAULT,)) for spec in specs], jobs)]


def person_rows(paths: Sequence[Path], measured: Sequence[Measured]) -> list[Row]:
    """Return a row for each person: apex errors at 1 px, false motion of a still head and one that turns."""
    rows = []
    for number, path in enumerate(paths, start=1):
        mine = [clip for clip in measured if clip.spec.portrait == path]
        moving = [clip for clip in mine if clip.spec.strength_px]
        worst = min(moving, key=lambda clip: _at_apex([clip])["correlation"])
        still = (clip for clip in mine if not clip.spec.strength_px)
        rows.append(
            {
                "person": number,
                "lightness": float(np.median(photograph(moving[0].spec, 0.0)[_cheeks(moving[0].spec)])),
                **_at_apex(moving),
                "worst": f"AU {worst.spec.units[0]}",
                "worst_correlation": _at_apex([worst])["correlation"],
                **{name: _false(clip) for name, clip in zip(("still", "yaw", "pitch"), still, strict=True)},
            }
        )
    return rows


def unit_rows(measured: Sequence[Measured]) -> list[Row]:
    """Return a row for each action unit: median and worst person."""
    rows = []
    for unit in dict.fromkeys(clip.spec.units[0] for clip in measured if clip.spec.strength_px):
        scores = [_at_apex([clip]) for clip in measured if clip.spec.strength_px and clip.spec.units[0] == unit]
        row: Row = {"unit": f"AU {unit}"}
        for name, worst in (("correlation", np.nanmin), ("gain", np.nanmin), ("rmse_px", np.nanmax)):
            values = [score[name] for score in scores]
            row[name], row[f"worst_{name}"] = float(np.nanmedian(values)), float(worst(values))
        rows.append(row)
    return rows


def portrait_tables(paths: Sequence[Path], *, jobs: int = 1, quick: bool = False) -> str:
    """Return the tables as Markdown."""
    found, measured = finding_rows(paths), measure_portraits(paths, jobs=jobs, quick=quick)
    people = person_rows(paths, measured)
    numbers = [key for key, value in people[0].items() if type(value) is float]
    median: Row = {"person": "median"} | {key: float(np.median([row[key] for row in people])) for key in numbers}
    light: Row = {"person": "rank correlation with lightness"} | {
        key: _rank_correlation(people, key) for key in numbers
    }
    headings = (
        ("person", "person"), ("lightness", "grey of the cheeks"), ("correlation", "apex corr."),
        ("gain", "apex gain"), ("rmse_px", "apex RMSE"), ("worst", "worst unit"), ("worst_correlation", "its corr."),
        ("still", "false, still"), ("yaw", "false, yaw 5"), ("pitch", "false, pitch 5"),
    )  # fmt: skip
    by_unit = (
        ("unit", "unit"), ("correlation", "apex corr."), ("worst_correlation", "worst person"), ("gain", "apex gain"),
        ("worst_gain", "least"), ("rmse_px", "apex RMSE"), ("worst_rmse_px", "largest"),
    )  # fmt: skip
    return (
        f"### Faces found (turned heads *simulated*)\n\n{markdown(found, [(key, key) for key in found[0]])}\n\n"
        f"### Known motion of each person (*simulated*)\n\n{markdown([*people, median, light], headings)}\n\n"
        f"### Known motion of each unit, median person (*simulated*)\n\n{markdown(unit_rows(measured), by_unit)}\n"
    )


def _clips(path: Path, units: Iterable[int]) -> list[ClipSpec]:
    still = [
        ClipSpec(0, 64.0, (12,), 0.0, sway=False, fps=60.0, turn_deg=turn, end_s=1.0, portrait=path)
        for turn in ((0.0, 0.0), (5.0, 0.0), (0.0, 5.0))
    ]
    return [*(ClipSpec(0, 64.0, (unit,), 1.0, portrait=path) for unit in units), *still]


def _at_apex(clips: Sequence[Measured]) -> Row:
    row = compare(np.stack([c.motion[c.apex] for c in clips]), np.stack([c.truth[c.apex] for c in clips]))
    return {name: row[name] for name in ("correlation", "gain", "rmse_px")}


def _false(clip: Measured) -> float:
    return float(np.sqrt(np.square(clip.motion[1:]).mean()))


@lru_cache(maxsize=64)
def _drawn(path: Path, yaw: float) -> tuple[GreyImage, FloatArray]:
    """Return a portrait drawn large, and the middle of its face."""
    spec = ClipSpec(0, _EYES_PX, (12,), 0.0, sway=False, turn_deg=(yaw, 0.0), portrait=path)
    return photograph(spec, 0.0, _TURN_S if yaw else 0.0), still_points(spec).mean(axis=0)


def _scenes(path: Path, width: int, roll: float, yaw: float) -> tuple[list[GreyImage], FloatArray]:
    """Return the frames of a portrait that sways, and the middle of the face in the first one."""
    image, middle = _drawn(path, yaw)
    scale = _EYES_PER_WIDTH * width / _EYES_PX
    if scale < 1:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.5 * np.sqrt(scale**-2 - 1)), np.uint8)
    shown = np.zeros(image.shape, np.float32)  # beyond it the mirror image of the photograph would show more faces
    half = _SHOWN * width / scale
    (left, top), (right, bottom) = ((middle + side * half).clip(0).astype(int) for side in (-1, 1))
    shown[top:bottom, left:right] = 1
    alone = image * shown + _GREY * (1 - shown)
    generator = np.random.default_rng(0)
    frames = []
    centre = np.array(_FRAME) / 2
    for phase in np.linspace(0, 2 * np.pi, _FRAMES):
        place = cv2.getRotationMatrix2D(middle.tolist(), roll + _SWAY_DEG * np.sin(phase), scale)
        place[:, 2] += centre - middle + _SWAY_PER_WIDTH * width * np.sin(phase)
        frame = cv2.warpAffine(alone, place, _FRAME, borderValue=_GREY) + _NOISE * generator.standard_normal(
            _FRAME[::-1]
        )
        frames.append(np.clip(np.rint(frame), 0, 255).astype(np.uint8))
    return frames, centre


def _followed(images: Iterable[GreyImage], detector: FaceDetector) -> tuple[int, bool]:
    """Return the number of frames that are followed, and whether the answer is usable."""
    frames = [Frame(image, number / 30) for number, image in enumerate(images)]
    try:
        tensor = extract_clip(frames, detector, MotionConfig(), "portrait")[0]
    except FaceNotFound:
        return 0, False
    return tensor.n_frames, not any(flag.startswith(NOT_MEASURABLE) for flag in tensor.flags)


def _cheeks(spec: ClipSpec) -> tuple[NDArray[np.intp], ...]:
    points = still_points(spec)
    cheeks = np.concatenate([(points[[1, 15]] + points[[31, 35]]) / 2, (points[[2, 14]] + points[[31, 35]]) / 2])
    return tuple(np.rint(cheeks[:, ::-1]).astype(np.intp).T)


def _rank_correlation(rows: Sequence[Row], key: str) -> float:
    values = [(row["lightness"], row[key]) for row in rows]
    return float(spearmanr(*zip(*values, strict=True)).statistic) if len(values) > 2 else float("nan")


def _found(faces: Sequence[Any], middle: Any, width: int) -> tuple[bool, int]:
    here = [bool(np.hypot(*(face.points.mean(axis=0) - middle)) < width / 4) for face in faces]
    return any(here), len(here) - any(here)
