"""How long a clip takes from frames on disk to its motion tensor, and where the time goes; one thread."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from stag.bench.clips import ClipSpec, found_face, render
from stag.bench.source_scheme import SourceScheme
from stag.config import MotionConfig
from stag.motion.extract import FaceTrack, track_motion
from stag.motion.flow import Flow, make_flow
from stag.motion.regions import pool_static
from stag.parallel import one_thread
from stag.video import read_frames

_SPEC = ClipSpec(0, 64.0, (4, 12), 1.0, size=(640, 480))
_JPEG_QUALITY = 95


def measure_speed(seconds: float = 2.0) -> list[dict[str, Any]]:
    """Time both ways on one clip of 640 x 480 JPEG frames at 200 frames per second; detection is left out of both.

    Args:
        seconds: How long each stage is repeated; its fastest run counts.

    Returns:
        Rows ``way``, ``ms_per_frame`` and the share of each stage: ``decode``, ``track``, ``flow``, ``pool``, and
        ``other``, which is smoothing and the choice of frames.
    """
    clip = render(_SPEC)
    frames = clip.filmed(1.0)
    face = found_face(clip, 1.0)
    config = MotionConfig()
    n_frames = len(frames)

    def per_frame(run: Callable[[], object]) -> float:
        best, begin = float("inf"), time.perf_counter()
        while best == float("inf") or time.perf_counter() - begin < seconds:
            start = time.perf_counter()
            run()
            best = min(best, time.perf_counter() - start)
        return 1e3 * best / n_frames

    def tracked() -> FaceTrack:
        track = FaceTrack(frames[0], face, 0)
        for frame in frames[1:]:
            track.follow(frame)
        return track

    with tempfile.TemporaryDirectory() as folder, one_thread():
        for index, frame in enumerate(frames):
            path = str(Path(folder) / f"{index:04d}.jpg")
            cv2.imwrite(path, frame.image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        decode = per_frame(lambda: list(read_frames(Path(folder), fps=_SPEC.fps)))
        track = tracked()
        following = per_frame(tracked)
        rest = per_frame(lambda: track_motion(track, config))
        before, now = track.crops[0], track.crops[clip.apex]
        flow: Flow = make_flow(config.flow)
        field = flow(before, now)
        inside = track.points - [track.window[2], track.window[0]]
        steps = min(config.steps, n_frames) - 1
        flowing = steps * per_frame(lambda: flow(before, now))
        pooling = steps * per_frame(lambda: pool_static(field, inside, config.layout))
        source = per_frame(lambda: SourceScheme(frames[0].image, face.points).motion(f.image for f in frames[1:]))
    ours = decode + following + rest
    other = max(rest - flowing - pooling, 0.0)
    stages = {"decode": decode, "track": following, "flow": flowing, "pool": pooling, "other": other}
    return [
        {"way": "stag", "ms_per_frame": ours, **{name: value / ours for name, value in stages.items()}},
        {
            "way": "source scheme",
            "ms_per_frame": decode + source,
            "decode": decode / (decode + source),
            "flow": source / (decode + source),
        },
    ]
