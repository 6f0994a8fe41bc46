"""Take the faces of a clip from a landmark file of another program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from stag.errors import DatasetError, FaceNotFound, reason
from stag.types import Frame, GreyImage, Landmarks
from stag.utils.cells import number
from stag.utils.table import is_blank, read_text_table, shifted

_LEAST_CONFIDENCE = 0.5  # assumed; OpenFace writes values near 0 and near 1


class FileDetector:
    """Landmarks that another program wrote: a CSV with OpenFace's column names.

    Columns ``x_0`` to ``x_67`` and ``y_0`` to ``y_67`` in pixels of the frame are needed; ``frame``, ``face_id``,
    ``confidence`` and ``success`` are used where present. The first row belongs to the first frame of the clip. The
    first frame with a usable row counts: one with 68 points, ``success`` and a ``confidence`` of at least .5 and
    ``min_score``.

    Raises:
        FaceNotFound: The file cannot be read, lacks a column, or contains no usable row.
    """

    def __init__(self, path: Path, min_score: float = -np.inf) -> None:
        self.path = Path(path)
        self._first, self._faces = _read_points(self.path, min_score)

    def frames_with_points(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield the frames of a clip from the first one with a usable row, with the flags of those before.

        Raises:
            FaceNotFound: The clip ends before.
        """
        flags: tuple[str, ...] = ()
        place = -1
        for place, frame in enumerate(frames):
            flags += frame.flags
            if place >= self._first:
                yield replace(frame, flags=flags)
                flags = ()
        if place < self._first:
            raise FaceNotFound(
                f"{self.path}: its first usable row is that of frame {self._first + 1} of {place + 1} in the clip; "
                f"give the landmark file of this clip"
            )

    def detect(self, image: GreyImage) -> list[Landmarks]:
        """Return the faces of the first frame with a usable row, largest inter-ocular distance first.

        Raises:
            FaceNotFound: Eyes lie outside the image, so that the file belongs to other frames.
        """
        height, width = image.shape
        for face in self._faces:
            centre = (face.points[39] + face.points[42]) / 2
            if not ((centre >= 0).all() and centre[0] < width and centre[1] < height):
                raise FaceNotFound(
                    f"{self.path}: the eyes at ({centre[0]:.0f}, {centre[1]:.0f}) lie outside the {width}x{height} "
                    f"frame; give the landmark file of this clip"
                )
        return list(self._faces)


def _read_points(path: Path, min_score: float) -> tuple[int, list[Landmarks]]:
    """Return the first frame with a usable row, counted from that of the first row, and its faces."""
    columns = [f"{axis}_{i}" for i in range(68) for axis in "xy"]
    try:
        rows = read_text_table(path, lambda row: len(set(columns).intersection(row))).rows
    except DatasetError as error:
        cause = reason(error.__cause__ or error)
        raise FaceNotFound(f"{path}: is not a readable landmark table ({cause}); give a CSV file") from error
    header: list[str] = next((row for row in rows if row), [])
    table: list[dict[str, str]] = []
    for line, cells in enumerate(rows, start=1):
        if cells is header or is_blank(cells):
            continue
        if wrong := shifted(header, cells):
            raise FaceNotFound(f"{path}, line {line}: {wrong}")
        table.append(dict(zip(header, cells, strict=False)))
    if not table:
        raise FaceNotFound(f"{path}: contains no row of landmarks; give a CSV file with x_0..x_67 and y_0..y_67")
    missing = [name for name in columns if name not in table[0]]
    if missing:
        raise FaceNotFound(f"{path}: has no column {missing[0]!r}; expected x_0..x_67 and y_0..y_67 in frame pixels")
    # Without numbers each row is a frame, except where faces are told apart.
    one_frame = "frame" not in table[0] and "face_id" in table[0]
    frames: dict[float, list[Landmarks]] = {}
    numbers = [_number(row["frame"]) if "frame" in row else 0 if one_frame else i for i, row in enumerate(table)]
    for frame, row in zip(numbers, table, strict=True):
        points = np.array([_number(row[name]) for name in columns]).reshape(68, 2)
        confidence = _number(row.get("confidence"))
        # Trackers write zeros, and a low confidence, where they saw no face.
        if not (np.isfinite(points).all() and np.isfinite(frame)) or np.allclose(points[39], points[42]):
            continue
        if confidence < max(min_score, _LEAST_CONFIDENCE) or _number(row.get("success")) == 0:
            continue
        (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        frames.setdefault(frame, []).append(Landmarks(points, confidence, (left, top, right, bottom)))
    if not frames:
        raise FaceNotFound(
            f"{path}: no row contains 68 points with a confidence of {_LEAST_CONFIDENCE:g} or more; correct the file"
        )
    first = min(frames)
    return int(first - np.nanmin(numbers)), sorted(frames[first], key=lambda face: -face.inter_ocular_px)


def _number(cell: str | None) -> float:
    """Return a coordinate, ``nan`` for an empty cell; a comma is a decimal comma, also before three digits."""
    value = number((cell or "").replace(",", "."))
    return float("nan") if value is None else value
