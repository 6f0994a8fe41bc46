"""Write the script of one clip, and render its frames and their true motion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.faces.crop import EYE_CENTRE, compose, invert, transform_points
from stag.faces.pose import turned
from stag.faces.track import stable_places
from stag.facs import AU_VOCABULARY
from stag.motion.regions import CHANNELS, pool_static
from stag.simulate.actions import (
    CROP_TO_GRID,
    GRID_SIZE,
    GRID_START_PX,
    GRID_STEP_PX,
    ActionFields,
    at_points,
    forward_flow,
    on_pixels,
    peak_px,
    smooth_field,
)
from stag.simulate.face import Face, texture_transform
from stag.simulate.likeness import centres
from stag.simulate.natural import DRAWS, natural_amounts, patterns
from stag.simulate.script import DisplayStyle, ScriptDraws, draw_scripts, firing_levels, head_pose
from stag.simulate.settings import SimulationSettings
from stag.types import FloatArray, GreyImage
from stag.utils.values import ArrayValue

_SHUTTER_SAMPLES = 3
_NO_MAP = np.empty(0)  # both coordinates are in the first map
_TURN_ROUNDS = 16  # the side of a nose is steep
_GRID_PX = GRID_START_PX + GRID_STEP_PX * np.indices((GRID_SIZE, GRID_SIZE))[::-1].transpose(1, 2, 0)
_FACE_CENTRE = np.array([128.0, 128.0])


@dataclass(frozen=True, eq=False, repr=False)
class ClipScript(ArrayValue):
    """Script of a clip of ``N`` frames: one row of a :class:`~stag.simulate.script.ScriptBlock`, and the camera.

    Attributes:
        unit: ``(K,)``; ``sides`` is ``(K, 2)``, ``shape`` ``(5, K)``, ``head`` ``(3, 6, 3)``.
        noise_grey: Standard deviation of the sensor noise.
        flicker: Amplitude, frequency (Hz) and phase of the lamp flicker.
        drift_grey: Change of brightness from the first frame to the last.
        natural: Draws of :func:`~stag.simulate.natural.natural_amounts` times their strength, crop pixels, or ``None``.
    """

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
    natural: FloatArray | None = None

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
        """Return the head pose at each moment: ``(N,) -> (N, 6)``; see :func:`~stag.simulate.script.head_pose`."""
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
    if settings.natural_px > 0:
        natural = generator.uniform(0, settings.natural_px) * generator.standard_normal(DRAWS)
        script = replace(script, natural=natural)
    # The block places the apex at the resolution of its probes.
    return replace(script, apex=int(np.argmax(script.expression(script.time_s).sum(axis=(1, 2)))))


@dataclass(frozen=True, eq=False, repr=False)
class ClipTruth(ArrayValue):
    """True motion of the ``N`` frames of a clip.

    Attributes:
        motion: ``(N, 20, 2)`` true dense flow since the onset without head motion, pooled over the true windows
            (Eq. 10-11), crop pixels.
        landmarks: ``(N, 68, 2)`` pixels of the frame, with head motion.
        head_pose: ``(N, 6)`` shift right and down (crop pixels), roll clockwise (degrees), relative size, yaw and pitch
            (degrees).
        action_units: ``(N, A, 2)`` amount on the left and right of the image: peak displacement in crop pixels, with
            blinks.
    """

    motion: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    head_pose: NDArray[np.float32]
    action_units: NDArray[np.float32]

    def part(self, start: int, stop: int) -> ClipTruth:
        """Return the truth of the frames from ``start`` to before ``stop``."""
        return ClipTruth(*(getattr(self, field.name)[start:stop] for field in fields(self)))


class FaceDrawer:
    """Draw a person's face as it moves and turns."""

    def __init__(self, face: Face) -> None:
        self.face = face
        width, height = face.size
        column, row = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self._pixels = np.stack([column, row], axis=-1)
        self._to_texture = texture_transform(face.to_frame)

    def draw(self, displacement: NDArray[np.float32], pose: FloatArray) -> NDArray[np.float32]:
        """Draw the face under a backward displacement ``(G, G, 2)`` and a head pose ``(6,)``: grey ``(h, w)``."""
        field, to_crop = displacement, invert(compose(self.face.to_frame, head_transform(pose)))
        if pose[4:].any():
            # What a turn moves by r(x) is read backwards, then what the expression moves.
            field = _then(field, -forward_flow(-self._turned(pose[4:]), _TURN_ROUNDS))
        place: NDArray[Any] = cv2.transform(self._pixels, compose(self._to_texture, to_crop))
        if field.any():
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            shift = cv2.warpAffine(field, compose(CROP_TO_GRID, to_crop), self.face.size, flags=flags)
            place = place - cv2.transform(shift, self._to_texture[:, :2])
        drawn = cv2.remap(self.face.texture, place, _NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(drawn, dtype=np.float32)

    def _turned(self, turn_deg: FloatArray) -> NDArray[np.float32]:
        """Return how far the points of the grid move as the head turns: ``(G, G, 2)``, crop pixels."""
        x, y = (_GRID_PX - EYE_CENTRE).transpose(2, 0, 1).astype(np.float32)
        return np.stack(turned(x, y, self.face.depth, np.deg2rad(turn_deg)), axis=-1)


class ClipRenderer:
    """Draw one clip of one person; of the settings, motion blur and compression count."""

    def __init__(self, face: Face, fields: ActionFields, script: ClipScript, settings: SimulationSettings) -> None:
        self.face, self.script, self.settings, self._fields = face, script, settings, fields
        peak = max(peak_px(fields.combine(amount)) for amount in script.expression(script.time_s))
        self._scale = script.strength_px / peak
        self._drawer = FaceDrawer(face)
        self._patterns = None if script.natural is None else pattern_fields(face.points)

    def amounts_px(self, time_s: FloatArray) -> FloatArray:
        """Return the amount of each action unit and side in crop pixels, blink included: ``(N,) -> (N, A, 2)``."""
        return self._scale * self.script.expression(time_s) + self.script.blinking(time_s)

    def displacement(self, time_s: float) -> NDArray[np.float32]:
        """Return the backward displacement ``d (G, G, 2)``: skin at a grid point ``y`` comes from ``y - d(y)``."""
        field = self._fields.combine(self.amounts_px(np.array([time_s]))[0])
        if self.script.natural is None or self._patterns is None:
            return field
        now, rest = natural_amounts(self.script.natural[None], np.array([[time_s, 0.0]]))[0]
        return field + np.tensordot(self._patterns, now - rest, (2, 0)).astype(np.float32)

    def flow(self, time_s: float) -> NDArray[np.float32]:
        """Return the true dense flow since the onset without head motion: ``(256, 256, 2)``, crop pixels."""
        return on_pixels(forward_flow(self.displacement(time_s)))

    def clean_frame(self, time_s: float) -> NDArray[np.float32]:
        """Render one moment without camera noise or rounding: ``(height, width)`` float32 grey."""
        return self._drawer.draw(self.displacement(time_s), self.script.pose(np.array([time_s]))[0])

    def frames(self, generator: np.random.Generator) -> Iterator[GreyImage]:
        """Render the frames as a camera records them; the generator draws the sensor noise."""
        script = self.script
        amplitude, hz, phase = script.flicker
        open_s = self.settings.motion_blur / script.fps
        samples = np.linspace(-open_s / 2, open_s / 2, _SHUTTER_SAMPLES) if open_s > 0 else np.zeros(1)
        for index, time_s in enumerate(script.time_s):
            light = np.mean([self.clean_frame(time_s + dt) for dt in samples], axis=0, dtype=np.float32)
            light *= np.float32(1 + amplitude * np.sin(2 * np.pi * hz * time_s + phase))
            light += np.float32(script.drift_grey * index / (script.n_frames - 1))
            light += np.float32(script.noise_grey) * generator.standard_normal(light.shape, np.float32)
            frame = np.clip(np.rint(light), 0, 255).astype(np.uint8)
            if self.settings.jpeg_quality is not None:
                data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, self.settings.jpeg_quality])[1]
                frame = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
            yield frame

    def truth(self) -> ClipTruth:
        """Return the true motion of the frames."""
        times = self.script.time_s
        amounts = self.amounts_px(times)
        poses = self.script.pose(times)
        points = self.face.points
        motion = np.zeros((len(times), len(CHANNELS), 2), np.float32)
        landmarks = np.empty((len(times), 68, 2), np.float32)
        for i, (time_s, pose) in enumerate(zip(times.tolist(), poses, strict=True)):
            moved, field = points, self.displacement(time_s)
            if field.any():
                flow = forward_flow(field)
                motion[i] = pool_static(on_pixels(flow), points, "roi20")
                moved = points + at_points(flow, points)
            if pose[4:].any():
                x, y = (moved - EYE_CENTRE).T
                depth = at_points(self.face.depth[..., None].repeat(2, axis=2), points)[:, 0]
                moved = moved + np.stack(turned(x, y, depth, np.deg2rad(pose[4:])), axis=1)
            landmarks[i] = transform_points(moved, compose(self.face.to_frame, head_transform(pose)))
        return ClipTruth(motion, landmarks, poses.astype(np.float32), amounts.astype(np.float32))


