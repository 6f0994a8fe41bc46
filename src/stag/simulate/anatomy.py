"""How each action unit moves the skin: displacements at landmarks and at points between them, from FACS anatomy.

The table is written for the left half of the image; the right half mirrors it. ``u`` points right, which on the left
half is towards the midline, ``v`` points down. Numbers are relative within an action unit; the dense field is scaled
to its peak afterwards.

Source: Ekman, Friesen and Hager, Facial Action Coding System (2002), for which muscle pulls which skin where; the
amounts are assumed.
"""

from __future__ import annotations

from collections.abc import Mapping

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
"""For each of the 68 points, the point that takes its place when the image is mirrored left to right."""

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
"""Skin points between landmarks: landmarks whose mean they are, then an offset in inter-ocular distances."""

NODE_NAMES: tuple[int | str, ...] = (
    *range(68),
    *_PAIRED,
    *(f"{name} right" for name in _PAIRED),
    *_MIDLINE,
)
"""All control points in order: the landmarks by number, the points between them by name."""

_MIRROR_NODES = (
    *MIRROR_68,
    *range(68 + len(_PAIRED), 68 + 2 * len(_PAIRED)),
    *range(68, 68 + len(_PAIRED)),
    *range(68 + 2 * len(_PAIRED), len(NODE_NAMES)),
)

_Pull = Mapping[int | str, tuple[float, float]]

