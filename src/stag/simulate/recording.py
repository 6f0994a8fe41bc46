"""Write scripts of recordings of minutes: expressions at known times among everything else that a face does.

Every movement of the face is a set of action units that rise, may hold, and fall. Micro- and macro-expressions show
emotions by the table of :mod:`stag.simulate.emotions`; blinks, syllables, swallowing, gestures of brows and lips and
shifts of the gaze move the same skin for as long, and do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stag.facs import AU_VOCABULARY
from stag.simulate.actions import one_sided_share
from stag.simulate.emotions import EMOTION_CLIPS, draw_units, unit_odds
from stag.simulate.habit import Habit
from stag.simulate.script import DisplayStyle, ease
from stag.types import MICRO_S, FloatArray, Interval
from stag.utils.values import ArrayValue

Parts = tuple[tuple[int, float, float, float], ...]
"""Action units of a movement: position in the vocabulary, amount on the left and right (crop pixels), lag (s)."""

MACRO_S = 4.0
"""Longest macro-expression."""

_GAP_S = 0.3  # least time between two expressions, and at either end
_MICRO_MEDIAN_S, _MICRO_SPREAD, _MICRO_LEAST_S = 0.365, 0.23, 0.13  # SIMULATOR: 90th percentile .495
_MACRO_MEDIAN_S, _MACRO_SPREAD = 1.2, 0.5  # assumed
_MICRO_PX, _MACRO_PX = (1.0, 0.45, 0.3, 2.5), (2.0, 0.6, 0.5, 8.0)  # assumed; median, spread of the log, least, most
_BLINK_S, _CLOSING = (0.19, 0.32), 0.42  # measured: half-depth width 96 to 150 ms, closing takes 42 % of it
_BLINK_PX = (3.0, 8.0)  # assumed
_SYLLABLE_HZ = (2.5, 6.0)
_MOUTH = (25, 26, 17, 18, 20, 12, 10, 23)
_ORAL = ((23,), (24,), (28,), (18,), (17,), (14,), (12,), (25,))
_BROWS = ((1, 2), (2,), (4,), (1,), (5,))


@dataclass(frozen=True)
class Movement:
    """One movement of the face."""

    start_s: float
    rise_s: float
    hold_s: float
    fall_s: float
    parts: Parts

    @property
    def end_s(self) -> float:
        """Time at which it is over."""
        return self.start_s + self.rise_s + self.hold_s + self.fall_s

    def level(self, time_s: FloatArray) -> FloatArray:
        """Return the share of the full amount at each moment, 0 to 1 (minimum-jerk rise and fall)."""
        since = time_s - self.start_s
        rising, falling = since / self.rise_s, (since - self.rise_s - self.hold_s) / self.fall_s
        return ease(np.clip(rising, 0, 1)) - ease(np.clip(falling, 0, 1))


@dataclass(eq=False, repr=False)
class RecordingScript(ArrayValue):
    """Script of one recording of one person.

    Attributes:
        movements: Everything the face does.
        expressions: True intervals, micro and macro, in order of time.
        strength_px: Peak displacement of each of them.
        events: Intervals of kind ``blink``, ``speech``, ``gaze``, ``turn``, ``swallow`` and ``gesture``.
        gazes: Time, change of the picture of the eyes, vertical place of the lower lids from then on (crop pixels).
        turns: Start, rise, hold, fall (s), turn to the right and down (degrees).
        sway: ``(4, 6, 3)``: amplitude, frequency (Hz) and phase of the head's path, as shift right, down (crop pixels),
            turn (degrees) and log size.
    """

    duration_s: float
    habit: Habit
    movements: list[Movement] = field(default_factory=list)
    expressions: list[Interval] = field(default_factory=list)
    strength_px: list[float] = field(default_factory=list)
    events: list[Interval] = field(default_factory=list)
    gazes: list[tuple[float, float, float]] = field(default_factory=list)
    turns: list[tuple[float, float, float, float, float, float]] = field(default_factory=list)
    sway: FloatArray = field(default_factory=lambda: np.zeros((4, 6, 3)))

    def amounts(self, time_s: FloatArray) -> NDArray[np.float32]:
        """Return the amount of each action unit and side at rising moments: ``(N,) -> (N, A, 2)``, crop pixels."""
        moved = np.zeros((len(time_s), len(AU_VOCABULARY), 2), np.float32)
        for one in self.movements:
            low, high = np.searchsorted(time_s, [one.start_s, one.end_s + 0.1])
            for unit, left, right, lag_s in one.parts:
                level = one.level(time_s[low:high] - lag_s)
                moved[low:high, unit, 0] += left * level
                moved[low:high, unit, 1] += right * level
        return moved

    def pose(self, time_s: FloatArray) -> FloatArray:
        """Return the head's shift right, down (crop pixels), turn in the plane (degrees), log size: ``(N, 4)``."""
        amplitude, hz, phase = np.moveaxis(self.sway, 2, 0)
        waves = np.sin(2 * np.pi * time_s[:, None, None] * hz + phase)
        path = (amplitude * waves).sum(axis=2)
        path[:, :2] += 0.6 * self.turned_deg(time_s)  # assumed; a turning head shifts
        return np.asarray(path)

    def turned_deg(self, time_s: FloatArray) -> FloatArray:
        """Return the turn of the head to the right and down, ``(N, 2)`` degrees."""
        turned = np.zeros((len(time_s), 2))
        for start, rise, hold, fall, right, down in self.turns:
            level = Movement(start, rise, hold, fall, ()).level(time_s)
            turned += level[:, None] * np.array([right, down])
        return turned


