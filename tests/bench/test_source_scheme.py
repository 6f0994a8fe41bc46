"""The reference to beat does what its authors wrote down, on pictures whose motion is known."""

import cv2
import numpy as np

from stag.bench.clips import ClipSpec, render, true_face
from stag.bench.source_scheme import SourceScheme, face_box


def test_the_face_box_is_whole_pixels_around_the_eyes():
    points = np.zeros((68, 2))
    points[39], points[42] = (90.4, 80.2), (130.4, 80.2)
    assert face_box(points) == (20, 180, 30, 190)


def test_head_motion_is_taken_off_and_a_shifted_face_counts_as_still():
    clip = render(ClipSpec(0, 64.0, (12,), 1.0, sway=False))
    first = clip.clean[0].astype(np.uint8)
    moved = cv2.warpAffine(
        first, np.array([[1.0, 0, 1], [0, 1.0, -1]]), first.shape[::-1], borderMode=cv2.BORDER_REPLICATE
    )
    motion = SourceScheme(first, true_face(clip).points).frame_motion(moved)
    # Small boxes see little of a shift, so that a part of it stays; without the subtraction it would be 1.
    assert np.sqrt(np.square(motion).mean()) < 0.3


def test_it_sees_the_mouth_corners_rise():
    clip = render(ClipSpec(0, 64.0, (12,), 1.0, sway=False))
    frames = [frame.image for frame in clip.filmed(0.0)]
    motion = SourceScheme(frames[0], true_face(clip).points).frame_motion(frames[clip.apex])
    np.testing.assert_allclose(motion[[9, 10]], clip.motion[clip.apex, [9, 10]], atol=0.25)
