"""A turn of the head is told from what noise, compression and overexposure do to the stable patches."""

import cv2
import numpy as np
import pytest

from benchmarks.degrade import FILMS
from stag.config import MotionConfig
from stag.motion.clip import extract_clip
from stag.simulate.face import astronaut
from stag.types import Frame, Landmarks

INTER_OCULAR_PX = 40.0
FPS = 60.0


class Known:
    def __init__(self, points):
        self.face = Landmarks(points, 1.0, (0, 0, 1, 1))

    def detect(self, image):
        return [self.face]


def turning_head(degrees, axis):
    """A round head with a nose, turning about an axis of the picture: 0 to the side, 1 up; frames and first points."""
    known = astronaut()
    factor = INTER_OCULAR_PX / np.linalg.norm(known.points[39] - known.points[42])
    middle = known.points[29]
    side = int(6 * INTER_OCULAR_PX)
    to_frame = np.array([[factor, 0, side / 2 - factor * middle[0]], [0, factor, side / 2 - factor * middle[1]]])
    image = cv2.warpAffine(known.image.astype(np.float32), to_frame, (side, side), flags=cv2.INTER_CUBIC)
    points = known.points @ to_frame[:, :2].T + to_frame[:, 2]
    unit = INTER_OCULAR_PX / 64
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    x, y = (columns - side / 2) / unit, (rows - side / 2) / unit
    depth = 60 * np.exp(-(x**2 + y**2) / (2 * 60**2)) + 25 * np.exp(-(x**2 / 12**2 + (y - 10) ** 2 / 25**2) / 2)
    frames = []
    for angle in np.deg2rad(np.linspace(0, degrees, 16)):
        shift = (unit * ((1 / np.cos(angle) - 1) * (x, y)[axis] - np.tan(angle) * depth)).astype(np.float32)
        read = (columns + shift, rows) if axis == 0 else (columns, rows + shift)
        frames.append(cv2.remap(image, *read, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return frames, points


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("film", "degrees", "flagged"),
    [
        *((film, 0.0, False) for film in ("full quality", "MJPEG, default", "MPEG-4, default", "exposure x 2.5")),
        *((film, 10.0, True) for film in ("full quality", "light 25 %", "MJPEG, default", "MPEG-4, default")),
    ],
)
def test_only_a_turn_is_called_a_turn(film, axis, degrees, flagged):
    clean, points = turning_head(degrees, axis)
    images = FILMS[film](clean, FPS, np.random.default_rng(0))
    frames = [Frame(image, i / FPS) for i, image in enumerate(images)]
    (tensor,) = extract_clip(frames, Known(points), MotionConfig(), film)
    assert ("head turned" in tensor.flags) == flagged


def test_patches_without_texture_do_not_turn_a_head():
    """What is white in every frame tells nothing, and a few grey levels of noise there must not count."""
    clean, points = turning_head(0.0, 0)
    rng = np.random.default_rng(0)
    frames = [
        Frame(np.clip(4 * image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8), i / FPS)
        for i, image in enumerate(clean)
    ]
    (tensor,) = extract_clip(frames, Known(points), MotionConfig(), "white")
    assert "head turned" not in tensor.flags
