"""Simulate the motion of recordings of minutes without pixels, as extraction would measure it.

The action units of a script become motion of the channels through the responses of a few faces; the head's turns, the
light, noise, drift, cuts and losses of the face are added. Everything that extraction is not sure to do is drawn anew
for each recording, so that a spotter learns none of it by heart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stag.facs import AU_VOCABULARY
from stag.motion.recording import RENEWAL_S, USUAL_S
from stag.motion.regions import USUAL
from stag.simulate.corpus import STYLE, numbered, subject_generator
from stag.simulate.extraction_model import CATCHES, DEPTH_PX, ExtractionErrors, channel_bank
from stag.simulate.habit import Habit
from stag.simulate.likeness import person_answer
from stag.simulate.recording import RecordingScript, write_recording
from stag.simulate.script import DisplayStyle, between
from stag.types import FloatArray, Interval, RecordingMotion
from stag.utils.values import ArrayValue

RATES = (25.0, 30.0, 50.0, 60.0)
"""Moments a second: faster cameras are averaged down to these."""

_PERSON = 20
_RECORDING = 21
_BLINK = AU_VOCABULARY.index(45)
_LIDS = [16, 17]
_RESTING = 10  # action units that move at rest


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedRecording(ArrayValue):
    """A simulated recording: what extraction measures, and what happened."""

    motion: RecordingMotion
    script: RecordingScript

    @property
    def seen(self) -> list[tuple[Interval, float]]:
        """Expressions, with their strength, during which the face was followed."""
        rows = self.motion.stretches()
        times = [(self.motion.time_s[r.start], self.motion.time_s[r.stop - 1]) for r in rows]
        both = zip(self.script.expressions, self.script.strength_px, strict=True)
        return [(e, px) for e, px in both if any(a <= e.onset_s and e.offset_s <= b for a, b in times)]


def simulate_recording(
    person: int, recording: int = 0, *, seed: int = 0, duration_s: float = 90.0, expressions: bool = True
) -> SimulatedRecording:
    """Simulate one recording of a person; equal arguments give equal recordings.

    Args:
        person: Number of the person; the face and the habits depend on it.
        recording: Number of the recording of that person.
        seed: Seed of everything.
        duration_s: Length.
        expressions: Whether the person shows micro- and macro-expressions, or all the rest alone.

    Example:
        >>> simulate_recording(0).motion.motion.shape[1:]
        (18, 2)
    """
    style = DisplayStyle.draw(subject_generator(seed, person, STYLE))
    own = subject_generator(seed, person, _PERSON)
    bank = channel_bank(1.0, ExtractionErrors.window_px, ExtractionErrors.kept)
    face = bank.response[own.integers(len(bank.response)), own.integers(CATCHES), ..., :USUAL, :]
    response = np.exp(0.3 * person_answer(own))[..., None] * face
    generator = subject_generator(seed, person, _RECORDING, recording)
    name = f"{numbered('s', person, 1000)}_{numbered('r', recording, 100)}"
    habit = Habit.draw(generator, expressions=expressions)
    script = write_recording(style, habit, duration_s, generator, name, name.partition("_")[0])
    return SimulatedRecording(observe(script, response, generator), script)


def observe(script: RecordingScript, response: FloatArray, g: np.random.Generator) -> RecordingMotion:
    """Return what extraction measures of a scripted recording.

    Args:
        script: What happens.
        response: ``(A, 2, 18, 2)`` motion of the channels by action unit and side, of this person.
        g: Source of randomness.
    """
    fps = float(g.choice(RATES))
    time_s = np.arange(int(script.duration_s * fps)) / fps
    amounts = script.amounts(time_s).astype(np.float64)
    blink = amounts[:, _BLINK].mean(axis=1)
    amounts += _unrest(script.habit.unrest_px, fps, amounts.shape, g)
    motion = amounts.reshape(len(time_s), -1) @ response.reshape(-1, 2 * USUAL)
    motion = motion.reshape(len(time_s), USUAL, 2)
    eyes, pull = _gaze(script, time_s)
    motion[:, _LIDS, 1] += pull[:, None]
    motion *= g.uniform(0.55, 1.0) * np.exp(0.1 * g.standard_normal((1, USUAL, 1)))
    pose, turned = script.pose(time_s), script.turned_deg(time_s)
    motion += _leaks(pose, turned, g)
    noise_px = float(np.exp(g.uniform(np.log(0.03), np.log(0.22))))
    motion += _noise(len(time_s), fps, noise_px, script.duration_s, g)
    eyes += np.minimum(blink / g.uniform(2.5, 5.0), 1.0) * g.uniform(0.7, 1.5)
    eyes += 0.05 * np.abs(amounts[:, [AU_VOCABULARY.index(u) for u in (5, 6, 7)]]).sum(axis=(1, 2))
    eyes += g.uniform(0.03, 0.45) * (1 + g.uniform(0.05, 0.3) * g.standard_normal(len(time_s)))
    eyes += g.uniform(0, 0.04) * np.hypot(*turned.T)  # a turning head changes the picture
    size_deg = np.hypot(*turned.T) + 0.5 * g.standard_normal(len(time_s))
    kept, stretch = _stretches(time_s, g)
    return RecordingMotion(
        time_s=time_s[kept],
        motion=motion[kept].astype(np.float32),
        stretch=stretch[kept],
        head=(pose[kept] + [0.1, 0.1, 0.05, 1e-3] * g.standard_normal((kept.sum(), 4))).astype(np.float32),
        turn_deg=np.where(size_deg > 3, size_deg, 0)[kept].astype(np.float32),
        eyes=np.abs(eyes)[kept].astype(np.float32),
        duration_s=script.duration_s,
    )


def _unrest(px: float, fps: float, shape: tuple[int, ...], g: np.random.Generator) -> NDArray[np.float64]:
    """Return small movements of some muscles at rest, in bursts: ``(N, A, 2)``."""
    unrest = np.zeros(shape)
    for unit in g.choice(len(AU_VOCABULARY) - 1, _RESTING, replace=False):
        slow = gaussian_filter1d(g.standard_normal(shape[0]), np.exp(g.uniform(np.log(0.05), np.log(1.5))) * fps)
        burst = gaussian_filter1d(g.standard_normal(shape[0]), 3 * fps)
        course = slow / max(slow.std(), 1e-9) * np.exp(0.7 * burst / max(burst.std(), 1e-9))
        unrest[:, unit] = px * course[:, None] * g.uniform(0.3, 1.0, 2)
    return unrest


def _gaze(script: RecordingScript, time_s: FloatArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the change of the eyes' picture and the vertical pull on the lower lids, ``(N,)`` each."""
    eyes, pull = np.zeros(len(time_s)), np.zeros(len(time_s))
    last = 0.0
    for start, change, place in sorted(script.gazes):
        since = time_s - start
        moved = np.clip(since / 0.06, 0, 1)  # assumed; a shift takes 60 ms
        eyes += change * moved * np.exp(-np.maximum(since, 0) / USUAL_S)
        pull += (place - last) * moved
        last = place
    return eyes, pull


