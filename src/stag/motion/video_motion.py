"""A video of one's own -> the motion of the faces in it."""

from __future__ import annotations

from pathlib import Path

from stag.config import MotionConfig
from stag.faces.detect import load_detector
from stag.motion.clip import extract_clip
from stag.types import MotionTensor
from stag.video import fps_if_untimed, read_frames


def video_motion(
    path: Path, settings: MotionConfig, *, fps: float | None = None, every_face: bool = False, pictures: bool = False
) -> list[MotionTensor]:
    """Read a clip, find its faces, and measure their motion.

    Args:
        path: A video, a GIF or a folder of images.
        settings: How to extract.
        fps: Frames per second where the clip carries no times; a video keeps its own.
        every_face: Every face of the clip, or the largest alone.
        pictures: Keep the crop at each step, for the player of a report.

    Raises:
        VideoError: The clip cannot be read or has too few frames.
        FaceNotFound: No face was found.
        MissingDependency: The landmark model is not installed.
    """
    detector = load_detector("dlib", min_score=settings.min_face_score)
    frames = read_frames(path, fps=fps_if_untimed(path, fps))
    return extract_clip(frames, detector, settings, path, every_face=every_face, pictures=pictures)
