"""Make people from a portrait with landmarks, by random variation of proportions, skin and light.

A face is a texture of four pixels per frame pixel: bilinear reading draws a frame at any fraction of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stag.errors import DatasetError
from stag.faces.crop import INTER_OCULAR_CROP_PX, compose, crop_transform, invert, transform_points
from stag.faces.pose import HeadShape
from stag.simulate.actions import CROP_TO_GRID, MIRROR_68, on_face, smooth_field
from stag.simulate.looks import add_looks
from stag.simulate.settings import SimulationSettings
from stag.types import FloatArray, GreyImage
from stag.utils.values import ArrayValue

TEXTURE_SCALE = 4
"""Texture pixels per frame pixel. OpenCV rounds coordinates to 1/32 px: here that is 1/128 of a frame pixel."""

_EYE_ROW, _MIDLINE = 96.0, 128.0
_GREY_RANGE = (10.0, 240.0)  # assumed; room for noise on both sides


@dataclass(frozen=True, eq=False, repr=False)
class Portrait(ArrayValue):
    """A photograph of a face: grey ``(height, width)``, and ``(68, 2)`` landmarks in pixels of the image."""

    image: GreyImage
    points: FloatArray

    def __post_init__(self) -> None:
        if self.image.ndim != 2 or self.image.dtype != np.uint8:
            raise ValueError(f"portrait is {self.image.dtype} of shape {self.image.shape}; expected a grey uint8 image")
        if self.points.shape != (68, 2):
            raise ValueError(f"landmarks have shape {self.points.shape}; expected (68, 2)")

    def mirrored(self) -> Portrait:
        """Return the face mirrored left to right."""
        points = self.points[list(MIRROR_68)].copy()
        points[:, 0] = self.image.shape[1] - 1 - points[:, 0]
        return Portrait(np.ascontiguousarray(self.image[:, ::-1]), points)


@dataclass(frozen=True, eq=False, repr=False)
class Face(ArrayValue):
    """The face of one simulated person, at rest.

    Attributes:
        points: ``(68, 2)`` landmarks on the crop.
        texture: ``(4 height, 4 width)`` float32 grey, :data:`TEXTURE_SCALE` pixels per frame pixel.
        to_frame: ``(2, 3)`` similarity from crop to frame.
    """

    points: FloatArray
    texture: NDArray[np.float32]
    to_frame: FloatArray

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """``(G, G)`` depth before the plane of the eyes on the grid of fields, crop pixels; 0 beyond the face."""
        return on_face(HeadShape.mean(self.points).depth_px, self.points)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame."""
        height, width = self.texture.shape
        return width // TEXTURE_SCALE, height // TEXTURE_SCALE


@cache
def astronaut() -> Portrait:
    """Return the photograph of Eileen Collins (NASA, public domain) from scikit-image, with landmarks."""
    with files("stag.simulate").joinpath("astronaut_68.csv").open(encoding="utf-8") as table:
        points = np.loadtxt(table, delimiter=",", skiprows=1)
    photograph = np.asarray(import_module("skimage.data").astronaut())
    return Portrait(cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY).astype(np.uint8), points)


def vary_shape(points: FloatArray, amount: float, generator: np.random.Generator) -> FloatArray:
    """Draw landmarks of another person, ``(68, 2)`` on the upright crop; an ``amount`` of 0 changes nothing."""

    def spread(deviation: float) -> float:
        return amount * deviation * float(np.clip(generator.standard_normal(), -2, 2))

    p = points - [_MIDLINE, _EYE_ROW]
    p[:, 1] *= 1 + spread(0.05)
    p[:17] *= [1 + spread(0.05), 1 + spread(0.04)]
    for eye, inner in ((slice(36, 42), 39), (slice(42, 48), 42)):
        p[eye] = (p[eye] - p[inner]) * [1 + spread(0.04), 1 + spread(0.08)] + p[inner]
    lateral = np.abs(p[17:27, 0]) / INTER_OCULAR_CROP_PX
    p[17:27, 1] += spread(2.0) + spread(2.0) * (lateral - 1)
    p[31:36, 0] *= 1 + spread(0.08)
    p[28:36, 1] += np.linspace(0.25, 1, 8) * spread(2.5)
    mouth = p[48:68].mean(axis=0)
    p[48:68] = (p[48:68] - mouth) * [1 + spread(0.08), 1 + spread(0.1)] + mouth + [0, spread(3.0)]
    distance = np.linalg.norm(p[:, None] - p[None], axis=-1)
    smooth = np.exp(-0.5 * (distance / (0.6 * INTER_OCULAR_CROP_PX)) ** 2)
    weights, vectors = np.linalg.eigh(smooth)
    root = vectors * np.sqrt(np.clip(weights, 0, None))
    p += amount * 1.0 * root @ np.clip(generator.standard_normal((68, 2)), -2, 2)
    return transform_points(p, crop_transform(p))


