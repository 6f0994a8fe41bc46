"""Write scripts of simulated clips as arrays: which action unit moves when and how strongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stag.facs import AU_VOCABULARY
from stag.motion.transforms import PROBES
from stag.simulate.actions import one_sided_share
from stag.simulate.emotions import NO_UNIT, UNIT_SHARES, draw_preference, fires, unit_odds
from stag.simulate.settings import SimulationSettings
from stag.types import FloatArray
from stag.utils.values import ArrayValue

_BLINK_UNIT = 45
_SUBJECT_STRENGTH, _SUBJECT_SPEED = 0.2, 0.1  # assumed; spread of the logarithm between persons
_CLIP_SPEED = 0.21  # assumed; with the persons' it gives the published 90th percentile
_APEX_BETA = (5.3, 5.6)  # assumed; place of the apex within the clip
_UNIT_SPREAD = 0.35  # assumed; how much weaker than the strongest the other action units are
_BESIDE = {7: 0.5, 9: 0.7, 10: 0.4}  # by the mean motion of real clips (benchmarks/fields.py)
_ASYMMETRY = 0.15  # assumed
_LATERALITY = 0.3  # assumed; how much more often one side of a person's face moves alone than the other
_FIRST, _LAST = 0.12, 1.2  # assumed; shortest and longest clip, seconds
_BLINK_PX, _BLINK_S = (4.0, 8.0), (0.15, 0.3)  # assumed; peak on the crop, duration
_HEAD_HZ = (0.2, 2.5)  # assumed
_RISE, _FALL = (0.8, 1.25), (0.65, 1.1)  # assumed; exponents that bend the rise and the fall
_MOST = max(len(shares) for shares in UNIT_SHARES.values())
_POSITION = np.array([AU_VOCABULARY.index(u) if u in AU_VOCABULARY else 0 for u in range(max(AU_VOCABULARY) + 1)])
_AMOUNT = np.array([_BESIDE.get(unit, 1.0) for unit in AU_VOCABULARY])
_ONE_SIDED = np.array([one_sided_share(unit) for unit in AU_VOCABULARY])


@dataclass(frozen=True)
class DisplayStyle:
    """How one person shows emotions.

    Attributes:
        strength: Factor on the strength of every clip.
        asymmetry: How much stronger the left of the image moves than the right, -1 to 1.
        left_share: Share of one-sided action units that fire on the left of the image.
        speed: Factor on every duration.
        preferred: Emotion -> action unit that this person shows more often than others do.
    """

    strength: float = 1.0
    asymmetry: float = 0.0
    left_share: float = 0.5
    speed: float = 1.0
    preferred: Mapping[str, int] | None = None

    @classmethod
    def draw(cls, generator: np.random.Generator) -> DisplayStyle:
        """Draw the style of a new person."""
        strength, speed, asymmetry = generator.standard_normal(3)
        return cls(
            strength=float(np.exp(_SUBJECT_STRENGTH * strength)),
            asymmetry=float(np.clip(_ASYMMETRY * asymmetry, -0.4, 0.4)),
            left_share=float(0.5 + generator.uniform(-_LATERALITY, _LATERALITY)),
            speed=float(np.exp(_SUBJECT_SPEED * speed)),
            preferred=draw_preference(generator),
        )


@dataclass(frozen=True, eq=False, repr=False)
class ScriptDraws(ArrayValue):
    """Random numbers of ``B`` clips, drawn in bulk from the generators of their people.

    Attributes:
        one: ``(B, 14)`` uniform, one for each decision.
        slot: ``(B, 7, U)`` uniform, for each of the ``U`` action units that may fire.
        normal: ``(B, 2 + 2 U)`` standard normal.
        beta: ``(B,)`` place of the apex.
        head: ``(B, 4, 3)`` standard normal, swings of the head.
        swing: ``(B, 2, 4, 3)`` uniform, frequencies and phases of the head.
    """

    one: FloatArray
    slot: FloatArray
    normal: FloatArray
    beta: FloatArray
    head: FloatArray
    swing: FloatArray

    @classmethod
    def draw(cls, clips: int, generator: np.random.Generator, *, emotions: int = 1) -> ScriptDraws:
        """Draw the numbers of ``clips`` clips of one person, with at most ``emotions`` emotions each."""
        units = emotions * _MOST
        return cls(
            one=generator.random((clips, 14)),
            slot=generator.random((clips, 7, units)),
            normal=generator.standard_normal((clips, 2 + 2 * units)),
            beta=generator.beta(*_APEX_BETA, size=clips),
            head=generator.standard_normal((clips, 4, 3)),
            swing=np.moveaxis(generator.random((2, clips, 4, 3)), 0, 1),
        )

    @classmethod
    def joined(cls, draws: Sequence[ScriptDraws]) -> ScriptDraws:
        """Join the numbers of the clips of several people."""
        return cls(*(np.concatenate([getattr(some, f.name) for some in draws]) for f in fields(cls)))


@dataclass(frozen=True, eq=False, repr=False)
class ScriptBlock(ArrayValue):
    """Scripts of ``B`` clips with ``K`` firings each; the last is the blink, unused ones have no amount.

    Attributes:
        unit: ``(B, K)`` positions in :data:`~stag.facs.AU_VOCABULARY`.
        sides: ``(B, K, 2)`` amounts on the left and right of the image; relative, of the blink crop pixels.
        shape: ``(5, B, K)`` start, peak, end (seconds since the onset), exponents of rise and fall.
        onset: ``(B,)`` last frame at rest.
        apex: ``(B,)`` frame at which the action units together are strongest, at the resolution of the probes.
        offset: ``(B,)`` first frame back at rest.
        strength_px: ``(B,)`` peak displacement of the expression.
        head: ``(3, B, 6, 3)`` amplitudes, frequencies and phases of the head.
    """

    unit: NDArray[np.int64]
    sides: FloatArray
    shape: FloatArray
    onset: NDArray[np.int64]
    apex: NDArray[np.int64]
    offset: NDArray[np.int64]
    n_frames: NDArray[np.int64]
    fps: FloatArray
    strength_px: FloatArray
    head: FloatArray

    @property
    def action_units(self) -> NDArray[np.float32]:
        """``(B, A)`` 0 or 1: which action units the expression shows."""
        shown = np.zeros((len(self.unit), len(AU_VOCABULARY)), np.float32)
        row, slot = np.nonzero(self.sides[:, :-1].any(axis=2))
        shown[row, self.unit[row, slot]] = 1
        return shown


def draw_scripts(
    emotions: Sequence[str],
    styles: Sequence[DisplayStyle],
    fps: FloatArray,
    settings: SimulationSettings,
    draws: ScriptDraws,
) -> ScriptBlock:
    """Write the scripts of ``B`` clips at ``(B,)`` frame rates; ``+`` joins several emotions of one clip."""
    habit = np.array([(style.strength, style.speed, style.asymmetry, style.left_share) for style in styles])
    one, slot, normal = draws.one, draws.slot, draws.normal
    number, count = _units(emotions, styles, slot[:, 0], one[:, 0])
    firing = np.arange(number.shape[1]) < count[:, None]
    unit = np.where(firing, _POSITION[np.where(firing, number, 0)], 0)
    slots, most = number.shape[1], slot.shape[2]
    duration_s = settings.duration_s * habit[:, 1] * np.exp(_CLIP_SPEED * normal[:, 0])
    duration_s = np.clip(duration_s, _FIRST, _LAST)
    shape = _shape(firing, count, duration_s, settings, draws)
    strongest = np.floor(one[:, 3] * count)[:, None] == np.arange(slots)
    amount = np.where(strongest, 1.0, np.exp(-_UNIT_SPREAD * np.abs(normal[:, 2 : 2 + slots])))
    tilt = np.clip(habit[:, 2, None] + 0.1 * normal[:, 2 + most : 2 + most + slots], -0.5, 0.5)
    both = np.stack([1 + tilt, 1 - tilt], axis=-1)
    left = one[:, 4] < habit[:, 3]
    alone = slot[:, 1, :slots] < _ONE_SIDED[unit]
    sides = np.where(alone[..., None], np.stack([left, ~left], axis=-1)[:, None], both)
    sides = sides * (amount * _AMOUNT[unit] * firing)[..., None]
    onset = np.maximum(1, np.rint(settings.lead_s * fps)).astype(np.int64)
    offset = onset + np.ceil(duration_s * fps - 1e-9).astype(np.int64)
    n_frames = offset + onset + 1
    probe_s = np.linspace(0, 1, PROBES) * ((n_frames - 1) / fps)[:, None] - (onset / fps)[:, None]
    together = (firing_levels(shape, probe_s) * sides.sum(axis=2)[:, None]).sum(axis=2)
    best_s = np.take_along_axis(probe_s, together.argmax(axis=1)[:, None], axis=1)[:, 0]
    apex = np.clip(onset + np.rint(best_s * fps).astype(np.int64), onset + 1, np.maximum(offset - 1, onset + 1))
    strength_px = settings.strength_px * habit[:, 0] * np.exp(settings.strength_spread * normal[:, 1])
    blink_shape, blink_px = _blink(duration_s, settings, one)
    return ScriptBlock(
        unit=np.concatenate([unit, np.full((len(unit), 1), AU_VOCABULARY.index(_BLINK_UNIT))], axis=1),
        sides=np.concatenate([sides, np.repeat(blink_px[:, None, None], 2, axis=2)], axis=1),
        shape=np.concatenate([shape, blink_shape[..., None]], axis=2),
        onset=onset,
        apex=apex,
        offset=offset,
        n_frames=n_frames,
        fps=fps,
        strength_px=np.clip(strength_px, *settings.strength_clip_px),
        head=_head(probe_s, settings, draws),
    )


def firing_levels(shape: FloatArray, time_s: FloatArray) -> FloatArray:
    """Return the share of the full amount of ``(5, B, K)`` firings at ``(B, M)`` times: ``(B, M, K)``, 0 to 1."""
    start, peak, end, rise, fall = shape[:, :, None, :]
    time = time_s[:, :, None]
    rising = ((time - start) / (peak - start)).clip(0, 1)
    falling = ((time - peak) / (end - peak)).clip(0, 1)
    return np.asarray(ease(rising**rise) - ease(falling**fall))


def head_pose(head: FloatArray, time_s: FloatArray) -> FloatArray:
    """Return the poses ``(B, M, 6)`` of ``(3, B, 6, 3)`` paths at ``(B, M)`` times.

    A pose is the shift right and down (crop pixels), the roll clockwise (degrees), the relative size, and yaw and pitch
    (degrees) as in :mod:`stag.faces.pose`.
    """
    swing, hz, phase = head[:, :, None]
    swung = np.sin(2 * np.pi * time_s[:, :, None, None] * hz + phase) - np.sin(phase)
    return np.asarray((swing * swung).sum(axis=3))


def _units(
    emotions: Sequence[str], styles: Sequence[DisplayStyle], order: FloatArray, mark: FloatArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose the action units ``(B, K)``, rising, and their number ``(B,)``, by systematic sampling."""
    tables = [
        _odds(e, tuple((style.preferred or {}).get(one) for one in e.split("+")), order.shape[1])
        for e, style in zip(emotions, styles, strict=True)
    ]
    units, odds = (np.stack(column) for column in zip(*tables, strict=True))
    chosen = fires(units, odds, order, mark)
    count = chosen.sum(axis=1)
    return np.sort(np.where(chosen, units, NO_UNIT), axis=1)[:, : int(count.max())], count


