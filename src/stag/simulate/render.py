"""Render the frames of a script and a face, and their true motion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.faces.crop import compose, invert, transform_points
from stag.motion.regions import pool_static
from stag.simulate.actions import CROP_TO_GRID, ActionFields, at_points, forward_flow, on_pixels, peak_px
from stag.simulate.clip_script import ClipScript
from stag.simulate.face import Face, texture_transform
from stag.simulate.settings import SimulationSettings
from stag.types import FloatArray, GreyImage
from stag.utils.values import ArrayValue

_SHUTTER_SAMPLES = 3
_NO_MAP = np.empty(0)  # both coordinates are in the first map
_FACE_CENTRE = np.array([128.0, 128.0])


@dataclass(frozen=True, eq=False, repr=False)
class ClipTruth(ArrayValue):
    """True motion of the ``N`` frames of a clip.

    Attributes:
        motion: ``(N, 18, 2)`` true dense flow since the onset without head motion, pooled over the true windows
            (Eq. 10-11), crop pixels.
        landmarks: ``(N, 68, 2)`` pixels of the frame, with head motion.
        head_pose: ``(N, 4)`` shift right and down (crop pixels), clockwise turn (degrees), relative size.
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


class ClipRenderer:
    """Draw one clip of one person; of the settings, motion blur and compression count."""

    def __init__(self, face: Face, fields: ActionFields, script: ClipScript, settings: SimulationSettings) -> None:
        self.face, self.script, self.settings, self._fields = face, script, settings, fields
        peak = max(peak_px(fields.combine(amount)) for amount in script.expression(script.time_s))
        self._scale = script.strength_px / peak
        width, height = face.size
        column, row = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self._pixels = np.stack([column, row], axis=-1)
        self._to_texture = texture_transform(face.to_frame)

    def amounts_px(self, time_s: FloatArray) -> FloatArray:
        """Return the amount of each action unit and side in crop pixels, blink included: ``(N,) -> (N, A, 2)``."""
        return self._scale * self.script.expression(time_s) + self.script.blinking(time_s)

    def displacement(self, time_s: float) -> NDArray[np.float32]:
        """Return the backward displacement ``d (G, G, 2)``: skin at a grid point ``y`` comes from ``y - d(y)``."""
        return self._fields.combine(self.amounts_px(np.array([time_s]))[0])

    def flow(self, time_s: float) -> NDArray[np.float32]:
        """Return the true dense flow since the onset without head motion: ``(256, 256, 2)``, crop pixels."""
        return on_pixels(forward_flow(self.displacement(time_s)))

    def clean_frame(self, time_s: float) -> NDArray[np.float32]:
        """Render one moment without camera noise or rounding: ``(height, width)`` float32 grey."""
        pose = self.script.pose(np.array([time_s]))[0]
        to_crop = invert(compose(self.face.to_frame, head_transform(pose)))
        place: NDArray[Any] = cv2.transform(self._pixels, compose(self._to_texture, to_crop))
        field = self.displacement(time_s)
        if field.any():
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            shift = cv2.warpAffine(field, compose(CROP_TO_GRID, to_crop), self.face.size, flags=flags)
            place = place - cv2.transform(shift, self._to_texture[:, :2])
        drawn = cv2.remap(self.face.texture, place, _NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(drawn, dtype=np.float32)

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
        motion = np.zeros((len(times), 18, 2), np.float32)
        landmarks = np.empty((len(times), 68, 2), np.float32)
        for i, (amount, pose) in enumerate(zip(amounts, poses, strict=True)):
            moved = points
            if amount.any():
                flow = forward_flow(self._fields.combine(amount))
                motion[i] = pool_static(on_pixels(flow), points, "roi18")
                moved = points + at_points(flow, points)
            landmarks[i] = transform_points(moved, compose(self.face.to_frame, head_transform(pose)))
        return ClipTruth(motion, landmarks, poses.astype(np.float32), amounts.astype(np.float32))


def head_transform(pose: FloatArray) -> FloatArray:
    """Return the similarity ``(2, 3)`` on the crop that moves the head by a pose ``(4,)`` about the face centre."""
    shift_x, shift_y, degrees, size = (float(value) for value in pose)
    angle, scale = np.deg2rad(degrees), 1 + size
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([linear, _FACE_CENTRE - linear @ _FACE_CENTRE + [shift_x, shift_y]])