def write_recording(
    style: DisplayStyle,
    habit: Habit,
    duration_s: float,
    generator: np.random.Generator,
    file: str = "",
    person: str = "",
) -> RecordingScript:
    """Write the script of a new recording of a person."""
    script = _Writer(style, habit, duration_s, generator, file, person)
    script.expressions_()
    script.blinks()
    script.speech()
    script.gestures()
    script.gazes_and_turns()
    return script.finished()


class _Writer:
    """Collects the movements of a recording."""

    def __init__(
        self,
        style: DisplayStyle,
        habit: Habit,
        duration_s: float,
        generator: np.random.Generator,
        file: str,
        person: str,
    ) -> None:
        self.style, self.habit, self.g = style, habit, generator
        self.file, self.person = file, person
        self.script = RecordingScript(duration_s, habit)

    def finished(self) -> RecordingScript:
        order = np.argsort([one.onset_s for one in self.script.expressions])
        for values in (self.script.expressions, self.script.strength_px):
            values[:] = [values[i] for i in order]
        self.script.events.sort(key=lambda one: one.onset_s)
        return self.script

    def expressions_(self) -> None:
        """Place micro- and macro-expressions where no other expression is."""
        taken: list[tuple[float, float]] = []
        names, clips = list(EMOTION_CLIPS), np.array(list(EMOTION_CLIPS.values()), float)
        kinds = ["micro"] * self.times(self.habit.micro) + ["macro"] * self.times(self.habit.macro)
        for kind in kinds:
            micro = kind == "micro"
            median, spread = (_MICRO_MEDIAN_S, _MICRO_SPREAD) if micro else (_MACRO_MEDIAN_S, _MACRO_SPREAD)
            length = self.style.speed * median * np.exp(spread * self.g.standard_normal())
            length = float(np.clip(length, *((_MICRO_LEAST_S, MICRO_S) if micro else (MICRO_S + 0.02, MACRO_S))))
            start = self.free(length, taken)
            if start is None:
                continue
            taken.append((start, start + length))
            hold = 0.0 if micro else length * self.g.uniform(0, 0.5)
            rise = (length - hold) * float(np.clip(self.g.beta(5.3, 5.6), 0.15, 0.85))
            emotion = names[int(self.g.choice(len(names), p=clips / clips.sum()))]
            units = draw_units(unit_odds(emotion, (self.style.preferred or {}).get(emotion)), self.g)
            median_px, spread, least, most = _MICRO_PX if micro else _MACRO_PX
            strength = self.style.strength * median_px * np.exp(spread * self.g.standard_normal())
            strength = float(np.clip(strength, least, most))
            parts = self.parts(units, strength, lag_s=min(0.04, 0.2 * length) if micro else 0.1)
            self.script.movements.append(Movement(start, rise, hold, length - hold - rise, parts))
            self.script.expressions.append(
                Interval(
                    file=self.file, subject=self.person, kind=kind, onset_s=start, apex_s=start + rise,
                    offset_s=start + length, emotion=emotion, action_units=units,
                )
            )  # fmt: skip
            self.script.strength_px.append(strength)

    def blinks(self) -> None:
        for start in self.moments(self.habit.blink):
            length = self.g.uniform(*_BLINK_S)
            amount = self.g.uniform(*_BLINK_PX)
            closing = _CLOSING * length
            parts = ((AU_VOCABULARY.index(45), amount, amount, 0.0),)
            self.move("blink", start, closing, 0.0, length - closing, parts)
            if self.g.random() < 0.3:  # assumed; lids pull brows and cheeks along
                self.add(start, closing, 0.0, length - closing, self.parts((4,), 0.1 * amount, lag_s=0.0))

    def speech(self) -> None:
        """Write bouts of irregular movement of the mouth, some with beats of the brows."""
        for start in self.moments(self.habit.speech):
            end = min(start + self.g.uniform(1.5, 8.0), self.script.duration_s)
            hz, loud = self.g.uniform(*_SYLLABLE_HZ), np.exp(self.g.normal(0.4, 0.4))
            now = start
            while now < end:
                length = self.g.uniform(0.7, 1.8) / hz
                units = (25, *self.g.choice(_MOUTH, self.g.integers(1, 3), replace=False).tolist())
                amount = loud * np.exp(0.4 * self.g.standard_normal())
                rise = length * self.g.uniform(0.35, 0.65)
                self.add(now, rise, 0.0, length - rise, self.parts(tuple(set(units)), amount, lag_s=0.02))
                if self.g.random() < 0.06:
                    self.gesture(now, 0.6)
                now += length * self.g.uniform(0.5, 1.3) + (self.g.uniform(0.2, 0.8) if self.g.random() < 0.1 else 0)
            self.event("speech", start, end)

    def gestures(self) -> None:
        for start in self.moments(self.habit.swallow):
            rise, fall = self.g.uniform(0.15, 0.4, 2)
            self.move("swallow", start, rise, self.g.uniform(0, 0.3), fall, self.parts((17, 24), self.px(0.9), 0.1))
        for start in self.moments(self.habit.mouth):
            units = _ORAL[self.g.integers(len(_ORAL))]
            rise, fall = np.exp(self.g.normal(np.log(0.25), 0.4, 2))
            hold = self.g.exponential(0.4)
            self.move("gesture", start, rise, hold, fall, self.parts(units, self.px(0.9), 0.05))
        for start in self.moments(self.habit.brow):
            self.gesture(start, 0.9)

    def gesture(self, start: float, median_px: float) -> None:
        """Raise or draw the brows as one does in conversation, often with the gaze or the head."""
        units = _BROWS[self.g.integers(len(_BROWS))]
        rise, fall = np.exp(self.g.normal(np.log(0.22), 0.35, 2))
        hold = self.g.exponential(0.15)
        self.move("gesture", start, rise, hold, fall, self.parts(units, self.px(median_px), 0.03))
        if self.g.random() < 0.6:
            self.gaze(start + self.g.normal(0, 0.1))
        if self.g.random() < 0.5:
            self.turn(start + self.g.normal(0, 0.1), largest_deg=6.0)

    def gazes_and_turns(self) -> None:
        for start in self.moments(self.habit.gaze):
            self.gaze(start)
        for start in self.moments(self.habit.turn):
            self.turn(start, largest_deg=25.0)
        sway = self.script.sway
        hz = np.exp(self.g.uniform(np.log(0.05), np.log(1.5), sway.shape[:2]))
        sway[..., 1], sway[..., 2] = hz, self.g.uniform(0, 2 * np.pi, sway.shape[:2])
        reach = self.habit.sway_px * np.array([1.0, 0.7, 0.3, 0.004])  # assumed
        sway[..., 0] = reach[:, None] * self.g.standard_normal(sway.shape[:2]) * (0.1 / hz) ** 0.7

    def gaze(self, start: float) -> None:
        change = float(self.g.uniform(0.08, 0.45))
        pull = float(self.g.normal(0, 0.5))
        self.script.gazes.append((start, change, pull))
        self.event("gaze", start - 0.05, start + 0.15)

    def turn(self, start: float, largest_deg: float) -> None:
        rise, fall = self.g.uniform(0.2, 1.0, 2)
        hold = self.g.exponential(0.8) if self.g.random() < 0.7 else 0.0
        size, way = self.g.uniform(2.0, largest_deg), self.g.uniform(0, 2 * np.pi)
        self.script.turns.append((start, rise, hold, fall, size * np.cos(way), 0.6 * size * np.sin(way)))
        self.event("turn", start, start + rise + hold + fall)

    def move(self, kind: str, start: float, rise: float, hold: float, fall: float, parts: Parts) -> None:
        self.add(start, rise, hold, fall, parts)
        self.event(kind, start, start + rise + hold + fall)

    def add(self, start: float, rise: float, hold: float, fall: float, parts: Parts) -> None:
        self.script.movements.append(Movement(start, max(rise, 0.02), hold, max(fall, 0.02), parts))

    def event(self, kind: str, start: float, end: float) -> None:
        self.script.events.append(Interval(file=self.file, subject=self.person, onset_s=start, offset_s=end, kind=kind))

    def parts(self, units: Sequence[int], strength_px: float, lag_s: float) -> Parts:
        """Draw the amounts of action units, the strongest of them with the whole strength, some on one side only."""
        strongest = self.g.integers(len(units))
        left_first = self.g.random() < self.style.left_share
        parts = []
        for i, unit in enumerate(units):
            amount = strength_px * (1.0 if i == strongest else float(np.exp(-0.35 * abs(self.g.standard_normal()))))
            tilt = float(np.clip(self.style.asymmetry + 0.1 * self.g.standard_normal(), -0.5, 0.5))
            left, right = amount * (1 + tilt), amount * (1 - tilt)
            if self.g.random() < one_sided_share(unit):
                left, right = (left, 0.0) if left_first else (0.0, right)
            parts.append((AU_VOCABULARY.index(unit), left, right, float(lag_s * self.g.random())))
        return tuple(parts)

    def px(self, median: float) -> float:
        return float(np.clip(median * np.exp(0.6 * self.g.standard_normal()), 0.2, 5.0))

    def times(self, per_minute: float) -> int:
        return int(self.g.poisson(per_minute * self.script.duration_s / 60))

    def moments(self, per_minute: float) -> list[float]:
        return sorted(map(float, self.g.uniform(0, self.script.duration_s, self.times(per_minute))))

    def free(self, length_s: float, taken: Sequence[tuple[float, float]]) -> float | None:
        """Draw a start at which no other expression is near, or ``None`` after twenty attempts."""
        last = self.script.duration_s - length_s - _GAP_S
        for start in self.g.uniform(_GAP_S, max(last, _GAP_S), 20).tolist():
            if start <= last and all(start > b + _GAP_S or start + length_s < a - _GAP_S for a, b in taken):
                return float(start)
        return None
