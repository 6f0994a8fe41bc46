"""Whole data sets, or a user's own clips, -> one motion file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from stag import __version__
from stag.config import Config, MotionConfig
from stag.datasets.clips import ClipTable
from stag.datasets.labels import Scheme
from stag.datasets.motion_file import MotionSet
from stag.errors import DatasetError, StagError
from stag.faces.crop import CROP_PX
from stag.faces.detect import load_detector
from stag.facs import AU_VOCABULARY, au_vector, parse_facs
from stag.motion.extract import extract_clip
from stag.motion.regions import channel_names
from stag.parallel import spread
from stag.types import Clip, MotionTensor
from stag.video import read_frames

UNLABELLED = "unknown"
Progress = Callable[[int, int], None]


def extract_motion(
    clips: ClipTable, config: Config | None = None, *, jobs: int = 1, progress: Progress | None = None
) -> MotionSet:
    """Motion of every clip of a data set.

    A clip that cannot be used does not stop the others: it is listed with its reason in ``meta["skipped"]``.

    Args:
        clips: From :func:`stag.load_dataset`.
        config: Settings; the defaults where omitted.
        jobs: Number of worker processes. The result does not depend on it.
        progress: Called with (done, total) after each clip.

    Raises:
        DatasetError: No clip gave motion.

    Example:
        >>> motion = stag.extract_motion(clips, jobs=2)  # doctest: +SKIP
    """
    settings = (config or Config()).motion
    outcomes = _run(list(clips), settings, jobs, progress)
    return _assemble(list(clips), clips.classes, outcomes, settings, clips.scheme, clips.skipped, clips.simulated)


def extract_files(
    paths: Sequence[Path], config: Config | None = None, *, jobs: int = 1, progress: Progress | None = None
) -> MotionSet:
    """Motion of a user's own clips, without labels: every label is ``"unknown"``.

    Raises:
        DatasetError: No clip gave motion.
    """
    settings = (config or Config()).motion
    clips = [Clip(str(path), path.stem, path, UNLABELLED, "own") for path in dict.fromkeys(paths)]
    outcomes = _run(clips, settings, jobs, progress)
    return _assemble(clips, [UNLABELLED] * len(clips), outcomes, settings, None, (), False)


def clip_motion(clip: Clip, settings: MotionConfig) -> MotionTensor:
    """Motion of the largest face of one annotated clip, from onset to offset.

    Raises:
        VideoError: The clip cannot be read or is too short.
        FaceNotFound: No face was found.
    """
    stop = None if clip.offset is None else clip.offset + 1
    frames = read_frames(clip.frames, fps=clip.fps, start=clip.onset, stop=stop)
    detector = load_detector("dlib", min_score=settings.min_face_score)
    return extract_clip(frames, detector, settings, clip.frames)[0]


def _run(clips: list[Clip], settings: MotionConfig, jobs: int, progress: Progress | None) -> list[MotionTensor | str]:
    outcomes: list[MotionTensor | str] = []
    for outcome in spread(_attempt, ((clip, settings) for clip in clips), jobs):
        outcomes.append(outcome)
        if progress is not None:
            progress(len(outcomes), len(clips))
    return outcomes


def _attempt(clip: Clip, settings: MotionConfig) -> MotionTensor | str:
    """The motion, or the reason why there is none; errors travel between processes as text."""
    try:
        return clip_motion(clip, settings)
    except StagError as error:
        return str(error)


def _assemble(
    clips: list[Clip],
    classes: Sequence[str],
    outcomes: list[MotionTensor | str],
    settings: MotionConfig,
    scheme: Scheme | None,
    skipped: Sequence[tuple[str, str]],
    simulated: bool,
) -> MotionSet:
    left_out = list(skipped)
    rows: list[tuple[Clip, str, MotionTensor]] = []
    for clip, label, outcome in zip(clips, classes, outcomes, strict=True):
        if isinstance(outcome, str):
            left_out.append((clip.clip_id, outcome))
        else:
            rows.append((clip, label, outcome))
    if not rows:
        reason = f"; first reason: {left_out[0][1]}" if left_out else ""
        raise DatasetError(f"no clip gave motion{reason}")
    meta = {
        **settings.model_dump(),
        "channels": list(channel_names(settings.layout)),
        "crop_px": CROP_PX,
        "au_vocabulary": list(AU_VOCABULARY),
        "scheme": scheme.name if scheme else None,
        "classes": list(scheme.classes) if scheme else [UNLABELLED],
        "simulated": simulated,
        "skipped": [list(item) for item in left_out],
        "version": __version__,
    }
    return MotionSet(
        motion=np.stack([tensor.motion for _, _, tensor in rows]),
        label=np.array([label for _, label, _ in rows]),
        subject=np.array([clip.subject for clip, _, _ in rows]),
        dataset=np.array([clip.dataset for clip, _, _ in rows]),
        action_units=np.array([_codes(clip) for clip, _, _ in rows], dtype=np.float32),
        clip_id=np.array([clip.clip_id for clip, _, _ in rows]),
        time_s=np.stack([tensor.time_s for _, _, tensor in rows]),
        flags=np.array(["; ".join(tensor.flags) for _, _, tensor in rows]),
        meta=meta,
    )


def _codes(clip: Clip) -> list[float]:
    if clip.action_units is None:
        return [float("nan")] * len(AU_VOCABULARY)
    return au_vector(parse_facs(clip.action_units).numbers)