def make_face(portrait: Portrait, settings: SimulationSettings, generator: np.random.Generator) -> Face:
    """Draw a person from a portrait; the same state of the generator gives the same person."""
    source = portrait.mirrored() if generator.random() < 0.5 else portrait
    to_crop = crop_transform(source.points)
    original = transform_points(source.points, to_crop)
    points = vary_shape(original, settings.shape, generator)
    to_frame = _placement(settings, generator)
    texture = _warped_portrait(source, to_crop, original, points, to_frame, settings)
    texture = _with_skin(texture, points, to_frame, generator)
    if settings.looks > 0:
        (own,) = generator.spawn(1)  # the same person without looks has the same light
        size = settings.height, settings.width
        texture = add_looks(texture, size, transform_points(points, to_frame), settings.looks, own)
    texture = _lit(texture, to_frame, generator)
    return Face(points, texture, to_frame)


def _placement(settings: SimulationSettings, generator: np.random.Generator) -> FloatArray:
    """Draw the position of the face in the frame: similarity from crop to frame."""
    scale = generator.uniform(*settings.inter_ocular_px) / INTER_OCULAR_CROP_PX
    roll = np.deg2rad(generator.uniform(-4, 4))  # assumed
    x = settings.width * (0.5 + generator.uniform(-0.02, 0.02))  # assumed
    y = settings.height * (0.4 + generator.uniform(-0.02, 0.02))  # assumed
    linear = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    return np.column_stack([linear, np.array([x, y]) - linear @ [_MIDLINE, _EYE_ROW]])


def texture_transform(to_frame: FloatArray) -> FloatArray:
    """Return the ``(2, 3)`` transform from crop pixels to texture pixels."""
    half = (TEXTURE_SCALE - 1) / 2
    to_texture = np.array([[TEXTURE_SCALE, 0, half], [0, TEXTURE_SCALE, half]])
    return compose(to_texture, to_frame)