@lru_cache(maxsize=256)
def _odds(emotion: str, preferred: tuple[int | None, ...], most: int) -> tuple[NDArray[np.int64], FloatArray]:
    """Return units and their odds, padded with units that never fire; joined emotions fire independently."""
    quiet: dict[int, float] = {}
    for one, habit in zip(emotion.split("+"), preferred, strict=True):
        for unit, share in unit_odds(one, habit).items():
            quiet[unit] = quiet.get(unit, 1.0) * (1 - share)
    units, odds = np.full(most, NO_UNIT), np.zeros(most)
    units[: len(quiet)], odds[: len(quiet)] = list(quiet), [1 - share for share in quiet.values()]
    return units, odds


def _shape(
    firing: NDArray[np.bool_],
    count: NDArray[np.int64],
    duration_s: FloatArray,
    settings: SimulationSettings,
    draws: ScriptDraws,
) -> FloatArray:
    slots = firing.shape[1]
    early, late, middle, rise, fall = (draws.slot[:, i, :slots] for i in range(2, 7))
    first, last = (np.floor(draws.one[:, i] * count)[:, None] == np.arange(slots) for i in (1, 2))
    apex_s = duration_s * np.clip(draws.beta, 0.15, 0.85)
    lag_s = np.minimum(settings.lag_s, 0.4 * np.minimum(apex_s, duration_s - apex_s))[:, None]
    end_s = duration_s[:, None]
    shape = np.stack(
        [
            np.where(first, 0.0, early * lag_s),
            apex_s[:, None] + (middle - 0.5) * 0.5 * lag_s,
            np.where(last, end_s, end_s - late * lag_s),
            between(_RISE, rise),
            between(_FALL, fall),
        ]
    )
    return np.where(firing, shape, np.array([0.0, 1.0, 2.0, 1.0, 1.0])[:, None, None])


