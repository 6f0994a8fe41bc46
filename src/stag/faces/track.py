"""Follow a face through a clip: a similarity from its first frame to every other, never chained.

Each frame is warped by the last estimate onto the crop of the first frame, so that only the newest step is left to
measure. Pyramidal Lucas-Kanade with a forward-backward check bridges a large step. Small square patches on the stable
parts of the face then give one Lucas-Kanade step each, free of brightness and contrast, and a robust similarity is
fitted to these, each weighted by the sharpness of its texture.

The patches lie on the ridge of the nose down to its tip and beside the four eye corners. Nothing between or above the
brows and nothing on nose wings, mouth, cheeks or lids is used: an alignment that follows a muscle hides it. With
patches that touch the lids, AU 5 loses a third of its motion. The tip of the nose moves a little with AU 9 and costs it
.005 px, but steadies everything else (docs/measurements/motion.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.faces.crop import CROP_PX, CropReader, Window, compose, crop_transform, invert, transform_points, warp_crop
from stag.types import FloatArray, GreyImage, Landmarks
from stag.utils.values import ArrayValue

NOSE_POINTS = (28, 29, 30)
EYE_CORNERS = {36: (36, 42), 39: (36, 42), 42: (42, 48), 45: (42, 48)}
"""Eye corner -> the range of points of its eye."""

_REACH_PX = 9.0  # assumed; radius of the discs that contain patch centres
_AWAY_FROM_EYE_PX = 8.0  # assumed; discs of eye corners are moved outwards, off the lids and the iris
_SPACING_PX = 5
_HALF_PATCH_PX = 7
_BLUR_PX = 1.5  # assumed; balances noise against detail
_BLUR_REACH_PX = 7
_SIMILARITY_ERROR_PX = 0.1  # assumed; how far stable skin strays from a similarity
_OUTLIER = 2.5  # assumed; deviations, in standard deviations, from which a patch counts nothing
_LARGE_STEP_PX = 1.5
_CONVERGED_PX = 0.2  # a Lucas-Kanade step of a fifth of a pixel leaves about .01 px
_MAX_ROUNDS = 6
_SAME_SKIN = 0.6  # assumed; correlation with the first frame below which the face counts as lost
_LEAST_INLIERS = 0.4
_LARGEST_RMS_PX = 2.5  # assumed; a turning head strays from a similarity long before it is lost
_SEARCHED = (40, 68, 216, 164)  # eyes and nose on the crop: left, top, right, bottom
_SEARCH_SCALE = 4
_CENTRE = np.array([CROP_PX / 2, CROP_PX / 2])
_RIDGE = 1e-9
_CORNERS = np.array([[40.0, 40.0], [216.0, 40.0], [40.0, 216.0], [216.0, 216.0]])

# Landmark -> how far it lies before the inner eye corners, crop pixels.  # assumed
_DEPTH_PX = {28: 10.0, 29: 15.0, 30: 20.0, 36: -6.0, 39: 0.0, 42: 0.0, 45: -6.0}
_LEAST_SINE = 0.05  # 3 degrees
_SIGNIFICANT = 2.0  # assumed; standard errors that an angle must exceed
_TURN_ERROR_PX = 0.3  # assumed; how far patches stray from the pattern without noise
_OVERLAP = 5.0  # assumed; patches share pixels: so many of them count as one independent patch


@dataclass(frozen=True, eq=False, repr=False)
class Tracked(ArrayValue):
    """Position of the head in one frame.

    Attributes:
        motion: ``(2, 3)`` similarity from coordinates of the first frame to those of this frame. Where the face is
            lost, that of the last frame in which it was not.
        lost: Whether the face is no longer recognised.
        residuals: ``(n, 2)`` deviation of each patch from the similarity, crop pixels.
        turn_deg: Turn of the head out of the picture plane since the first frame, degrees.
    """

    motion: FloatArray
    lost: bool
    residuals: FloatArray
    turn_deg: float


class FaceTracker:
    """Follows one face from the frame ``(height, width)`` uint8 in which it was detected.

    Example:
        >>> tracker = FaceTracker(first.image, face)  # doctest: +SKIP
        >>> to_crop = compose(crop_transform(face.points), invert(tracker.update(image).motion))  # doctest: +SKIP
    """

    def __init__(self, image: GreyImage, landmarks: Landmarks) -> None:
        self._to_crop = crop_transform(landmarks.points)
        self._from_crop = invert(self._to_crop)
        self._reference = warp_crop(image, self._to_crop)
        self._patches = _Patches(self._reference, transform_points(landmarks.points, self._to_crop))
        left, top, right, bottom = _SEARCHED
        scale = 1 / _SEARCH_SCALE
        searched = self._reference[top:bottom, left:right]
        self._template = cv2.resize(searched, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        self._motion: FloatArray = np.eye(2, 3)

    def update(self, image: GreyImage | CropReader) -> Tracked:
        """Find the head in the next frame, given as ``(height, width)`` uint8 or as a reader of it.

        Source: Baker and Matthews, Lucas-Kanade 20 Years On, IJCV 56, 2004 (inverse compositional form).
        """
        reader = image if isinstance(image, CropReader) else CropReader(image, self._patches.window)
        tracked = self._refine(reader, self._motion)
        if tracked.lost and (guess := self._search(reader.image)) is not None:
            tracked = self._refine(reader, guess)
        if tracked.lost:
            return replace(tracked, motion=self._motion.copy())
        self._motion = tracked.motion
        return tracked

    def _refine(self, reader: CropReader, motion: FloatArray) -> Tracked:
        """Measure and take steps, from a first guess of the motion, until they are small."""
        share, rms_px, likeness = 0.0, float("inf"), 0.0
        residuals = np.zeros_like(self._patches.centres)
        bridged = False
        for _ in range(_MAX_ROUNDS):
            to_crop = compose(self._to_crop, invert(motion))
            shifts, likeness = self._patches.compare(reader.read(to_crop, self._patches.window))
            step, weights, residuals = self._patches.fit(shifts)
            step_px = float(np.abs(transform_points(_CORNERS, step) - _CORNERS).max())
            if not bridged and (step_px > _LARGE_STEP_PX or likeness < _SAME_SKIN):
                bridged = True
                large = _large_step(self._reference, reader.read(to_crop), self._patches.centres)
                if large is not None:
                    motion = self._moved(motion, large)
                    continue
            motion = self._moved(motion, step)
            share = float((weights > 0).mean())
            rms_px = float(np.sqrt((weights * (residuals**2).sum(axis=1)).sum() / max(weights.sum(), 1e-9)))
            if step_px < _CONVERGED_PX:
                break
        lost = likeness < _SAME_SKIN or share < _LEAST_INLIERS or rms_px > _LARGEST_RMS_PX
        return Tracked(motion, lost, residuals, self._patches.turn.degrees(residuals))

    def _search(self, image: GreyImage) -> FloatArray | None:
        """Look for eyes and nose over twice the width of the crop around their last place."""
        to_crop = compose(self._to_crop, invert(self._motion))
        wide = to_crop + np.array([[0, 0, CROP_PX / 2], [0, 0, CROP_PX / 2]])
        side = 2 * CROP_PX // _SEARCH_SCALE
        view = cv2.warpAffine(
            image, wide / _SEARCH_SCALE, (side, side), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
        )
        _, best, _, place = cv2.minMaxLoc(cv2.matchTemplate(view, self._template, cv2.TM_CCOEFF_NORMED))
        if best < _SAME_SKIN:
            return None
        shift = np.array(place) * _SEARCH_SCALE - CROP_PX / 2 - np.array(_SEARCHED[:2])
        return self._moved(self._motion, np.column_stack([np.eye(2), shift]))

    def _moved(self, motion: FloatArray, step: FloatArray) -> FloatArray:
        """Return the motion after a further step that was measured on the crop."""
        return compose(motion, compose(self._from_crop, compose(step, self._to_crop)))


class _Patches:
    """Square patches of the first crop, prepared so that comparing them with another crop is two products.

    Attributes:
        centres: ``(n, 2)`` on the crop.
        window: Part of the crop that the patches read.
    """

    def __init__(self, reference: GreyImage, points: FloatArray) -> None:
        self.centres = _patch_centres(points)
        margin = _HALF_PATCH_PX + _BLUR_REACH_PX
        low = np.clip(self.centres.min(axis=0).astype(int) - margin, 0, CROP_PX)
        high = np.clip(self.centres.max(axis=0).astype(int) + margin + 1, 0, CROP_PX)
        self.window: Window = (int(low[1]), int(high[1]), int(low[0]), int(high[0]))
        width = int(high[0] - low[0])
        reach = np.arange(-_HALF_PATCH_PX, _HALF_PATCH_PX + 1)
        inside = (self.centres - low).astype(np.intp)
        self._pixels = (inside[:, 1] * width + inside[:, 0])[:, None] + (reach[:, None] * width + reach).ravel()
        blurred = _blur(np.ascontiguousarray(reference[low[1] : high[1], low[0] : high[0]]))
        self._values = self._take(blurred)
        self._centred = self._values - self._values.mean(axis=1, keepdims=True)
        self._energy = float(np.square(self._centred).sum())
        unit = self._centred / np.maximum(np.linalg.norm(self._centred, axis=1, keepdims=True), 1e-6)
        across = self._take(cv2.Sobel(blurred, cv2.CV_32F, 1, 0, ksize=1) / 2)
        down = self._take(cv2.Sobel(blurred, cv2.CV_32F, 0, 1, ksize=1) / 2)
        gradient = np.stack([across, down], axis=2)
        # A change of brightness or contrast must not look like a shift: leave gradients no part along either.
        gradient -= gradient.mean(axis=1, keepdims=True)
        gradient -= unit[:, :, None] * np.einsum("np,npk->nk", unit, gradient)[:, None]
        information = np.einsum("npi,npj->nij", gradient, gradient) + 1e-3 * np.eye(2)
        self.fit = _SimilarityFit(self.centres, information)
        self.turn = _TurnFit(self.centres, points, self.fit.design, information)
        self._solve = np.asarray(-np.linalg.inv(information) @ gradient.transpose(0, 2, 1), dtype=np.float32)

    def compare(self, crop: GreyImage) -> tuple[FloatArray, float]:
        """Return the shift of every patch ``(n, 2)`` in the window of another crop, and their joint correlation."""
        values = self._take(_blur(crop))
        shifts = (self._solve @ (values - self._values)[:, :, None])[:, :, 0].astype(np.float64)
        # One part of the product has mean 0 already, so that the mean of the other does not count.
        own = np.square(values).sum() - np.square(values.sum(axis=1)).sum() / values.shape[1]
        norm = float(np.sqrt(max(own, 0.0) * self._energy))
        return shifts, float(np.vdot(values, self._centred)) / norm if norm > 0 else 0.0

    def _take(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(image.ravel().take(self._pixels), dtype=np.float32)


def _blur(crop: GreyImage) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(crop.astype(np.float32), (0, 0), _BLUR_PX), dtype=np.float32)


def _patch_centres(points: FloatArray) -> FloatArray:
    """Return the grid points near the nose and the eye corners, ``(n, 2)`` whole pixels of the crop."""
    anchors = [points[i] for i in NOSE_POINTS]
    for corner, (first, after) in EYE_CORNERS.items():
        outwards = points[corner] - points[first:after].mean(axis=0)
        anchors.append(points[corner] + _AWAY_FROM_EYE_PX * outwards / max(float(np.linalg.norm(outwards)), 1e-6))
    line = np.arange(_HALF_PATCH_PX, CROP_PX - _HALF_PATCH_PX, _SPACING_PX, dtype=np.float64)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    distances = np.linalg.norm(grid[:, None] - np.array(anchors), axis=2)
    near: FloatArray = grid[(distances <= _REACH_PX).any(axis=1)]
    return near


class _SimilarityFit:
    """Fits a similarity to the shifts of patches by iteratively reweighted least squares.

    The covariance of a shift is that of image noise, whose strength is estimated on the way, plus a small model
    error. Rounds of L1-like weights lead near the majority, rounds of Tukey weights then ignore the others. Whatever
    does not depend on the shifts is prepared.

    Args:
        centres: ``(n, 2)`` of the patches.
        information: ``(n, 2, 2)`` products of the gradients: how sharply texture fixes the shift of a patch.

    Attributes:
        design: ``(n, 2, 4)`` derivatives of the shifts by the parameters of the similarity.

    Source: Holland and Welsch, Robust regression using iteratively reweighted least-squares, 1977.
    """

    def __init__(self, centres: FloatArray, information: FloatArray) -> None:
        x, y = (centres - _CENTRE).T
        one, zero = np.ones_like(x), np.zeros_like(x)
        self.design = np.stack([np.stack([x, -y, one, zero], axis=1), np.stack([y, x, zero, one], axis=1)], axis=1)
        # In the principal axes of its texture the two parts of a shift are independent: first parts, then second ones.
        sharpness, axes = np.linalg.eigh(information)
        self._axes = axes
        self._sharpness = sharpness.T.ravel()
        self._rows = np.einsum("nki,nkj->inj", axes, self.design).reshape(-1, 4)
        squares = (self._rows[:, :, None] * self._rows[:, None]).reshape(-1, 16)
        # What the weights sum up to the normal equations: products of the rows, and rows times values.
        self._terms = np.concatenate([squares, np.zeros_like(self._rows)], axis=1)

    def __call__(self, shifts: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the similarity ``(2, 3)`` of shifts ``(n, 2)``, weights ``(n,)`` in [0, 1], residuals ``(n, 2)``."""
        n = len(shifts)
        values = np.einsum("nki,nk->in", self._axes, shifts).ravel()
        np.multiply(values[:, None], self._rows, out=self._terms[:, 16:])
        noise, weights = 4.0, np.ones(n)
        left: FloatArray = values
        for turn in range(7):
            if turn in (0, 3, 5):
                if turn:
                    squared = left * left * self._sharpness
                    # The median length of a pair of standard normal numbers is 1.177.
                    noise = min(max(float(np.median(squared[:n] + squared[n:])) / 1.177**2, 0.1), 1e4)
                precision = 1 / (noise / self._sharpness + _SIMILARITY_ERROR_PX**2)
            weighted = (precision * np.concatenate([weights, weights])) @ self._terms
            normal = weighted[:16].reshape(4, 4) + _RIDGE * np.eye(4)
            theta = cv2.solve(normal, weighted[16:], flags=cv2.DECOMP_CHOLESKY)[1][:, 0]
            left = values - self._rows @ theta
            squared = left * left * precision
            deviation2 = squared[:n] + squared[n:]
            if turn < 3:
                weights = 1 / np.sqrt(np.maximum(deviation2, 0.25))
            else:
                weights = np.maximum(1 - deviation2 / _OUTLIER**2, 0) ** 2
        a, b, tx, ty = theta
        linear = np.array([[1 + a, -b], [b, 1 + a]])
        similarity = np.column_stack([linear, np.array([tx, ty]) + _CENTRE - linear @ _CENTRE])
        return similarity, weights, shifts - self.design @ theta


