"""Time a clip from frames on disk to its motion tensor, stage by stage, in one thread."""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np

from stag.bench.clips import ClipSpec, found_face, render
from stag.bench.rows import Row, compared, fastest
from stag.bench.source_scheme import SourceScheme
from stag.config import MotionConfig
from stag.motion.clip import track_motion
from stag.motion.flow import Flow, make_flow
from stag.motion.follow import follow_faces
from stag.motion.regions import Pooling
from stag.types import GreyImage, Landmarks
from stag.utils.parallel import one_thread
from stag.video import read_frames

_SPEC = ClipSpec(0, 64.0, (4, 12), 1.0, size=(640, 480))


class Known:
    """A detector that returns a known face."""

    def __init__(self, face: Landmarks) -> None:
        self._face = face

    def detect(self, image: GreyImage) -> list[Landmarks]:
        """Return the known face."""
        return [self._face]


def extraction_speed(seconds: float = 2.0) -> list[Row]:
    """Time stag and the source scheme on a clip of 640 x 480 JPEG frames at 200 frames per second, without detection.

    Args:
        seconds: How long each stage is repeated on average; its fastest run counts.

    Returns:
        Rows ``way``, ``ms_per_frame`` and the share of each stage: ``decode``, ``track`` (with the search for cuts),
        ``flow``, ``pool`` and ``other`` (smoothing, choice of frames, search for blinks).
    """
    clip = render(_SPEC)
    frames = clip.filmed(1.0)
    face = found_face(clip, 1.0)
    config = MotionConfig()
    n_frames = len(frames)

    with tempfile.TemporaryDirectory() as folder, one_thread():
        for index, frame in enumerate(frames):
            path = str(Path(folder) / f"{index:04d}.jpg")
            cv2.imwrite(path, frame.image, [cv2.IMWRITE_JPEG_QUALITY, 95])
        track = follow_faces(frames, Known(face), "clip")[0]
        before, now = track.crops[0], track.crops[clip.apex]
        flow: Flow = make_flow(config.flow)
        steps = min(config.steps, n_frames) - 1
        fields = np.stack([flow(before, now)] * steps)
        windows = Pooling.of(track.points - [track.window[2], track.window[0]], config.layout)
        best = fastest(
            {
                "decode": lambda: list(read_frames(Path(folder), fps=_SPEC.fps)),
                "track": lambda: follow_faces(frames, Known(face), "clip"),
                "rest": lambda: track_motion(track, config),
                "flow": lambda: flow(before, now),
                "pool": lambda: windows.static(fields),
                "source": lambda: SourceScheme(frames[0].image, face.points).motion(f.image for f in frames[1:]),
            },
            seconds,
        )
    ms = {name: 1e3 * each / n_frames for name, each in best.items()}
    ours = {"decode": ms["decode"], "track": ms["track"], "flow": steps * ms["flow"], "pool": ms["pool"]}
    ours["other"] = max(ms["rest"] - ours["flow"] - ours["pool"], 0.0)
    whole = ms["decode"] + ms["track"] + ms["rest"]
    source = {"decode": ms["decode"], "flow": ms["source"]}
    return [
        {"way": way, "ms_per_frame": total, **{name: value / total for name, value in stages.items()}}
        for way, total, stages in (("stag", whole, ours), ("source scheme", sum(source.values()), source))
    ]


def stage_rows(seconds: float) -> list[Row]:
    """Return the speed of extraction beside the source scheme and beside decoding, and its stages."""
    stages, source = extraction_speed(seconds)
    del stages["way"]
    whole = stages.pop("ms_per_frame")
    title = "640 x 480 JPEG frames to motion, ms a frame"
    return [
        compared(title, whole, source["way"], source["ms_per_frame"]),
        *({"what": f"of it {name}, ms a frame", "value": part * whole, "share": part} for name, part in stages.items()),
        compared("against decoding alone", whole, "decode", stages["decode"] * whole),
    ]
