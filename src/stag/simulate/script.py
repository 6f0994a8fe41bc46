"""The script of a clip: who moves which action unit when and how strongly, before any pixel is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stag.facs import AU_VOCABULARY
from stag.simulate.anatomy import one_sided_share
from stag.simulate.emotions import draw_preference, draw_units, unit_odds
from stag.simulate.settings import SimulationSettings
from stag.types import FloatArray
from stag.values import ArrayValue

BLINK_UNIT = 45
_SUBJECT_STRENGTH, _SUBJECT_SPEED = 0.2, 0.1  # assumed; spread of the logarithm between persons
CLIP_SPEED = 0.21  # assumed; with the persons' it gives the published 90th percentile
APEX_BETA = (5.3, 5.6)  # assumed; place of the apex within the clip
UNIT_SPREAD = 0.35  # assumed; how much weaker than the strongest the other action units are
_ASYMMETRY = 0.15  # assumed
_LATERALITY = 0.3  # assumed; how much more often one side of a person's face moves alone than the other
FIRST, LAST = 0.12, 1.2  # assumed; shortest and longest clip, seconds
BLINK_PX, BLINK_S = (4.0, 8.0), (0.15, 0.3)  # assumed; peak on the crop, duration
HEAD_HZ = (0.2, 2.5)  # assumed
RISE, FALL = (0.8, 1.25), (0.65, 1.1)  # assumed; exponents that bend the rise and the fall


@dataclass(frozen=True)
class DisplayStyle:
    """How one person shows emotions.

    Attributes:
        strength: Factor on the strength of every clip.
        asymmetry: How much stronger the left of the image moves than the right, -1 to 1.
        left_share: Share of one-sided action units that fire on the left of the image.
        speed: Factor on every duration.
        preferred: Emotion -> action unit shown more often than by others.
    """

    strength: float = 1.0
    asymmetry: float = 0.0
    left_share: float = 0.5
    speed: float = 1.0
    preferred: Mapping[str, int] | None = None

    @classmethod
    def draw(cls, generator: np.random.Generator) -> DisplayStyle:
        """The style of a new person."""
        strength, speed, asymmetry = generator.standard_normal(3)
        return cls(
            strength=float(np.exp(_SUBJECT_STRENGTH * strength)),
            asymmetry=float(np.clip(_ASYMMETRY * asymmetry, -0.4, 0.4)),
            left_share=float(0.5 + generator.uniform(-_LATERALITY, _LATERALITY)),
            speed=float(np.exp(_SUBJECT_SPEED * speed)),
            preferred=draw_preference(generator),
        )


@dataclass(frozen=True)
class Firing:
    """One action unit, once: it rises smoothly from its start to its peak and falls to its end.

    Attributes:
        unit: Number of the action unit.
        sides: Amount on the left and on the right of the image.
        start_s: Last moment at rest, seconds since the onset.
        peak_s: Moment of the full amount.
        end_s: First moment back at rest.
        rise: Exponent that bends the rise; below 1 it starts fast.
        fall: Exponent that bends the fall; below 1 it starts fast and ends slowly.
    """

    unit: int
    sides: tuple[float, float]
    start_s: float
    peak_s: float
    end_s: float
    rise: float = 1.0
    fall: float = 1.0

    def level(self, time_s: FloatArray) -> FloatArray:
        """Share of the full amount at each moment, 0 to 1: ``(N,) -> (N,)``."""
        rising = ((time_s - self.start_s) / (self.peak_s - self.start_s)).clip(0, 1)
        falling = ((time_s - self.peak_s) / (self.end_s - self.peak_s)).clip(0, 1)
        return ease(rising**self.rise) - ease(falling**self.fall)


@dataclass(frozen=True, eq=False, repr=False)
class HeadPath(ArrayValue):
    """Slow head motion: a sum of three swings for x, y, rotation and size, at rest position at the onset.

    Attributes:
        swing: ``(4, 3)`` amplitudes: crop pixels, crop pixels, degrees, relative size.
        hz: ``(4, 3)`` frequencies.
        phase: ``(4, 3)`` phases.
    """

    swing: FloatArray
    hz: FloatArray
    phase: FloatArray

    def at(self, time_s: FloatArray) -> FloatArray:
        """Pose at each moment: ``(N,) -> (N, 4)``: shift right and down, turn clockwise, change of size."""
        turns = np.multiply.outer(2 * np.pi * np.asarray(time_s), self.hz)
        swung = np.sin(turns + self.phase) - np.sin(self.phase)
        return np.asarray(np.einsum("ak,nak->na", self.swing, swung))


@dataclass(frozen=True)
class ClipScript:
    """Everything that happens in a clip.

    Attributes:
        emotion: What the person feels.
        firings: The action units of the expression; amounts are relative.
        blink: A blink, amount in crop pixels, or ``None``.
        strength_px: Peak displacement of the expression, crop pixels.
        head: Head motion.
        fps: Frames per second.
        n_frames: Number of frames ``N``.
        onset: Last frame at rest.
        apex: Frame at which the action units together are strongest.
        offset: First frame back at rest.
        noise_grey: Standard deviation of the sensor noise.
        flicker: Amplitude, frequency (Hz) and phase of the lamp flicker.
        drift_grey: Change of brightness from the first frame to the last.
    """

    emotion: str
    firings: tuple[Firing, ...]
    blink: Firing | None
    strength_px: float
    head: HeadPath
    fps: float
    n_frames: int
    onset: int
    apex: int
    offset: int
    noise_grey: float
    flicker: tuple[float, float, float]
    drift_grey: float

    @property
    def time_s(self) -> FloatArray:
        """``(N,)`` time of each frame since the onset."""
        return (np.arange(self.n_frames) - self.onset) / self.fps

    @property
    def units(self) -> tuple[int, ...]:
        """Action units of the expression, rising; a blink is not part of it."""
        return tuple(sorted(firing.unit for firing in self.firings))

    @property
    def facs(self) -> str:
        """FACS string such as ``"L12+6"``; as in FACS, L is the person's left, the right of the image."""
        ordered = sorted(self.firings, key=lambda firing: firing.unit)
        side = {(True, False): "R", (False, True): "L"}
        return "+".join(f"{side.get((f.sides[0] > 0, f.sides[1] > 0), '')}{f.unit}" for f in ordered)

    def expression(self, time_s: FloatArray) -> FloatArray:
        """Relative amount of each action unit and side without the blink: ``(N,) -> (N, A, 2)``."""
        return _amounts(self.firings, time_s)

    def blinking(self, time_s: FloatArray) -> FloatArray:
        """Amount of the blink in crop pixels: ``(N,) -> (N, A, 2)``."""
        return _amounts(() if self.blink is None else (self.blink,), time_s)


