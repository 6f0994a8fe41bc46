"""Render clips with chosen action units, strength, head motion and frame rate, and return their true motion.

Only the sensor noise is random, from a fixed seed. All action units of a clip rise and fall together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.errors import FaceNotFound
from stag.faces.crop import compose, invert, transform_points
from stag.faces.detect import load_detector
from stag.facs import AU_VOCABULARY
from stag.motion.regions import USUAL
from stag.simulate.actions import ActionFields, action_fields
from stag.simulate.face import Face, Portrait, astronaut, make_face
from stag.simulate.render import ClipRenderer, ClipScript, head_transform
from stag.simulate.script import head_pose
from stag.simulate.settings import SimulationSettings
from stag.types import FloatArray, Frame, GreyImage, Landmarks
from stag.utils.values import ArrayValue

_PEAK_S, _END_S, _LEAD_S = 0.18, 0.365, 0.03
_SWAY_PX, _SWAY_DEG = 3.0, 1.0
_BLINK_PX, _BLINK_S = 6.0, 0.2
_MARGIN = 4.5
_MIN_SCORE = -0.2
_SEED = 3


@dataclass(frozen=True)
class ClipSpec:
    """One clip to render.

    Attributes:
        face: Number of the simulated person.
        inter_ocular_px: Distance between the inner eye corners, frame pixels.
        units: Action units that fire together.
        strength_px: Peak displacement, crop pixels.
        sway: Whether the head moves by 3 crop pixels and turns by 1 degree.
        blink: Whether the eyes close at the apex.
        turn_deg: Yaw and pitch that the head reaches to either side of its first pose within a second, degrees.
        lamp: Whether the light flickers by .6 % and drifts by 3 grey levels.
        end_s: Time from onset to offset, seconds.
        size: Width and height of the frames, or ``None`` for just the face.
        portrait: Photograph of the face, whose shape is kept; ``None`` for that of the simulator.
    """

    face: int
    inter_ocular_px: float
    units: tuple[int, ...]
    strength_px: float
    sway: bool = True
    fps: float = 200.0
    blink: bool = False
    lamp: bool = False
    turn_deg: tuple[float, float] = (0.0, 0.0)
    end_s: float = _END_S
    size: tuple[int, int] | None = None
    portrait: Path | None = None


@dataclass(frozen=True, eq=False, repr=False)
class RenderedClip(ArrayValue):
    """A clip without camera noise, and its true motion.

    Attributes:
        clean: ``N`` grey frames ``(height, width)``.
        time_s: ``(N,)`` seconds since the first frame.
        motion: ``(N, 18, 2)`` true motion of the channels since the first frame, crop pixels.
        landmarks: ``(68, 2)`` true points of the first frame.
        head: ``N`` true similarities ``(2, 3)`` from the first frame to each.
        apex: Frame of strongest motion.
        renderer: Source of the true dense flow.
    """

    clean: list[NDArray[np.float32]]
    time_s: FloatArray
    motion: FloatArray
    landmarks: FloatArray
    head: list[FloatArray]
    apex: int
    renderer: ClipRenderer
    spec: ClipSpec

    def filmed(self, noise_grey: float) -> list[Frame]:
        """Return the frames of a camera with that sensor noise (standard deviation, grey levels)."""
        generator = np.random.default_rng([_SEED, self.spec.face, round(10 * noise_grey), *self.spec.units])
        return [
            Frame(_digital(image, noise_grey, generator), float(time_s))
            for image, time_s in zip(self.clean, self.time_s, strict=True)
        ]


def render(spec: ClipSpec) -> RenderedClip:
    """Draw a clip; a frame takes about 2 ms."""
    renderer = _renderer(spec)
    face, script = renderer.face, renderer.script
    times = script.time_s
    amplitude, hz, phase = script.flicker
    lamp = (1 + amplitude * np.sin(2 * np.pi * hz * times + phase)).astype(np.float32)
    drift = (script.drift_grey * np.arange(len(times)) / (len(times) - 1)).astype(np.float32)
    truth = renderer.truth()
    poses = [compose(face.to_frame, head_transform(pose)) for pose in script.pose(times)]
    return RenderedClip(
        clean=[renderer.clean_frame(float(t)) * a + b for t, a, b in zip(times, lamp, drift, strict=True)],
        time_s=times - times[0],
        motion=truth.motion[:, :USUAL].astype(np.float64),
        landmarks=truth.landmarks[0].astype(np.float64),
        head=[compose(pose, invert(poses[0])) for pose in poses],
        apex=script.apex,
        renderer=renderer,
        spec=spec,
    )


def found_face(clip: RenderedClip, noise_grey: float) -> Landmarks:
    """Return the face that the detector finds in the first frame.

    Detection is slow: it runs once for each person and noise, on the face at rest, and the result moves with the head.
    """
    still = replace(clip.spec, units=(12,), strength_px=0.0, sway=False, turn_deg=(0.0, 0.0), blink=False, lamp=False)
    rest, to_rest = _found_at_rest(still, noise_grey)
    script = clip.renderer.script
    pose = compose(clip.renderer.face.to_frame, head_transform(script.pose(script.time_s[:1])[0]))
    return Landmarks(transform_points(rest.points, compose(pose, to_rest)), rest.score, rest.box)


def true_face(clip: RenderedClip) -> Landmarks:
    """Return the true face in the first frame."""
    (left, top), (right, bottom) = clip.landmarks.min(axis=0).tolist(), clip.landmarks.max(axis=0).tolist()
    return Landmarks(clip.landmarks, float("nan"), (left, top, right, bottom))


def photograph(spec: ClipSpec, noise_grey: float, time_s: float = 0.0) -> GreyImage:
    """Draw the frame at a time after the onset, with sensor noise."""
    return _digital(_renderer(spec).clean_frame(time_s), noise_grey, np.random.default_rng([_SEED, spec.face]))


def still_points(spec: ClipSpec) -> FloatArray:
    """Return the true points ``(68, 2)`` of the face at rest, frame pixels."""
    face = _renderer(spec).face
    return transform_points(face.points, face.to_frame)


def _renderer(spec: ClipSpec) -> ClipRenderer:
    face, fields = _person(spec.face, spec.inter_ocular_px, spec.size, spec.portrait)
    return ClipRenderer(face, fields, _script(spec), SimulationSettings())


@lru_cache(maxsize=4)
def _person(
    number: int, inter_ocular_px: float, size: tuple[int, int] | None, portrait: Path | None
) -> tuple[Face, ActionFields]:
    width, height = size or (int(np.ceil(_MARGIN * inter_ocular_px)),) * 2
    settings = SimulationSettings(width=width, height=height, inter_ocular_px=(inter_ocular_px, inter_ocular_px))
    if portrait is not None:
        settings = replace(settings, shape=0.0)
    face = make_face(_portrait(portrait), settings, np.random.default_rng([_SEED, number]))
    return face, action_fields(face.points)


@lru_cache(maxsize=32)
def _portrait(path: Path | None) -> Portrait:
    """Return a photograph with the points of the detector, so that true and found windows mean the same skin."""
    image = astronaut().image if path is None else cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    faces = [] if image is None else load_detector(min_score=_MIN_SCORE).detect(image)
    if not faces:
        raise FaceNotFound(f"{path}: no face found; give a photograph of one face")
    return Portrait(image, faces[0].points)


@lru_cache(maxsize=64)
def _found_at_rest(spec: ClipSpec, noise_grey: float) -> tuple[Landmarks, FloatArray]:
    image = photograph(spec, noise_grey)
    faces = load_detector(min_score=_MIN_SCORE).detect(image)
    if not faces:
        raise FaceNotFound(
            f"{spec.portrait or 'astronaut'}: no face found once it is drawn; give a larger, frontal face"
        )
    return faces[0], invert(_renderer(spec).face.to_frame)


def _digital(image: NDArray[np.float32], noise_grey: float, generator: np.random.Generator) -> GreyImage:
    noisy = image + np.float32(noise_grey) * generator.standard_normal(image.shape, np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _script(spec: ClipSpec) -> ClipScript:
    onset = _onset(spec)
    offset = onset + int(np.ceil(spec.end_s * spec.fps - 1e-9))
    n_frames = offset + onset + 1
    times = (np.arange(n_frames) - onset) / spec.fps
    course = np.array([0.0, _PEAK_S, _END_S, 1.0, 1.0])
    blink = np.array([_PEAK_S - _BLINK_S / 3, _PEAK_S, _PEAK_S + 2 * _BLINK_S / 3, 1.0, 1.0])
    return ClipScript(
        unit=np.array([AU_VOCABULARY.index(unit) for unit in (*spec.units, 45)]),
        sides=np.array([*[(1.0, 1.0)] * len(spec.units), (_BLINK_PX * spec.blink,) * 2]),
        shape=np.stack([*[course] * len(spec.units), blink], axis=1),
        head=_path(spec),
        strength_px=spec.strength_px,
        fps=spec.fps,
        n_frames=n_frames,
        onset=onset,
        apex=int(np.argmin(np.abs(times - _PEAK_S))),
        offset=offset,
        flicker=(0.006, 7.0, 1.0) if spec.lamp else (0.0, 1.0, 0.0),
        drift_grey=3.0 if spec.lamp else 0.0,
    )


def _onset(spec: ClipSpec) -> int:
    return max(1, round(_LEAD_S * spec.fps))


def _path(spec: ClipSpec) -> FloatArray:
    """Return the head path ``(3, 6, 3)``: a sway, and one swing of the turn to both sides in a second."""
    path = np.zeros((3, 6, 3))
    if spec.sway:
        path[:, :4] = _sway(spec.face)
    path[0, 4:, 0], path[1, 4:, 0], path[2, 4:, 0] = spec.turn_deg, 1.0, 2 * np.pi * _onset(spec) / spec.fps
    return path


def _sway(number: int) -> FloatArray:
    """Return a head path ``(3, 4, 3)`` that reaches the full shift and the full turn within the clip."""
    generator = np.random.default_rng([_SEED, number, 1])
    swing = generator.standard_normal((4, 3))
    path = np.stack([swing, generator.uniform(0.2, 2.5, (4, 3)), generator.uniform(0, 2 * np.pi, (4, 3))])
    poses = head_pose(path[:, None], np.linspace(-_LEAD_S, _END_S + _LEAD_S, 200)[None])[0]
    factor = np.zeros(4)
    factor[:2] = _SWAY_PX / np.hypot(poses[:, 0], poses[:, 1]).max()
    factor[2] = _SWAY_DEG / np.abs(poses[:, 2]).max()
    path[0] *= factor[:, None]
    return path
