"""Compare the mean motion of simulated action units with that of real micro-expressions.

The real means are aggregates of public onset-apex flow maps of CASME II (145 clips, 24 people) on a grid of 28 x 28:
coarse, so neighbouring regions blur into each other, and with the action units that come together. Simulated clips are
read as coarsely: emotions as often as in those clips, dense motion on the same grid, each clip divided by its RMS, left
and right averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stag.faces.crop import CROP_PX, crop_transform, transform_points
from stag.facs import AU_VOCABULARY
from stag.motion.regions import CHANNELS, Pooling
from stag.motion.transforms import mirror_order
from stag.simulate.actions import action_fields, on_pixels
from stag.simulate.emotions import UNIT_SHARES
from stag.simulate.face import astronaut, vary_shape
from stag.simulate.script import DisplayStyle, ScriptDraws, draw_scripts
from stag.simulate.settings import SimulationSettings
from stag.types import FloatArray

READ = (0, 1, 2, 3, 8, 9, 11, 12, 13, 14, 16)
"""Channels of the means, on the left of the image."""

REAL: dict[int, tuple[int, str]] = {
    1: (19, ".1,-1.7 -.2,-1.7 0,-1.7 .3,-1.6 0,.2 -.1,.1 0,.2 0,.2 0,.2 0,.1 .1,-.1"),
    2: (20, "0,-1.6 -.3,-1.3 -.2,-1.5 .2,-1.6 0,.2 -.1,.1 0,.2 0,.2 0,.2 0,.1 0,-.1"),
    4: (60, "1.0,1.5 1.1,1.3 1.0,1.5 .9,1.5 0,-.2 -.1,-.3 0,-.2 0,-.1 0,-.2 -.1,-.2 .2,.4"),
    6: (11, ".2,.7 .3,.7 .3,.6 .2,.7 0,-1.2 -.6,-1.4 0,-.7 0,-.5 0,-.6 -.5,-.3 0,.6"),
    7: (30, "1.0,1.4 1.1,1.2 1.0,1.4 .9,1.4 0,-.3 -.1,-.3 0,-.2 0,-.1 0,-.1 -.1,-.1 .3,.5"),
    9: (13, ".9,1.6 1.0,1.5 .9,1.6 .7,1.6 0,-.4 -.2,-.4 0,-.2 0,-.3 0,-.3 0,-.2 .2,.3"),
    10: (17, ".8,1.4 .9,1.4 .8,1.4 .7,1.3 0,-.5 -.3,-.5 0,-.5 0,-.1 0,-.3 -.2,-.4 0,-.2"),
    12: (30, "0,.2 0,.2 0,.2 -.1,.2 0,-1.0 -.7,-1.3 0,-.7 0,-.1 0,-.5 -.5,-.2 -.3,-.3"),
    14: (11, "0,.2 0,.3 0,.2 0,.2 0,-1.0 -1.2,-1.1 0,-.5 0,-.4 0,-.6 -.2,0 -.1,.2"),
    15: (14, ".1,.1 .1,.1 .1,.1 .1,.2 0,-.5 -.8,1.0 0,-.7 0,-1.2 0,-.8 -.3,.2 0,.2"),
    17: (21, ".1,.3 0,.3 .1,.3 .1,.3 0,-.9 -.6,.1 0,-.8 0,-2.5 0,-1.9 -.2,.1 0,.6"),
}
"""Action unit -> number of clips, mean ``u,v`` at :data:`READ` in units of a clip's RMS."""

_EMOTIONS = {"disgust": 61, "repression": 27, "happiness": 32, "surprise": 25}  # of those clips, as published
_GRID = 28
_FACES, _PEOPLE, _CLIPS = 6, 40, 6


@dataclass(frozen=True)
class Fields:
    """Simulated motion beside real motion.

    Attributes:
        mean: Action unit -> mean motion ``(11, 2)`` at :data:`READ`.
        correlation: Action unit -> correlation with the real mean.
        directions: How many principal directions hold 95 % of the variance of the clips.
        share: Share of the variance that twelve hold.
        brow: Correlation of the vertical motion of inner and outer brow.
    """

    mean: dict[int, FloatArray]
    correlation: dict[int, float]
    directions: int
    share: float
    brow: float


