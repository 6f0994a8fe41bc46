"""The turn of a head out of the picture plane, fitted to tracked patches by means of the face's depth.

A similarity follows shift, size and roll. When a head also turns (yaw) or nods (pitch), a point moves on by its depth
before the eyes times the sine of the angle: a nose tip by 6 crop pixels at 5 degrees. Depth is that of a mean
face drawn over the landmarks.

Coordinates are those of the upright crop: x right, y down, z towards the camera, with the origin between the inner eye
corners. A positive yaw turns the face to the right of the image, a positive pitch turns it down.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.faces.crop import CROP_PX, EYE_CENTRE, FULL, Window
from stag.faces.mesh import to_68
from stag.types import FloatArray

_GRID_STEP = 8
_LINE = np.arange(0, CROP_PX, _GRID_STEP, dtype=np.float64) + (_GRID_STEP - 1) / 2
_GRID = np.stack(np.meshgrid(_LINE, _LINE), axis=-1).reshape(-1, 2)
_BORDER = cv2.BORDER_REPLICATE
_CENTRE = np.array([CROP_PX / 2, CROP_PX / 2])
_UPPER = np.triu_indices(6)
_SYMMETRIC = np.zeros((6, 6), np.intp)  # place of each entry of a symmetric matrix among those of its upper triangle
_SYMMETRIC[_UPPER] = _SYMMETRIC.T[_UPPER] = np.arange(21)
_SIMILARITY_ERROR_PX = 0.1  # assumed; how far stable skin strays from a rigid motion
_DEPTH_ERROR_PX = 4.0  # measured: docs/measurements/faces.md; a turn by t moves what it misses by t times this
_OUTLIER = 2.5  # assumed; deviations, in standard deviations, from which a patch counts nothing
# Muscles that move a patch must not look like a turn: a turn well above the first angle is hardly held back.
_SMALL_TURN = np.deg2rad(0.4)  # measured: docs/measurements/faces.md
_HOLD = 5.0
_RIDGE = 1e-8  # two landmarks at one place are no reason to fail


class HeadShape:
    """Depth of a face on its upright crop.

    Args:
        depth_px: ``(256, 256)`` depth at every pixel of the crop before the inner eye corners, crop pixels.
    """

    def __init__(self, depth_px: NDArray[np.float32]) -> None:
        self.depth_px = depth_px

    @classmethod
    def mean(cls, points: FloatArray) -> HeadShape:
        """Return the mean shape drawn over the 68 points of a face on its crop."""
        known, depth = _mean_face()
        there = (_GRID + _thin_plate(points, known - points, _GRID)).astype(np.float32)
        return cls(np.asarray(cv2.remap(depth, _at_each_pixel(there), None, cv2.INTER_LINEAR, borderMode=_BORDER)))

    def shift(self, turn: FloatArray, window: Window = FULL) -> NDArray[np.float32]:
        """Return how far each pixel of a window moves under a turn ``(2,)``, radians: ``(h, w, 2)``, crop pixels."""
        top, bottom, left, right = window
        rows, columns = np.arange(top, bottom), np.arange(left, right)
        x = (columns - EYE_CENTRE[0]).astype(np.float32)[None]
        y = (rows - EYE_CENTRE[1]).astype(np.float32)[:, None]
        return np.stack(turned(x, y, self.depth_px[top:bottom, left:right], turn), axis=-1)


def _thin_plate(places: FloatArray, values: FloatArray, at: FloatArray) -> FloatArray:
    """Return values ``(n, k)`` known at ``(n, 2)`` places, bent as little as possible, at ``(m, 2)`` others.

    Source: Bookstein, Principal Warps, IEEE Transactions on Pattern Analysis and Machine Intelligence 11, 1989.
    """

    def terms(points: FloatArray) -> FloatArray:
        squared = np.square((points[:, None] - places) / CROP_PX).sum(axis=2)
        bent = squared * np.log(np.maximum(squared, 1e-12))
        return np.column_stack([bent, np.ones(len(points)), points / CROP_PX])

    system = np.zeros((len(places) + 3,) * 2)
    system[: len(places)] = terms(places)
    system[range(len(places)), range(len(places))] += _RIDGE
    system[len(places) :, : len(places)] = system[: len(places), len(places) :].T
    found = np.linalg.solve(system, np.pad(values, ((0, 3), (0, 0))))
    return np.asarray(terms(at) @ found)


def _at_each_pixel(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values ``(n, k)`` at the grid for all pixels: ``(256, 256, k)``, without the axis for one value."""
    n = CROP_PX // _GRID_STEP
    return np.asarray(cv2.resize(values.reshape(n, n, -1), (CROP_PX, CROP_PX), interpolation=cv2.INTER_CUBIC))


@cache
def _mean_face() -> tuple[FloatArray, NDArray[np.float32]]:
    """Return the 68 points of the mean of fourteen portraits on the crop, made symmetric, and its depth."""
    with files("stag.faces").joinpath("mean_mesh.csv").open(encoding="utf-8") as table:
        mesh = np.loadtxt(table, delimiter=",", skiprows=1)
    mesh[:, :2] += EYE_CENTRE
    # Beyond the face nothing is farther than the ears.
    depth = _thin_plate(mesh[:, :2], mesh[:, 2:], _GRID).clip(mesh[:, 2].min(), mesh[:, 2].max())
    return to_68(mesh[:, :2]), _at_each_pixel(depth.astype(np.float32))