def draw_script(
    emotion: str, style: DisplayStyle, settings: SimulationSettings, fps: float, generator: np.random.Generator
) -> ClipScript:
    """Write the script of a new clip.

    Args:
        emotion: One of :data:`~stag.simulate.emotions.EMOTION_CLIPS`, or several joined by ``+``.
        style: The person.
        settings: Strength, timing and nuisance.
        fps: Frames per second.
        generator: Source of randomness; the same state gives the same script.
    """
    preferred = style.preferred or {}
    shown = [draw_units(unit_odds(one, preferred.get(one)), generator) for one in emotion.split("+")]
    units = sorted(set().union(*shown))
    duration_s = settings.duration_s * style.speed * np.exp(CLIP_SPEED * generator.standard_normal())
    duration_s = float(np.clip(duration_s, FIRST, LAST))
    firings = _draw_firings(units, duration_s, style, settings, generator)
    strength_px = settings.strength_px * style.strength
    strength_px *= float(np.exp(settings.strength_spread * generator.standard_normal()))
    onset = max(1, round(settings.lead_s * fps))
    offset = onset + int(np.ceil(duration_s * fps - 1e-9))
    n_frames = offset + onset + 1
    times = (np.arange(n_frames) - onset) / fps
    apex = int(np.argmax(sum(sum(f.sides) * f.level(times) for f in firings)))
    return ClipScript(
        emotion=emotion,
        firings=firings,
        blink=_draw_blink(duration_s, generator) if generator.random() < settings.blink_share else None,
        strength_px=float(np.clip(strength_px, *settings.strength_clip_px)),
        head=_draw_head(times, settings, generator),
        fps=fps,
        n_frames=n_frames,
        onset=onset,
        apex=apex,
        offset=offset,
        noise_grey=float(generator.uniform(*settings.noise_grey)),
        flicker=(
            float(generator.uniform(0, settings.flicker)),
            float(generator.uniform(2, 12)),  # assumed; beat of the mains with the camera, Hz
            float(generator.uniform(0, 2 * np.pi)),
        ),
        drift_grey=float(generator.uniform(-1, 1) * settings.drift_grey),
    )


