"""A video of one's own -> the motion of the faces in it."""

from __future__ import annotations

from pathlib import Path

from stag.config import MotionConfig
from stag.faces.detect import load_detector
from stag.motion.extract import extract_clip
from stag.types import MotionTensor
from stag.video import read_frames


def video_motion(
    path: Path, settings: MotionConfig, *, every_face: bool = False, pictures: bool = False
) -> list[MotionTensor]:
    """Read a clip, find its faces, and measure their motion.

    Args:
        path: A video, a GIF or a folder of images.
        settings: How to extract.
        every_face: Every face of the clip, or the largest alone.
        pictures: Keep the crop at each step, for the player of a report.

    Raises:
        VideoError: The clip cannot be read or has too few frames.
        FaceNotFound: No face was found.
        MissingDependency: The landmark model is not installed.
    """
    detector = load_detector("dlib", min_score=settings.min_face_score)
    return extract_clip(read_frames(path), detector, settings, path, every_face=every_face, pictures=pictures)
