"""The aligned crop: one similarity warp from the frame to 256 x 256 pixels, 64 of them between the eyes (Eq. 2-4).

A coordinate is that of a pixel centre, in frames and in crops: (0, 0) is the middle of the top left pixel.
"""

from __future__ import annotations

from math import ceil, floor

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.types import FloatArray, GreyImage

CROP_PX = 256
INTER_OCULAR_CROP_PX = 64.0
"""Distance between the inner eye corners on the crop: 1 px of motion is 1/64 of it."""

EYE_CENTRE = (128.0, 96.0)
"""Middle between the inner eye corners on the crop: 4d from the left and 3d from the top, d = 32 px."""

Window = tuple[int, int, int, int]
"""Half-open pixel window ``(top, bottom, left, right)`` on the crop."""

Point = tuple[float, float]

FULL: Window = (0, CROP_PX, 0, CROP_PX)

_INNER_CORNERS = (39, 42)
_KERNEL_REACH_PX = 4
_WARP = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
_BORDER = cv2.BORDER_REPLICATE
_NO_MAP = np.empty(0)  # both coordinates are in the first map
_DOUBLE_BELOW = 1.5  # assumed; a coarser reading needs no finer grid
_SLACK_PX = 4  # distance to which a second reading may lie outside the first one without new preparation
# Value half-way between two pixels, from eight; symmetric, so that nothing shifts (the 8-tap filter of HEVC).
_HALF_WAY = np.array([[-1, 4, -11, 40, 40, -11, 4, -1]], dtype=np.float32) / 64


def crop_transform(points: FloatArray) -> FloatArray:
    """Return the similarity from frame to crop: upright by the eye line, 64 px between the inner eye corners.

    Args:
        points: ``(68, 2)`` landmarks, pixels of the frame.

    Returns:
        ``(2, 3)`` float64; points 39 and 42 go to (96, 96) and (160, 96).

    Source: Eq. 2-4; the roll is assumed: upright by the line of the eyes.
    """
    left, right = np.asarray(points, dtype=np.float64)[list(_INNER_CORNERS)]
    along = right - left
    squared = float(along @ along)
    if not squared > 0:
        raise ValueError("points 39 and 42 coincide; expected two different inner eye corners")
    a, b = INTER_OCULAR_CROP_PX * along / squared
    linear = np.array([[a, b], [-b, a]])
    offset = np.array(EYE_CENTRE) - linear @ ((left + right) / 2)
    return np.column_stack([linear, offset])


def transform_points(points: FloatArray, transform: FloatArray) -> FloatArray:
    """Return points ``(..., 2)`` under a transform ``(2, 3)``."""
    moved: FloatArray = np.asarray(points, dtype=np.float64) @ transform[:, :2].T + transform[:, 2]
    return moved


