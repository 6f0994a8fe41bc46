"""How weak an expression would have been spotted: known ones are rendered into the user's own recording.

At still moments of the recording the skin is moved by the simulator's displacement fields, by known action units and
strengths, and the recording is measured and spotted again. The strength that is spotted in half of the cases is the
limit of detection of this camera, this light, and this person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from stag.errors import StagError
from stag.faces.crop import compose, invert
from stag.facs import AU_VOCABULARY
from stag.motion.recording import frame_to_crop
from stag.simulate.actions import CROP_TO_GRID, ActionFields, action_fields
from stag.simulate.recording import Movement
from stag.spotting.peaks import rise_and_fall
from stag.spotting.score import Spotter
from stag.types import FloatArray, Frame, GreyImage, Interval, RecordingMotion
from stag.utils.values import ArrayValue

UNITS: tuple[tuple[int, ...], ...] = ((1, 2), (4,), (4, 7), (6, 12), (9,), (10,), (12,), (14,), (15,), (17,), (24,))
"""Action units that are rendered."""

STRENGTHS_PX = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
_LENGTH_S = 0.4  # assumed; the median of micro-expressions is .34 to .4 s
_APEX = 0.48
_GAP_S = 1.0  # least time between two of them
_MATCH = 0.5
_RESAMPLES = 300
_RANGE_PX = (0.05, 10.0)


@dataclass(frozen=True)
class Planted:
    """One rendered expression, and whether it was spotted."""

    onset_s: float
    action_units: tuple[int, ...]
    strength_px: float
    found: bool = False

    @property
    def interval(self) -> Interval:
        """When it is."""
        return Interval(file="", onset_s=self.onset_s, offset_s=self.onset_s + _LENGTH_S, kind="micro")


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity(ArrayValue):
    """Result of planting expressions.

    Attributes:
        planted: All of them.
        limit_px: Strength at which half are spotted, crop pixels; infinite where hardly any was.
        low_px: Lower end of its 95 % interval (bootstrap over the planted ones).
        high_px: Upper end.
        false_alarms: The set rate of false alarms per minute.
        motion: The recording as it is, without planted movements.
    """

    planted: tuple[Planted, ...]
    limit_px: float
    low_px: float
    high_px: float
    false_alarms: float
    motion: RecordingMotion

    @property
    def sentence(self) -> str:
        """The limit in words."""
        most = max(STRENGTHS_PX)
        alarms = "false alarm" if self.false_alarms == 1 else "false alarms"
        about = f"at {self.false_alarms:g} {alarms} a minute, from {len(self.planted)} planted movements"
        if not self.limit_px <= most:
            return f"A movement of {most:g} px would have been missed in most cases here ({about})."
        return (
            f"A movement under {self.limit_px:.2f} px would not have been seen here "
            f"(95 % interval {self.low_px:.2f} to {min(self.high_px, _RANGE_PX[1]):.2f} px; {about})."
        )

    def rates(self) -> dict[float, tuple[int, int]]:
        """Return strength -> number spotted, number planted."""
        return {
            px: (sum(one.found for one in self.planted if one.strength_px == px), n)
            for px in STRENGTHS_PX
            if (n := sum(one.strength_px == px for one in self.planted))
        }

    def unit_rates(self) -> dict[str, tuple[int, int]]:
        """Return action units -> number spotted, number planted, over all strengths."""
        names = dict.fromkeys("+".join(map(str, one.action_units)) for one in self.planted)
        chosen = {name: [p for p in self.planted if "+".join(map(str, p.action_units)) == name] for name in names}
        return {name: (sum(p.found for p in some), len(some)) for name, some in chosen.items()}


def measure_sensitivity(
    original: RecordingMotion,
    again: Callable[[Callable[[Iterable[Frame]], Iterator[Frame]]], RecordingMotion],
    spotter: Spotter,
    *,
    false_alarms: float,
    rounds: int,
    seed: int = 0,
) -> Sensitivity:
    """Plant expressions into a recording in several rounds, and spot them.

    Args:
        original: The recording as measured.
        again: Measures the recording once more, through a function that changes its frames.
        spotter: The spotter.
        false_alarms: Rate per minute that sets its threshold.
        rounds: How often the recording is read again; each round plants as many as there are still moments.
        seed: Seed of units and strengths.

    Raises:
        StagError: The recording has no still moment.
    """
    if original.points is None or original.to_crop is None:
        raise ValueError("the motion has no landmarks; measure it from a recording")
    generator = np.random.default_rng(seed)
    starts = still_moments(original)
    if not starts:
        raise StagError("the face is never still and in view for long enough to plant a movement; give more of it")
    fields = action_fields(original.points, sorted({unit for units in UNITS for unit in units}))
    todo = [(units, px) for px in STRENGTHS_PX for units in UNITS]
    order = [todo[i] for i in generator.permutation(len(todo))]
    tried: list[Planted] = []
    for turn in range(rounds):
        shift = turn * 0.07  # so that a round does not meet the same frames
        chosen = [Planted(start + shift, *order[(len(tried) + i) % len(order)]) for i, start in enumerate(starts)]
        measured = again(partial(planted_frames, motion=original, fields=fields, planted=chosen))
        found = spotter.spot(measured, false_alarms=false_alarms).expressions
        tried += [replace(one, found=any(one.interval.overlap(f) >= _MATCH for f in found)) for one in chosen]
    limit, low, high = half_point(tried, generator)
    return Sensitivity(tuple(tried), limit, low, high, false_alarms, original)


def still_moments(motion: RecordingMotion, most: int = 60) -> list[float]:
    """Return starts, seconds, at which the face is as still as it mostly is, the stillest ones, some time apart."""
    lengths: list[tuple[float, float]] = []
    for rows in motion.stretches():
        time_s = motion.time_s[rows]
        if time_s[-1] - time_s[0] < _LENGTH_S + 0.4:
            continue
        half = max(2, int(0.1 / max(float(np.median(np.diff(time_s))), 1e-3)))
        unrest = np.sqrt(np.square(rise_and_fall(motion.motion[rows].astype(np.float64), half)).mean(axis=(1, 2)))
        for start in np.arange(time_s[0] + 0.15, time_s[-1] - _LENGTH_S - 0.2, 0.1):
            inside = (time_s >= start - 0.1) & (time_s <= start + _LENGTH_S + 0.2)
            lengths.append((float(unrest[inside].mean()), float(start)))
    if not lengths:
        return []
    usual = float(np.median([size for size, _ in lengths]))
    kept: list[float] = []
    for size, start in sorted(lengths):
        if size <= usual and all(abs(start - other) >= _LENGTH_S + _GAP_S for other in kept) and len(kept) < most:
            kept.append(start)
    return sorted(kept)


def planted_frames(
    frames: Iterable[Frame], motion: RecordingMotion, fields: ActionFields, planted: Sequence[Planted]
) -> Iterator[Frame]:
    """Yield the frames of a recording with the skin moved where an expression is planted."""
    for frame in frames:
        now = next((one for one in planted if 0 < frame.time_s - one.onset_s < _LENGTH_S), None)
        if now is None:
            yield frame
            continue
        level = Movement(now.onset_s, _APEX * _LENGTH_S, 0.0, (1 - _APEX) * _LENGTH_S, ()).level(
            np.array([frame.time_s])
        )
        amount = np.zeros((len(AU_VOCABULARY), 2))
        amount[[AU_VOCABULARY.index(unit) for unit in now.action_units]] = now.strength_px * float(level[0])
        row = int(np.argmin(np.abs(motion.time_s - frame.time_s)))
        image = _moved(frame.image, fields.combine(amount), frame_to_crop(motion, row))
        yield Frame(image, frame.time_s, frame.flags)


def half_point(planted: Sequence[Planted], generator: np.random.Generator) -> tuple[float, float, float]:
    """Return the strength of half detection and its 95 % interval, by logistic regression on the log strength."""
    log_px = np.log([one.strength_px for one in planted])
    found = np.array([one.found for one in planted], float)
    best = _fit_half(log_px, found)
    drawn = generator.integers(len(found), size=(_RESAMPLES, len(found)))
    low, high = np.quantile([_fit_half(log_px[rows], found[rows]) for rows in drawn], [0.025, 0.975])
    return best, float(low), float(high)


def _fit_half(log_px: FloatArray, found: FloatArray) -> float:
    low, high = np.log(_RANGE_PX)

    def loss(theta: FloatArray) -> float:
        middle, slope = theta
        z = np.exp(slope) * (log_px - middle)
        likelihood = np.logaddexp(0, z) - found * z
        # A weak prior keeps the fit finite where all, or none, were found.
        return float(likelihood.sum() + 0.1 * middle**2 + 0.5 * (slope - 1) ** 2)

    best = minimize(loss, np.array([0.0, 1.0]), method="Nelder-Mead", options={"maxiter": 120, "xatol": 1e-2})
    return float(np.exp(np.clip(best.x[0], low, high)))


def _moved(image: GreyImage, field: NDArray[np.float32], to_crop: FloatArray) -> GreyImage:
    """Return a frame with its skin moved by a backward displacement on the crop."""
    height, width = image.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shift = cv2.warpAffine(field, compose(CROP_TO_GRID, to_crop), (width, height), flags=flags)
    column, row = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    place = np.stack([column, row], axis=-1) - cv2.transform(shift, invert(to_crop)[:, :2])
    drawn = cv2.remap(image, place.astype(np.float32), np.empty(0), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, dtype=np.uint8)
