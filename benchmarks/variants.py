"""Measure the motion of a clip in several ways."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.bench.clips import ClipSpec, RenderedClip, found_face, render, true_face
from stag.bench.source_scheme import SourceScheme
from stag.config import MotionConfig
from stag.faces.crop import CropReader, compose, crop_transform, invert
from stag.faces.detect import load_detector
from stag.motion.clip import track_motion
from stag.motion.flow import FLOWS, Flow, LucasKanadeFlow
from stag.motion.follow import FaceTrack
from stag.motion.regions import pool_static
from stag.motion.transforms import motion_at
from stag.types import FloatArray, Frame, GreyImage, Landmarks, MotionTensor
from stag.utils.values import ArrayValue

Tracker = Literal["tracked", "fixed", "redetected", "truth", "source"]

DEFAULTS = MotionConfig()
STEPS = DEFAULTS.steps


@dataclass(frozen=True)
class Variant:
    """One way to measure motion; the defaults are those of stag.

    Attributes:
        name: Name in the table.
        tracker: ``tracked``: a similarity to every frame; ``fixed``: the crop of the first frame for all frames;
            ``redetected``: landmarks detected in every frame; ``truth``: the true head motion and landmarks;
            ``source``: the source scheme alone.
        flow: Name of a flow algorithm in :data:`CANDIDATE_FLOWS`.
        smooth_s: Width of the average of crops in time.
        kept: Share of strongest pixels for all channels; the truth is pooled by it, too.
        nose: Whether the motion of the nose bridge is subtracted.
        true_face: Whether the true landmarks of the first frame are known.
    """

    name: str
    tracker: Tracker = "tracked"
    flow: str = DEFAULTS.flow
    reference: Literal["first", "previous"] = DEFAULTS.reference
    sampling: Literal["magnitude", "uniform"] = DEFAULTS.sampling
    smooth_s: float = DEFAULTS.smooth_s
    kept: float | None = None
    nose: bool = DEFAULTS.nose_subtraction
    true_face: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class Measured(ArrayValue):
    """One clip, measured in one way.

    Attributes:
        motion: ``(T, 18, 2)`` measured displacement since the first frame, crop pixels.
        truth: ``(T, 18, 2)`` true displacement at the same moments.
        apex: Step nearest to the apex.
        seconds: Time from frames in memory to motion, without detection.
    """

    variant: str
    spec: ClipSpec
    noise_grey: float
    motion: FloatArray
    truth: FloatArray
    apex: int
    seconds: float
    n_frames: int


class PlainFarneback:
    """Compute flow by polynomial expansion with any parameters."""

    def __init__(self, levels: int, window: int, iterations: int, poly_n: int, poly_sigma: float) -> None:
        self._parameters = (0.5, levels, window, iterations, poly_n, poly_sigma, 0)

    def __call__(self, first: GreyImage, second: GreyImage) -> NDArray[np.float32]:
        """Return the flow ``(h, w, 2)``."""
        start = np.zeros((*first.shape, 2), np.float32)
        return np.asarray(cv2.calcOpticalFlowFarneback(first, second, start, *self._parameters), dtype=np.float32)


class PlainDis:
    """Compute flow by dense inverse search with any preset and finest scale."""

    def __init__(self, preset: int, finest: int) -> None:
        self._engine = cv2.DISOpticalFlow.create(preset)
        self._engine.setFinestScale(finest)

    def __call__(self, first: GreyImage, second: GreyImage) -> NDArray[np.float32]:
        """Return the flow ``(h, w, 2)``."""
        return np.asarray(self._engine.calc(first, second, None), dtype=np.float32)


_FAST, _MEDIUM = cv2.DISOPTICAL_FLOW_PRESET_FAST, cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
CANDIDATE_FLOWS: dict[str, Callable[[], Flow]] = {
    **FLOWS,
    "dis medium, finest 1": lambda: PlainDis(_MEDIUM, 1),
    "dis fast, finest 0": lambda: PlainDis(_FAST, 0),
    "farneback 1x15x2 7/1.5": lambda: PlainFarneback(1, 15, 2, 7, 1.5),
    "farneback 1x11x2 7/1.5": lambda: PlainFarneback(1, 11, 2, 7, 1.5),
    "farneback 1x15x2 5/1.1": lambda: PlainFarneback(1, 15, 2, 5, 1.1),
    "lucas-kanade, window 9": lambda: LucasKanadeFlow(window_px=9),
    "lucas-kanade, window 17": lambda: LucasKanadeFlow(window_px=17),
    "lucas-kanade, damping 3": lambda: LucasKanadeFlow(damping=3.0),
    "lucas-kanade, damping 12": lambda: LucasKanadeFlow(damping=12.0),
    "lucas-kanade, 1 round": lambda: LucasKanadeFlow(rounds=1),
    "lucas-kanade, 3 rounds": lambda: LucasKanadeFlow(rounds=3),
}
"""Flow name -> maker. ``farneback LxWxI N/S`` has L levels, a window of W, I iterations, neighbourhood N, sigma S."""


def measure_clip(spec: ClipSpec, noises: Sequence[float], variants: Sequence[Variant]) -> list[Measured]:
    """Render one clip and measure it with every noise in every way."""
    clip = render(spec)
    results = []
    for noise_grey in noises:
        frames = clip.filmed(noise_grey)
        known: dict[tuple[Any, ...], tuple[FaceTrack, float]] = {}
        for variant in variants:
            face = true_face(clip) if variant.true_face or variant.tracker == "truth" else found_face(clip, noise_grey)
            if variant.tracker == "source":
                results.append(_by_source(clip, frames, face, noise_grey, variant))
                continue
            key = (variant.tracker, variant.true_face)
            if key not in known:
                begin = time.perf_counter()
                track = follow(clip, frames, face, variant.tracker)
                known[key] = track, time.perf_counter() - begin
            track, seconds = known[key]
            begin = time.perf_counter()
            tensor = _tensor(track, variant)
            seconds += time.perf_counter() - begin
            results.append(_against_truth(clip, tensor, noise_grey, variant, seconds))
    return results


def follow(clip: RenderedClip, frames: Sequence[Frame], face: Landmarks, tracker: Tracker) -> FaceTrack:
    """Return the crops of a clip, aligned by a tracker."""
    track = FaceTrack(frames[0], face, 0)
    if tracker == "tracked":
        for frame in frames[1:]:
            track.follow(frame)
        return track
    first = crop_transform(face.points)
    # Detection is slow: it runs only in the frames that a uniform choice of steps reads.
    read = set(np.rint(np.linspace(0, len(frames) - 1, STEPS)).astype(int).tolist())
    for index, frame in enumerate(frames[1:], start=1):
        transform = first
        if tracker == "truth":
            transform = compose(first, invert(clip.head[index]))
        elif tracker == "redetected" and index in read:
            detected = load_detector("dlib", min_score=-1.0).detect(frame.image)
            transform = crop_transform(detected[0].points) if detected else first
        track.keep(frame, CropReader(frame.image).read(transform, track.window), None)
    return track


def _tensor(track: FaceTrack, variant: Variant) -> MotionTensor:
    config = MotionConfig(
        steps=STEPS,
        reference=variant.reference,
        sampling="uniform" if variant.tracker == "redetected" else variant.sampling,
        smooth_s=0.0 if variant.tracker == "redetected" else variant.smooth_s,
        nose_subtraction=variant.nose,
    )
    return track_motion(track, config, flow=CANDIDATE_FLOWS[variant.flow](), kept=variant.kept)


def _by_source(
    clip: RenderedClip, frames: Sequence[Frame], face: Landmarks, noise_grey: float, variant: Variant
) -> Measured:
    positions = np.rint(np.linspace(0, len(frames) - 1, min(STEPS, len(frames)))).astype(int)
    begin = time.perf_counter()
    scheme = SourceScheme(frames[0].image, face.points)
    motion = scheme.motion(frames[int(i)].image for i in positions)
    seconds = (time.perf_counter() - begin) * len(frames) / len(positions)
    nearest = int(np.argmin(np.abs(positions - clip.apex)))
    return Measured(variant.name, clip.spec, noise_grey, motion, clip.motion[positions], nearest, seconds, len(frames))


def _against_truth(
    clip: RenderedClip, tensor: MotionTensor, noise_grey: float, variant: Variant, seconds: float
) -> Measured:
    moving = tensor.motion.astype(np.float64)
    if variant.reference == "previous":
        moving = np.cumsum(moving, axis=0)
    motion = clip.motion if variant.kept is None else _repooled(clip, variant.kept)
    return Measured(
        variant=variant.name,
        spec=clip.spec,
        noise_grey=noise_grey,
        motion=moving,
        truth=motion_at(tensor.frame_index, motion),
        apex=int(np.argmin(np.abs(tensor.frame_index - clip.apex))),
        seconds=seconds,
        n_frames=len(clip.motion),
    )


def _repooled(clip: RenderedClip, kept: float) -> FloatArray:
    """Return the true motion ``(N, 18, 2)`` of the channels, pooled with another share."""
    points = clip.renderer.face.points
    times = clip.renderer.script.time_s
    return np.stack([pool_static(clip.renderer.flow(float(t)), points, "roi18", kept) for t in times])
