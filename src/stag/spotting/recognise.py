"""Recognise what was spotted: the motion of an interval becomes the tensor that a model classifies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from stag.config import MotionConfig
from stag.errors import ModelError
from stag.faces.crop import CROP_PX, INTER_OCULAR_CROP_PX
from stag.inference.predictor import Predictor
from stag.inference.probabilities import answer
from stag.motion.follow import TURNED_DEG
from stag.motion.quality import interval_quality, withheld
from stag.motion.regions import LAYOUTS, USUAL, channel_names
from stag.motion.transforms import between_steps, magnitude_positions, motion_at, probe_positions, uniform_positions
from stag.spotting.score import DEFAULT_FALSE_ALARMS, Spotter
from stag.types import NO_MOVEMENT, FloatArray, Interval, MotionTensor, Prediction, Quality, RecordingMotion
from stag.utils.values import ArrayValue

_WINDOW_S = 0.64  # assumed; length of the windows in which action units are estimated
_MOVING = 0.5  # share of the strongest channel's motion from which a region counts as moving
_BATCH = 64
_MEANWHILE = {
    "blink": "during a blink", "speech": "during speech", "gaze": "as the gaze shifts", "turn": "as the head turns",
}  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Expression(ArrayValue):
    """A spotted expression with what it shows.

    Attributes:
        interval: When, which kind, how sure.
        prediction: The answer of the model, whose ``motion`` is that of the interval.
        regions: Names of the channels that moved most, the strongest first.
        strength_px: Displacement of the strongest of them at the apex, crop pixels.
        flags: Other events at the same time, such as ``"during a blink"``.
    """

    interval: Interval
    prediction: Prediction
    regions: tuple[str, ...]
    strength_px: float
    flags: tuple[str, ...]

    def _summary(self) -> str:
        one = self.interval
        return (
            f"{one.kind}, {one.onset_s:.2f} to {one.offset_s:.2f} s, score {one.score:.2f}, {self.prediction.predicted}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class FaceTimeline(ArrayValue):
    """What one face of a recording does.

    Attributes:
        file: The recording as the user named it.
        motion: Its motion.
        expressions: Micro- and macro-expressions, in order of time.
        events: Blinks, speech, shifts of the gaze and turns of the head, in order of time.
        false_alarms: The set rate of false alarms per minute.
        unit_curves: ``(N, A)`` estimated activity of each action unit at each moment, 0 to 1; ``nan`` where none is
            measured.
    """

    file: str
    motion: RecordingMotion
    expressions: tuple[Expression, ...]
    events: tuple[Interval, ...]
    false_alarms: float
    unit_curves: NDArray[np.float64]

    def _summary(self) -> str:
        kinds = [one.interval.kind for one in self.expressions]
        found = f"{kinds.count('micro')} micro, {kinds.count('macro')} macro"
        return f"{self.file}, face {self.motion.face_id}: {found} in {self.motion.measured_s:.1f} s"


def timeline(
    recording: RecordingMotion,
    file: str,
    spotter: Spotter,
    predictor: Predictor,
    *,
    false_alarms: float = DEFAULT_FALSE_ALARMS,
    coded: Sequence[Interval] | None = None,
) -> FaceTimeline:
    """Spot the expressions of one face and recognise each, or recognise those that a person coded.

    Coded intervals in which the face was not followed are left out.
    """
    found = spotter.spot(recording, file, false_alarms=false_alarms)
    chosen = found.expressions
    if coded is not None:
        ends = [(recording.time_s[rows.start], recording.time_s[rows.stop - 1]) for rows in recording.stretches()]
        chosen = [
            replace(one, file=file, face_id=recording.face_id)
            for one in coded
            if one.face_id in (None, recording.face_id)
            and any(first <= one.onset_s and one.offset_s <= last for first, last in ends)
        ]
    expressions = tuple(recognise(recording, one, predictor, found.events) for one in chosen)
    curves = unit_curves(recording, predictor)
    return FaceTimeline(file, recording, expressions, tuple(found.events), false_alarms, curves)


def recognise(
    recording: RecordingMotion, interval: Interval, predictor: Predictor, events: Sequence[Interval] = ()
) -> Expression:
    """Classify the motion of one interval; ``events`` are what else happens in the recording."""
    tensor = interval_motion(recording, interval, predictor.settings)
    prediction = predictor.classify(tensor, interval.file)
    at_s = interval.apex_s if np.isfinite(interval.apex_s) else 0.5 * (interval.onset_s + interval.offset_s)
    rows = np.searchsorted(recording.time_s, [interval.onset_s, at_s])
    onset, apex = np.minimum(rows, len(recording.time_s) - 1)
    own = list(LAYOUTS["roi14"])
    size = np.hypot(*(recording.motion[apex] - recording.motion[onset])[own].T)
    order = [i for i in np.argsort(-size)[:4] if size[i] >= _MOVING * size.max()]
    overlapping = dict.fromkeys(
        _MEANWHILE[e.kind] for e in events if e.onset_s < interval.offset_s and e.offset_s > interval.onset_s
    )
    regions = tuple(channel_names("roi14")[i] for i in order)
    return Expression(interval, prediction, regions, float(size.max()), tuple(overlapping))


def require_measured_regions(config: MotionConfig) -> None:
    """Refuse a model whose regions are not measured in recordings.

    Raises:
        ModelError: It reads the upper lids.
    """
    if max(LAYOUTS[config.layout]) >= USUAL:
        raise ModelError(
            f"the model is for layout {config.layout}; recordings are measured in roi18, without the upper lids: take "
            f"a model of roi18 or roi14"
        )


def interval_motion(recording: RecordingMotion, interval: Interval, config: MotionConfig) -> MotionTensor:
    """Return the motion of an interval as a model reads it: ``T`` steps since the onset."""
    require_measured_regions(config)
    rows = _rows_of(recording, interval)
    moved = (recording.motion[rows] - recording.motion[rows.start]).astype(np.float64)
    n, steps = len(moved), config.steps
    if config.sampling == "magnitude" and n > steps:
        probes = np.unique(probe_positions(n))
        step_px = np.sqrt(np.square(np.diff(moved[probes.astype(int)], axis=0)).mean(axis=(1, 2)))
        positions = magnitude_positions(probes, np.clip(step_px - np.quantile(step_px, 0.2), 0, None), steps)
    else:
        positions = uniform_positions(n, steps)
    motion = motion_at(positions, moved)[:, list(LAYOUTS[config.layout])]
    quality = _quality(recording, rows, motion)
    if config.reference == "previous":
        motion = np.asarray(between_steps(motion))
    motion32 = motion.astype(np.float32)
    time_s = recording.time_s[rows]
    turned = float(recording.turn_deg[rows].max()) > TURNED_DEG
    return MotionTensor(
        motion=motion32,
        time_s=np.interp(positions, np.arange(n), time_s - time_s[0]).astype(np.float32),
        frame_index=positions,
        flags=withheld(quality, motion32, config.reference, turned=turned),
        strength_px=float(np.sqrt(np.mean(np.square(motion32, dtype=np.float64)))),
        crop=np.zeros((CROP_PX, CROP_PX), np.uint8) if recording.crop is None else recording.crop,
        points=np.zeros((68, 2)) if recording.points is None else recording.points,
        n_frames=n,
        duration_s=float(time_s[-1] - time_s[0]),
        start_s=float(time_s[0]),
        face_id=recording.face_id,
        quality=quality,
    )


def _quality(recording: RecordingMotion, rows: slice, motion: FloatArray) -> Quality | None:
    if recording.look is None or recording.to_crop is None:
        return None
    (a, _, _), (b, _, _) = recording.to_crop[recording.stretch[rows.start]]
    return interval_quality(recording.look[rows], motion, INTER_OCULAR_CROP_PX / float(np.hypot(a, b)))


def unit_curves(recording: RecordingMotion, predictor: Predictor) -> NDArray[np.float64]:
    """Return the estimated activity of each action unit at each moment, ``(N, A)``; ``nan`` where none is measured.

    The model reads half-overlapping windows of .64 s, and its estimates of each step are averaged; a window in which
    nothing moves above the noise counts as 0.
    """
    model, config = predictor.model, predictor.settings
    sums = np.zeros((len(recording.time_s), len(model.info.au_vocabulary)))
    counts = np.zeros((len(recording.time_s), 1))
    windows: list[tuple[slice, MotionTensor]] = []
    for rows in recording.stretches():
        time_s = recording.time_s[rows]
        for start in np.arange(time_s[0], max(time_s[-1] - _WINDOW_S, time_s[0]) + 1e-9, _WINDOW_S / 2):
            window = Interval(file="", onset_s=float(start), offset_s=float(start) + _WINDOW_S)
            low, high = np.searchsorted(recording.time_s, [window.onset_s, window.offset_s])
            high = min(int(high), rows.stop)
            if high - low >= 3:
                windows.append((slice(int(low), high), interval_motion(recording, window, config)))
    for begin in range(0, len(windows), _BATCH):
        some = windows[begin : begin + _BATCH]
        motion = torch.from_numpy(np.stack([tensor.motion for _, tensor in some]))
        steps = answer(model, motion, au_source=model.info.au_source(coded=False), views=None, attention=True).au_steps
        assert steps is not None
        for (rows, tensor), values in zip(some, steps, strict=True):
            clock = recording.time_s[rows] - recording.time_s[rows.start]
            if NO_MOVEMENT in tensor.flags:
                counts[rows] += 1
                continue
            sums[rows] += np.stack([np.interp(clock, tensor.time_s, column) for column in values.T], axis=1)
            counts[rows] += 1
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _rows_of(recording: RecordingMotion, interval: Interval) -> slice:
    """Return the rows of an interval, at least three, within one stretch."""
    low, high = np.searchsorted(recording.time_s, [interval.onset_s, interval.offset_s + 1e-9])
    low = min(int(low), len(recording.time_s) - 1)
    stretch = next(rows for rows in recording.stretches() if rows.start <= low < rows.stop)
    low = max(stretch.start, min(low, stretch.stop - 3))
    return slice(low, min(max(int(high), low + 3), stretch.stop))
