"""Turn action units into dense displacement of the face, one field for each side.

``action_units.csv`` lists how each unit moves landmarks and points between them on the left half of the image; the
right half mirrors it. ``u`` points right (on the left half towards the midline), ``v`` down; numbers are relative
within a unit. A field is a thin-plate spline through these displacements with a peak of 1 crop pixel; points around the
face and at its rigid parts stay in place.

Source: Ekman, Friesen and Hager, Facial Action Coding System (2002), for which muscle pulls which skin where; the
amounts are assumed.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, RBFInterpolator
from scipy.ndimage import map_coordinates

from stag.faces.crop import CROP_PX, INTER_OCULAR_CROP_PX
from stag.facs import AU_VOCABULARY
from stag.types import FloatArray
from stag.utils.values import ArrayValue

GRID_STEP_PX = 2
"""Spacing of the grid of a field, crop pixels."""
GRID_START_PX = -48
"""Row and column of the first grid point on the crop; the grid is larger, because skin around the crop moves too."""
GRID_SIZE = 193
"""Rows and columns ``G`` of the grid."""
_COARSE_STEP_PX = 4
_RING_STEP_PX = 48
_RING_MARGIN_PX = 24
_MIDLINE_BLEND = 0.22  # assumed; half width of the change from one side to the other, inter-ocular distances
_FACE_MARGIN = 0.55  # assumed; how far beyond the landmarks skin may move, inter-ocular distances
_FIXED_POINT_ROUNDS = 4
CROP_TO_GRID = np.array([[1.0, 0.0, -GRID_START_PX], [0.0, 1.0, -GRID_START_PX]]) / GRID_STEP_PX
"""Affine transform ``(2, 3)`` from crop pixels to columns and rows of the grid."""

_CROP = slice(-GRID_START_PX // GRID_STEP_PX, (CROP_PX - GRID_START_PX) // GRID_STEP_PX)

MIRROR_68: tuple[int, ...] = (
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
    41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
)  # fmt: skip
"""For each of the 68 points, the point that replaces it when the image is mirrored left to right."""

_EYE = (36, 37, 38, 39, 40, 41)
_PAIRED: dict[str, tuple[tuple[int, ...], float, float]] = {
    "lid fold": ((19, 20, 37, 38), 0.0, 0.0),
    "lower lid": ((40, 41), 0.0, 0.18),
    "cheek": (_EYE, -0.05, 0.62),
    "crow's foot": ((36,), -0.32, 0.03),
    "forehead inner": ((20, 21), 0.0, -0.4),
    "forehead outer": ((18,), 0.0, -0.4),
    "nose side": ((29, 31), -0.02, 0.0),
    "nasolabial": ((31, 48), -0.08, 0.0),
    "beside mouth": ((48,), -0.35, 0.0),
    "beside chin": ((6, 59), 0.0, 0.0),
}
_MIDLINE: dict[str, tuple[tuple[int, ...], float, float]] = {
    "glabella": ((21, 22), 0.0, 0.0),
    "philtrum": ((33, 51), 0.0, 0.0),
    "below lip": ((57, 57, 8), 0.0, 0.0),
    "chin": ((57, 8, 8), 0.0, 0.0),
}
"""Skin points between landmarks: the landmarks to average, then an offset in inter-ocular distances."""

_PLACES = (*map(str, range(68)), *_PAIRED, *(f"{name} right" for name in _PAIRED), *_MIDLINE)

_MIRROR_PLACES = (
    *MIRROR_68,
    *range(68 + len(_PAIRED), 68 + 2 * len(_PAIRED)),
    *range(68, 68 + len(_PAIRED)),
    *range(68 + 2 * len(_PAIRED), len(_PLACES)),
)

_ONE_SIDED_SHARE = {1: 1 / 3, 2: 1 / 3, 4: 0.1, 12: 0.5, 14: 0.5}
_ONE_SIDED_SHARE |= dict.fromkeys((6, 10, 15, 20), 0.1)  # assumed; these have a muscle on each side


def one_sided_share(unit: int) -> float:
    """Return how often an action unit fires on one side of the face only, as a share of its appearances."""
    return _ONE_SIDED_SHARE.get(unit, 0.0)


def control_points(points: FloatArray) -> FloatArray:
    """Return the control points of a face: landmarks on the upright crop ``(68, 2)`` -> ``(P, 2)``, crop pixels."""
    inter_ocular = float(np.linalg.norm(points[39] - points[42]))
    mirrored = {name: ([MIRROR_68[i] for i in ids], -x, y) for name, (ids, x, y) in _PAIRED.items()}
    between = [
        points[list(ids)].mean(axis=0) + inter_ocular * np.array([x, y])
        for part in (_PAIRED, mirrored, _MIDLINE)
        for ids, x, y in part.values()
    ]
    return np.concatenate([points, between])


@cache
def pulls() -> dict[int, FloatArray]:
    """Return action unit -> relative displacement ``(P, 2)`` of every control point when both sides fire."""
    moved: dict[int, FloatArray] = {}
    with files("stag.simulate").joinpath("action_units.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            place, u, v = _PLACES.index(row["place"]), float(row["u"]), float(row["v"])
            field = moved.setdefault(int(row["action_unit"]), np.zeros((len(_PLACES), 2)))
            field[_MIRROR_PLACES[place]] = -u, v
            field[place] = u, v
    return {**moved, 45: moved[43]}


@dataclass(frozen=True, eq=False, repr=False)
class ActionFields(ArrayValue):
    """Displacement of the skin of one face by each action unit, with a peak of 1 crop pixel if both sides fire.

    Attributes:
        unit_px: ``(A, 2, G, G, 2)`` float32: unit as in :data:`~stag.facs.AU_VOCABULARY`, side (left of the image,
            right), row, column, ``(u, v)``.
    """

    unit_px: NDArray[np.float32]

    def combine(self, amount_px: FloatArray) -> NDArray[np.float32]:
        """Return the displacement by several action units: ``(A, 2)`` amounts per unit and side -> ``(G, G, 2)``."""
        field = np.zeros(self.unit_px.shape[2:], np.float32)
        for unit, side in np.argwhere(amount_px != 0):
            field += np.float32(amount_px[unit, side]) * self.unit_px[unit, side]
        return field


def action_fields(points: FloatArray, units: Sequence[int] = AU_VOCABULARY) -> ActionFields:
    """Compute the displacement fields of a face.

    Args:
        points: ``(68, 2)`` landmarks on the crop.
        units: Action units to compute; the fields of the others are zero.
    """
    nodes = control_points(points)
    left = _left_share(nodes[:, 0], points)
    share = np.stack([left, 1 - left])[:, :, None]
    moved = np.stack([pulls()[unit] * share for unit in units])  # (A', 2, P, 2)
    fine = smooth_field(nodes, np.moveaxis(moved, 2, 0), points)
    result = np.zeros((len(AU_VOCABULARY), 2, GRID_SIZE, GRID_SIZE, 2), np.float32)
    for position, field in zip(map(AU_VOCABULARY.index, units), np.moveaxis(fine, (2, 3), (0, 1)), strict=True):
        result[position] = field
        result[position] /= peak_px(result[position].sum(axis=0))
    return ActionFields(result)


def smooth_field(nodes: FloatArray, values: FloatArray, points: FloatArray) -> FloatArray:
    """Interpolate values at nodes smoothly over the grid, zero away from the face.

    Args:
        nodes: ``(P, 2)`` places on the crop.
        values: ``(P, ...)`` values there.
        points: ``(68, 2)`` landmarks on the crop.

    Returns:
        ``(G, G, ...)``.
    """
    # Lips that touch give two points at one place, through which no spline goes.
    kept = np.sort(np.unique(nodes.round(3), axis=0, return_index=True)[1])
    nodes, values = nodes[kept], values[kept]
    ring = _still_ring()
    table = np.concatenate([values.reshape(len(nodes), -1), np.zeros((len(ring), values[0].size))])
    spline = RBFInterpolator(np.concatenate([nodes, ring]), table, kernel="thin_plate_spline")
    coarse = np.arange(GRID_START_PX, GRID_START_PX + GRID_SIZE * GRID_STEP_PX, _COARSE_STEP_PX, dtype=np.float64)
    where = np.stack(np.meshgrid(coarse, coarse), axis=-1).reshape(-1, 2)
    dense = spline(where).reshape(len(coarse), len(coarse), -1) * _face_mask(points, coarse)[..., None]
    rows = np.tensordot(_finer(), dense, 1)
    fine: FloatArray = np.matmul(_finer(), rows)
    return fine.reshape(GRID_SIZE, GRID_SIZE, *values.shape[1:])


def on_face(pixels: NDArray[np.float32], points: FloatArray) -> NDArray[np.float32]:
    """Return values of the crop's pixels ``(256, 256)`` on the grid ``(G, G)``, zero away from the face."""
    size = (GRID_SIZE, GRID_SIZE)
    field = cv2.warpAffine(pixels, CROP_TO_GRID, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    coarse = np.arange(GRID_START_PX, GRID_START_PX + GRID_SIZE * GRID_STEP_PX, _COARSE_STEP_PX, dtype=np.float64)
    mask = np.matmul(_finer(), (_finer() @ _face_mask(points, coarse)).T).T
    return np.asarray(field * mask, dtype=np.float32)


def peak_px(field: NDArray[np.float32]) -> float:
    """Return the largest displacement of a field ``(G, G, 2)`` on the crop, crop pixels."""
    return float(np.hypot(field[_CROP, _CROP, 0], field[_CROP, _CROP, 1]).max())


def forward_flow(field: NDArray[np.float32], rounds: int = _FIXED_POINT_ROUNDS) -> NDArray[np.float32]:
    """Return the forward flow of the neutral frame, from the backward displacement.

    A frame is rendered as ``frame(y) = neutral(y - d(y))``, so the point ``x`` of the neutral face moves to
    ``y = x + f(x)`` with ``f(x) = d(x + f(x))``, which is solved by fixed-point iteration. Both ``d`` and ``f`` are
    ``(G, G, 2)`` on the grid, crop pixels.
    """
    grid = np.arange(GRID_SIZE, dtype=np.float32)
    column, row = np.meshgrid(grid, grid)
    flow: NDArray[Any] = field
    for _ in range(rounds):
        x = column + flow[..., 0] / GRID_STEP_PX
        y = row + flow[..., 1] / GRID_STEP_PX
        flow = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(flow, dtype=np.float32)


def at_points(field: NDArray[np.float32], points: FloatArray) -> FloatArray:
    """Read a field at points of the crop, bilinear: ``(G, G, 2), (P, 2) -> (P, 2)``; zero off the grid."""
    column, row = (np.asarray(points, dtype=np.float64).T - GRID_START_PX) / GRID_STEP_PX
    values = [map_coordinates(field[..., axis], [row, column], np.float64, order=1) for axis in range(2)]
    return np.stack(values, axis=1)


def on_pixels(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a field at every pixel of the crop: ``(G, G, 2) -> (256, 256, 2)``."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(field, CROP_TO_GRID, (CROP_PX, CROP_PX), flags=flags), dtype=np.float32)


@cache
def _finer() -> FloatArray:
    """Return the weights ``(G, g)`` of cubic splines from the coarse grid to the grid."""
    known = np.arange(0, GRID_SIZE, _COARSE_STEP_PX // GRID_STEP_PX)
    return np.asarray(CubicSpline(known, np.eye(len(known)))(np.arange(GRID_SIZE)))


def _left_share(x: FloatArray, points: FloatArray) -> FloatArray:
    """Return the share of the left side in the motion at a column: 1 on the left, 0 on the right, smooth between."""
    middle = points[[27, 28, 29, 30, 33]].mean(axis=0)[0]
    width = _MIDLINE_BLEND * INTER_OCULAR_CROP_PX
    return _smooth_step((middle + width - x) / (2 * width))


def _still_ring() -> FloatArray:
    """Return points around the grid that do not move."""
    low, high = GRID_START_PX - _RING_MARGIN_PX, GRID_START_PX + GRID_SIZE * GRID_STEP_PX + _RING_MARGIN_PX
    edge = np.linspace(low, high, round((high - low) / _RING_STEP_PX) + 1)
    sides = [(x, y) for x in edge for y in (low, high)] + [(x, y) for y in edge[1:-1] for x in (low, high)]
    return np.array(sides, dtype=np.float64)


def _face_mask(points: FloatArray, coarse: FloatArray) -> FloatArray:
    """Return 1 on the face and 0 on the background, with a smooth change between."""
    forehead = points[17:27] - [0, 0.6 * INTER_OCULAR_CROP_PX]
    hull = cv2.convexHull(np.concatenate([points, forehead]).astype(np.float32))
    margin = _FACE_MARGIN * INTER_OCULAR_CROP_PX
    distance = np.array([[cv2.pointPolygonTest(hull, (float(x), float(y)), True) for x in coarse] for y in coarse])
    return _smooth_step(1 + distance / margin)


def _smooth_step(t: FloatArray) -> FloatArray:
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
