"""Detect the faces of a frame and place 68 landmarks: by the face mesh, by dlib, or from a file of points."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from importlib.resources import as_file, files
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np

from stag.errors import FaceNotFound, MissingDependency
from stag.faces.crop import CropReader, Window, crop_transform, invert, transform_points
from stag.faces.landmark_file import FileDetector
from stag.faces.mesh import MeshDetector, models_folder
from stag.types import FloatArray, GreyImage, Landmarks
from stag.utils.extras import install_hint

Box = tuple[float, float, float, float]

_SCALES = (1.0, 1.5, 2.0, 3.0)
_LARGEST_SIDE_PX = 1920  # assumed; a frame is not enlarged beyond this for detection
_SEARCH_SCORE = -0.7  # assumed; also the score of a scale at which the face was not seen
_SAME_FACE = 0.35  # assumed; overlap (intersection over union) of two detections of one face
_LANDMARK_BOX_PX = 200.0  # the landmark model gives whole pixels, which are finer on an enlarged face
_BOX_SHIFTS = (-0.05, 0.0, 0.05)
_AROUND: Window = (-32, 352, -64, 320)  # what is read of the upright crop around a face
_BOX_AROUND: Box = (64, 53, 320, 309)  # measured: mean of dlib's boxes around fourteen portraits, read like that
# Spectacles and beards lower the score of a face; below this score the cascades must see it as well. Measured hits of
# such faces: 13 and more; of fabric, prints and badges: up to 5.
_SURE_SCORE = 0.75  # assumed
_CONFIRMING_HITS = 9  # assumed
_CASCADES = ("haarcascade_frontalface_default.xml", "haarcascade_frontalface_alt2.xml")
_CASCADE_BOX_PX = 100
FINDER_FILE = "frontal_face_detector.svm"
"""Saved detector of dlib; its licence lies beside it."""

_MODEL_PACKAGE = "face_recognition_models"
_MODEL_FILE = "models/shape_predictor_68_face_landmarks.dat"


class FaceDetector(Protocol):
    """Finds faces in a frame."""

    def detect(self, image: GreyImage) -> list[Landmarks]:
        """Return the faces of a grey image ``(height, width)`` uint8, largest first."""
        ...


class LandmarkModel(NamedTuple):
    """A landmark backend, whether it is installed, and what its use is limited to."""

    name: str
    available: bool
    licence: str


class DlibDetector:
    """dlib's 68-point landmark model, in the faces that the mesh finds, each turned upright.

    Where the mesh is not installed, dlib's frontal face detector (HOG) finds them. It searches the frame at several
    enlargements, because it knows no face below about 70 px. The score of a face is the mean of its two best scales:
    prints and shadows that look like a face tend to do so at one scale only. Weak candidates must also be seen by
    OpenCV's Haar cascades.

    Args:
        min_score: Least score of a face.
        alone: Whether to find faces by dlib even where the mesh is installed.

    Raises:
        MissingDependency: dlib or the landmark model is not installed.

    Source: King, Dlib-ml, JMLR 10, 2009; Kazemi and Sullivan, One Millisecond Face Alignment, CVPR 2014.
    """

    def __init__(self, min_score: float, *, alone: bool = False) -> None:
        self.min_score = min_score
        self._dlib = _import_dlib()
        model = _landmark_model()
        if model is None:
            raise MissingDependency(
                f"the 68-point landmark model ({_MODEL_PACKAGE}) is missing: {install_hint('faces')}"
            )
        self._model = model
        self._finder = MeshDetector(min_score) if models_folder() and not alone else None

    def detect(self, image: GreyImage) -> list[Landmarks]:
        """Return the faces of a grey image that score at least ``min_score``, widest box first."""
        if self._finder is not None:
            return [self._placed_in(image, face) for face in self._finder.detect(image)]
        candidates = [c for scale in _scales_for(image) for c in self._search(image, scale)]
        faces = [
            Landmarks(self._place_points(image, box), score, box)
            for box, score in merge_scales(candidates)
            if score >= self.min_score and (score >= _SURE_SCORE or cascade_hits(image, box) >= _CONFIRMING_HITS)
        ]
        return sorted(faces, key=lambda face: (face.box[0] - face.box[2], -face.score))

    def _search(self, image: GreyImage, scale: float) -> Iterator[tuple[Box, float, float]]:
        resized = _resize(image, scale)
        # cv2 rounds the size, so that the true factors differ a little from the scale.
        to_x, to_y = image.shape[1] / resized.shape[1], image.shape[0] / resized.shape[0]
        with self._reading():
            boxes, scores, _ = _load_finder().run(resized, 0, _SEARCH_SCORE)
        for box, score in zip(boxes, scores, strict=True):
            yield (box.left() * to_x, box.top() * to_y, box.right() * to_x, box.bottom() * to_y), float(score), scale

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # versions that were built for NumPy 1 take an array of NumPy 2 for no image
            raise MissingDependency(
                f"dlib {self._dlib.__version__} does not read the pictures of NumPy {np.__version__}: "
                f"{install_hint('faces')}"
            ) from error

    def _placed_in(self, image: GreyImage, face: Landmarks) -> Landmarks:
        to_crop = crop_transform(face.points)
        points = self._place_points(CropReader(image).read(to_crop, _AROUND), _BOX_AROUND)
        return replace(face, points=transform_points(points + _AROUND[2::-2], invert(to_crop)))

    def _place_points(self, image: GreyImage, box: Box) -> FloatArray:
        """Return the median of the landmarks ``(68, 2)`` from nine slightly shifted boxes."""
        left, top, right, bottom = box
        face, x0, y0 = _grown(image, box, 0.6 * (right - left))
        enlarged = _resize(face, _LANDMARK_BOX_PX / max(right - left, 1.0))
        factor = np.array([enlarged.shape[1] / face.shape[1], enlarged.shape[0] / face.shape[0]])
        place = _load_predictor(self._model)
        placed = []
        for dx, dy in product(_BOX_SHIFTS, repeat=2):
            shift = np.array([dx * (right - left) - x0, dy * (bottom - top) - y0])
            corners = np.rint((np.array([[left, top], [right, bottom]]) + shift) * factor).astype(int).ravel()
            with self._reading():
                shape = place(enlarged, self._dlib.rectangle(*corners.tolist()))
            placed.append([(shape.part(i).x, shape.part(i).y) for i in range(68)])
        # Pixel centres: cv2.resize maps the centre of pixel 0 to (factor - 1) / 2.
        points: FloatArray = (np.median(np.array(placed, dtype=np.float64), axis=0) + 0.5) / factor - 0.5
        points += np.array([x0, y0])
        return points


def load_detector(name: str = "auto", *, min_score: float) -> FaceDetector:
    """Return the detector ``"mesh"``, ``"dlib"``, or that of a landmark CSV at the path ``name``.

    ``"auto"`` is dlib where its model is installed, because its points are the more precise ones, else the mesh.

    Raises:
        MissingDependency: The detector is not installed.
        FaceNotFound: ``name`` is neither a detector nor a readable landmark file.
    """
    if name == "auto":
        name = "dlib" if _dlib_is_usable() else "mesh"
    if name in _DETECTORS:
        return _DETECTORS[name](min_score)
    if name.lower().endswith(".csv"):
        return FileDetector(Path(name), min_score)
    raise FaceNotFound(f"no face detector {name!r}; use 'auto', 'mesh', 'dlib' or the path of a landmark .csv file")


_DETECTORS: dict[str, Callable[[float], FaceDetector]] = {"mesh": MeshDetector, "dlib": DlibDetector}


def landmark_models() -> list[LandmarkModel]:
    """Return every landmark backend, without loading it, the preferred one first."""
    return [
        LandmarkModel("dlib", _dlib_is_usable(), "places points, the default; iBUG 300-W: research only"),
        LandmarkModel(
            "mesh", models_folder() is not None, "finds faces, also places points; Apache-2.0: commercial use"
        ),
        LandmarkModel("file", True, "that of the program that wrote the points"),
    ]


def _dlib_is_usable() -> bool:
    return _landmark_model() is not None and importlib.util.find_spec("dlib") is not None


def merge_scales(candidates: Sequence[tuple[Box, float, float]]) -> list[tuple[Box, float]]:
    """Join detections ``(box, score, scale)`` of one face at several scales; the best one gives the box.

    Returns:
        ``(box, score)`` per face, best first; the score is the mean of the two best scales, where a scale at which
        the face was not seen counts -0.7.
    """
    merged: list[tuple[Box, float]] = []
    waiting = sorted(candidates, key=lambda c: (-c[1], c[0]))
    while waiting:
        best = waiting[0][0]
        same = [c for c in waiting if overlap(best, c[0]) >= _SAME_FACE]
        waiting = [c for c in waiting if overlap(best, c[0]) < _SAME_FACE]
        per_scale: dict[float, float] = {}
        for _, score, scale in same:
            per_scale.setdefault(scale, score)
        first, second = [*per_scale.values(), _SEARCH_SCORE][:2]
        merged.append((best, (first + second) / 2))
    return sorted(merged, key=lambda face: -face[1])


def cascade_hits(image: GreyImage, box: Box) -> int:
    """Count how often two Haar cascades, ungrouped, see a face in a box, pixels of the frame.

    Source: Viola and Jones, Robust Real-Time Face Detection, IJCV 57, 2004.
    """
    width = max(box[2] - box[0], 1.0)
    around, x0, y0 = _grown(image, box, width / 2)
    factor = _CASCADE_BOX_PX / width
    scaled = cv2.equalizeHist(_resize(around, factor))
    smallest, largest = int(0.6 * _CASCADE_BOX_PX), int(1.9 * _CASCADE_BOX_PX)
    hits = 0
    for cascade in _load_cascades():
        boxes = cascade.detectMultiScale(scaled, 1.05, 0, minSize=(smallest, smallest), maxSize=(largest, largest))
        for x, y, w, h in np.reshape(boxes, (-1, 4)) / factor:
            hits += overlap((x + x0, y + y0, x + w + x0, y + h + y0), box) > _SAME_FACE
    return int(hits)


def overlap(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes ``(left, top, right, bottom)``."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (areas - width * height)


def _grown(image: GreyImage, box: Box, margin: float) -> tuple[GreyImage, int, int]:
    """Return the part of an image within a box grown by a margin, and the column and row of its first pixel."""
    left, top, right, bottom = box
    x0, y0 = max(int(left - margin), 0), max(int(top - margin), 0)
    return image[y0 : int(bottom + margin) + 1, x0 : int(right + margin) + 1], x0, y0


def _scales_for(image: GreyImage) -> tuple[float, ...]:
    """Return two or more enlargements to try: large frames are not enlarged, very large ones are reduced."""
    limit = _LARGEST_SIDE_PX / max(image.shape)
    fitting = tuple(scale for scale in _SCALES if scale <= limit)
    return fitting if len(fitting) > 1 else (min(limit, 1.0), 0.75 * min(limit, 1.0))


def _resize(image: GreyImage, scale: float) -> GreyImage:
    if scale == 1:
        return np.ascontiguousarray(image)
    kind = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=kind), dtype=np.uint8)


def _landmark_model() -> Path | None:
    # The package that carries the model fails to import with new setuptools; its folder is all that is needed.
    package = importlib.util.find_spec(_MODEL_PACKAGE)
    for folder in (package.submodule_search_locations or []) if package else []:
        if (model := Path(folder) / _MODEL_FILE).is_file():
            return model
    return None


@lru_cache(maxsize=1)
def _load_cascades() -> tuple[Any, ...]:
    folder = Path(cv2.__file__).parent / "data"
    if not all((folder / name).is_file() for name in _CASCADES):
        raise MissingDependency(f"{folder}: OpenCV's Haar cascades are missing; install opencv-python-headless by pip")
    return tuple(cv2.CascadeClassifier(str(folder / name)) for name in _CASCADES)


def _import_dlib() -> Any:
    try:
        return importlib.import_module("dlib")
    except ImportError as error:
        raise MissingDependency(f"the face detector dlib is missing: {install_hint('faces')}") from error


@lru_cache(maxsize=1)
def _load_finder() -> Any:
    """Load the saved detector of dlib, which is 500 times as fast as unpacking it from text."""
    with as_file(files("stag.faces") / FINDER_FILE) as path:
        return _import_dlib().fhog_object_detector(str(path))


@lru_cache(maxsize=1)
def _load_predictor(model: Path) -> Any:
    """Load the landmark model of 100 MB."""
    return _import_dlib().shape_predictor(str(model))