def real_mean(unit: int) -> FloatArray:
    """Return the real mean motion of an action unit ``(11, 2)``."""
    return np.array([[float(part) for part in pair.split(",")] for pair in REAL[unit][1].split()])


def compare_fields() -> Fields:
    """Simulate clips as those of the real means and compare, in about a minute."""
    patterns, units = _clips()
    swapped = patterns[:, list(mirror_order("roi18"))]
    both = ((patterns + swapped * [-1, 1]) / 2)[:, READ]
    mean = {unit: both[units[:, AU_VOCABULARY.index(unit)] > 0].mean(axis=0) for unit in REAL}
    flat = patterns.reshape(len(patterns), -1)
    held = np.square(np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False)).cumsum()
    held /= held[-1]
    return Fields(
        mean=mean,
        correlation={u: float(np.corrcoef(real_mean(u).ravel(), mean[u].ravel())[0, 1]) for u in REAL},
        directions=int(np.searchsorted(held, 0.95)) + 1,
        share=float(held[11]),
        brow=float(np.corrcoef(patterns[:, 1, 1], patterns[:, 3, 1])[0, 1]),
    )


def fields_table(fields: Fields) -> str:
    """Return the comparison as Markdown."""
    names = [CHANNELS[i].name.removeprefix("left ") for i in READ]
    rows = []
    for unit, (clips, _) in REAL.items():
        real, mean = real_mean(unit), fields.mean[unit]
        worst = np.abs(mean - real).max(axis=1).argsort()[::-1][:2]
        apart = "; ".join(f"{names[i]} {_pair(mean[i])} for {_pair(real[i])}" for i in worst)
        rows.append(f"| {unit} | {clips} | {fields.correlation[unit]:.2f} | {apart} |")
    head = ["| AU | real clips | correlation | furthest apart: simulated for real |", "|---|---|---|---|"]
    tail = (
        f"{fields.directions} principal directions hold 95 % of the variance of the simulated clips, twelve hold "
        f"{100 * fields.share:.0f} %; inner and outer brow correlate at {fields.brow:.2f}."
    )
    return "\n".join([*head, *rows, "", tail, ""])


def _pair(vector: FloatArray) -> str:
    return ",".join(f"{part:.1f}" for part in vector)


def _clips() -> tuple[FloatArray, FloatArray]:
    """Return clips at full amount, divided by their RMS: motion ``(n, 18, 2)`` and action units ``(n, A)``."""
    shown = [u for u in AU_VOCABULARY if any(u in UNIT_SHARES[e] for e in _EMOTIONS)]
    original = astronaut().points
    names, odds = list(_EMOTIONS), np.array(list(_EMOTIONS.values())) / sum(_EMOTIONS.values())
    patterns, coded = [], []
    for face in range(_FACES):
        generator = np.random.default_rng([_GRID, face])
        points = vary_shape(transform_points(original, crop_transform(original)), 1.0, generator)
        fields, pooling = action_fields(points, shown), Pooling.of(points)
        for _ in range(_PEOPLE):
            emotions = [names[i] for i in generator.choice(len(names), _CLIPS, p=odds)]
            style = DisplayStyle.draw(generator)
            draws = ScriptDraws.draw(_CLIPS, generator)
            script = draw_scripts(
                emotions, [style] * _CLIPS, np.full(_CLIPS, 200.0), SimulationSettings(blink_share=0), draws
            )
            coded.append(script.action_units)
            for unit, sides in zip(script.unit, script.sides, strict=True):
                amount = np.zeros((len(AU_VOCABULARY), 2))
                np.add.at(amount, unit, sides)
                motion = pooling.static(_coarse(on_pixels(fields.combine(amount))))
                patterns.append(motion / np.sqrt(np.square(motion).mean()))
    return np.stack(patterns), np.concatenate(coded)


def _coarse(flow: FloatArray) -> FloatArray:
    """Return a dense field of the crop as a grid of 28 x 28 shows it: means of its cells, bilinear between."""
    small = cv2.resize(flow, (_GRID, _GRID), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (CROP_PX, CROP_PX), interpolation=cv2.INTER_LINEAR))