ACTIONS: dict[int, _Pull] = {
    1: {
        21: (0.05, -1.0), 20: (0.03, -0.95), 19: (0.0, -0.5), 18: (0.0, -0.15), 27: (0.0, -0.1),
        "forehead inner": (0.0, -0.7), "forehead outer": (0.0, -0.15), "glabella": (0.0, -0.5), "lid fold": (0.0, -0.4),
    },
    2: {
        17: (0.0, -0.85), 18: (0.0, -1.0), 19: (0.0, -0.9), 20: (0.0, -0.35), 21: (0.0, -0.1),
        "forehead outer": (0.0, -0.75), "forehead inner": (0.0, -0.25), "lid fold": (0.0, -0.4),
        "crow's foot": (0.0, -0.15),
    },
    4: {
        21: (0.65, 0.9), 20: (0.6, 0.9), 19: (0.5, 0.8), 18: (0.3, 0.45), 17: (0.15, 0.25), 27: (0.0, 0.2),
        "glabella": (0.0, 0.6), "forehead inner": (0.25, 0.4), "forehead outer": (0.1, 0.2), "lid fold": (0.2, 0.45),
        37: (0.0, 0.1), 38: (0.0, 0.1), "lower lid": (0.0, 0.05),
    },
    5: {
        37: (0.0, -1.0), 38: (0.0, -1.0), "lid fold": (0.0, -0.5), 18: (0.0, -0.05), 19: (0.0, -0.12),
        20: (0.0, -0.1), 40: (0.0, 0.15), 41: (0.0, 0.15), "lower lid": (0.0, 0.12),
    },
    6: {
        "cheek": (0.0, -1.0), "lower lid": (0.0, -0.85), 40: (0.0, -0.4), 41: (0.0, -0.4), "crow's foot": (0.25, 0.0),
        "nasolabial": (-0.1, -0.45), "beside mouth": (-0.15, -0.4), 48: (-0.2, -0.3), 60: (-0.15, -0.25),
        17: (0.1, 0.2), 18: (0.1, 0.2), 19: (0.0, 0.1),
    },
    7: {
        40: (0.1, -1.0), 41: (0.1, -1.0), "lower lid": (0.1, -0.65), "cheek": (0.0, -0.2), 37: (0.0, 0.45),
        38: (0.0, 0.45), "lid fold": (0.0, 0.3), 19: (0.0, 0.15), 20: (0.0, 0.15),
    },
    9: {
        31: (0.05, -0.8), 32: (0.03, -0.5), 33: (0.0, -0.25), "nose side": (0.1, -0.9), "glabella": (0.0, 0.5),
        27: (0.0, 0.15), 21: (0.3, 0.6), 20: (0.25, 0.55), 19: (0.15, 0.4), 18: (0.05, 0.2),
        "nasolabial": (0.0, -0.6), "philtrum": (0.0, -0.45), 49: (0.0, -0.35), 50: (0.0, -0.5), 51: (0.0, -0.5),
        61: (0.0, -0.35), 62: (0.0, -0.35), "lower lid": (0.0, -0.3), "cheek": (0.0, -0.35),
    },
    10: {
        49: (-0.05, -0.8), 50: (0.0, -1.0), 51: (0.0, -0.95), 61: (0.0, -0.8), 62: (0.0, -0.75), 60: (0.0, -0.3),
        48: (0.0, -0.3), "philtrum": (0.0, -0.7), "nasolabial": (-0.1, -0.75), 31: (-0.1, -0.5), 32: (-0.05, -0.4),
        33: (0.0, -0.3), "nose side": (-0.05, -0.25), "cheek": (0.0, -0.25),
    },
    12: {
        48: (-0.75, -0.8), 60: (-0.7, -0.75), 49: (-0.45, -0.5), 59: (-0.4, -0.4), 50: (-0.15, -0.25), 51: (0.0, -0.2),
        61: (-0.25, -0.3), 62: (0.0, -0.15), 67: (-0.15, -0.15), 66: (0.0, -0.1), 58: (-0.15, -0.15), 57: (0.0, -0.1),
        "nasolabial": (-0.35, -0.5), "beside mouth": (-0.6, -0.6), "cheek": (-0.15, -0.45), "beside chin": (-0.2, -0.2),
        31: (-0.2, -0.3), 32: (-0.05, -0.15), "lower lid": (0.0, -0.2),
    },
    14: {
        48: (-1.0, 0.15), 60: (-0.9, 0.12), 49: (-0.45, 0.05), 59: (-0.45, 0.05), 61: (-0.2, 0.0), 67: (-0.2, 0.0),
        50: (-0.15, 0.0), 58: (-0.15, 0.0), "beside mouth": (-0.45, 0.1), "nasolabial": (-0.15, 0.1),
        "beside chin": (-0.2, 0.05),
    },
    15: {
        48: (-0.12, 1.0), 60: (-0.1, 0.9), 59: (-0.05, 0.6), 49: (-0.05, 0.5), 58: (0.0, 0.35), 57: (0.0, 0.3),
        67: (0.0, 0.3), 66: (0.0, 0.2), "beside mouth": (-0.05, 0.6), "beside chin": (0.0, 0.4),
        "nasolabial": (0.0, 0.25), "below lip": (0.0, 0.2),
    },
    16: {
        57: (0.0, 1.0), 58: (0.0, 0.95), 59: (0.0, 0.4), 66: (0.0, 0.8), 67: (0.0, 0.75), 48: (-0.05, 0.1),
        "below lip": (0.0, 0.7), "chin": (0.0, 0.2), "beside chin": (0.0, 0.3),
    },
    17: {
        "chin": (0.0, -1.0), "below lip": (0.0, -1.0), 57: (0.0, -0.9), 58: (0.0, -0.85), 59: (0.0, -0.4),
        66: (0.0, -0.75), 67: (0.0, -0.7), 62: (0.0, -0.4), 61: (0.0, -0.35), 51: (0.0, -0.25), 50: (0.0, -0.2),
        48: (0.0, 0.1), "beside chin": (0.05, -0.4), 8: (0.0, -0.45), 7: (0.0, -0.35), 6: (0.0, -0.15),
    },
    18: {
        48: (1.0, 0.0), 60: (0.9, 0.0), 49: (0.65, 0.1), 59: (0.65, -0.05), 50: (0.3, 0.2), 58: (0.3, -0.1),
        61: (0.4, 0.05), 67: (0.4, -0.05), 51: (0.0, 0.3), 57: (0.0, -0.1), "beside mouth": (0.4, 0.0),
    },
    20: {
        48: (-1.0, 0.25), 60: (-0.9, 0.22), 49: (-0.55, 0.1), 59: (-0.6, 0.2), 50: (-0.2, 0.0), 58: (-0.3, 0.15),
        61: (-0.25, 0.0), 67: (-0.3, 0.1), "beside mouth": (-0.65, 0.15), "beside chin": (-0.35, 0.15),
    },
    23: {
        51: (0.0, 0.75), 50: (0.1, 0.7), 49: (0.3, 0.4), 62: (0.0, 0.35), 61: (0.15, 0.3), 57: (0.0, -0.75),
        58: (0.1, -0.7), 59: (0.3, -0.4), 66: (0.0, -0.35), 67: (0.15, -0.3), 48: (0.6, 0.0), 60: (0.55, 0.0),
        "beside mouth": (0.25, 0.0), "philtrum": (0.0, 0.3), "below lip": (0.0, -0.3),
    },
    24: {
        51: (0.0, 0.95), 50: (0.05, 0.9), 49: (0.15, 0.5), 62: (0.0, 0.45), 61: (0.05, 0.4), 57: (0.0, -1.0),
        58: (0.05, -0.95), 59: (0.15, -0.5), 66: (0.0, -0.45), 67: (0.05, -0.4), 48: (0.4, 0.0), 60: (0.35, 0.0),
        "beside mouth": (0.15, 0.0), "philtrum": (0.0, 0.4), "below lip": (0.0, -0.55), "chin": (0.0, -0.25),
    },
    25: {
        57: (0.0, 0.9), 58: (0.0, 0.85), 59: (0.0, 0.45), 66: (0.0, 1.0), 67: (0.0, 0.95), 51: (0.0, -0.15),
        50: (0.0, -0.12), 62: (0.0, -0.15), 61: (0.0, -0.12), 48: (0.0, 0.1), "below lip": (0.0, 0.7),
        "chin": (0.0, 0.4), "beside chin": (0.0, 0.3), 8: (0.0, 0.15),
    },
    26: {
        8: (0.0, 1.0), 7: (0.0, 0.9), 6: (0.0, 0.7), 5: (0.0, 0.45), 4: (0.0, 0.2), "chin": (0.0, 1.0),
        "below lip": (0.0, 1.0), 57: (0.0, 0.95), 58: (0.0, 0.9), 59: (0.0, 0.6), 66: (0.0, 0.95), 67: (0.0, 0.9),
        "beside chin": (0.0, 0.7), 48: (0.05, 0.3), 60: (0.05, 0.3), 51: (0.0, -0.1), 62: (0.0, -0.1),
        "beside mouth": (0.0, 0.25),
    },
    28: {
        51: (0.0, 1.0), 50: (0.05, 0.95), 49: (0.2, 0.5), 62: (0.0, 0.6), 61: (0.05, 0.55), 57: (0.0, -1.0),
        58: (0.05, -0.95), 59: (0.2, -0.5), 66: (0.0, -0.6), 67: (0.05, -0.55), 48: (0.25, 0.0), 60: (0.2, 0.0),
        "philtrum": (0.0, 0.5), "below lip": (0.0, -0.7), "chin": (0.0, -0.5),
    },
    38: {31: (-1.0, 0.05), 32: (-0.5, 0.0), "nose side": (-0.35, 0.0), "nasolabial": (-0.1, 0.0)},
    39: {31: (1.0, 0.1), 32: (0.45, 0.05), "nose side": (0.35, 0.05), "nasolabial": (0.1, 0.0)},
    43: {
        37: (0.0, 1.0), 38: (0.0, 1.0), "lid fold": (0.0, 0.5), 19: (0.0, 0.1), 20: (0.0, 0.1),
        40: (0.0, 0.3), 41: (0.0, 0.3), "lower lid": (0.0, 0.35), "cheek": (0.0, 0.1),
    },
}  # fmt: skip
ACTIONS[45] = ACTIONS[43]

