"""The aligned crop: one similarity warp from the frame to 256 x 256 pixels, 64 of them between the eyes (Eq. 2-4).

A coordinate is that of a pixel centre, in frames and in crops: (0, 0) is the middle of the top left pixel.
"""

from __future__ import annotations

import cv2
import numpy as np

from stag.types import FloatArray, GreyImage

CROP_PX = 256
INTER_OCULAR_CROP_PX = 64.0
"""Distance between the inner eye corners on the crop: 1 px of motion is 1/64 of it."""

EYE_CENTRE = (128.0, 96.0)
"""Where the middle between the inner eye corners lies on the crop: 4d from the left and 3d from the top, d = 32 px."""

Window = tuple[int, int, int, int]
"""Half-open pixel window ``(top, bottom, left, right)`` on the crop."""

FULL: Window = (0, CROP_PX, 0, CROP_PX)

_INNER_CORNERS = (39, 42)
_KERNEL_REACH_PX = 4
_QUANTUM_PX = 1 / 32
_WARP = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
_BORDER = cv2.BORDER_REPLICATE
_DOUBLE_BELOW = 1.5  # assumed; a coarser reading needs no finer grid
# cv2.warpAffine rounds every coordinate to 1/32 px. The mean of four warps whose coordinates differ by fractions of
# that step rounds to 1/128 px instead: false motion of a quarter.
_DITHER = tuple(((a - 1.5) / 4 * _QUANTUM_PX, (b - 1.5) / 4 * _QUANTUM_PX) for a, b in ((0, 2), (1, 0), (2, 3), (3, 1)))
# Value half-way between two pixels, from eight: symmetric, hence without any shift (the 8-tap filter of HEVC).
_HALF_WAY = np.array([[-1, 4, -11, 40, 40, -11, 4, -1]], dtype=np.float32) / 64


def crop_transform(points: FloatArray) -> FloatArray:
    """Similarity from frame to crop: upright by the eye line, 64 px between the inner eye corners.

    Args:
        points: ``(68, 2)`` landmarks, pixels of the frame.

    Returns:
        ``(2, 3)`` float64; points 39 and 42 go to (96, 96) and (160, 96).

    Raises:
        ValueError: The two eye corners coincide.

    Source: Eq. 2-4; roll after METHOD 1.1.
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
    """Points ``(..., 2)`` under a transform ``(2, 3)``."""
    moved: FloatArray = np.asarray(points, dtype=np.float64) @ transform[:, :2].T + transform[:, 2]
    return moved


def compose(a: FloatArray, b: FloatArray) -> FloatArray:
    """The transform that applies ``b`` first and then ``a``, all ``(2, 3)``."""
    return np.column_stack([a[:, :2] @ b[:, :2], a[:, :2] @ b[:, 2] + a[:, 2]])


def invert(a: FloatArray) -> FloatArray:
    """The inverse of a transform ``(2, 3)``."""
    linear = np.linalg.inv(a[:, :2])
    return np.column_stack([linear, -linear @ a[:, 2]])


def warp_crop(image: GreyImage, transform: FloatArray, window: Window = FULL) -> GreyImage:
    """Resample the face to the crop; the pixels at the frame's border are continued outwards.

    The source is doubled by a symmetric filter and then read by dithered bilinear interpolation, so that a motion of
    any fraction of a pixel is kept to about .005 px; a face larger than the crop is low-pass filtered first.

    Args:
        image: ``(height, width)`` uint8 frame.
        transform: ``(2, 3)`` similarity from frame to crop.
        window: The part of the crop that is wanted.

    Returns:
        ``(256, 256)`` uint8, or what the window cuts out of it.

    Source: METHOD 1.1.
    """
    top, bottom, left, right = window
    size = (right - left, bottom - top)
    from_crop = invert(transform - np.array([[0, 0, left], [0, 0, top]]))
    step = float(np.hypot(from_crop[0, 0], from_crop[1, 0]))
    margin = int(np.ceil(_KERNEL_REACH_PX + 2 * step))
    source, origin = _cut_out(image, from_crop, size, margin)
    from_crop[:, 2] -= origin
    # Means of blocks are quick but coarse; the finer filter below always has a part of the work left.
    block = int(step / 1.5)
    if block >= 2:
        source, from_crop = _shrink(source, from_crop, block)
        step /= block
    if step > 1:
        sigma = 0.6 * float(np.sqrt(step**2 - 1))  # assumed; leaves no more detail than the crop's grid can carry
        source = np.asarray(cv2.GaussianBlur(source, (0, 0), sigma, borderType=_BORDER), dtype=np.uint8)
    if step < _DOUBLE_BELOW:
        source = _double(source)
        from_crop = from_crop * 2
    total = np.zeros(size[::-1], np.uint16)
    for dx, dy in _DITHER:
        shifted = from_crop + np.array([[0, 0, dx], [0, 0, dy]])
        np.add(total, cv2.warpAffine(source, shifted, size, flags=_WARP, borderMode=_BORDER), out=total)
    return ((total + 2) >> 2).astype(np.uint8)


def _cut_out(
    image: GreyImage, from_crop: FloatArray, wanted: tuple[int, int], margin: int
) -> tuple[GreyImage, FloatArray]:
    """The part of the frame that the crop reads, and its origin; at least one pixel of the frame."""
    x, y = wanted[0] - 1, wanted[1] - 1
    corners = transform_points(np.array([[0, 0], [x, 0], [0, y], [x, y]]), from_crop)
    size = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - margin, 0, size - 1)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + margin + 1, low + 1, size)
    return image[low[1] : high[1], low[0] : high[0]], low.astype(np.float64)


def _shrink(source: GreyImage, from_crop: FloatArray, factor: int) -> tuple[GreyImage, FloatArray]:
    """Mean of blocks of ``factor`` x ``factor`` pixels."""
    height, width = (-(-n // factor) * factor for n in source.shape)
    bottom, right = height - source.shape[0], width - source.shape[1]
    padded = cv2.copyMakeBorder(source, 0, bottom, 0, right, _BORDER)
    small = cv2.resize(padded, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    to_small = np.array([[1.0, 0, (1 - factor) / 2], [0, 1.0, (1 - factor) / 2]]) / factor
    return np.asarray(small, dtype=np.uint8), compose(to_small, from_crop)


def _double(source: GreyImage) -> GreyImage:
    """Twice the pixels: the old ones stay, at even places, and new ones lie half-way between."""
    height, width = source.shape
    doubled = np.empty((2 * height, 2 * width), np.uint8)
    wide = np.empty((height, 2 * width), np.uint8)
    wide[:, ::2] = source
    wide[:, 1::2] = cv2.filter2D(source, -1, _HALF_WAY, anchor=(3, 0), borderType=_BORDER)
    doubled[::2] = wide
    doubled[1::2] = cv2.filter2D(wide, -1, _HALF_WAY.T, anchor=(0, 3), borderType=_BORDER)
    return doubled
