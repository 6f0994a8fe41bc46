"""Find where the face rises and falls: candidates for expressions, in units of the recording's own noise.

At several time scales ``h`` the displacement at a moment is compared with the mean of those ``h`` before and after
(a second difference, which drift and slow head motion leave small). Divided by its robust spread in the same stretch,
per channel, it is a peak height in units of noise; the strongest channels together decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from stag.motion.regions import LAYOUTS
from stag.types import FloatArray, RecordingMotion
from stag.utils.values import ArrayValue

RATE = 50.0
"""Moments a second at which candidates are searched and described."""

SCALES_S = (0.1, 0.17, 0.3, 0.6, 1.2)
_SMOOTH_S = 0.02
_STRONGEST = 3  # channels of roi14 that must move together
_LEAST = 2.2  # assumed; height over noise below which nothing is looked at
_EDGE = 0.12  # assumed; share of the height at which a movement begins and ends
_REACH = 3.0  # half widths within which a movement ends
_SAME = 0.8  # overlap of two candidates of one movement
_FLOOR_PX = 0.02
_OWN = list(LAYOUTS["roi14"])


@dataclass(frozen=True, eq=False, repr=False)
class Course(ArrayValue):
    """One stretch of a recording, at :data:`RATE`.

    Attributes:
        start_s: Time of the first of ``N`` moments.
        motion: ``(N, 18, 2)`` smoothed displacement, crop pixels.
        side: ``(N, 6)`` head shift right and down, turn, log size, turn out of the plane, change of the eyes.
        noise_px: ``(18,)`` robust noise of each channel from second differences.
    """

    start_s: float
    motion: NDArray[np.float64]
    side: NDArray[np.float64]
    noise_px: NDArray[np.float64]

    def time_s(self, row: FloatArray | float) -> NDArray[np.float64]:
        """Return the time of a moment."""
        return np.asarray(self.start_s + np.asarray(row) / RATE)


@dataclass(frozen=True)
class Candidate:
    """A rise and fall: first, strongest and last moment of a course, height over noise, and half width in seconds."""

    onset: int
    apex: int
    offset: int
    height: float
    scale_s: float


def courses(recording: RecordingMotion) -> list[Course]:
    """Return the stretches of a recording that last at least half a second, at the common rate."""
    found = []
    for rows in recording.stretches():
        time_s = recording.time_s[rows]
        if len(time_s) < 3 or time_s[-1] - time_s[0] < 0.5 - 1 / RATE:
            continue
        side = np.column_stack([recording.head[rows], recording.turn_deg[rows], recording.eyes[rows]])
        moved = resampled(time_s, recording.motion[rows], RATE)
        smooth = gaussian_filter1d(moved, _SMOOTH_S * RATE, axis=0, mode="nearest")
        noise = noise_px([recording.motion[rows]])
        found.append(Course(float(time_s[0]), smooth, resampled(time_s, side, RATE), noise))
    return found


def resampled(time_s: FloatArray, values: FloatArray, rate: float) -> NDArray[np.float64]:
    """Return values ``(N, ...)`` at an even rate from the first of their times on."""
    grid = time_s[0] + np.arange(int((time_s[-1] - time_s[0]) * rate) + 1) / rate
    columns = values.reshape(len(values), -1).astype(np.float64).T
    return np.stack([np.interp(grid, time_s, column) for column in columns], axis=1).reshape(-1, *values.shape[1:])


def noise_px(stretches: Sequence[FloatArray]) -> NDArray[np.float64]:
    """Return the robust noise of each channel ``(18,)`` from second differences of motion ``(n, 18, 2)`` in time."""
    bend = np.concatenate([np.diff(motion.astype(np.float64), 2, axis=0) for motion in stretches])
    # 1 + 4 + 1 independent errors make one second difference.
    spread = 1.4826 * np.median(np.abs(bend), axis=0) / np.sqrt(6) if len(bend) else np.zeros(bend.shape[1:])
    return np.asarray(np.hypot(*spread.T))


def candidates(course: Course) -> list[Candidate]:
    """Return the candidates of a stretch in order of time; those of several scales may overlap."""
    found: list[Candidate] = []
    for scale_s in SCALES_S:
        half = max(2, round(scale_s * RATE))
        if len(course.motion) <= 2 * half:
            continue
        bend = rise_and_fall(course.motion, half)
        size = np.hypot(bend[:, _OWN, 0], bend[:, _OWN, 1])
        spread = np.maximum(1.4826 * np.median(size, axis=0), _FLOOR_PX)
        height = np.sort(size / spread, axis=1)[:, -_STRONGEST:].mean(axis=1)
        for peak in find_peaks(height, height=_LEAST, distance=half)[0].tolist():
            found.append(_extent(course.motion, bend[peak], peak, half, float(height[peak]), scale_s))
    return _distinct(found)


def rise_and_fall(motion: FloatArray, half: int) -> NDArray[np.float64]:
    """Return how far each moment lies beside the mean of those ``half`` rows before and after: ``(N, 18, 2)``."""
    padded = np.concatenate([np.repeat(motion[:1], half, axis=0), motion, np.repeat(motion[-1:], half, axis=0)])
    return np.asarray(motion - 0.5 * (padded[: -2 * half] + padded[2 * half :]))


def _extent(motion: FloatArray, bend: FloatArray, peak: int, half: int, height: float, scale_s: float) -> Candidate:
    """Find onset and offset: where motion along the direction of the peak has left its lowest point on either side."""
    reach = int(_REACH * half)
    low, high = max(0, peak - reach), min(len(motion), peak + reach + 1)
    weight = bend[_OWN]
    course = np.einsum("nrc,rc->n", motion[low:high][:, _OWN], weight)
    top = peak - low
    near = slice(max(0, top - half // 2), top + half // 2 + 1)
    top = near.start + int(np.argmax(course[near]))
    before, after = course[: top + 1], course[top:]
    onset = _last_below(before, before.min() + _EDGE * (course[top] - before.min()))
    offset = top + len(after) - 1 - _last_below(after[::-1], after.min() + _EDGE * (course[top] - after.min()))
    return Candidate(low + onset, low + top, low + max(offset, top + 1), height, scale_s)


def _last_below(course: FloatArray, level: float) -> int:
    """Return the last position at which a course that ends at its top lies at or below a level."""
    below = np.flatnonzero(course <= level)
    return int(below[-1]) if below.size else 0


def _distinct(found: list[Candidate]) -> list[Candidate]:
    """Drop those that nearly equal a higher one."""
    kept: list[Candidate] = []
    for one in sorted(found, key=lambda c: -c.height):
        if all(_overlap(one, other) < _SAME for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda c: (c.onset, c.offset))


def _overlap(a: Candidate, b: Candidate) -> float:
    shared = min(a.offset, b.offset) - max(a.onset, b.onset)
    return max(shared, 0) / max(max(a.offset, b.offset) - min(a.onset, b.onset), 1)