def _blink(duration_s: FloatArray, settings: SimulationSettings, one: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return shape ``(5, B)`` and amount ``(B,)`` of the blinks, 0 for none."""
    start_s = 0.9 * duration_s * one[:, 6]
    length_s = between(_BLINK_S, one[:, 7])
    even = np.ones_like(start_s)
    shape = np.stack([start_s, start_s + length_s / 3, start_s + length_s, even, even])
    return shape, np.where(one[:, 5] < settings.blink_share, between(_BLINK_PX, one[:, 8]), 0.0)


def _head(probe_s: FloatArray, settings: SimulationSettings, draws: ScriptDraws) -> FloatArray:
    head: NDArray[Any] = np.stack([draws.head, between(_HEAD_HZ, draws.swing[:, 0]), 2 * np.pi * draws.swing[:, 1]])
    head = head[:, :, [0, 1, 2, 3, 0, 1]]  # a head turns and nods as it moves aside and down
    poses = head_pose(head, probe_s)
    reach = np.abs(poses).max(axis=1)
    reach[:, :2] = np.hypot(poses[..., 0], poses[..., 1]).max(axis=1)[:, None]
    turn = settings.turn_deg
    limit = np.array([settings.head_px, settings.head_px, settings.head_deg, settings.head_scale, turn, turn])
    share = draws.one[:, 9:14][:, [0, 0, 1, 2, 3, 4]]
    head[0] *= (share * limit / np.maximum(reach, 1e-9))[..., None]
    return np.asarray(head)


def between(limits: tuple[float, float], share: FloatArray) -> FloatArray:
    """Return the point at a share of the way between two limits."""
    return limits[0] + (limits[1] - limits[0]) * share


def ease(t: FloatArray) -> FloatArray:
    """Return a minimum-jerk step from 0 to 1."""
    return t * t * t * (10 - t * (15 - 6 * t))
