"""The script of one clip: a block of one, and what only a camera sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stag.facs import AU_VOCABULARY
from stag.simulate.script import DisplayStyle, ScriptDraws, draw_scripts, firing_levels, head_pose
from stag.simulate.settings import SimulationSettings
from stag.types import FloatArray
from stag.utils.values import ArrayValue


@dataclass(frozen=True, eq=False, repr=False)
class ClipScript(ArrayValue):
    """Script of a clip of ``N`` frames: one row of a :class:`~stag.simulate.script.ScriptBlock`, and the camera.

    Attributes:
        unit: ``(K,)``; ``sides`` is ``(K, 2)``, ``shape`` ``(5, K)``, ``head`` ``(3, 4, 3)``.
        noise_grey: Standard deviation of the sensor noise.
        flicker: Amplitude, frequency (Hz) and phase of the lamp flicker.
        drift_grey: Change of brightness from the first frame to the last.
    """

    emotion: str
    unit: NDArray[np.int64]
    sides: FloatArray
    shape: FloatArray
    head: FloatArray
    strength_px: float
    fps: float
    n_frames: int
    onset: int
    apex: int
    offset: int
    noise_grey: float = 0.0
    flicker: tuple[float, float, float] = (0.0, 1.0, 0.0)
    drift_grey: float = 0.0

    @property
    def time_s(self) -> FloatArray:
        """``(N,)`` time of each frame since the onset."""
        return (np.arange(self.n_frames) - self.onset) / self.fps

    @property
    def facs(self) -> str:
        """FACS string such as ``"L12+6"``; as in FACS, L is the person's left, the right of the image."""
        letter = {(True, False): "R", (False, True): "L", (True, True): ""}
        fired = [(AU_VOCABULARY[unit], *(sides > 0)) for unit, sides in zip(self.unit, self.sides, strict=True)]
        return "+".join(f"{letter[left, right]}{unit}" for unit, left, right in sorted(fired[:-1]) if left or right)

    def expression(self, time_s: FloatArray) -> FloatArray:
        """Return the relative amount of each action unit and side without the blink: ``(N,) -> (N, A, 2)``."""
        return self._amounts(slice(None, -1), time_s)

    def blinking(self, time_s: FloatArray) -> FloatArray:
        """Return the amount of the blink in crop pixels: ``(N,) -> (N, A, 2)``."""
        return self._amounts(slice(-1, None), time_s)

    def pose(self, time_s: FloatArray) -> FloatArray:
        """Return the head pose at each moment: ``(N,) -> (N, 4)``."""
        return np.asarray(head_pose(self.head[:, None], time_s[None])[0])

    def _amounts(self, slots: slice, time_s: FloatArray) -> FloatArray:
        amounts = np.zeros((len(time_s), len(AU_VOCABULARY), 2))
        levels = firing_levels(self.shape[:, None, slots], time_s[None])[0]
        for unit, sides, level in zip(self.unit[slots], self.sides[slots], levels.T, strict=True):
            amounts[:, unit] += level[:, None] * sides
        return amounts


def draw_script(
    emotion: str, style: DisplayStyle, settings: SimulationSettings, fps: float, generator: np.random.Generator
) -> ClipScript:
    """Write the script of a new clip with an emotion of :data:`~stag.simulate.emotions.EMOTION_CLIPS`, or ``a+b``."""
    draws = ScriptDraws.draw(1, generator, emotions=emotion.count("+") + 1)
    block = draw_scripts([emotion], [style], np.array([fps]), settings, draws)
    script = ClipScript(
        emotion=emotion,
        unit=block.unit[0],
        sides=block.sides[0],
        shape=block.shape[:, 0],
        head=block.head[:, 0],
        strength_px=float(block.strength_px[0]),
        fps=fps,
        n_frames=int(block.n_frames[0]),
        onset=int(block.onset[0]),
        apex=int(block.apex[0]),
        offset=int(block.offset[0]),
        noise_grey=float(generator.uniform(*settings.noise_grey)),
        flicker=(
            float(generator.uniform(0, settings.flicker)),
            float(generator.uniform(2, 12)),  # assumed; beat of the mains with the camera, Hz
            float(generator.uniform(0, 2 * np.pi)),
        ),
        drift_grey=float(generator.uniform(-1, 1) * settings.drift_grey),
    )
    # The block places the apex at the resolution of its probes.
    return replace(script, apex=int(np.argmax(script.expression(script.time_s).sum(axis=(1, 2)))))
