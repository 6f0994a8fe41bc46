"""Detection on a photograph, and the joining of scales."""

import re
import sys
from importlib.resources import files

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st

from stag import doctor
from stag.errors import FaceNotFound, MissingDependency
from stag.faces import detect, mesh
from stag.faces.detect import DlibDetector, cascade_hits, landmark_models, load_detector, merge_scales
from stag.faces.mesh import MeshDetector
from stag.utils.extras import install_hint, mesh_hint

INNER_CORNERS = np.array([[212.2, 103.6], [237.4, 104.9]])


@pytest.fixture(scope="module")
def astronaut():
    return cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)


@pytest.fixture(scope="module", params=["faces found by the mesh", "dlib alone"])
def detector(request):
    with pytest.MonkeyPatch.context() as installed:
        if request.param == "dlib alone":
            installed.setattr(detect, "models_folder", lambda: None)
        return DlibDetector(-0.25)


@pytest.mark.parametrize("scale", [0.72, 1.0, 2.1, 3.4])
def test_the_face_is_found_at_every_size(astronaut, detector, scale):
    image = cv2.resize(astronaut[:300, 60:400], None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    (face,) = detector.detect(image)
    assert face.score > 0.3
    eyes = (face.points[[39, 42]] + 0.5) / scale - 0.5 + [60, 0]
    assert np.abs(eyes - INNER_CORNERS).max() < 2.5
    assert face.points[27:31, 1].tolist() == sorted(face.points[27:31, 1])
    left, top, right, bottom = face.box
    assert left < face.points[30, 0] < right
    assert top < face.points[30, 1] < bottom


def test_cloth_that_scores_like_a_face_is_not_one(astronaut, detector):
    """The patch on the suit scores about 0, as high as faces with spectacles do."""
    candidates = [c for scale in (1.0, 1.5) for c in detector._search(astronaut, scale)]
    found = [box for box, score in merge_scales(candidates) if score >= detector.min_score]
    assert len(found) == 2
    face, patch = found
    assert cascade_hits(astronaut, patch) < 5
    assert cascade_hits(astronaut, face) > 50
    assert len(detector.detect(astronaut)) == 1


@pytest.mark.parametrize("name", ["coffee", "rocket", "coins"])
def test_pictures_without_a_face_give_none(detector, name):
    image = getattr(skimage.data, name)()
    assert detector.detect(image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) == []


def test_the_largest_face_comes_first(astronaut, detector):
    face = astronaut[30:230, 120:320]
    half = cv2.resize(face, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    scene = np.full((240, 420), 90, np.uint8)
    scene[20:160, 20:160], scene[20:220, 200:400] = half, face
    large, small = detector.detect(scene)
    assert large.box[0] > 200 > small.box[2]
    assert small.inter_ocular_px / large.inter_ocular_px == pytest.approx(0.7, abs=0.07)


def test_faces_below_the_score_are_left_out(astronaut, detector, monkeypatch):
    (face,) = detector.detect(astronaut)
    if detector._finder is None:
        monkeypatch.setattr(detect, "models_folder", lambda: None)
    assert DlibDetector(face.score + 0.01).detect(astronaut) == []
    assert len(DlibDetector(face.score).detect(astronaut)) == 1


def test_a_frame_smaller_or_larger_than_any_scale_is_searched(detector):
    assert detector.detect(np.zeros((1, 1), np.uint8)) == []
    assert len(detect._scales_for(np.zeros((1080, 1920), np.uint8))) == 2
    assert len(detect._scales_for(np.zeros((8, 6000), np.uint8))) == 2


boxes = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), *[st.integers(0, 12)] * 2, *[st.integers(1, 9)] * 2)


@given(boxes, boxes)
def test_overlap_counts_shared_pixels(a, b):
    canvas = np.zeros((2, 24, 24), bool)
    for layer, (left, top, right, bottom) in zip(canvas, (a, b), strict=True):
        layer[top:bottom, left:right] = True
    assert detect.overlap(a, b) == pytest.approx((canvas[0] & canvas[1]).sum() / (canvas[0] | canvas[1]).sum())


def test_scales_of_one_face_are_joined_and_a_single_scale_is_doubted():
    face, near, other = (0, 0, 100, 100), (5, 0, 105, 100), (200, 0, 300, 100)
    candidates = [(face, 1.0, 1.0), (near, 1.4, 2.0), (near, 0.2, 3.0), (face, 1.3, 2.0), (other, 0.5, 1.0)]
    assert merge_scales(candidates) == [(near, pytest.approx(1.2)), (other, pytest.approx(-0.1))]
    assert merge_scales([]) == []


def test_an_unknown_detector_is_refused():
    with pytest.raises(FaceNotFound, match="no face detector 'haar'"):
        load_detector("haar", min_score=0)


def test_without_dlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(MissingDependency, match=re.escape(install_hint("faces"))):
        load_detector("dlib", min_score=0)
    monkeypatch.undo()
    monkeypatch.setattr(detect, "_MODEL_PACKAGE", "no_such_package")
    with pytest.raises(MissingDependency, match="no_such_package.*" + re.escape(install_hint("faces"))):
        load_detector("dlib", min_score=0)
    assert [model.available for model in landmark_models()] == [False, True, True]


def test_dlib_places_the_points_and_the_mesh_stands_in(monkeypatch):
    assert isinstance(load_detector(min_score=0), DlibDetector)
    with monkeypatch.context() as without:
        without.setattr(detect, "_MODEL_PACKAGE", "no_such_package")
        assert isinstance(load_detector(min_score=0), MeshDetector)
    monkeypatch.setattr(mesh, "_PACKAGE", "no_such_package")
    assert isinstance(load_detector(min_score=0), DlibDetector)
    monkeypatch.setattr(detect, "_MODEL_PACKAGE", "no_such_package")
    with pytest.raises(MissingDependency, match=re.escape(mesh_hint())):
        load_detector(min_score=0)
    assert not doctor.findings()[1]


def test_the_doctor_learns_of_the_licence_without_importing_the_model_package():
    models = {model.name: model for model in landmark_models()}
    assert list(models) == ["dlib", "mesh", "file"]
    assert all(model.available for model in models.values())
    assert "Apache-2.0" in models["mesh"].licence
    assert "research only" in models["dlib"].licence
    assert detect._MODEL_PACKAGE not in sys.modules


def test_the_finder_beside_the_program_is_the_one_of_dlib(tmp_path):
    import dlib

    dlib.get_frontal_face_detector().save(str(tmp_path / "finder"))
    assert files("stag.faces").joinpath(detect.FINDER_FILE).read_bytes() == (tmp_path / "finder").read_bytes()


def test_a_dlib_that_was_built_for_another_numpy_is_a_missing_package(astronaut, monkeypatch):
    class Dlib:
        def run(self, *_):
            raise RuntimeError("Unsupported image type, must be 8bit gray or RGB image.")

        __call__ = run

    monkeypatch.setattr(detect, "_load_finder", Dlib)
    monkeypatch.setattr(detect, "_load_predictor", lambda _: Dlib())
    for mesh_folder in (mesh.models_folder(), None):
        monkeypatch.setattr(detect, "models_folder", lambda found=mesh_folder: found)
        with pytest.raises(MissingDependency, match=re.escape(install_hint("faces"))):
            DlibDetector(0.0).detect(astronaut)