_ONE_SIDED_SHARE = {1: 1 / 3, 2: 1 / 3, 4: 0.1, 12: 0.5, 14: 0.5}
_OTHER_ONE_SIDED_SHARE = 0.1  # assumed; 6, 10, 15 and 20 have a muscle on each side
_PAIRED_UNITS = frozenset({6, 10, 15, 20})


def one_sided_share(unit: int) -> float:
    """Return the share of its appearances in which an action unit fires on one side of the face only."""
    return _ONE_SIDED_SHARE.get(unit, _OTHER_ONE_SIDED_SHARE if unit in _PAIRED_UNITS else 0.0)


def control_points(points: FloatArray) -> FloatArray:
    """Return the control points of a face, in the order of :data:`NODE_NAMES`: ``(68, 2) -> (P, 2)``, crop pixels.

    Args:
        points: ``(68, 2)`` landmarks on the crop, inner eye corners on one row.
    """
    inter_ocular = float(np.linalg.norm(points[39] - points[42]))
    mirrored = {name: ([MIRROR_68[i] for i in ids], -x, y) for name, (ids, x, y) in _PAIRED.items()}
    between = [
        points[list(ids)].mean(axis=0) + inter_ocular * np.array([x, y])
        for part in (_PAIRED, mirrored, _MIDLINE)
        for ids, x, y in part.values()
    ]
    return np.concatenate([points, between])


def pulls(unit: int) -> FloatArray:
    """Return the relative displacement of every control point by an action unit on both sides: ``(P, 2)``."""
    result = np.zeros((len(NODE_NAMES), 2))
    position = {name: i for i, name in enumerate(NODE_NAMES)}
    for name, (u, v) in ACTIONS[unit].items():
        node = position[name]
        result[_MIRROR_NODES[node]] = -u, v
        result[node] = u, v
    return result
