"""One clip to its motion tensor: known motion comes out, and what is wrong is said."""

import cv2
import numpy as np
import pytest

from stag.config import MotionConfig
from stag.errors import FaceNotFound, VideoError
from stag.motion.extract import extract_clip
from stag.motion.regions import LAYOUTS
from stag.simulate.face import astronaut
from stag.types import Frame, Landmarks

SCALE = 2  # the astronaut's face is about 95 px wide; doubled, local motion is rendered finely


def portrait():
    known = astronaut()
    face = cv2.resize(known.image, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC)
    return face, known.points * SCALE


def moved(image, centre, shift, reach, head=(0.0, 0.0)):
    """The image with a smooth local displacement of ``shift`` at ``centre``, and the whole moved by ``head``."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    rows, columns = rows - head[1], columns - head[0]
    weight = np.exp(-((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2) / (2 * reach**2))
    columns, rows = (columns - weight * shift[0]).astype(np.float32), (rows - weight * shift[1]).astype(np.float32)
    return cv2.remap(image, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


class Known:
    """A detector that is told the answer."""

    def __init__(self, *faces, from_call=0):
        self.faces, self.calls, self.from_call = faces, 0, from_call

    def detect(self, image):
        self.calls += 1
        return list(self.faces) if self.calls > self.from_call else []


def landmarks(points):
    low, high = points.min(axis=0), points.max(axis=0)
    return Landmarks(points, 1.5, (low[0], low[1], high[0], high[1]))


def smile(n=20, head_px=0.0, peak_px=2.0):
    """Left mouth corner up by ``peak_px`` crop pixels at the last frame, with head sway in frame pixels."""
    image, points = portrait()
    inter_ocular = np.linalg.norm(points[39] - points[42])
    unit = inter_ocular / 64
    frames = []
    for i in range(n):
        amount = peak_px * unit * (1 - np.cos(np.pi * i / (n - 1))) / 2
        head = (head_px * np.sin(i / 3), head_px * np.cos(i / 4) - head_px)
        frames.append(Frame(moved(image, points[48], (0, -amount), 0.25 * inter_ocular, head), i / 100))
    return frames, landmarks(points)


@pytest.mark.parametrize("head_px", [0.0, 2.0])
@pytest.mark.parametrize("flow", ["dis", "farneback"])
def test_a_known_local_motion_comes_out_where_it_was_put(flow, head_px):
    frames, face = smile(head_px=head_px)
    (tensor,) = extract_clip(iter(frames), Known(face), MotionConfig(flow=flow), "clip")
    assert tensor.motion.shape == (16, 18, 2)
    assert tensor.motion.dtype == np.float32
    u, v = tensor.motion[-1, 9]
    assert v == pytest.approx(-1.9, abs=0.35)
    assert abs(u) < 0.2
    far = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17]
    assert np.abs(tensor.motion[:, far]).max() < 0.2
    assert tensor.motion[0].tolist() == np.zeros((18, 2)).tolist()
    assert (tensor.time_s[0], tensor.time_s[-1]) == (0, pytest.approx(0.19))
    assert tensor.flags == ()


def test_consecutive_motion_adds_up_to_the_displacement():
    frames, face = smile()
    first, previous = (
        extract_clip(iter(frames), Known(face), MotionConfig(reference=reference, sampling="uniform"), "clip")[0]
        for reference in ("first", "previous")
    )
    np.testing.assert_allclose(previous.motion.sum(axis=0)[9], first.motion[-1, 9], atol=0.25)
    assert np.abs(previous.motion[:, 9]).max() < 0.6 * np.abs(first.motion[:, 9]).max()


@pytest.mark.parametrize("reference", ["first", "previous"])
def test_a_short_clip_is_interpolated_in_time(reference):
    frames, face = smile(n=6)
    (tensor,) = extract_clip(iter(frames), Known(face), MotionConfig(reference=reference), "clip")
    assert tensor.motion.shape == (16, 18, 2)
    total = tensor.motion[:, 9].sum(axis=0) if reference == "previous" else tensor.motion[-1, 9]
    assert total[1] == pytest.approx(-1.9, abs=0.4)
    assert tensor.frame_index[1] == pytest.approx(1 / 3)
    assert "interpolated from 6 frames" in tensor.flags


def test_a_still_clip_is_flagged():
    image, points = portrait()
    frames = [Frame(image, i / 30) for i in range(20)]
    (tensor,) = extract_clip(iter(frames), Known(landmarks(points)), MotionConfig(layout="roi14"), "clip")
    assert tensor.motion.shape[1] == len(LAYOUTS["roi14"])
    assert "no clear movement" in tensor.flags


def test_two_faces_keep_their_ids_and_the_largest_is_the_default():
    image, points = portrait()
    height, width = image.shape
    small = cv2.resize(image, (width // 2, height // 2))
    both = np.zeros((height, width + width // 2), np.uint8)
    both[:, :width] = image
    both[: height // 2, width:] = small
    faces = [landmarks(points), landmarks(points / 2 + [width, 0])]
    frames = [Frame(both, i / 30) for i in range(5)]
    every = extract_clip(iter(frames), Known(*faces), MotionConfig(), "clip", every_face=True)
    assert [tensor.face_id for tensor in every] == [0, 1]
    (largest,) = extract_clip(iter(frames), Known(*faces), MotionConfig(), "clip")
    assert largest.face_id == 0
    np.testing.assert_array_equal(largest.motion, every[0].motion)


def test_a_face_that_turns_up_late_is_found():
    frames, face = smile(n=30)
    (tensor,) = extract_clip(iter(frames), Known(face, from_call=1), MotionConfig(), "clip")
    assert tensor.start_s == pytest.approx(0.1, abs=0.011)
    assert any(flag.startswith("face found at") for flag in tensor.flags)


def test_too_few_frames_and_no_face_get_one_sentence():
    frames, face = smile(n=4)
    with pytest.raises(VideoError, match=r"me\.mp4: has 2 frame"):
        extract_clip(iter(frames[:2]), Known(face), MotionConfig(), "me.mp4")
    with pytest.raises(FaceNotFound, match=r"me\.mp4: no face found in 4 frames"):
        extract_clip(iter(frames), Known(), MotionConfig(), "me.mp4")


def test_detection_runs_once():
    frames, face = smile(n=20)
    detector = Known(face)
    extract_clip(iter(frames), detector, MotionConfig(), "clip")
    assert detector.calls == 1
