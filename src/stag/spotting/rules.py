"""Two spotters without training, to stand beside the one that ships.

*Rule-based*: the scheme of He et al. at 30 moments a second, written anew from its description: windows of 200 moments,
the displacement since the first of each, a low-pass at 5 Hz, empirical mode decomposition, and thresholds in pixels.

*Fixed threshold*: movement since a window's first moment, averaged over the channels, above a number of pixels.

Source: He et al., Micro-expression spotting based on optical flow features, Pattern Recognition Letters 163, 2022.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import splev, splrep
from scipy.signal import argrelextrema, butter, filtfilt

from stag.spotting.peaks import resampled
from stag.types import MICRO_S, FloatArray, Interval, RecordingMotion

_RATE = 30.0
_WINDOW, _STEP = 200, 100
_LOW_PASS_HZ = 5.0
_CANDIDATE_PX, _MODES_PX, _AROUND = 1.4, 0.8, 30
_JOINED, _LEAST = 3, 10
_ENDS = 1 / 3
_BROWS, _MOUTH, _NOSE = range(8), range(8, 14), (14, 15)
_SIFTINGS, _MODES = 5, 6
_FIXED_PX = 1.0  # assumed


@dataclass(frozen=True)
class Thresholds:
    """Rises in pixels of the crop that a movement needs, and the overlap from which intervals are merged."""

    brow_px: float
    mouth_px: float
    nose_px: float
    merge: float


SAMM, CASME = Thresholds(1.65, 1.5, 1.5, 0.34), Thresholds(1.925, 1.85, 2.1, 0.1)
"""Thresholds that were published for SAMM Long Videos and for CAS(ME)^2."""


def spot_by_rules(recording: RecordingMotion, file: str = "", thresholds: Thresholds = SAMM) -> list[Interval]:
    """Return the intervals of the rule-based scheme, in order of time."""
    spans: list[tuple[float, float, float]] = []
    for start_s, moved in _windows(recording):
        size = np.hypot(moved[..., 0], moved[..., 1])
        b, a = butter(2, _LOW_PASS_HZ / (_RATE / 2))
        if len(size) <= 12:
            continue
        smooth = filtfilt(b, a, size, axis=0)
        for channels, rise in (
            (_BROWS, thresholds.brow_px),
            (_MOUTH, thresholds.mouth_px),
            (_NOSE, thresholds.nose_px),
        ):
            for channel in channels:
                for first, peak, last in _movements(smooth[:, channel], rise):
                    spans.append((start_s + first / _RATE, start_s + peak / _RATE, start_s + last / _RATE))
    return [_interval(file, recording.face_id, span) for span in _merged(spans, thresholds.merge)]


def spot_by_threshold(recording: RecordingMotion, file: str = "", threshold_px: float = _FIXED_PX) -> list[Interval]:
    """Return the intervals in which the mean movement of a window exceeds a number of pixels."""
    spans: list[tuple[float, float, float]] = []
    for start_s, moved in _windows(recording):
        size = np.hypot(moved[..., 0], moved[..., 1]).mean(axis=1)
        for first, last in _runs(size - size.min() >= threshold_px):
            if last > first:
                peak = first + int(np.argmax(size[first : last + 1]))
                spans.append((start_s + first / _RATE, start_s + peak / _RATE, start_s + last / _RATE))
    return [_interval(file, recording.face_id, span) for span in _merged(spans, SAMM.merge)]


def empirical_modes(signal: FloatArray, most: int = _MODES) -> list[NDArray[np.float64]]:
    """Return the modes of a signal ``(N,)``, fastest first, and the trend last; their sum is the signal.

    Source: Huang et al., The empirical mode decomposition and the Hilbert spectrum, Proc. R. Soc. A 454, 1998.
    """
    rest = np.asarray(signal, dtype=np.float64)
    modes: list[NDArray[np.float64]] = []
    while len(modes) < most:
        mode = rest
        for _ in range(_SIFTINGS):
            mean = _envelope_mean(mode)
            if mean is None:
                break
            mode = mode - mean
        if _envelope_mean(rest) is None:
            break
        modes.append(mode)
        rest = rest - mode
    return [*modes, rest]


def _envelope_mean(signal: NDArray[np.float64]) -> NDArray[np.float64] | None:
    rows = np.arange(len(signal))
    sides = []
    for kind in (np.greater, np.less):
        at = argrelextrema(signal, kind)[0]
        if len(at) < 2:
            return None
        at = np.concatenate([[0], at, [len(signal) - 1]])
        values = signal[at].copy()
        values[0], values[-1] = values[1], values[-2]
        # Routines of FITPACK take a tenth of the time of the spline classes.
        sides.append(splev(rows, splrep(at, values, k=min(3, len(at) - 1))))
    return np.asarray(0.5 * (sides[0] + sides[1]))


def _windows(recording: RecordingMotion) -> list[tuple[float, NDArray[np.float64]]]:
    """Return start and displacement since the first moment ``(n, 18, 2)`` of each window, half overlapping."""
    found = []
    for rows in recording.stretches():
        time_s = recording.time_s[rows]
        moved = resampled(time_s, recording.motion[rows], _RATE)
        for begin in range(0, max(1, len(moved) - _STEP), _STEP):
            part = moved[begin : begin + _WINDOW]
            found.append((float(time_s[0] + begin / _RATE), part - part[:1]))
    return found


def _movements(course: NDArray[np.float64], rise_px: float) -> list[tuple[int, int, int]]:
    """Return first, strongest and last row of the movements of one channel in one window."""
    course = course - course.min()
    high = course >= _CANDIDATE_PX
    if not high.any():
        return []
    fast: NDArray[np.float64] | None = None
    found = []
    for first, last in _joined(_runs(high)):
        peak = first + int(np.argmax(course[first : last + 1]))
        near = slice(max(0, peak - _AROUND), peak + _AROUND + 1)
        if course[peak] - course[near].min() < rise_px:
            continue
        fast = course - empirical_modes(course)[-1] if fast is None else fast
        if fast[peak] - fast[near].min() < _MODES_PX:
            continue
        below = course < _ENDS * course[peak]
        before, after = np.flatnonzero(below[:peak]), np.flatnonzero(below[peak:])
        first = int(before[-1]) if before.size else 0
        last = peak + int(after[0]) if after.size else len(course) - 1
        if last - first >= _LEAST:
            found.append((first, peak, last))
    return found


def _runs(high: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and last row of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], high, [False]]).astype(int)))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _joined(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in runs:
        if joined and first - joined[-1][1] <= _JOINED:
            joined[-1] = joined[-1][0], last
        else:
            joined.append((first, last))
    return joined


def _merged(spans: list[tuple[float, float, float]], least: float) -> list[tuple[float, float, float]]:
    """Merge spans of regions and windows that overlap by a share of their union."""
    merged: list[tuple[float, float, float]] = []
    for span in sorted(spans):
        for i, other in enumerate(merged):
            shared = min(span[2], other[2]) - max(span[0], other[0])
            if shared > least * (max(span[2], other[2]) - min(span[0], other[0])):
                merged[i] = min(span[0], other[0]), other[1], max(span[2], other[2])
                break
        else:
            merged.append(span)
    return merged


def _interval(file: str, face_id: int, span: tuple[float, float, float]) -> Interval:
    onset, apex, offset = span
    kind = "micro" if offset - onset <= MICRO_S else "macro"
    return Interval(file=file, face_id=face_id, onset_s=onset, apex_s=apex, offset_s=offset, kind=kind)
