"""One clip to its motion tensor: known motion comes out, and what is wrong is said."""

import cv2
import numpy as np
import pytest

from stag.bench.clips import ClipSpec, render, true_face
from stag.config import MotionConfig
from stag.errors import FaceNotFound, VideoError
from stag.faces.mesh import MeshDetector
from stag.motion.clip import extract_clip
from stag.motion.follow import follow_faces
from stag.motion.regions import LAYOUTS
from stag.motion.still import is_still
from stag.simulate.face import astronaut
from stag.types import Frame, Landmarks
from stag.video import read_frames, write_video

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


def test_upper_lids_change_nothing_in_the_other_channels():
    frames, face = smile(n=20)
    more, usual = (
        extract_clip(iter(frames), Known(face), MotionConfig(layout=layout), "clip")[0] for layout in ("roi20", "roi18")
    )
    assert more.motion[:, :18].tobytes() == usual.motion.tobytes()
    assert more.motion.shape == (16, 20, 2)
    assert more.frame_index.tolist() == usual.frame_index.tolist()


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


class Seen:
    """A detector that finds the face wherever there is a picture."""

    def __init__(self, face):
        self.face = face

    def detect(self, image):
        return [self.face] if image.any() else []


def test_one_face_that_goes_and_comes_back_moves_alike_whether_all_are_wanted_or_one():
    frames, face = smile(n=90)
    gone = [Frame(np.zeros_like(f.image) if 25 <= i < 52 else f.image, f.time_s * 2) for i, f in enumerate(frames)]
    kinds = [extract_clip(iter(gone), Seen(face), MotionConfig(), "clip", every_face=every) for every in (False, True)]
    (one,), (also,) = kinds
    assert (one.start_s, one.n_frames, one.flags) == (also.start_s, also.n_frames, also.flags)
    np.testing.assert_array_equal(one.motion, also.motion)


def test_people_who_cross_keep_their_ids_and_every_frame_in_which_they_are_seen():
    """One passes before the other, who is hidden for longer than a gap that is bridged, and comes out elsewhere."""
    behind = astronaut().image[60:200, 165:285]
    frames = []
    for i in range(60):
        scene = np.full((200, 480), 90, np.uint8)
        for face, x in ((behind, 20 + 5 * i), (behind[:, ::-1], 340 - 5 * i)):
            scene[30:170, x : x + 120] = face
        frames.append(Frame(scene, i / 30))
    hidden, before = sorted(
        follow_faces(frames, MeshDetector(-0.25), "clip", every_face=True), key=lambda track: -track.gaps
    )
    assert not hidden.lost
    assert before.gaps == 0
    assert 8 < hidden.gaps < 45
    for track, way in ((hidden, 5 * 59), (before, -5 * 59)):
        assert track.place[0] - track.landmarks.points[:, 0].mean() == pytest.approx(way, abs=2)


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


class Everywhere:
    """A detector that knows the face of each scene by its brightest corner."""

    def __init__(self, scenes):
        self.scenes, self.calls = scenes, 0

    def detect(self, image):
        self.calls += 1
        nearest = min(self.scenes, key=lambda scene: np.abs(scene[0].astype(float) - image).mean())
        return [nearest[1]]


def test_motion_never_reaches_over_a_cut():
    frames, face = smile(n=24)
    here = frames[0].image
    there = np.ascontiguousarray(here[:, ::-1])
    mirrored = face.points * [-1, 1] + [here.shape[1] - 1, 0]
    mirrored[[36, 39, 42, 45]] = mirrored[[45, 42, 39, 36]]
    other = [Frame(there, (len(frames) + i) / 100) for i in range(10)]
    detector = Everywhere([(here, face), (there, landmarks(mirrored))])
    (tensor,) = extract_clip([*frames, *other], detector, MotionConfig(), "clip")
    (alone,) = extract_clip(frames, Known(face), MotionConfig(), "clip")
    np.testing.assert_array_equal(tensor.motion, alone.motion)
    assert tensor.flags == (*alone.flags, "cut in the video at 0.24 s")
    assert detector.calls == 2
    assert tensor.n_frames == 24