def _draw_firings(
    units: Sequence[int],
    duration_s: float,
    style: DisplayStyle,
    settings: SimulationSettings,
    generator: np.random.Generator,
) -> tuple[Firing, ...]:
    # One unit begins at the onset and one ends at the offset, so that the clip is as long as it says.
    first, last, strongest = generator.integers(len(units), size=3)
    apex_s = duration_s * float(np.clip(generator.beta(*APEX_BETA), 0.15, 0.85))
    lag_s = min(settings.lag_s, 0.4 * min(apex_s, duration_s - apex_s))
    one_side = (1.0, 0.0) if generator.random() < style.left_share else (0.0, 1.0)
    firings = []
    for i, unit in enumerate(units):
        amount = 1.0 if i == strongest else float(np.exp(-UNIT_SPREAD * abs(generator.standard_normal())))
        tilt = float(np.clip(style.asymmetry + 0.1 * generator.standard_normal(), -0.5, 0.5))
        alone = generator.random() < one_sided_share(unit)
        sides = one_side if alone else (1 + tilt, 1 - tilt)
        early, late, middle = generator.random(3)
        firings.append(
            Firing(
                unit,
                (amount * sides[0], amount * sides[1]),
                start_s=0.0 if i == first else early * lag_s,
                peak_s=apex_s + (middle - 0.5) * 0.5 * lag_s,
                end_s=duration_s if i == last else duration_s - late * lag_s,
                rise=float(generator.uniform(*RISE)),
                fall=float(generator.uniform(*FALL)),
            )
        )
    return tuple(firings)


def _draw_blink(duration_s: float, generator: np.random.Generator) -> Firing:
    start_s = generator.uniform(0, 0.9 * duration_s)
    length_s = generator.uniform(*BLINK_S)
    amount = generator.uniform(*BLINK_PX)
    # Lids close about twice as fast as they open.
    return Firing(BLINK_UNIT, (amount, amount), start_s, start_s + length_s / 3, start_s + length_s)


def _draw_head(times: FloatArray, settings: SimulationSettings, generator: np.random.Generator) -> HeadPath:
    path = HeadPath(
        swing=generator.standard_normal((4, 3)),
        hz=generator.uniform(*HEAD_HZ, (4, 3)),
        phase=generator.uniform(0, 2 * np.pi, (4, 3)),
    )
    poses = path.at(times)
    reach = np.abs(poses).max(axis=0)
    reach[:2] = np.hypot(poses[:, 0], poses[:, 1]).max()
    limit = np.array([settings.head_px, settings.head_px, settings.head_deg, settings.head_scale])
    share = generator.random(3)[[0, 0, 1, 2]]
    return HeadPath(path.swing * (share * limit / np.maximum(reach, 1e-9))[:, None], path.hz, path.phase)


def _amounts(firings: Sequence[Firing], time_s: FloatArray) -> FloatArray:
    amounts = np.zeros((len(time_s), len(AU_VOCABULARY), 2))
    for firing in firings:
        amounts[:, AU_VOCABULARY.index(firing.unit)] += firing.level(time_s)[:, None] * np.array(firing.sides)
    return amounts


def ease(t: FloatArray) -> FloatArray:
    """Minimum-jerk step from 0 to 1."""
    return t * t * t * (10 - t * (15 - 6 * t))
