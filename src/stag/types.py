"""Value objects that several packages share, and the letters of array shapes.

``B`` clips in a batch, ``T`` motion steps, ``R`` regions (motion channels), ``D`` ROI embedding, ``H`` heads,
``L`` layers, ``G`` graph feature, ``M`` transformer width, ``F`` fusion width, ``A`` action units,
``E`` AU embedding, ``C`` classes, ``N`` frames of a clip.

All motion is in *crop pixels*: one pixel is 1/64 of the distance between the inner eye corners.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stag.facs import FacsCode
from stag.utils.values import ArrayValue, html_table

FloatArray = NDArray[np.floating]
GreyImage = NDArray[np.uint8]

NO_MOVEMENT = "no clear movement"
"""Remark on a clip whose motion does not exceed the noise of the measurement."""

SIMULATED_FLOW = "simulated"
"""Value of ``meta["flow"]`` in a motion file of simulated motion."""

NOT_MEASURABLE = "not measurable"
"""Start of the remark on a clip of too low quality; a reason follows, as in ``not measurable: too dark``."""


@dataclass(frozen=True, eq=False, repr=False)
class Frame(ArrayValue):
    """One video frame.

    Attributes:
        image: Grey image ``(height, width)`` uint8.
        time_s: Presentation time in seconds since the first frame of the clip.
        flags: Remarks on the clip, for example ``"30 fps assumed"``.
    """

    image: GreyImage
    time_s: float
    flags: tuple[str, ...] = ()

    def _summary(self) -> str:
        height, width = self.image.shape
        return f"{width} x {height} px, at {self.time_s:.3f} s"


@dataclass(frozen=True, eq=False, repr=False)
class Landmarks(ArrayValue):
    """A detected face.

    Attributes:
        points: ``(68, 2)`` float64 in iBUG order, columns x (right) and y (down), frame pixels.
        score: Detector confidence; ``nan`` for points from a file.
        box: ``(left, top, right, bottom)``, frame pixels.
        mesh: ``(468, 3)`` x, y and depth towards the camera, frame pixels; ``None`` where only the 68 points are known.
    """

    points: FloatArray
    score: float
    box: tuple[float, float, float, float]
    mesh: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.points.shape != (68, 2):
            raise ValueError(f"landmarks have shape {self.points.shape}; expected (68, 2)")

    @property
    def inter_ocular_px(self) -> float:
        """Distance between the inner eye corners, points 39 and 42 (Eq. 2), in frame pixels."""
        return float(np.linalg.norm(self.points[39] - self.points[42]))

    def _summary(self) -> str:
        return f"68 points, {self.inter_ocular_px:.0f} px between the inner eye corners, score {self.score:.2f}"


@dataclass(frozen=True)
class Clip:
    """One annotated clip of a data set.

    Attributes:
        clip_id: Identifier, unique within the data set.
        subject: Identifier as text (``"006"`` stays ``"006"``).
        frames: Video file or folder of images.
        emotion: Annotated emotion as the data set spells it, lower case.
        dataset: Name of the data set.
        onset: First frame of the expression, a 0-based position in the file; ``None`` for the first frame.
        apex: Frame of strongest motion, or ``None`` if unknown.
        offset: Last frame of the expression, inclusive; ``None`` for the last frame.
        fps: Frame rate of a folder of images; ``None`` for videos with times.
        action_units: Annotated FACS codes; ``None`` if unknown.
        split: Published split, such as ``"test_a"``, or empty.
    """

    clip_id: str
    subject: str
    frames: Path
    emotion: str
    dataset: str
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None
    fps: float | None = None
    action_units: FacsCode | None = None
    split: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Quality(ArrayValue):
    """Quality of the measurement of one clip; see :mod:`stag.motion.quality`.

    Attributes:
        noise_px: ``(R,)`` estimated RMS error of each channel, crop pixels.
        drift_px: RMS false motion of the parts of the face that cannot move, crop pixels.
        texture: ``(R,)`` share of a motion that optical flow can measure with the texture of each window, 0 to 1.
        noise_grey: Standard deviation of the image noise, grey levels.
        brightness: Mean of the face, grey levels.
        saturated: Share of the face that is overexposed.
        block_grid: Strength of the 8-pixel grid of a video or JPEG codec; 0 for none, 1 if clearly visible.
        frozen: Share of the face's pixels that do not change from one frame to the next.
        eyes_px: Distance between the inner eye corners, frame pixels.
        covered: Which of ``"mouth"`` and ``"eyes"`` a mask or dark glasses cover.
    """

    noise_px: FloatArray
    drift_px: float
    texture: FloatArray
    noise_grey: float
    brightness: float
    saturated: float
    block_grid: float
    frozen: float
    eyes_px: float
    covered: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class MotionTensor(ArrayValue):
    """Motion of one face through one clip.

    Attributes:
        motion: ``(T, R, 2)`` float32, ``u`` right-positive and ``v`` down-positive, crop pixels.
        time_s: ``(T,)`` float32, time of each step since the first frame of the clip.
        frame_index: ``(T,)`` float64, (fractional) frame position of each step.
        flags: Remarks on the clip, for example ``"no clear movement"``.
        strength_px: RMS of the motion over steps and channels, crop pixels.
        crop: First aligned crop ``(256, 256)`` uint8.
        points: ``(68, 2)`` landmarks on that crop.
        n_frames: Number of frames of the clip.
        duration_s: Time between the first and the last frame.
        start_s: Time of the first frame with this face, since the start of the clip.
        face_id: Rank of the face in the first frame by size; 0 is the largest.
        face_score: Detector confidence, or ``nan`` if unknown.
        pictures: ``(T, 256, 256)`` uint8, the aligned crop at each step, or ``None``.
        quality: Quality of the measurement, or ``None`` for simulated motion.
        head_deg: ``(T, 3)`` yaw (to the right of the image), pitch (down) and roll (clockwise) of the head since its
            first frame, degrees; ``None`` for simulated motion.
    """

    motion: NDArray[np.float32]
    time_s: NDArray[np.float32]
    frame_index: FloatArray
    flags: tuple[str, ...]
    strength_px: float
    crop: GreyImage
    points: FloatArray
    n_frames: int
    duration_s: float
    start_s: float = 0.0
    face_id: int = 0
    face_score: float = float("nan")
    pictures: NDArray[np.uint8] | None = None
    quality: Quality | None = None
    head_deg: FloatArray | None = None

    def _summary(self) -> str:
        steps, regions = self.motion.shape[:2]
        size = f"{self.n_frames} frames, {self.duration_s:.2f} s, {steps} steps, {regions} regions"
        return ", ".join([size, f"strength {self.strength_px:.2f} px, face {self.face_id}", *self.flags])


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(ArrayValue):
    """The answer of a model for one face in one clip.

    Attributes:
        file: The clip as the user named it.
        face_id: Rank of the face in the first frame by size; 0 is the largest.
        start_s: Start of the analysed stretch, seconds.
        end_s: End of the analysed stretch, seconds.
        classes: Names of the ``C`` classes.
        probabilities: ``(C,)`` float64, sums to 1.
        au_vocabulary: Numbers of the ``A`` action units.
        au_probabilities: ``(A,)`` float64 in [0, 1], from the AU head.
        au_source: Source of the AU input of the classifier: ``none``, ``predicted`` or ``annotated``.
        layout: Region layout, ``roi20``, ``roi18`` or ``roi14``.
        motion: The motion that was classified.
        adjacency: ``(L, T, R, R)`` graph attention; row ``i`` contains the weights of all regions for ``i``, sums to 1.
        temporal_attention: ``(T,)`` weights of the graph branch over motion steps, sums to 1.
        flags: Remarks, for example ``"no clear movement"``.
        simulated: Whether the model was trained on simulated motion only.
        codes: Numbers of the annotated action units that the classifier read, or ``None``.
        au_steps: ``(T, A)`` float64 in [0, 1], estimated activity of each action unit at each motion step, of the
            motion alone; ``None`` where it was not computed.
    """

    file: str
    face_id: int
    start_s: float
    end_s: float
    classes: tuple[str, ...]
    probabilities: FloatArray
    au_vocabulary: tuple[int, ...]
    au_probabilities: FloatArray
    au_source: str
    layout: str
    motion: MotionTensor
    adjacency: FloatArray
    temporal_attention: FloatArray
    flags: tuple[str, ...] = ()
    simulated: bool = False
    codes: tuple[int, ...] | None = None
    au_steps: FloatArray | None = None

    @property
    def abstains(self) -> bool:
        """Whether no class is named because the clip has no clear movement or is not measurable."""
        return self._abstention is not None

    @property
    def _abstention(self) -> str | None:
        flags = (*self.flags, *self.motion.flags)
        unmeasured = next((flag for flag in flags if flag.startswith(NOT_MEASURABLE)), None)
        return unmeasured or (NO_MOVEMENT if NO_MOVEMENT in flags else None)

    @property
    def most_probable(self) -> str:
        """Name of the most probable class."""
        return self.classes[int(np.argmax(self.probabilities))]

    @property
    def predicted(self) -> str:
        """Name of the most probable class, ``"no clear movement"``, or ``"not measurable: "`` and the reason."""
        return self._abstention or self.most_probable

    def _summary(self) -> str:
        probability = "" if self.abstains else f" {float(np.max(self.probabilities)):.2f}".replace(" 0.", " .")
        return f"{self.predicted}{probability}, {self.file}, face {self.face_id}"

    def _repr_html_(self) -> str:
        """Return a small table for a notebook."""
        rows = {name: f"{p:.2f}" for name, p in zip(self.classes, self.probabilities.tolist(), strict=True)}
        rows |= {"face": str(self.face_id), "from": f"{self.start_s:.2f} to {self.end_s:.2f} s"}
        remarks = "; ".join(dict.fromkeys((*self.flags, *self.motion.flags)))
        return html_table(f"{self.predicted}, {self.file}", rows | ({"remarks": remarks} if remarks else {}))


EXPRESSIONS = ("micro", "macro")
"""Kinds of expressions."""

MICRO_S = 0.5
"""Longest micro-expression."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """One expression in a recording, annotated or spotted.

    Attributes:
        file: The recording as the user named it.
        onset_s: Start, seconds since the first frame.
        offset_s: End, seconds.
        apex_s: Moment of the largest motion; ``nan`` if unknown.
        kind: ``micro`` or ``macro``, another event such as ``blink``, or empty where it is unknown.
        face_id: Number of the face; ``None`` where only one person is seen.
        score: Confidence of the spotter in [0, 1]; ``nan`` for an annotation.
        subject: Identifier of the person as text; empty if unknown.
        emotion: Annotated or predicted emotion or class; empty if unknown.
        action_units: Numbers of the action units.
    """

    file: str
    onset_s: float
    offset_s: float
    apex_s: float = float("nan")
    kind: str = ""
    face_id: int | None = None
    score: float = float("nan")
    subject: str = ""
    emotion: str = ""
    action_units: tuple[int, ...] = ()

    def overlap(self, other: Interval) -> float:
        """Return the intersection over union with another interval, in time."""
        shared = min(self.offset_s, other.offset_s) - max(self.onset_s, other.onset_s)
        union = max(self.offset_s, other.offset_s) - min(self.onset_s, other.onset_s)
        return max(shared, 0.0) / union if union > 0 else float(shared == 0)


@dataclass(frozen=True, eq=False, repr=False)
class RecordingMotion(ArrayValue):
    """Motion of one face through a recording, ``N`` moments in order.

    Attributes:
        time_s: ``(N,)`` float64, seconds since the first frame of the recording.
        motion: ``(N, 18, 2)`` float32 displacement of the channels of ``roi18``, crop pixels. It is continuous within a
            stretch; its zero is arbitrary.
        stretch: ``(N,)`` int64, number of the stretch between two cuts or losses of the face.
        head: ``(N, 4)`` float32: shift right and down (crop pixels), turn in the picture plane (degrees), log size.
        turn_deg: ``(N,)`` float32 turn out of the picture plane since the stretch began.
        eyes: ``(N,)`` float32, how far the openings of both eyes differ from their usual picture; about 1 in a blink.
        face_id: Number of the face in order of appearance.
        duration_s: Length of the whole recording.
        crop: ``(256, 256)`` uint8, the first aligned crop, or ``None`` for simulated motion.
        points: ``(68, 2)`` landmarks on that crop, or ``None``.
        to_crop: ``(stretches, 2, 3)`` similarity from frame to crop at the first moment of each stretch, or ``None``.
        look: ``(N, 8)`` float32 quality of the picture, see :data:`stag.motion.quality.LOOK`, or ``None``.
    """

    time_s: NDArray[np.float64]
    motion: NDArray[np.float32]
    stretch: NDArray[np.int64]
    head: NDArray[np.float32]
    turn_deg: NDArray[np.float32]
    eyes: NDArray[np.float32]
    face_id: int = 0
    duration_s: float = 0.0
    crop: GreyImage | None = None
    points: FloatArray | None = None
    to_crop: FloatArray | None = None
    look: NDArray[np.float32] | None = None

    def stretches(self) -> list[slice]:
        """Return the rows of each stretch."""
        edges = np.flatnonzero(np.diff(self.stretch)) + 1
        return [slice(int(a), int(b)) for a, b in zip([0, *edges], [*edges, len(self.time_s)], strict=True) if a < b]

    @property
    def measured_s(self) -> float:
        """Time in which the face was followed."""
        return float(sum(self.time_s[s.stop - 1] - self.time_s[s.start] for s in self.stretches()))
