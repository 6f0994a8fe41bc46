"""Portraits that a user brings: a photograph and its 68 landmarks, checked before anybody is made from them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from stag.errors import DatasetError
from stag.simulate.face import Portrait
from stag.types import FloatArray

_LEAST_INTER_OCULAR_PX = 16  # assumed; a smaller face has no detail to show at the size of the crop
_MOST_ROLL_DEG = 30  # assumed


def load_portrait(image_path: str | Path, points_path: str | Path) -> Portrait:
    """Read a portrait for the simulator.

    Args:
        image_path: Photograph of one upright, frontal face; colour becomes grey.
        points_path: CSV of its 68 landmarks (the order of iBUG 300-W), ``x,y`` in pixels of the photograph, one point
            a line; a header line may come first.

    Raises:
        DatasetError: A file is missing or unreadable, or the points are not those of an upright face in the image.

    Example:
        >>> simulate_corpus("corpus", portrait=load_portrait("face.png", "face.csv"))  # doctest: +SKIP
    """
    image_path, points_path = Path(image_path), Path(points_path)
    data = _bytes(image_path)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    if image is None:
        raise DatasetError(f"{image_path}: is not a readable image; save the portrait as PNG or JPEG")
    points = _points(points_path)
    _require_face(points, image.shape, image_path, points_path)
    return Portrait(np.asarray(image, dtype=np.uint8), points)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); check the path of the portrait") from error


def _points(path: Path) -> FloatArray:
    lines = [line.strip() for line in _bytes(path).decode("utf-8-sig", "replace").splitlines() if line.strip()]
    if lines and _numbers(lines[0]) is None:
        lines = lines[1:]
    rows = []
    for number, line in enumerate(lines, start=1):
        values = _numbers(line)
        if values is None or len(values) != 2:
            raise DatasetError(f"{path}, point {number}: {line[:40]!r} is not x,y; write two numbers with a comma")
        rows.append(values)
    if len(rows) != 68:
        raise DatasetError(f"{path}: holds {len(rows)} points; write the 68 landmarks, one x,y a line")
    return np.array(rows, dtype=np.float64)


def _numbers(line: str) -> list[float] | None:
    try:
        return [float(piece) for piece in line.split(",")]
    except ValueError:
        return None


def _require_face(points: FloatArray, shape: tuple[int, ...], image_path: Path, points_path: Path) -> None:
    height, width = shape[:2]
    inside = np.isfinite(points).all(axis=1) & (points >= 0).all(axis=1) & (points < [width, height]).all(axis=1)
    if not inside.all():
        raise DatasetError(
            f"{points_path}, point {int(np.argmin(inside)) + 1}: lies outside {image_path.name} ({width}x{height}); "
            f"give all points in pixels of the image"
        )
    across = points[42] - points[39]
    distance = float(np.hypot(*across))
    if distance < _LEAST_INTER_OCULAR_PX:
        raise DatasetError(
            f"{image_path}: the inner eye corners are {distance:.0f} px apart; "
            f"give a portrait with at least {_LEAST_INTER_OCULAR_PX}"
        )
    upright = abs(float(np.degrees(np.arctan2(across[1], across[0])))) <= _MOST_ROLL_DEG
    if not upright or points[48:68, 1].mean() <= points[36:48, 1].mean():
        raise DatasetError(
            f"{points_path}: these are not the points of an upright face (eyes above the mouth, the eye on the left "
            f"of the image first); turn the portrait or order the points as iBUG 300-W does"
        )
