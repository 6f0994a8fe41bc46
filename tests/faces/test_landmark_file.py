"""Landmark files as other programs write them, and the frame from which they count."""

import numpy as np
import pytest

from stag.config import MotionConfig
from stag.errors import FaceNotFound
from stag.faces.detect import load_detector
from stag.faces.landmark_file import FileDetector
from stag.motion.clip import extract_clip
from stag.simulate.face import astronaut
from stag.types import Frame


def landmark_rows(points, **columns):
    names = [*columns, *(f" x_{i}" for i in range(68)), *(f" y_{i}" for i in range(68))]
    values = [*columns.values(), *points[:, 0], *points[:, 1]]
    return ", ".join(names), ", ".join(str(v) for v in values)


def write_rows(path, rows):
    path.write_text("\n".join([rows[0][0], *(row for _, row in rows)]) + "\n")
    return path


def test_a_landmark_file_gives_the_faces_of_its_first_frame(tmp_path, face_points):
    small, later = face_points * 0.5 + 3, face_points + 40
    rows = [
        landmark_rows(later, frame=9, face_id=0, confidence=0.99),
        landmark_rows(small, frame=3, face_id=1, confidence=0.6),
        landmark_rows(face_points, frame=3, face_id=0, confidence=0.98),
        landmark_rows(face_points * 0, frame=3, face_id=2, confidence=0.0),
        landmark_rows(face_points * np.nan, frame=3, face_id=3, confidence=0.9),
    ]
    path = write_rows(tmp_path / "points.csv", rows)
    image = np.zeros((300, 300), np.uint8)
    faces = FileDetector(path).detect(image)
    assert [face.score for face in faces] == [0.98, 0.6]
    np.testing.assert_allclose(faces[0].points, face_points)
    np.testing.assert_allclose(faces[1].points, small)
    assert faces[0].box == (*face_points.min(axis=0), *face_points.max(axis=0))
    assert len(load_detector(str(path), min_score=0.9).detect(image)) == 1
    with pytest.raises(FaceNotFound, match=r"points\.csv: the eyes at .* outside the 40x50 frame"):
        FileDetector(path).detect(np.zeros((50, 40), np.uint8))


def test_a_bare_landmark_file_is_one_face_per_row_of_time(tmp_path, face_points):
    rows = [landmark_rows(face_points), landmark_rows(face_points + 5)]
    (face,) = load_detector(str(write_rows(tmp_path / "p.CSV", rows)), min_score=-0.2).detect(np.zeros((300, 300)))
    np.testing.assert_allclose(face.points, face_points)
    assert np.isnan(face.score)


def test_a_landmark_file_that_a_spreadsheet_saved_again(tmp_path, face_points):
    header, row = landmark_rows(face_points.round(3) + 0.001, frame=1, confidence=0.5)
    content = "\r\n".join([header, row, ","]).replace(", ", ";").replace(".", ",").replace("\r\n,", "\r\n;;")
    (tmp_path / "p.csv").write_text(content, encoding="utf-16")
    (face,) = FileDetector(tmp_path / "p.csv").detect(np.zeros((300, 300)))
    np.testing.assert_allclose(face.points, face_points, atol=0.002)
    assert face.score == 0.5
    (tmp_path / "p.csv").write_text(f"{header}\n{row}\n{row}, 7\n")
    with pytest.raises(FaceNotFound, match=r"p\.csv, line 3: has 139 fields and the header 138"):
        FileDetector(tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "not a readable landmark table"),
        ("", "no row of landmarks"),
        ("x_0,y_0\n1,2\n", "no column 'x_1'"),
        (
            ",".join(f"{a}_{i}" for i in range(68) for a in "xy") + "\n" + ",".join(["?"] * 136),
            "no row contains",
        ),
    ],
)
def test_a_broken_landmark_file_is_named(tmp_path, content, reason):
    path = tmp_path / "points.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(FaceNotFound, match=rf"points\.csv: .*{reason}"):
        FileDetector(path)


@pytest.mark.parametrize(
    "bad", [{"confidence": ".02"}, {"success": "0"}, {"confidence": "0", "success": "0"}, {"x_40": ""}, {"zeros": "1"}]
)
@pytest.mark.parametrize("numbered", [True, False])
def test_the_first_row_that_can_be_relied_on_counts(tmp_path, bad, numbered):
    points = np.random.default_rng(0).uniform(10, 90, (3, 68, 2)).round(2)
    rows = []
    for number, at in enumerate(points):
        row = {"frame": str(number + 1), "confidence": ".98", "success": "1"}
        row |= {f"{axis}_{i}": str(at[i, k]) for k, axis in enumerate("xy") for i in range(68)}
        if number == 0:
            row |= dict.fromkeys((name for name in row if name[1] == "_"), "0") if "zeros" in bad else bad
        rows.append({name: text for name, text in row.items() if numbered or name != "frame"})
    path = tmp_path / "points.csv"
    path.write_text("\n".join([", ".join(rows[0]), *(", ".join(row.values()) for row in rows)]))
    (face,) = FileDetector(path).detect(np.zeros((100, 100), np.uint8))
    np.testing.assert_allclose(face.points, points[1])


def test_motion_counts_from_the_frame_of_the_first_usable_row(tmp_path):
    """The head runs through the picture, so that the points of a later frame do not fit the first one."""
    known = astronaut()
    places = [(5 * i, 2 * i) for i in range(14)]
    frames = [
        Frame(np.roll(known.image, (y, x), axis=(0, 1)), i / 50, ("a remark",) if i == 1 else ())
        for i, (x, y) in enumerate(places)
    ]
    rows = [
        landmark_rows(known.points + place, frame=i + 1, confidence=0.3 if i < 4 else 0.97)
        for i, place in enumerate(places)
    ]
    detector = FileDetector(write_rows(tmp_path / "p.csv", rows))
    (tensor,) = extract_clip(frames, detector, MotionConfig(), "clip")
    assert (tensor.start_s, tensor.n_frames) == (frames[4].time_s, 10)
    assert {"a remark", "face found at 0.08 s"} < set(tensor.flags)
    whole = FileDetector(write_rows(tmp_path / "whole.csv", rows[4:]))
    (expected,) = extract_clip([Frame(f.image, f.time_s - 0.08) for f in frames[4:]], whole, MotionConfig(), "clip")
    np.testing.assert_array_equal(tensor.crop, expected.crop)
    np.testing.assert_allclose(tensor.motion, expected.motion, atol=1e-5)
    assert np.abs(tensor.motion).max() < 0.1
    with pytest.raises(FaceNotFound, match=r"p\.csv: its first usable row is that of frame 5 of 4 in the clip"):
        extract_clip(frames[:4], detector, MotionConfig(), "clip")
