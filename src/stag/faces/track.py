"""Follow a face through a clip: a rigid motion in space from its first frame to every other, never chained.

Each frame is warped by the last similarity onto the crop of the first frame, and patches are looked for where the last
turn of the head has brought them, so that only the newest step is left to measure. Pyramidal Lucas-Kanade with a
forward-backward check bridges a large step. Small square patches on the stable parts of the face then give one
Lucas-Kanade step each, free of brightness and contrast, and a similarity and a turn out of the picture plane are fitted
to these robustly, each weighted by the sharpness of its texture.

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
from stag.faces.pose import HeadShape, PoseFit
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
_LARGE_STEP_PX = 1.5
_CONVERGED_PX = 0.2  # a Lucas-Kanade step of a fifth of a pixel leaves about .01 px
_MAX_ROUNDS = 6
_SAME_SKIN = 0.6  # assumed; correlation with the first frame below which the face counts as lost
_SAME_PERSON = 0.85  # correlation to find a lost face again; other people reach .80 (docs/measurements/faces.md)
_LEAST_INLIERS = 0.4
_LARGEST_RMS_PX = 2.5  # assumed
_NOD_REACH_PX = 24  # how far down a nod of 20 degrees moves the nose tip; other patches have room inside
_TURN_CONVERGED = 0.004  # radians; a quarter of a pixel at the nose tip
_SEARCHED = (40, 68, 216, 164)  # eyes and nose on the crop: left, top, right, bottom
_SEARCH_SCALE = 4
_CORNERS = np.array([[40.0, 40.0], [216.0, 40.0], [40.0, 216.0], [216.0, 216.0]])


@dataclass(frozen=True, eq=False, repr=False)
class Tracked(ArrayValue):
    """Position of the head in one frame.

    Attributes:
        motion: ``(2, 3)`` similarity from coordinates of the first frame to those of this frame. Where the face is
            lost, that of the last frame in which it was not.
        lost: Whether the face is no longer recognised.
        residuals: ``(n, 2)`` deviation of each patch from the rigid motion, crop pixels.
        turn: ``(2,)`` yaw and pitch since the first frame, radians; see :mod:`stag.faces.pose`.
        likeness: Correlation of the patches with those of the first frame.
    """

    motion: FloatArray
    lost: bool
    residuals: FloatArray
    turn: FloatArray
    likeness: float


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
        points = transform_points(landmarks.points, self._to_crop)
        self.shape = HeadShape.mean(points)
        self._patches = _Patches(self._reference, points, self.shape)
        left, top, right, bottom = _SEARCHED
        scale = 1 / _SEARCH_SCALE
        searched = self._reference[top:bottom, left:right]
        self._template = cv2.resize(searched, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        self._motion: FloatArray = np.eye(2, 3)
        self._turn: FloatArray = np.zeros(2)

    def update(self, image: GreyImage | CropReader, seen: Landmarks | None = None) -> Tracked:
        """Find the head in the next frame, given as ``(height, width)`` uint8 or as a reader of it.

        With ``seen``, a face that the detector sees there, it is that face if it looks like the first frame.

        Source: Baker and Matthews, Lucas-Kanade 20 Years On, IJCV 56, 2004 (inverse compositional form).
        """
        reader = image if isinstance(image, CropReader) else CropReader(image, self._patches.window)
        if seen is not None:
            guess = compose(invert(crop_transform(seen.points)), self._to_crop)
            tracked = self._refine(reader, guess, np.zeros(2), _SAME_PERSON)
        else:
            tracked = self._refine(reader, self._motion, self._turn)
            if tracked.lost and (there := self._search(reader.image)) is not None:
                tracked = self._refine(reader, there, self._turn, _SAME_PERSON)
        if tracked.lost:
            return replace(tracked, motion=self._motion.copy(), turn=self._turn)
        self._motion, self._turn = tracked.motion, tracked.turn
        return tracked

    def _refine(self, reader: CropReader, motion: FloatArray, turn: FloatArray, least: float = _SAME_SKIN) -> Tracked:
        """Measure and take steps, from a first guess of motion and turn, until they are small."""
        share, rms_px, likeness = 0.0, float("inf"), 0.0
        residuals = np.zeros_like(self._patches.centres)
        bridged = False
        for _ in range(_MAX_ROUNDS):
            to_crop = compose(self._to_crop, invert(motion))
            crop = reader.read(to_crop, self._patches.window)
            shifts, likeness = self._patches.compare(crop, self._patches.fit.expected(turn))
            before = turn
            step, turn, weights, residuals = self._patches.fit(shifts, turn)
            step_px = float(np.abs(transform_points(_CORNERS, step) - _CORNERS).max())
            if not bridged and (step_px > _LARGE_STEP_PX or likeness < _SAME_SKIN):
                bridged = True
                large = _large_step(self._reference, reader.read(to_crop), self._patches.centres)
                if large is not None:
                    motion, turn = self._moved(motion, large), before
                    continue
            motion = self._moved(motion, step)
            share = float((weights > 0).mean())
            rms_px = float(np.sqrt((weights * (residuals**2).sum(axis=1)).sum() / max(weights.sum(), 1e-9)))
            if step_px < _CONVERGED_PX and float(np.abs(turn - before).max()) < _TURN_CONVERGED:
                break
        lost = likeness < least or share < _LEAST_INLIERS or rms_px > _LARGEST_RMS_PX
        return Tracked(motion, lost, residuals, turn, likeness)

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

    def __init__(self, reference: GreyImage, points: FloatArray, shape: HeadShape) -> None:
        self.centres = _patch_centres(points)
        margin = _HALF_PATCH_PX + _BLUR_REACH_PX
        low = np.clip(self.centres.min(axis=0).astype(int) - margin, 0, CROP_PX)
        high = np.clip(self.centres.max(axis=0).astype(int) + margin + 1 + [0, _NOD_REACH_PX], 0, CROP_PX)
        self.window: Window = (int(low[1]), int(high[1]), int(low[0]), int(high[0]))
        self._width = width = int(high[0] - low[0])
        self._least = self.centres - _HALF_PATCH_PX - low
        self._most = high - 1 - self.centres - _HALF_PATCH_PX
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
        near = self._take(np.ascontiguousarray(shape.depth_px[low[1] : high[1], low[0] : high[0]]))
        seen = np.einsum("npi,np,npj->nij", gradient, near, gradient)
        self.fit = PoseFit(self.centres, np.linalg.solve(information, seen), information)
        self._solve = np.asarray(-np.linalg.inv(information) @ gradient.transpose(0, 2, 1), dtype=np.float32)

    def compare(self, crop: GreyImage, expected: FloatArray) -> tuple[FloatArray, float]:
        """Return the shift of every patch ``(n, 2)`` in the window of another crop, and their joint correlation.

        Each patch is looked for at the whole pixel nearest to its expected shift ``(n, 2)``.
        """
        whole = np.clip(np.rint(expected), -self._least, self._most)
        values = self._take(_blur(crop), (whole @ [1, self._width]).astype(np.intp)[:, None])
        shifts = (self._solve @ (values - self._values)[:, :, None])[:, :, 0] + whole
        # One part of the product has mean 0 already, so that the mean of the other does not count.
        own = np.square(values).sum() - np.square(values.sum(axis=1)).sum() / values.shape[1]
        norm = float(np.sqrt(max(own, 0.0) * self._energy))
        return shifts, float(np.vdot(values, self._centred)) / norm if norm > 0 else 0.0

    def _take(self, image: NDArray[np.float32], moved: NDArray[np.intp] | int = 0) -> NDArray[np.float32]:
        return np.asarray(image.ravel().take(self._pixels + moved), dtype=np.float32)


def _blur(crop: GreyImage) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(crop.astype(np.float32), (0, 0), _BLUR_PX), dtype=np.float32)


def stable_places(points: FloatArray) -> FloatArray:
    """Return the middles ``(7, 2)`` of the parts that alignment holds still, for landmarks ``(68, 2)`` on the crop."""
    places = [points[i] for i in NOSE_POINTS]
    for corner, (first, after) in EYE_CORNERS.items():
        outwards = points[corner] - points[first:after].mean(axis=0)
        places.append(points[corner] + _AWAY_FROM_EYE_PX * outwards / max(float(np.linalg.norm(outwards)), 1e-6))
    return np.array(places)


def _patch_centres(points: FloatArray) -> FloatArray:
    """Return the grid points near the nose and the eye corners, ``(n, 2)`` whole pixels of the crop."""
    line = np.arange(_HALF_PATCH_PX, CROP_PX - _HALF_PATCH_PX, _SPACING_PX, dtype=np.float64)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    distances = np.linalg.norm(grid[:, None] - stable_places(points), axis=2)
    near: FloatArray = grid[(distances <= _REACH_PX).any(axis=1)]
    return near


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
    step = cv2.estimateAffinePartial2D(start[good], there[good], ransacReprojThreshold=2.0)[0]
    return None if step is None else np.asarray(step, dtype=np.float64)
