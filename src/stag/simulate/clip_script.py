"""The script of one clip: which action unit moves when and how strongly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stag.facs import AU_VOCABULARY
from stag.simulate.script import DisplayStyle, ScriptDraws, draw_scripts, firing_levels, head_pose
from stag.simulate.settings import SimulationSettings
from stag.types import FloatArray
from stag.utils.values import ArrayValue


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
        """Return the share of the full amount at each moment, 0 to 1: ``(N,) -> (N,)``."""
        shape = np.array([self.start_s, self.peak_s, self.end_s, self.rise, self.fall])[:, None, None]
        return np.asarray(firing_levels(shape, np.asarray(time_s)[None])[0, :, 0])


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
        """Return the pose at each moment: ``(N,) -> (N, 4)``: shift right and down, turn clockwise, change of size."""
        path = np.stack([self.swing, self.hz, self.phase])[:, None]
        return np.asarray(head_pose(path, np.asarray(time_s)[None])[0])


@dataclass(frozen=True, eq=False, repr=False)
class ClipScript(ArrayValue):
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
        """Return the relative amount of each action unit and side without the blink: ``(N,) -> (N, A, 2)``."""
        return _amounts(self.firings, time_s)

    def blinking(self, time_s: FloatArray) -> FloatArray:
        """Return the amount of the blink in crop pixels: ``(N,) -> (N, A, 2)``."""
        return _amounts(() if self.blink is None else (self.blink,), time_s)


def draw_script(
    emotion: str, style: DisplayStyle, settings: SimulationSettings, fps: float, generator: np.random.Generator
) -> ClipScript:
    """Write the script of a new clip: a block of one, and what only a camera sees.

    Args:
        emotion: One of :data:`~stag.simulate.emotions.EMOTION_CLIPS`, or several joined by ``+``.
        style: The person.
        settings: Strength, timing and nuisance.
        fps: Frames per second.
        generator: Source of randomness; the same state gives the same script.
    """
    draws = ScriptDraws.draw(1, generator, emotions=emotion.count("+") + 1)
    block = draw_scripts([emotion], [style], np.array([fps]), settings, draws)
    fired = [
        Firing(AU_VOCABULARY[unit], (float(left), float(right)), *(float(value) for value in shape))
        for unit, (left, right), shape in zip(block.unit[0], block.sides[0], block.shape[:, 0].T, strict=True)
    ]
    onset, n_frames = int(block.onset[0]), int(block.n_frames[0])
    firings = tuple(firing for firing in fired[:-1] if any(firing.sides))
    times = (np.arange(n_frames) - onset) / fps
    return ClipScript(
        emotion=emotion,
        firings=firings,
        blink=fired[-1] if any(fired[-1].sides) else None,
        strength_px=float(block.strength_px[0]),
        head=HeadPath(*block.head[:, 0]),
        fps=fps,
        n_frames=n_frames,
        onset=onset,
        apex=int(np.argmax(_amounts(firings, times).sum(axis=(1, 2)))),
        offset=int(block.offset[0]),
        noise_grey=float(generator.uniform(*settings.noise_grey)),
        flicker=(
            float(generator.uniform(0, settings.flicker)),
            float(generator.uniform(2, 12)),  # assumed; beat of the mains with the camera, Hz
            float(generator.uniform(0, 2 * np.pi)),
        ),
        drift_grey=float(generator.uniform(-1, 1) * settings.drift_grey),
    )


def _amounts(firings: Sequence[Firing], time_s: FloatArray) -> FloatArray:
    amounts = np.zeros((len(time_s), len(AU_VOCABULARY), 2))
    for firing in firings:
        amounts[:, AU_VOCABULARY.index(firing.unit)] += firing.level(time_s)[:, None] * np.array(firing.sides)
    return amounts