def _warped_portrait(
    source: Portrait,
    to_crop: FloatArray,
    original: FloatArray,
    points: FloatArray,
    to_frame: FloatArray,
    settings: SimulationSettings,
) -> NDArray[np.float32]:
    """Return the portrait with its landmarks moved to ``points``, as a texture."""
    from_texture = invert(texture_transform(to_frame))
    size = (settings.width * TEXTURE_SCALE, settings.height * TEXTURE_SCALE)
    column, row = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
    field = smooth_field(points, original - points, points).astype(np.float32)
    inverse = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shift = cv2.warpAffine(field, compose(CROP_TO_GRID, from_texture), size, flags=inverse)
    to_source = invert(to_crop)
    straight = compose(to_source, from_texture)
    linear = to_source[:, :2]
    x = straight[0, 0] * column + straight[0, 1] * row + straight[0, 2] + shift @ linear[0]
    y = straight[1, 0] * column + straight[1, 1] * row + straight[1, 2] + shift @ linear[1]
    image: NDArray[Any] = source.image.astype(np.float32)
    per_frame_px = float(np.hypot(*linear[:, 0]) / np.hypot(*to_frame[:, 0]))
    if per_frame_px > 1:
        # The finest detail of a larger portrait does not fit a frame and would flicker as the skin moves.
        image = cv2.GaussianBlur(image, (0, 0), 0.5 * np.sqrt(per_frame_px**2 - 1))
    # A small portrait is enlarged first, because OpenCV rounds coordinates to 1/32 px.
    finer = int(np.clip(np.ceil(TEXTURE_SCALE / per_frame_px), 1, 2 * TEXTURE_SCALE))
    low = np.clip(np.floor([x.min(), y.min()]).astype(int) - 4, 0, np.array(image.shape[::-1]) - 1)
    high = np.clip(np.ceil([x.max(), y.max()]).astype(int) + 5, low + 1, image.shape[::-1])
    part = image[low[1] : high[1], low[0] : high[0]]
    part = cv2.resize(part, None, fx=finer, fy=finer, interpolation=cv2.INTER_CUBIC)
    x, y = ((axis - start + 0.5) * finer - 0.5 for axis, start in ((x, low[0]), (y, low[1])))
    drawn = cv2.remap(part, x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(drawn, dtype=np.float32)


def _with_skin(
    texture: NDArray[np.float32], points: FloatArray, to_frame: FloatArray, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Add pores and freckles: noise of wavelengths that the frame can resolve, on the skin only."""
    height, width = (n // TEXTURE_SCALE for n in texture.shape)
    noise = generator.standard_normal((2, height, width)).astype(np.float32)
    fine = cv2.GaussianBlur(noise[0], (0, 0), 0.9) - cv2.GaussianBlur(noise[0], (0, 0), 2.5)
    coarse = cv2.GaussianBlur(noise[1], (0, 0), 3.0) - cv2.GaussianBlur(noise[1], (0, 0), 9.0)
    amounts = generator.uniform(2, 5), generator.uniform(1, 4)  # assumed; grey levels
    pattern = amounts[0] * fine / fine.std() + amounts[1] * coarse / coarse.std()
    skin = np.zeros((height, width), np.float32)
    on_frame = transform_points(points, to_frame)
    forehead = on_frame[17:27] - 0.5 * (on_frame[33] - on_frame[27])
    cv2.fillConvexPoly(skin, cv2.convexHull(np.concatenate([on_frame, forehead]).astype(np.int32)), 1.0)
    for hole in (slice(36, 42), slice(42, 48), slice(60, 68)):
        cv2.fillConvexPoly(skin, np.rint(on_frame[hole]).astype(np.int32), 0.0)
    pattern *= cv2.GaussianBlur(skin, (0, 0), 2.0)
    finer = cv2.resize(pattern, texture.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(texture + finer, dtype=np.float32)


def _lit(texture: NDArray[np.float32], to_frame: FloatArray, generator: np.random.Generator) -> NDArray[np.float32]:
    """Vary complexion and camera (contrast, gamma, brightness), and add light from one side."""
    gamma = np.exp(generator.uniform(-0.25, 0.25))  # assumed
    contrast, brightness = generator.uniform(0.75, 1.05), generator.uniform(-15, 15)  # assumed
    direction, gradient = generator.uniform(0, 2 * np.pi), generator.uniform(0, 0.25)  # assumed
    height, width = texture.shape
    x, y = texture_transform(to_frame) @ [_MIDLINE, _EYE_ROW + 32, 1.0]
    reach = 2 * INTER_OCULAR_CROP_PX * np.hypot(*to_frame[:, 0]) * TEXTURE_SCALE
    across = np.cos(direction) * (np.arange(width) - x) / reach
    down = np.sin(direction) * (np.arange(height) - y) / reach
    light = 1 + gradient * np.tanh(across[None, :] + down[:, None])
    toned = 255 * (np.clip(texture, 0, 255) / 255) ** gamma
    grey = (128 + contrast * (toned - 128) + brightness) * light
    return np.asarray(np.clip(grey, *_GREY_RANGE), dtype=np.float32)


_LEAST_INTER_OCULAR_PX = 16  # assumed; a smaller face has no detail to show at the size of the crop
_MOST_ROLL_DEG = 30  # assumed


def load_portrait(image_path: str | Path, points_path: str | Path) -> Portrait:
    """Read a portrait for the simulator.

    Args:
        image_path: Photograph of one upright, frontal face; colour becomes grey.
        points_path: CSV of its 68 landmarks in the order of iBUG 300-W: a line ``x,y`` for each point, in pixels of the
            photograph, below an optional header.

    Raises:
        DatasetError: A file is missing or unreadable, or the points are not those of an upright face in the image.
    """
    image_path, points_path = Path(image_path), Path(points_path)
    data = np.frombuffer(_bytes(image_path), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    if image is None:
        raise DatasetError(f"{image_path}: is not a readable image; save the portrait as PNG or JPEG")
    points = _points(points_path)
    _require_face(points, image.shape, image_path, points_path)
    return Portrait(np.asarray(image, dtype=np.uint8), points)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); check the path of the portrait") from error


def _points(path: Path) -> FloatArray:
    lines = [line.strip() for line in _bytes(path).decode("utf-8-sig", "replace").splitlines() if line.strip()]
    rows = [_numbers(line) for line in lines]
    if rows and not rows[0]:
        lines, rows = lines[1:], rows[1:]
    for number, (line, values) in enumerate(zip(lines, rows, strict=True), start=1):
        if len(values) != 2:
            raise DatasetError(f"{path}, point {number}: {line[:40]!r} is not x,y; write two numbers with a comma")
    if len(rows) != 68:
        raise DatasetError(f"{path}: contains {len(rows)} points; write the 68 landmarks, one x,y a line")
    return np.array(rows, dtype=np.float64)


def _numbers(line: str) -> list[float]:
    try:
        return [float(piece) for piece in line.split(",")]
    except ValueError:
        return []


def _require_face(points: FloatArray, shape: tuple[int, ...], image_path: Path, points_path: Path) -> None:
    height, width = shape[:2]
    inside = np.isfinite(points).all(axis=1) & (points >= 0).all(axis=1) & (points < [width, height]).all(axis=1)
    if not inside.all():
        raise DatasetError(
            f"{points_path}, point {int(np.argmin(inside)) + 1}: lies outside {image_path.name} ({width}x{height}); "
            f"give all points in pixels of the image"
        )
    across = points[42] - points[39]
    distance = float(np.hypot(*across))
    if distance < _LEAST_INTER_OCULAR_PX:
        raise DatasetError(
            f"{image_path}: the inner eye corners are {distance:.0f} px apart; "
            f"give a portrait with at least {_LEAST_INTER_OCULAR_PX}"
        )
    upright = abs(float(np.degrees(np.arctan2(across[1], across[0])))) <= _MOST_ROLL_DEG
    if not upright or points[48:68, 1].mean() <= points[36:48, 1].mean():
        raise DatasetError(
            f"{points_path}: these are not the points of an upright face (eyes above the mouth, the eye on the left "
            f"of the image first); turn the portrait or order the points as iBUG 300-W does"
        )
