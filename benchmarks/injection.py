"""Put known action units into real footage, cut them out exactly, and ask models what they see.

At the stillest moments of a recording the skin is moved by the simulator's fields, and the frames from onset to offset
become a clip. Everything else in it is real: what the face does by itself, the camera, the errors of extraction. Beside
it stand clips of photographs, still, swaying and turning, whose head motion and camera noise are *simulated*.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stag.bench.clips import ClipSpec, render
from stag.bench.rows import markdown
from stag.config import MotionConfig
from stag.errors import FaceNotFound, StagError
from stag.faces.crop import invert, transform_points
from stag.faces.detect import FaceDetector, load_detector
from stag.facs import AU_VOCABULARY
from stag.inference.predictor import Predictor
from stag.motion.clip import extract_clip
from stag.motion.recording import frame_to_crop, measure_recording
from stag.simulate.actions import action_fields
from stag.spotting.sensitivity import Planted, planted_frames
from stag.types import FloatArray, Frame, GreyImage, Landmarks, MotionTensor, RecordingMotion
from stag.utils.parallel import spread
from stag.video import read_frames

CLASS_OF = {
    (12,): "positive", (6, 12): "positive", (1, 2): "surprise", (1, 2, 5): "surprise", (4,): "negative",
    (4, 7): "negative", (15, 17): "negative", (17,): "negative",
}  # fmt: skip
"""Units that are put in, and the class that they show."""
STRENGTHS_PX = (0.75, 1.5, 3.0)
FRAME_RATES = (30.0, 200.0)
HEADS: dict[str, dict[str, Any]] = {
    "still": {"sway": False},
    "swaying": {"sway": True},
    "turning": {"sway": False, "turn_deg": (4.0, 2.0)},
}
_USUAL: tuple[tuple[int, ...], ...] = ((12,), (1, 2), (4,), (17,))
_NOISE = 1.0
_CONFIDENT = 0.6
_SLOW_FPS = 25.0


@dataclass(frozen=True)
class Injected:
    """One clip with known action units; none, with strength 0, is the footage as it is."""

    footage: str
    fps: float
    units: tuple[int, ...]
    strength_px: float
    motion: MotionTensor


@dataclass(frozen=True)
class Answered:
    """What a model said of it: its probability, whether it named no class, had the right one first, and every unit."""

    clip: Injected
    model: str
    probability: float
    silent: bool
    right: bool
    named: bool


def footage_paths(given: Iterable[Path]) -> list[Path]:
    """Return recordings: the files given, and those in the folders given.

    Raises:
        StagError: There is none.
    """
    kinds = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".gif"}
    listed = (sorted(path.iterdir()) if path.is_dir() else [path] for path in given)
    paths = [path for some in listed for path in some if path.suffix.lower() in kinds]
    if not paths:
        raise StagError("no footage: give videos or GIFs of a face, or folders of them")
    return paths


def footage_clips(path: Path, moments: int) -> list[Injected]:
    """Return clips of a recording: every unit and strength at each of some moments, the stillest, and nothing at all.

    Footage slower than 25 frames a second is played at 30, as if the face moved faster.
    """
    settings = MotionConfig()
    detector = load_detector(settings.landmarks, min_score=settings.min_face_score)
    frames = list(read_frames(path))
    fps = (len(frames) - 1) / max(frames[-1].time_s, 1e-9)
    if fps < _SLOW_FPS:
        fps = FRAME_RATES[0]
        frames = [replace(frame, time_s=number / fps) for number, frame in enumerate(frames)]
    recording = measure_recording(frames, detector, str(path))[0]
    assert recording.points is not None
    fields = action_fields(recording.points, sorted({unit for units in CLASS_OF for unit in units}))
    clips: list[Injected] = []
    for start in stillest(recording, moments):
        for units, px in [((), 0.0), *((units, px) for units in _USUAL for px in STRENGTHS_PX)]:
            planted = Planted(start, units, px)
            cut = [f for f in frames if start - 1 / fps < f.time_s <= planted.interval.offset_s]
            moved = planted_frames(cut, recording, fields, [planted] if units else [])
            nearest = _Nearest(detector, face_place(recording, start))
            clips += _extracted(moved, path.stem, fps, units, px, nearest)
    return clips


@dataclass(frozen=True)
class _Nearest:
    """Finds the face nearest to a place of the frame alone: of several people one is moved."""

    detector: FaceDetector
    place: FloatArray

    def detect(self, image: GreyImage) -> list[Landmarks]:
        """Return it, or nothing."""
        faces = self.detector.detect(image)
        return sorted(faces, key=lambda face: float(np.linalg.norm(face.points.mean(axis=0) - self.place)))[:1]


def face_place(recording: RecordingMotion, time_s: float) -> FloatArray:
    """Return where in the frame the middle of the recorded face is at a moment, ``(2,)``."""
    assert recording.points is not None
    to_crop = frame_to_crop(recording, int(np.argmin(np.abs(recording.time_s - time_s))))
    return np.asarray(transform_points(recording.points, invert(to_crop)).mean(axis=0))


def stillest(recording: RecordingMotion, most: int) -> list[float]:
    """Return starts of clips, seconds: where the face moves least over the length of one, half a length apart.

    Raises:
        StagError: The face is never in view for so long.
    """
    length = Planted(0.0, (), 0.0).interval.offset_s
    unrest: dict[float, float] = {}
    for rows in recording.stretches():
        time_s, motion = recording.time_s[rows], recording.motion[rows]
        for start in time_s[(time_s > time_s[0]) & (time_s + length < time_s[-1])]:
            inside = motion[(time_s >= start) & (time_s <= start + length)]
            unrest[float(start)] = float(inside.std(axis=0).mean())
    chosen: list[float] = []
    for start in sorted(unrest, key=lambda one: unrest[one]):
        if len(chosen) < most and all(abs(start - other) >= length / 2 for other in chosen):
            chosen.append(start)
    if not chosen:
        raise StagError("the face is never in view for half a second; give other footage")
    return sorted(chosen)


def portrait_clips(path: Path, number: int) -> list[Injected]:
    """Return clips of a photograph: each head, frame rate and strength, with units that take turns."""
    clips: list[Injected] = []
    units_of, settings = list(CLASS_OF), MotionConfig()
    detector = load_detector(settings.landmarks, min_score=settings.min_face_score)
    for turn, (head, pose) in enumerate(HEADS.items()):
        for fps in FRAME_RATES:
            for place, px in enumerate(STRENGTHS_PX):
                units = units_of[(number + 3 * turn + place) % len(units_of)]
                spec = ClipSpec(number, 64.0, units, px, fps=fps, portrait=path, **pose)
                clips += _extracted(render(spec).filmed(_NOISE), f"portraits, {head}", fps, units, px, detector)
    return clips


def _extracted(
    frames: Iterable[Frame], name: str, fps: float, units: tuple[int, ...], px: float, detector: FaceDetector
) -> Iterator[Injected]:
    try:
        tensor = extract_clip(frames, detector, MotionConfig(), name)[0]
    except FaceNotFound:
        return  # a face that is not found is no answer, right or wrong
    yield Injected(name, fps, units, px, replace(tensor, crop=tensor.crop[:1, :1]))


def inject(
    footage: Sequence[Path],
    portraits: Sequence[Path] = (),
    *,
    moments: int = 3,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Injected]:
    """Return the clips of all recordings and photographs."""
    calls: list[tuple[Any, ...]] = [(footage_clips, path, moments) for path in footage]
    calls += [(portrait_clips, path, number) for number, path in enumerate(portraits)]
    clips: list[Injected] = []
    for done, some in enumerate(spread(_call, calls, jobs), start=1):
        clips += some
        if progress is not None:
            progress(done, len(calls))
    return clips


def _call(function: Callable[..., list[Injected]], *arguments: Any) -> list[Injected]:
    return function(*arguments)


def answers(clips: Sequence[Injected], model: str) -> list[Answered]:
    """Return what a model of the three classes says of each clip."""
    predictor = Predictor(model)
    told = []
    for clip in clips:
        prediction = predictor.classify(clip.motion, clip.footage)
        units = [prediction.au_probabilities[AU_VOCABULARY.index(unit)] >= 0.5 for unit in clip.units]
        told.append(
            Answered(
                clip=clip,
                model=model,
                probability=float(prediction.probabilities.max()),
                silent=prediction.abstains,
                right=prediction.most_probable == CLASS_OF.get(clip.units),
                named=bool(units) and all(units),
            )
        )
    return told


def injection_table(told: Sequence[Answered]) -> str:
    """Return a Markdown row for each model, footage, frame rate and strength, and for all footage together."""
    groups: dict[tuple[str, str, str, float], list[Answered]] = defaultdict(list)
    for one in told:
        clip = one.clip
        kind = "all portraits" if clip.footage.startswith("portraits") else "all footage"
        groups[one.model, clip.footage, f"{clip.fps:.0f}", clip.strength_px].append(one)
        groups[one.model, kind, "", clip.strength_px].append(one)
    columns = (
        ("model", "model"), ("footage", "footage"), ("fps", "fps"), ("px", "px"), ("clips", "clips"),
        ("right", "right"), ("wrong", "wrong above .6"), ("silent", "no class named"),
        ("likely", "right class most probable"), ("named", "units named"),
        ("mean", "mean probability"),
    )  # fmt: skip
    rows = [_row(key, some) for key, some in sorted(groups.items())]
    return markdown(rows, columns) + "\n"


def _row(key: tuple[str, str, str, float], some: Sequence[Answered]) -> dict[str, Any]:
    model, footage, fps, px = key
    spoken = [one for one in some if not one.silent]
    count = len(some)
    return {
        "model": model, "footage": footage, "fps": fps, "px": f"{px:g}" if px else "nothing", "clips": count,
        "right": f"{sum(one.right for one in spoken)}" if px else "",
        "wrong": sum(not one.right and one.probability > _CONFIDENT for one in spoken),
        "silent": count - len(spoken),
        "likely": sum(one.right for one in some) if px else "",
        "named": sum(one.named for one in some) if px else "",
        "mean": float(np.mean([one.probability for one in some])),
    }  # fmt: skip