def turned(x: FloatArray, y: FloatArray, depth: FloatArray, turn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how far points move right and down as the head turns: first by the pitch, then by the yaw."""
    (sin_yaw, sin_pitch), (cos_yaw, cos_pitch) = np.sin(turn).astype(depth.dtype), np.cos(turn).astype(depth.dtype)
    deep = depth * cos_pitch - y * sin_pitch
    return x * (cos_yaw - 1) + deep * sin_yaw, y * (cos_pitch - 1) + depth * sin_pitch


class PoseFit:
    """Fits a similarity and a turn to the shifts of patches by iteratively reweighted least squares.

    The covariance of a shift is that of image noise, whose strength is estimated on the way, plus a model error that
    grows with the turn. Rounds of L1-like weights lead near the majority, rounds of Tukey weights then ignore the
    others. Whatever does not depend on the shifts is prepared.

    Args:
        centres: ``(n, 2)`` of the patches on the crop.
        depth: ``(n, 2, 2)`` of the patches: what shift (right, down) is seen per sine of yaw and pitch. Where depth
            changes within a patch, the pixels with the clearest texture decide.
        information: ``(n, 2, 2)`` products of the gradients: how sharply texture fixes the shift of a patch.

    Source: Holland and Welsch, Robust regression using iteratively reweighted least-squares, 1977.
    """

    def __init__(self, centres: FloatArray, depth: FloatArray, information: FloatArray) -> None:
        x, y = (centres - _CENTRE).T
        one, zero = np.ones_like(x), np.zeros_like(x)
        plane = np.stack([np.stack([x, -y, one, zero], axis=1), np.stack([y, x, zero, one], axis=1)], axis=1)
        self._design = np.concatenate([plane, depth], axis=2)
        self._place = centres - EYE_CENTRE
        self._depth = depth
        # In the principal axes of its texture the two parts of a shift are independent: first parts, then second ones.
        sharpness, axes = np.linalg.eigh(information)
        self._axes = axes
        self._sharpness = sharpness.T.ravel()
        self._rows = np.einsum("nki,nkj->inj", axes, self._design).reshape(-1, 6)
        # What the weights sum up to the normal equations: products of the rows, each once, and rows times values.
        products = self._rows[:, _UPPER[0]] * self._rows[:, _UPPER[1]]
        self._terms = np.concatenate([products, np.zeros_like(self._rows)], axis=1)

    def expected(self, turn: FloatArray) -> FloatArray:
        """Return the shifts ``(n, 2)`` of the patches under a turn ``(2,)``."""
        return np.asarray(self._depth @ np.sin(turn) + self._place * (np.cos(turn) - 1))

    def __call__(self, shifts: FloatArray, turn: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Fit shifts ``(n, 2)``, from a first guess of the turn ``(2,)``.

        Returns:
            Similarity ``(2, 3)``, turn ``(2,)`` in radians, weights ``(n,)`` in [0, 1], residuals ``(n, 2)``.
        """
        n = len(shifts)
        # A turn moves patches by its sine times their depth, and a little otherwise.
        told = shifts - self.expected(turn) + self._depth @ turn
        values = np.einsum("nki,nk->in", self._axes, told).ravel()
        np.multiply(values[:, None], self._rows, out=self._terms[:, 21:])
        noise, weights = 4.0, np.ones(n)
        left: FloatArray = values
        fitted = np.concatenate([np.zeros(4), turn])
        for rounds in range(7):
            if rounds in (0, 3, 5):
                if rounds:
                    squared = left * left * self._sharpness
                    # The median length of a pair of standard normal numbers is 1.177.
                    noise = min(max(float(np.median(squared[:n] + squared[n:])) / 1.177**2, 0.1), 1e4)
                beside = _SIMILARITY_ERROR_PX**2 + _DEPTH_ERROR_PX**2 * float(fitted[4:] @ fitted[4:])
                precision = 1 / (noise / self._sharpness + beside)
            weighted = (precision * np.concatenate([weights, weights])) @ self._terms
            normal = weighted[_SYMMETRIC]
            normal[4, 4] += (hold := _HOLD / (float(fitted[4:] @ fitted[4:]) + _SMALL_TURN**2))
            normal[5, 5] += hold
            fitted = cv2.solve(normal, weighted[21:], flags=cv2.DECOMP_CHOLESKY)[1][:, 0]
            left = values - self._rows @ fitted
            squared = left * left * precision
            deviation2 = squared[:n] + squared[n:]
            if rounds < 3:
                weights = 1 / np.sqrt(np.maximum(deviation2, 0.25))
            else:
                weights = np.maximum(1 - deviation2 / _OUTLIER**2, 0) ** 2
        a, b, tx, ty = fitted[:4]
        linear = np.array([[1 + a, -b], [b, 1 + a]])
        similarity = np.column_stack([linear, np.array([tx, ty]) + _CENTRE - linear @ _CENTRE])
        return similarity, fitted[4:], weights, told - self._design @ fitted