class _TurnFit:
    """Fits a turn of the head out of the picture plane to the residuals of the patches after a similarity.

    Under a small turn the patch at depth ``z`` keeps a residual of ``z sin(angle)`` in the direction of the turn. That
    pattern is fitted, each patch weighted by the sharpness of its texture. Noise, compression and overexposure match it
    only by chance; how well, is estimated from the residuals of the fit.

    Args:
        centres: ``(n, 2)`` of the patches, on the crop.
        points: ``(68, 2)`` landmarks on the crop.
        design: ``(n, 2, 4)`` derivatives of the patches' shifts by the parameters of the similarity.
        information: ``(n, 2, 2)`` products of the gradients.
    """

    def __init__(self, centres: FloatArray, points: FloatArray, design: FloatArray, information: FloatArray) -> None:
        anchors = list(_DEPTH_PX)
        nearest = np.linalg.norm(centres[:, None] - points[anchors], axis=2).argmin(axis=1)
        depth = np.array([_DEPTH_PX[anchors[i]] for i in nearest])
        columns = np.concatenate([design, depth[:, None, None] * np.eye(2)], axis=2)
        weighted = np.einsum("nkl,nlj->jnk", information, columns)
        normal = np.einsum("nki,jnk->ij", columns, weighted)
        # The similarity is fitted anew beside the turn, for without the turn it has absorbed a part of it.
        normal += _RIDGE * np.trace(normal) * np.eye(6)
        self._columns, self._information = columns, information
        self._solve = np.linalg.solve(normal, weighted.reshape(6, -1))
        self._variance = _OVERLAP * float(np.trace(np.linalg.inv(normal)[4:, 4:])) / max(2 * len(centres) - 6, 1)
        self._model2 = _OVERLAP * _TURN_ERROR_PX**2 * float(np.square(self._solve[4:]).sum())

    def degrees(self, residuals: FloatArray) -> float:
        """Return the angle of residuals ``(n, 2)``, crop pixels, in degrees, 3 to 90; 0 where chance explains it."""
        fitted = self._solve @ residuals.ravel()
        sine = float(np.hypot(fitted[4], fitted[5]))
        if sine < _LEAST_SINE:
            return 0.0
        left = residuals - self._columns @ fitted
        chance2 = self._model2 + self._variance * float(np.einsum("nk,nkl,nl->", left, self._information, left))
        return float(np.degrees(np.arcsin(min(sine, 1.0)))) if sine**2 > _SIGNIFICANT**2 * chance2 else 0.0


def _large_step(reference: GreyImage, crop: GreyImage, centres: FloatArray) -> FloatArray | None:
    """Return a step of many pixels, to about half a pixel: ``(2, 3)``, or ``None`` with too few points followed."""
    start = centres.astype(np.float32)[:, None]
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.03)
    options = {"winSize": (21, 21), "maxLevel": 4, "criteria": criteria}
    there, found, _ = cv2.calcOpticalFlowPyrLK(reference, crop, start, None, **options)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(crop, reference, there, None, **options)
    error_px = np.linalg.norm(back - start, axis=2)[:, 0]
    good = (found[:, 0] == 1) & (found_back[:, 0] == 1) & (error_px < 1.0)
    if good.sum() < 8:
        return None
    shifts = (there - start)[good, 0].astype(np.float64)
    return _SimilarityFit(centres[good], np.broadcast_to(np.eye(2), (int(good.sum()), 2, 2)))(shifts)[0]
