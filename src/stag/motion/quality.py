"""Estimate the quality of a clip's measurement, and how far an answer about the clip can be trusted.

- *drift*: deviation of the stable patches of the face from the motion of the head, averaged over time as the crops are.
  They cannot move, so that this is false motion from image noise, compression and lost detail;
- *roughness*: second differences of each channel's motion over the steps, which a smooth movement does not have;
- *texture*: detail in each channel's window, without which optical flow measures only a part of a motion;
- the 8-pixel grid of a codec in the original frames, and pixels that it leaves unchanged;
- blinks, which pull brows and lower lids along;
- parts that something covers, which seem not to move: :mod:`stag.motion.covered`.

The factors below are fitted on simulated clips of some people and reported on others: docs/measurements/quality.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.motion.covered import PARTS, WHITE, covered_parts
from stag.motion.regions import Pooling
from stag.motion.still import FULL_TEXTURE, LEAST_GRID, MUCH_WHITE, SECOND_DIFFERENCE, is_still
from stag.types import NO_MOVEMENT, NOT_MEASURABLE, FloatArray, GreyImage, Quality

LEAST_TRUST = 0.5
"""Trust below which no class is named."""

# Squares of noise add up: 1, drift, roughness, grid of a codec.
_NOISE_OF_ONE, _NOISE_OF_DRIFT, _NOISE_OF_ROUGHNESS, _NOISE_OF_GRID = 0.0011, 0.73, 1.6, 0.015
_DRIFT_PX = 0.73  # drift that halves the trust
_COARSE = 3.4
_PREDICTED, _CLEAR_GRID = 1.4, 0.4
_BLOCKY = 26.0  # strength of the grid that halves the trust
_COVERED = 3.0  # assumed; a doubt larger than that about a part without any texture
_SMALL_PX = 7.8  # distance between the inner eye corners that halves the trust
_DAMPING = 6.0  # squared gradient at which flow measures half of a motion; as in stag.motion.flow.LucasKanadeFlow
_LARGEST_DRIFT_PX = 3.0
_SOURCE_PX, _FACE = 384, 5  # pixels; distances between the inner eye corners
_LOOK_EVERY = 32
_GRID_PX = 256  # side of the pictures that the strengths below were fitted on
_HARMONICS = np.array([1, 2, 3]) / 8
_BESIDE = np.array([0.0, -0.03, -0.02, 0.02, 0.03])

_EYES = ((36, 42), (42, 48))
_GROWN_PX = 2
_CHANGED = 0.33  # measured on simulated clips: docs/measurements/motion.md
_LONGEST_BLINK_S = 0.4  # assumed; a blink lasts .1 to .4 s
_SLOWEST_S = 0.07  # assumed; frames further apart than that may step over a blink or invent one
_ENOUGH = 24  # frames whose median is the usual picture
_LEAST_CONTRAST = 2.0  # assumed; grey levels, an eye opening with less shows nothing


class SourceLook:
    """Measures the grid of a codec and unchanged pixels in some of the frames, around landmarks ``(68, 2)``."""

    def __init__(self, points: FloatArray) -> None:
        self._centre = points.mean(axis=0)
        self.eyes_px = float(np.linalg.norm(points[39] - points[42]))
        self._grids: list[float] = []
        self._frozen: list[float] = []
        self._before: GreyImage | None = None
        self._seen = 0

    def see(self, image: GreyImage) -> None:
        """Measure the next frame, if its turn has come."""
        turn = self._seen % _LOOK_EVERY
        self._seen += 1
        if turn == 0:
            self._grids.append(block_grid(_around(image, self._centre, _SOURCE_PX)))
            self._before = self._face(image).copy()
        elif turn == 1 and self._before is not None:
            self._frozen.append(float(np.mean(self._face(image) == self._before)))
            self._before = None

    def _face(self, image: GreyImage) -> GreyImage:
        return _around(image, self._centre, round(_FACE * self.eyes_px))

    @property
    def grid(self) -> float:
        """Largest strength of the grid; an encoder with a fixed rate spends it on the first frame."""
        return max(self._grids, default=0.0)

    @property
    def frozen(self) -> float:
        """Mean share of unchanged pixels."""
        return float(np.mean(self._frozen)) if self._frozen else 0.0


def block_grid(image: GreyImage) -> float:
    """Return the strength of an 8-pixel grid: 0 for none, .2 for H.264 at its best, 1 for JPEG of quality 90.

    Second differences across the picture are averaged down its columns (and rows); a codec makes them differ with a
    period of 8. The power at that period and its harmonics counts, less that of periods beside it.

    Args:
        image: ``(h, w)`` uint8 as decoded, not resampled.
    """
    strengths = []
    for lines in (image[::2], image.T[::2]):
        if lines.shape[1] < 4 * 8:
            continue
        wide = lines.astype(np.int16)
        bends = np.abs(2 * wide[:, 1:-1] - wide[:, :-2] - wide[:, 2:])
        profile = np.minimum(bends, 12).mean(axis=0)
        usual = cv2.blur(profile[None], (17, 1), borderType=cv2.BORDER_REPLICATE)[0]
        profile = profile / np.maximum(usual, 0.2) - 1
        frequency = (_HARMONICS[:, None] + _BESIDE).ravel()
        waves = np.exp(-2j * np.pi * np.outer(frequency, np.arange(len(profile))))
        power = (_GRID_PX * np.abs(waves @ profile / len(profile)) ** 2).reshape(len(_HARMONICS), -1).mean(axis=0)
        strengths.append(power[0] - np.median(power[1:]))
    return float(np.mean(strengths)) if strengths else 0.0


def quality_of(
    crops: Sequence[GreyImage],
    first: GreyImage,
    points: FloatArray,
    residuals: Sequence[NDArray[np.float32]],
    frames: NDArray[np.int64],
    reach: int,
    motion: FloatArray,
    windows: Pooling,
    look: SourceLook,
) -> Quality:
    """Measure the quality of a clip.

    Args:
        crops: ``N`` aligned crops.
        first: The first of them, averaged over time.
        points: ``(68, 2)`` landmarks on them.
        residuals: ``(n, 2)`` of the stable patches for each crop but the first; may be empty.
        frames: Frames that became motion.
        reach: Number of frames on either side that each of them is averaged with.
        motion: ``(T, R, 2)`` displacement since the first step.
        windows: Windows of the channels on the crops.
        look: Measurements of the frames themselves.
    """
    drift_px = _drift_px(residuals, frames, reach)
    return Quality(
        noise_px=_noise_px(drift_px, motion, look.grid),
        drift_px=drift_px,
        texture=_texture(first, windows),
        noise_grey=_noise_grey(crops),
        brightness=float(first.mean()),
        saturated=float(np.mean(first >= WHITE)),
        block_grid=look.grid,
        frozen=look.frozen,
        eyes_px=look.eyes_px,
        covered=covered_parts(first, points),
    )


LOOK = ("drift_px", "texture", "brightness", "saturated", "block_grid", "frozen", *PARTS)
"""What is kept of the quality of each moment of a long recording."""


def look_of(crop: GreyImage, points: FloatArray, windows: Pooling, look: SourceLook) -> FloatArray:
    """Return :data:`LOOK` but the drift, ``(7,)``, of some seconds of a recording: of one crop and of its frames."""
    texture = float(_texture(crop, windows).mean())
    parts = covered_parts(crop, points)
    covered = [part in parts for part in PARTS]
    return np.array([texture, crop.mean(), np.mean(crop >= WHITE), look.grid, look.frozen, *covered])


def interval_quality(look: NDArray[np.float32], motion: FloatArray, eyes_px: float) -> Quality:
    """Return the quality of an interval of a recording, from its rows ``(n, 8)`` of :data:`LOOK` and its motion."""
    drift_px = float(np.sqrt(np.square(look[:, 0], dtype=np.float64).mean()))
    texture, brightness, saturated, grid, frozen, *covered = look[:, 1:].mean(axis=0, dtype=np.float64).tolist()
    return Quality(
        noise_px=_noise_px(drift_px, motion, grid),
        drift_px=drift_px,
        texture=np.full(motion.shape[1], texture),
        noise_grey=float("nan"),
        brightness=brightness,
        saturated=saturated,
        block_grid=grid,
        frozen=frozen,
        eyes_px=eyes_px,
        covered=tuple(part for part, share in zip(PARTS, covered, strict=True) if share > 0.5),
    )


def _noise_px(drift_px: float, motion: FloatArray, grid: float) -> FloatArray:
    """Return the estimated RMS error of each channel of motion ``(T, R, 2)``."""
    bend = np.diff(motion[1:], 2, axis=0) / SECOND_DIFFERENCE
    rough_px2 = np.square(bend).mean(axis=(0, 2)) if len(bend) else np.zeros(motion.shape[1])
    noise_px2 = _NOISE_OF_ONE + _NOISE_OF_DRIFT * drift_px**2 + _NOISE_OF_ROUGHNESS * rough_px2
    return np.asarray(np.sqrt(noise_px2 + _NOISE_OF_GRID * np.clip(grid, 0, 1)))


def trust(quality: Quality | None) -> float:
    """Return how far an answer about a clip can be trusted: from 1 without any doubt towards 0 for mere noise."""
    return 1.0 if quality is None else 1 / (1 + sum(_doubts(quality).values()))


def withheld(quality: Quality | None, motion: NDArray[np.float32], reference: str, *, turned: bool) -> tuple[str, ...]:
    """Return the flags for which no class is named: not measurable and why, and that nothing moves.

    Args:
        quality: Of the clip or interval, or ``None`` where it is not known.
        motion: ``(T, R, 2)``, crop pixels.
        reference: Frame that it counts from.
        turned: Whether the head turned so far that parts of the face hide others.
    """
    reason = None if quality is None else not_measurable(quality)
    if reason is not None and turned and not reason.endswith("covered"):
        reason = "head turned"
    flags = () if reason is None else (f"{NOT_MEASURABLE}: {reason}",)
    return (*flags, NO_MOVEMENT) if is_still(motion, reference, quality) else flags


def not_measurable(quality: Quality) -> str | None:
    """Return why a clip is too poor for an answer, for example ``"too dark"``; ``None`` where it is not."""
    if trust(quality) >= LEAST_TRUST:
        return None
    doubts = _doubts(quality)
    reason = max(doubts, key=lambda name: doubts[name])
    if reason not in ("drift", "texture"):
        return reason
    causes = (
        (quality.block_grid > 2 * LEAST_GRID, "compressed"),
        (quality.saturated > MUCH_WHITE, "overexposed"),
        (quality.brightness < 64, "too dark"),  # assumed
        (quality.eyes_px < 20, "too small"),  # assumed; as the remark on low resolution
    )
    return next((name for applies, name in causes if applies), "too noisy")


def blink_times(crops: Sequence[GreyImage], points: FloatArray, times_s: Sequence[float]) -> list[float]:
    """Return the times at which both eyes are most closed, one for each blink.

    No channel lies on the upper lids, but a blink pulls brows and lower lids along. A lid moves too far for flow, so
    that the picture of the eye opening is compared with its median picture. Eyes that look elsewhere, narrow, or close
    for longer than a blink do not count.

    Args:
        crops: ``N`` aligned crops ``(h, w)`` of one size.
        points: ``(68, 2)`` landmarks on them.
        times_s: ``(N,)`` rising.
    """
    times = np.asarray(times_s)
    if len(times) < 3 or float(np.median(np.diff(times))) > _SLOWEST_S:
        return []
    change = np.minimum(*(_eye_change(crops, points[first:after]) for first, after in _EYES))
    blinks: list[float] = []
    for peak in np.flatnonzero(change >= _CHANGED):
        since = times - times[peak]
        before, after = (change[(side * since > 0) & (side * since <= _LONGEST_BLINK_S)] for side in (-1, 1))
        near = change[np.abs(since) <= _LONGEST_BLINK_S / 2]
        # Where the clip begins or ends amid a blink, half the way is enough to be sure of the direction.
        rise = _CHANGED if times[peak] - times[0] > _LONGEST_BLINK_S / 2 else _CHANGED / 2
        fall = _CHANGED if times[-1] - times[peak] > _LONGEST_BLINK_S / 2 else _CHANGED / 2
        rises = before.size > 0 and change[peak] - before.min() >= rise
        falls = after.size > 0 and change[peak] - after.min() >= fall
        if rises and falls and change[peak] >= near.max():
            blinks.append(float(times[peak]))
    return blinks


def _doubts(quality: Quality) -> dict[str, float]:
    """Return the doubts about an answer, each 0 or more; 1 alone halves the trust."""
    grid = max(quality.block_grid, 0.0)
    # A codec that predicts from frame to frame freezes small motion; one that codes each frame leaves a stronger grid.
    # Alone it softens and no more: a photograph that was once a JPEG, moved without any noise, looks the same.
    predicted = quality.frozen**2 * np.clip((grid - LEAST_GRID) / _CLEAR_GRID, 0, 1) / (1 + grid)
    return {
        "drift": (quality.drift_px / _DRIFT_PX) ** 4,
        "texture": _COARSE * max(FULL_TEXTURE - float(quality.texture.mean()), 0.0) ** 2,
        "compressed": _PREDICTED * float(predicted) + (grid / _BLOCKY) ** 2,
        "too small": (_SMALL_PX / max(quality.eyes_px, 1.0)) ** 4,
        **{f"{part} covered": _COVERED for part in quality.covered},
    }


def _drift_px(residuals: Sequence[NDArray[np.float32]], frames: NDArray[np.int64], reach: int) -> float:
    """Return the RMS of the residuals over steps and patches, averaged over time as the crops are."""
    if not residuals:
        return 0.0
    left = np.concatenate([np.zeros_like(residuals[0])[None], np.stack(residuals)])
    sums = np.concatenate([np.zeros_like(left[:1]), np.cumsum(left, axis=0)])
    low, high = np.clip(frames - reach, 0, len(left) - 1), np.clip(frames + reach + 1, 1, len(left))
    smooth = (sums[high] - sums[low]) / (high - low)[:, None, None]
    per_patch = ((smooth[1:] - smooth[:1]) ** 2).mean(axis=(0, 2))
    return float(np.sqrt(np.minimum(per_patch, _LARGEST_DRIFT_PX**2).mean()))


def _around(image: GreyImage, centre: FloatArray, side: int) -> GreyImage:
    """Return the part of a frame within a square; at least one pixel."""
    low = np.clip(np.floor(centre).astype(int) - side // 2, 0, np.maximum(np.array(image.shape[::-1]) - side, 0))
    return image[low[1] : low[1] + max(side, 1), low[0] : low[0] + max(side, 1)]


def _texture(first: GreyImage, windows: Pooling) -> FloatArray:
    """Return the share of a motion that the detail of each window shows, ``(R,)``."""
    image = first.astype(np.float32)
    across = np.asarray(cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=1, scale=0.5))
    down = np.asarray(cv2.Sobel(image, cv2.CV_32F, 0, 1, ksize=1, scale=0.5))
    energy = across * across + down * down
    inside = [energy[top:bottom, left:right] for (top, bottom, left, right), _ in windows.windows]
    mean = np.array([part.mean() if part.size else 0.0 for part in inside])
    return mean / (mean + _DAMPING)


def _noise_grey(crops: Sequence[GreyImage]) -> float:
    """Return the standard deviation of the image noise, grey levels, from second differences over time."""
    squares = []
    for i in np.unique(np.linspace(1, len(crops) - 2, 6).astype(int)):
        before, now, after = (crops[j].astype(np.int16) for j in (i - 1, i, i + 1))
        squares.append(float(np.square(before - 2 * now + after, dtype=np.float32).mean()))
    return float(np.sqrt(np.median(squares)) / SECOND_DIFFERENCE)


def _eye_change(crops: Sequence[GreyImage], eye: FloatArray) -> FloatArray:
    """Return how far an eye opening differs from its median picture, ``(N,)``, in units of its contrast."""
    height, width = crops[0].shape
    left, top = np.clip(np.floor(eye.min(axis=0)) - [0, _GROWN_PX], 0, [width - 1, height - 1]).astype(int)
    high = np.ceil(eye.max(axis=0)) + np.array([1, _GROWN_PX + 1])
    right, bottom = np.clip(high, [left + 1, top + 1], [width, height]).astype(int)
    boxes = np.stack([crop[top:bottom, left:right] for crop in crops]).astype(np.float32)
    boxes -= boxes.mean(axis=(1, 2), keepdims=True)
    usual = np.median(boxes[:: max(1, len(boxes) // _ENOUGH)], axis=0)
    contrast = max(float(usual.std()), _LEAST_CONTRAST)
    return np.asarray(np.sqrt(np.square(boxes - usual).mean(axis=(1, 2))) / contrast, dtype=np.float64)