@pytest.mark.parametrize("longest", [1, 6])
def test_of_several_scenes_the_longest_counts_wherever_its_face_is(longest):
    known, rng = astronaut(), np.random.default_rng(0)
    frames, faces = [], []
    for number in range(8):
        image = cv2.resize(rng.integers(0, 255, (6, 8), np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
        x, y = int(rng.integers(0, 480)), int(rng.integers(0, 280))
        image[y : y + 180, x : x + 150] = known.image[30:210, 150:300]
        faces.append((image, landmarks(known.points + np.array([x - 150, y - 30]))))
        frames += [Frame(image, (len(frames) + i) / 50) for i in range(9 if number == longest else 4)]
    (tensor,) = extract_clip(frames, Everywhere(faces), MotionConfig(), "clip")
    assert (tensor.face_id, tensor.n_frames, tensor.start_s) == (0, 9, frames[4 * longest].time_s)
    assert sum(flag.startswith("cut in the video at ") for flag in tensor.flags) == 1
    short = [*frames[: 4 * longest], *frames[4 * longest + 9 :]][::2]
    with pytest.raises(FaceNotFound, match="clip: no face can be followed for 3 frames; cut it to one scene"):
        extract_clip(short, Everywhere(faces), MotionConfig(), "clip")


def test_a_blink_is_told():
    told = {}
    for blink in (False, True):
        clip = render(ClipSpec(0, 40.0, (12,), 1.0, fps=60.0, blink=blink))
        (tensor,) = extract_clip(clip.filmed(1.0), Known(true_face(clip)), MotionConfig(), "clip")
        told[blink] = [flag for flag in tensor.flags if flag.startswith("blink at")]
    assert told[False] == []
    assert len(told[True]) == 1
    assert float(told[True][0].split()[2]) == pytest.approx(0.21, abs=0.04)


@pytest.mark.parametrize(("inter_ocular_px", "flagged"), [(16.0, True), (24.0, False)])
def test_low_resolution_is_flagged(inter_ocular_px, flagged):
    image, points = portrait()
    factor = inter_ocular_px / np.linalg.norm(points[39] - points[42])
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    frames = [Frame(small, i / 30) for i in range(6)]
    (tensor,) = extract_clip(frames, Known(landmarks(points * factor)), MotionConfig(), "clip")
    assert ("low resolution" in tensor.flags) == flagged


def test_deep_images_a_grey_video_and_frames_in_memory_move_alike(tmp_path):
    frames, face = smile(n=8)
    for i, frame in enumerate(frames):
        (tmp_path / "deep").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "deep" / f"{i}.png"), frame.image.astype(np.uint16) * 257)
    write_video(tmp_path / "grey.mkv", (frame.image for frame in frames), 100)
    motion = [
        extract_clip(source, Known(face), MotionConfig(), "clip")[0].motion
        for source in (frames, read_frames(tmp_path / "deep", fps=100), read_frames(tmp_path / "grey.mkv"))
    ]
    np.testing.assert_allclose(motion[1], motion[0], atol=1e-5)
    np.testing.assert_allclose(motion[2], motion[0], atol=1e-5)


def test_noise_is_still_at_any_level_and_a_smooth_movement_is_not():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (16, 18, 2)) + rng.normal(0, 1, (1, 18, 2))
    noise[0] = 0
    rise = np.sin(np.linspace(0, np.pi, 16))[:, None, None] * rng.normal(0, 1, (1, 18, 2))
    for level_px in (0.01, 0.03, 0.1, 0.5):
        assert is_still((level_px * noise).astype(np.float32), "first")
        assert not is_still((level_px * noise + 5 * max(level_px, 0.02) * rise).astype(np.float32), "first")
    assert is_still(np.zeros((16, 18, 2), np.float32), "first")
    assert is_still((0.01 * noise).astype(np.float32), "previous")
    assert not is_still((0.1 * noise).astype(np.float32), "previous")


@pytest.mark.parametrize("times", [2.5, 1.2])
def test_a_much_larger_face_that_comes_in_is_preferred(times):
    """Beside a small face in the background; of faces of about one size the first is kept."""
    known = astronaut()
    face = known.image[30:230, 120:320]
    small, large = (cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA) for side in (90, round(90 * times)))
    frames = []
    for i in range(60):
        scene = np.full((480, 640 + 400), 90, np.uint8)
        scene[20:110, 20:110] = small
        left = max(300, 700 - 25 * i)
        scene[200 : 200 + len(large), left : left + len(large)] = large
        frames.append(Frame(np.ascontiguousarray(scene[:, :640]), i / 30))
    (track,) = follow_faces(frames, MeshDetector(-0.25), "clip")
    assert len(track.crops) > (30 if times > 2 else 55)
    assert (track.landmarks.box[0] > 250) == (times > 2)