def compose(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the transform that applies ``b`` first and then ``a``, all ``(2, 3)``."""
    both: FloatArray = a[:, :2] @ b
    both[:, 2] += a[:, 2]
    return both


def invert(a: FloatArray) -> FloatArray:
    """Return the inverse of a transform ``(2, 3)``."""
    (p, q, x), (r, s, y) = np.asarray(a, dtype=np.float64).tolist()
    d = p * s - q * r
    if d == 0:
        raise ValueError("the transform has no inverse: it maps the plane to a line")
    return np.array([[s / d, -q / d, (q * y - s * x) / d], [-r / d, p / d, (r * x - p * y) / d]])


def warp_crop(image: GreyImage, transform: FloatArray, window: Window = FULL) -> GreyImage:
    """Return the crop of a frame, ``(256, 256)`` uint8 or a window of it; see :class:`CropReader`."""
    return CropReader(image).read(transform, window)


class CropReader:
    """Reads crops from one frame; what the first reading prepares serves those that lie nearby.

    The picture is doubled by a symmetric filter and then read by bilinear interpolation, so that a motion of any
    fraction of a pixel is kept; a face larger than the crop is low-pass filtered first. ``cv2.warpAffine`` rounds each
    coordinate to 1/32 px of what it reads, here at most 1/128 px of the frame; under a turn or a scale the rounding
    differs from pixel to pixel and averages out. The pixels at the frame's border are continued outwards.

    Args:
        image: ``(height, width)`` uint8 frame.
        window: Part of the crop that the first reading prepares at least.

    Source: Eq. 2-4.
    """

    def __init__(self, image: GreyImage, window: Window | None = None) -> None:
        self.image = image
        self._window = window
        self._pixels: GreyImage | None = None
        self._to_pixels: FloatArray = np.eye(2, 3)
        self._low = self._high = (0.0, 0.0)

    def read(self, transform: FloatArray, window: Window = FULL, shift: NDArray[np.float32] | None = None) -> GreyImage:
        """Return a window of the crop under a similarity ``(2, 3)`` from frame to crop.

        With a ``shift (h, w, 2)`` each pixel is read that far beside its place, in crop pixels.
        """
        top, bottom, left, right = window
        size = (right - left, bottom - top)
        from_crop = invert(transform)
        pixels = self._prepared(from_crop, window)
        from_crop[:, 2] += from_crop[:, :2] @ (left, top)
        to_pixels = compose(self._to_pixels, from_crop)
        if shift is not None:
            rows, columns = np.indices(shift.shape[:2], dtype=np.float32)
            place = cv2.transform(shift + np.stack([columns, rows], axis=-1), to_pixels)
            return np.asarray(cv2.remap(pixels, place, _NO_MAP, cv2.INTER_LINEAR, borderMode=_BORDER), dtype=np.uint8)
        return np.asarray(cv2.warpAffine(pixels, to_pixels, size, flags=_WARP, borderMode=_BORDER), dtype=np.uint8)

    def _prepared(self, from_crop: FloatArray, window: Window) -> GreyImage:
        low, high = _extent(from_crop, window)
        inside = all(a <= b for a, b in zip((*self._low, *high), (*low, *self._high), strict=True))
        if self._pixels is not None and inside:
            return self._pixels
        if self._window is not None:
            wider = _extent(from_crop, self._window)
            low = min(low[0], wider[0][0]), min(low[1], wider[0][1])
            high = max(high[0], wider[1][0]), max(high[1], wider[1][1])
        self._low = low[0] - _SLACK_PX, low[1] - _SLACK_PX
        self._high = high[0] + _SLACK_PX, high[1] + _SLACK_PX
        step = float(np.hypot(from_crop[0, 0], from_crop[1, 0]))
        source, origin = _cut_out(self.image, self._low, self._high, int(np.ceil(_KERNEL_REACH_PX + 2 * step)))
        to_pixels = np.column_stack([np.eye(2), -origin])
        # Means of blocks are quick but coarse; the finer filter below always has a part of the work left.
        block = int(step / 1.5)
        if block >= 2:
            source, to_pixels = _shrink(source, to_pixels, block)
            step /= block
        if step > 1:
            sigma = 0.6 * float(np.sqrt(step**2 - 1))  # assumed; leaves no more detail than the crop's grid can carry
            source = np.asarray(cv2.GaussianBlur(source, (0, 0), sigma, borderType=_BORDER), dtype=np.uint8)
        if step < _DOUBLE_BELOW:
            source = _double(source)
            to_pixels = to_pixels * 2
        self._pixels, self._to_pixels = source, to_pixels
        return source


def _extent(from_crop: FloatArray, window: Window) -> tuple[Point, Point]:
    """Return the lowest and highest frame coordinates that a window of the crop reads."""
    top, bottom, left, right = window
    low, high = [], []
    for across, down, shift in from_crop.tolist():
        x, y = (across * left, across * (right - 1)), (down * top, down * (bottom - 1))
        low.append(min(x) + min(y) + shift)
        high.append(max(x) + max(y) + shift)
    return (low[0], low[1]), (high[0], high[1])


def _cut_out(image: GreyImage, low: Point, high: Point, margin: int) -> tuple[GreyImage, FloatArray]:
    """Return the frame between two corners, grown by a margin, and its origin; at least one pixel."""
    size = image.shape[1], image.shape[0]
    x, y = (min(max(floor(low[i]) - margin, 0), size[i] - 1) for i in (0, 1))
    right, bottom = (min(max(ceil(high[i]) + margin + 1, (x, y)[i] + 1), size[i]) for i in (0, 1))
    return image[y:bottom, x:right], np.array([x, y], dtype=np.float64)


def _shrink(source: GreyImage, to_pixels: FloatArray, factor: int) -> tuple[GreyImage, FloatArray]:
    height, width = (-(-n // factor) * factor for n in source.shape)
    bottom, right = height - source.shape[0], width - source.shape[1]
    padded = cv2.copyMakeBorder(source, 0, bottom, 0, right, _BORDER)
    small = cv2.resize(padded, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    to_small = np.array([[1.0, 0, (1 - factor) / 2], [0, 1.0, (1 - factor) / 2]]) / factor
    return np.asarray(small, dtype=np.uint8), compose(to_small, to_pixels)


def _double(source: GreyImage) -> GreyImage:
    """Double the pixels: the old ones stay, at even places, and new ones lie half-way between."""
    height, width = source.shape
    doubled = np.empty((2 * height, 2 * width), np.uint8)
    wide = np.empty((height, 2 * width), np.uint8)
    wide[:, ::2] = source
    wide[:, 1::2] = cv2.filter2D(source, -1, _HALF_WAY, anchor=(3, 0), borderType=_BORDER)
    doubled[::2] = wide
    doubled[1::2] = cv2.filter2D(wide, -1, _HALF_WAY.T, anchor=(0, 3), borderType=_BORDER)
    return doubled
