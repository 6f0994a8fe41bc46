"""How each action unit moves the skin: displacements at landmarks and at points between them, from FACS anatomy.

``action_units.csv`` covers the left half of the image; the right half mirrors it. ``u`` points right (on the left half
towards the midline), ``v`` down. Numbers are relative within an action unit; the field is scaled to its peak later.

Source: Ekman, Friesen and Hager, Facial Action Coding System (2002), for which muscle pulls which skin where; the
amounts are assumed.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

import numpy as np

from stag.types import FloatArray

MIRROR_68: tuple[int, ...] = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    45, 44, 43, 42, 47, 46,
    39, 38, 37, 36, 41, 40,
    *range(54, 47, -1),
    *range(59, 54, -1),
    *range(64, 59, -1),
    67, 66, 65,
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
