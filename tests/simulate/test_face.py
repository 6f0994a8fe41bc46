"""People made from a portrait."""

import cv2
import numpy as np
import pytest

from stag.errors import DatasetError
from stag.faces.crop import crop_transform, transform_points
from stag.simulate.actions import MIRROR_68
from stag.simulate.corpus import simulate_corpus
from stag.simulate.face import (
    TEXTURE_SCALE,
    Portrait,
    astronaut,
    load_portrait,
    make_face,
    texture_transform,
    vary_shape,
)
from stag.simulate.settings import SimulationSettings


def small(texture):
    height, width = (n // TEXTURE_SCALE for n in texture.shape)
    return cv2.resize(texture, (width, height), interpolation=cv2.INTER_AREA)


def test_the_landmarks_lie_on_the_photograph():
    portrait = astronaut()
    eyes = [portrait.points[a:b].mean(axis=0).round().astype(int) for a, b in ((36, 42), (42, 48))]
    for x, y in eyes:
        pupil = portrait.image[y - 3 : y + 4, x - 3 : x + 4]
        assert int(pupil.min()) < 60 < 120 < int(portrait.image[y + 15, x])
    assert np.linalg.norm(portrait.points[39] - portrait.points[42]) == pytest.approx(25.03, abs=0.01)


def test_a_mirrored_portrait_keeps_its_landmarks_on_the_same_skin():
    portrait = astronaut()
    mirrored = portrait.mirrored()
    for i in (17, 36, 48, 31, 8):
        (x, y), (mx, my) = portrait.points[i], mirrored.points[MIRROR_68[i]]
        assert (511 - x, y) == (mx, my)
        assert portrait.image[int(y), int(x)] == mirrored.image[int(y), 511 - int(x)]


def test_shape_zero_is_the_same_face_and_one_is_another():
    original = transform_points(astronaut().points, crop_transform(astronaut().points))
    same = vary_shape(original, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(same, original, atol=1e-9)
    others = np.stack([vary_shape(original, 1.0, np.random.default_rng(i)) for i in range(20)])
    np.testing.assert_allclose(others[:, [39, 42]], [[[96, 96], [160, 96]]] * 20, atol=1e-9)
    spread = others.std(axis=0).mean()
    assert 1.5 < spread < 8
    assert (others[:, 57, 1] > others[:, 51, 1]).all()
    assert (others[:, 8, 1] > others[:, 57, 1] + 10).all()


@pytest.mark.parametrize(("width", "height", "eyes"), [(256, 256, 44), (640, 480, 96), (320, 240, 20)])
def test_the_texture_shows_the_portrait_at_the_landmarks(width, height, eyes):
    settings = SimulationSettings(width=width, height=height, inter_ocular_px=(eyes, eyes), shape=0.5)
    face = make_face(astronaut(), settings, np.random.default_rng(4))
    assert face.size == (width, height)
    points = transform_points(face.points, face.to_frame)
    assert np.linalg.norm(points[39] - points[42]) == pytest.approx(eyes)
    # Patches of the photograph and of the person, both brought to the crop around each landmark, look alike.
    source = astronaut()
    person = face.texture
    flipped = [source, source.mirrored()]
    likeness = []
    for portrait in flipped:
        to_source = crop_transform(portrait.points)
        found = []
        for i in (20, 23, 37, 44, 48, 54, 57, 33):
            patches = []
            for image, transform, at in (
                (portrait.image.astype(np.float32), to_source, transform_points(portrait.points, to_source)[i]),
                (person, cv2.invertAffineTransform(texture_transform(face.to_frame)), face.points[i]),
            ):
                shift = transform.copy()
                shift[:, 2] += [16, 16] - at
                image = cv2.GaussianBlur(image, (0, 0), TEXTURE_SCALE * eyes / 44) if image is person else image
                patches.append(cv2.warpAffine(image, shift, (33, 33)).ravel())
            found.append(np.corrcoef(*patches)[0, 1])
        likeness.append(np.median(found))
    assert max(likeness) > 0.8


def test_the_same_seed_gives_the_same_person_and_another_seed_another(settings):
    first, again, other = (make_face(astronaut(), settings, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first.texture.tobytes() == again.texture.tobytes()
    assert np.abs(first.points - other.points).max() > 1


def test_a_large_portrait_is_smoothed_before_it_is_shrunk():
    source = astronaut()
    noise = np.random.default_rng(0).integers(0, 255, (1536, 1536)).astype(np.uint8)
    large = Portrait(noise, source.points * 3 + 1)
    settings = SimulationSettings(inter_ocular_px=(20, 20), shape=0.0)
    texture = make_face(large, settings, np.random.default_rng(0)).texture
    frame = texture[::TEXTURE_SCALE, ::TEXTURE_SCALE]
    # Without smoothing, white noise read at every fourth pixel keeps its standard deviation of 73 grey levels.
    assert frame[128:, :].std() < 30


def test_a_portrait_must_be_grey():
    with pytest.raises(ValueError, match="grey uint8"):
        Portrait(np.zeros((4, 4, 3), np.uint8), np.zeros((68, 2)))
    with pytest.raises(ValueError, match=r"\(68, 2\)"):
        Portrait(np.zeros((4, 4), np.uint8), np.zeros((5, 2)))


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
