"""One simulated clip in memory: frames as a camera takes them, and what really happens in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stag.motion.regions import USUAL
from stag.simulate.corpus import NOISE, SCRIPT, subject_face, subject_generator
from stag.simulate.face import astronaut
from stag.simulate.render import ClipRenderer, ClipScript, ClipTruth, draw_script
from stag.simulate.settings import SimulationSettings
from stag.types import Frame, GreyImage, Landmarks
from stag.utils.values import ArrayValue


@dataclass(frozen=True, eq=False, repr=False)
class FilmedClip(ArrayValue):
    """A simulated clip that was never written to disk.

    Attributes:
        frames: The ``N`` frames with their times.
        emotion: What is shown.
        script: Action units, strength, key frames.
        truth: Motion, landmarks and action units of each frame.
    """

    frames: list[Frame]
    emotion: str
    script: ClipScript
    truth: ClipTruth

    def detect(self, image: GreyImage) -> list[Landmarks]:
        """Return the true face of the first frame: a :class:`~stag.faces.detect.FaceDetector` that needs no model."""
        points = self.truth.landmarks[0].astype(np.float64)
        (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        return [Landmarks(points, float("nan"), (left, top, right, bottom))]

    @property
    def motion(self) -> NDArray[np.float32]:
        """``(N, 18, 2)`` true motion of the channels of ``roi18`` since the onset, crop pixels."""
        return self.truth.motion[:, :USUAL]

    def _summary(self) -> str:
        return f"{self.emotion}, AU {self.script.facs}, {len(self.frames)} frames at {self.script.fps:g} fps"


def film_clip(
    emotion: str,
    *,
    person: int = 0,
    clip: int = 0,
    seed: int = 0,
    fps: float = 100.0,
    settings: SimulationSettings | None = None,
) -> FilmedClip:
    """Render one clip; the same arguments give the same frames.

    Args:
        emotion: One of :data:`~stag.simulate.emotions.EMOTION_CLIPS`.
        person: Number of the person; the face and the habits depend on it.
        clip: Number of the clip of that person.
        seed: Seed of everything.
        fps: Frames per second.
        settings: What the clip is like; the defaults where omitted.
    """
    settings = settings or SimulationSettings()
    face, fields, style = subject_face(astronaut(), settings, seed, person)
    script = draw_script(emotion, style, settings, fps, subject_generator(seed, person, SCRIPT, clip))
    renderer = ClipRenderer(face, fields, script, settings)
    images = renderer.frames(subject_generator(seed, person, NOISE, clip))
    frames = [Frame(image, index / fps) for index, image in enumerate(images)]
    return FilmedClip(frames, emotion, script, renderer.truth())