def pattern_fields(points: FloatArray) -> NDArray[np.float32]:
    """Return the patterns of natural movement on a face with landmarks ``(68, 2)``: ``(G, G, 8, 2)``.

    They were measured after alignment, so what alignment holds still does not move; else it would take a part of them
    for movement of the head, and extraction would report something else.
    """
    still, moved = stable_places(points), patterns().transpose(1, 0, 2)
    values = np.concatenate([moved, np.zeros((len(still), *moved.shape[1:]))])
    return smooth_field(np.concatenate([centres(points), still]), values, points).astype(np.float32)


def _then(expression: NDArray[np.float32], turn: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the backward displacement of an expression on a turned head, of those of both: ``(G, G, 2)``."""
    row, column = np.indices(turn.shape[:2], dtype=np.float32)
    x, y = column - turn[..., 0] / GRID_STEP_PX, row - turn[..., 1] / GRID_STEP_PX
    return turn + np.asarray(cv2.remap(expression, x, y, cv2.INTER_LINEAR), dtype=np.float32)


def head_transform(pose: FloatArray) -> FloatArray:
    """Return the similarity ``(2, 3)`` on the crop that moves the head by a pose ``(6,)`` about the face centre."""
    shift_x, shift_y, degrees, size = (float(value) for value in pose[:4])
    angle, scale = np.deg2rad(degrees), 1 + size
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([linear, _FACE_CENTRE - linear @ _FACE_CENTRE + [shift_x, shift_y]])
