"""Portraits that a user brings."""

import cv2
import numpy as np
import pytest

from stag.errors import DatasetError
from stag.simulate.corpus import simulate_corpus
from stag.simulate.face import Portrait, astronaut
from stag.simulate.portraits import load_portrait
from stag.simulate.settings import SimulationSettings


@pytest.fixture
def files(tmp_path):
    """A colour portrait on disk and its points with a header line."""
    face = astronaut()
    image, points = tmp_path / "face.png", tmp_path / "face.csv"
    cv2.imwrite(str(image), cv2.cvtColor(face.image, cv2.COLOR_GRAY2BGR))
    write_points(points, face.points)
    return image, points


def write_points(path, points, header="x,y\n"):
    path.write_text(header + "".join(f"{x},{y}\n" for x, y in points))


def test_a_portrait_comes_back_as_it_was(files):
    read = load_portrait(*files)
    np.testing.assert_array_equal(read.image, astronaut().image)
    np.testing.assert_allclose(read.points, astronaut().points)
    write_points(files[1], astronaut().points, header="")
    np.testing.assert_allclose(load_portrait(*files).points, astronaut().points)


def test_people_take_portraits_in_turn(tmp_path):
    face = astronaut()
    negative = Portrait(255 - face.image, face.points)
    small = SimulationSettings(width=120, height=120, inter_ocular_px=(26, 28), duration_s=0.1, lead_s=0.01)
    how = dict(clips=1, settings=small, fps=50)
    mixed = simulate_corpus(tmp_path / "m", subjects=3, portrait=[face, negative], **how)
    plain = simulate_corpus(tmp_path / "p", subjects=3, **how)
    same = [(mixed / f"clips/{c}.mkv").read_bytes() == (plain / f"clips/{c}.mkv").read_bytes()
            for c in ("s01_c01", "s02_c01", "s03_c01")]  # fmt: skip
    assert same == [True, False, True]


def shifted(points, by):
    return points + by


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: p[:67], "67 points"),
        (lambda p: shifted(p, [400, 0]), "outside"),
        (lambda p: p * 0.1, "px apart"),
        (lambda p: np.where(np.arange(68)[:, None] == 5, np.nan, p), "point 6: lies outside"),
        (lambda p: [511, 511] - p, "upright"),
        (lambda p: p * [1, -1] + [0, 511], "upright"),
        (lambda p: np.hstack([p, p])[:, :3], "not x,y"),
    ],
)
def test_points_that_are_no_upright_face_are_refused(files, change, says):
    points = change(astronaut().points)
    files[1].write_text("\n".join(",".join(map(str, row)) for row in points))
    with pytest.raises(DatasetError, match=says):
        load_portrait(*files)


def test_files_that_are_no_portrait_are_refused(files, tmp_path):
    with pytest.raises(DatasetError, match="No such file"):
        load_portrait(tmp_path / "nobody.png", files[1])
    with pytest.raises(DatasetError, match="No such file"):
        load_portrait(files[0], tmp_path / "nobody.csv")
    with pytest.raises(DatasetError, match="not a readable image"):
        load_portrait(files[1], files[1])
