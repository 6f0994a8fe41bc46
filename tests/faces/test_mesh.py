"""The mesh on a photograph: anatomy, sizes, turns, what is no face, and the fixed choice of 68 vertices."""

import cv2
import numpy as np
import pytest
import skimage.data
from scipy.ndimage import gaussian_filter

from stag.faces.crop import crop_transform, transform_points
from stag.faces.mesh import VERTICES, MeshDetector, to_68
from stag.simulate.actions import MIRROR_68
from stag.simulate.face import astronaut


@pytest.fixture(scope="module")
def detector():
    return MeshDetector(-0.25)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.7])
@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
def test_the_face_is_found_at_every_size_and_turn(detector, scale, quarter):
    """The known points are dlib's; the channels' windows are 20 px wide and may lie half of that beside."""
    portrait = astronaut()
    image = cv2.resize(portrait.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    (face,) = detector.detect(np.ascontiguousarray(np.rot90(image, quarter)))
    assert face.mesh.shape == (468, 3)
    points = face.points
    for _ in range(quarter):
        points = np.stack([image.shape[1] - 1 - points[:, 1], points[:, 0]], axis=1)
    to_crop = crop_transform(portrait.points)
    off = transform_points((points + 0.5) / scale - 0.5, to_crop) - transform_points(portrait.points, to_crop)
    assert np.hypot(*off[17:].T).mean() < 10
    assert np.hypot(*off[[36, 39, 42, 45, 31, 35, 48, 54]].T).max() < 10
    assert face.score > 0.3


@pytest.mark.parametrize("scale", [0.7, 2.0])
def test_a_face_that_fills_the_picture_is_found_at_the_same_place(detector, scale):
    image = astronaut().image
    (whole,) = detector.detect(image)
    left, top, right, bottom = (round(side + inside) for side, inside in zip(whole.box, (4, 4, -4, -4), strict=True))
    tight = cv2.resize(image[top:bottom, left:right], None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    (face,) = detector.detect(np.asarray(tight))
    off = (face.points + 0.5) / scale - 0.5 + [left, top] - whole.points
    assert np.hypot(*off[17:].T).mean() < 0.15 * whole.inter_ocular_px


@pytest.mark.parametrize("width_px", [30, 45])
@pytest.mark.parametrize("place", [(200, 150), (520, 90), (320, 400)])
def test_a_small_face_in_a_wide_picture_is_found_at_its_place(detector, rng, width_px, place):
    portrait = astronaut()
    scale = width_px / np.ptp(portrait.points[:17, 0])
    half = 0.75 * width_px
    to_picture = np.column_stack([scale * np.eye(2), place - scale * portrait.points.mean(axis=0)])
    smooth = gaussian_filter(portrait.image.astype(float), 0.5 / scale)
    picture = cv2.warpAffine(smooth, to_picture, (640, 480), flags=cv2.INTER_LINEAR)
    rows, columns = np.indices(picture.shape)
    picture[(abs(columns - place[0]) > half) | (abs(rows - place[1]) > half)] = 110
    (face,) = detector.detect((picture + rng.normal(0, 1, picture.shape)).clip(0, 255).astype(np.uint8))
    assert np.hypot(*(face.points.mean(axis=0) - place)) < width_px / 8


def test_the_points_are_those_of_a_face(detector):
    (face,) = detector.detect(astronaut().image)
    x, y = transform_points(face.points, crop_transform(face.points)).T
    assert (np.diff(x[17:27]) > 0).all()
    assert (np.diff(y[27:31]) > 0).all()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (50, 58), (51, 57), (52, 56)):
        assert y[upper] < y[lower]
    assert y[17:27].max() < y[36:48].min() < y[31:36].min() < y[48:60].min() < y[8]
    depth = to_68(face.mesh)[:, 2] / face.inter_ocular_px
    assert depth[30] == depth.max()
    assert 0.5 < depth[30] - depth[[39, 42]].mean() < 1.6
    assert depth[[0, 16]].max() < depth[[36, 45]].min()


def test_left_and_right_use_the_same_vertices(detector):
    """A mirrored picture swaps the points of both sides, up to the noise of the network."""
    portrait = astronaut()
    (face,), (mirrored,) = (detector.detect(p.image) for p in (portrait, portrait.mirrored()))
    back = mirrored.points[list(MIRROR_68)]
    back[:, 0] = portrait.image.shape[1] - 1 - back[:, 0]
    assert np.hypot(*(back - face.points).T).max() < 0.12 * face.inter_ocular_px
    assert [len(chosen) for chosen in VERTICES] == [len(VERTICES[partner]) for partner in MIRROR_68]


def test_the_largest_face_comes_first_and_each_once(detector):
    face = astronaut().image[30:230, 120:320]
    scene = np.full((480, 640), 90, np.uint8)
    scene[20:160, 20:160], scene[200:400, 300:500] = cv2.resize(face, (140, 140)), face
    large, small = detector.detect(scene)
    assert large.box[0] > 300 > small.box[2]


def test_what_is_no_face_gives_none(detector, rng):
    scenes = [
        np.asarray(getattr(skimage.data, name)()) for name in ("coffee", "rocket", "coins", "cat", "page", "brick")
    ]
    scenes += [128 + 3000 * gaussian_filter(rng.normal(0, 1, (240, 320)), width) / width for width in (1, 4, 12)]
    for scene in scenes:
        grey = cv2.cvtColor(scene, cv2.COLOR_RGB2GRAY) if scene.ndim == 3 else np.clip(scene, 0, 255).astype(np.uint8)
        assert detector.detect(grey) == []
    assert detector.detect(np.zeros((1, 1), np.uint8)) == []