def _leaks(pose: FloatArray, turned: FloatArray, g: np.random.Generator) -> NDArray[np.float64]:
    """Return the false motion ``(N, 18, 2)`` by a head whose alignment is not perfect."""
    angle = np.deg2rad(turned)
    depth = DEPTH_PX[:USUAL] * g.uniform(0.05, 0.5)
    parallax = 4.0 * g.standard_normal((USUAL, 2, 2)) * g.uniform(0.3, 1.5)
    false = depth[:, None] * angle[:, None] + np.einsum("nk,rkc->nrc", angle, parallax)
    leak = g.uniform(0, 0.06) * g.standard_normal((4, USUAL, 2)) * np.array([1, 1, 1, 60])[:, None, None]
    return np.asarray(false + np.tensordot(pose, leak, 1))


def _noise(n: int, fps: float, noise_px: float, duration_s: float, g: np.random.Generator) -> NDArray[np.float64]:
    """Return noise of the measurement ``(N, 18, 2)``: of each moment, of slow drift, of renewals, of the light."""
    shape = (n, USUAL, 2)
    each = noise_px * np.exp(0.4 * g.standard_normal((1, USUAL, 1)))
    noise = g.standard_normal(shape)
    drift = gaussian_filter1d(g.standard_normal(shape), g.uniform(0.1, 0.8) * fps, axis=0)
    level = np.ones((n, 1, 1))
    for _ in range(g.poisson(0.4 * duration_s / 60)):
        begin = int(g.integers(n))
        stop = begin + int(g.uniform(0.1, 2.0) * fps)
        level[begin:stop] *= g.uniform(1.5, 4.0)
        noise[begin:] += g.normal(0, 2.0, (1, USUAL, 2))
    drift *= g.uniform(0.3, 1.2) / drift.std()
    renewed = np.zeros(shape)
    renewed[:: max(1, int(RENEWAL_S * fps))] = 1
    steps = np.cumsum(0.7 * g.standard_normal(shape) * renewed, axis=0)
    return np.asarray(each * (level * noise + drift + steps))


def interruptions(time_s: FloatArray, g: np.random.Generator) -> tuple[list[float], list[tuple[float, float]]]:
    """Draw the times of cuts, and the times in which the face is gone, of a recording with moments at ``time_s``."""
    cuts = [float(time_s[g.integers(len(time_s))]) for _ in range(g.poisson(0.25))]
    gone = []
    for _ in range(g.poisson(0.25)):
        begin = g.uniform(0, time_s[-1])
        gone.append((begin, begin + float(between((0.6, 6.0), np.asarray(g.random())))))
    return cuts, gone


def _stretches(time_s: FloatArray, g: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which moments were measured, and the number of the stretch of each."""
    cuts, gone = interruptions(time_s, g)
    begins = np.array([*cuts, *(begin for begin, _ in gone)])
    kept = np.ones(len(time_s), bool)
    for begin, end in gone:
        kept &= ~((time_s >= begin) & (time_s < end))
    return kept, (time_s[:, None] >= begins).sum(axis=1)
