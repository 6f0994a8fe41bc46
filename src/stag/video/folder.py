"""The images of a folder as frames, in the order that their names give.

The number that counts the frames differs from name to name and leaves few gaps. A name that extends another name (a
copy, a mask) or that is unlike all others (a cover picture) is left out. A doubt becomes a remark; an order that cannot
be decided is an error.
"""

from __future__ import annotations

import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby, pairwise
from math import gcd
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stag.errors import VideoError
from stag.video.file import Picture, announced_size, begins_late, refuse_absurd, refuse_long, to_grey

IMAGE_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg")
"""Endings of images; of one frame in two formats the more frequent counts, then the one that is earlier here."""

_NUMBER = re.compile(r"\d+")
_LEAST_COVERAGE = 0.5  # assumed; share of its range that a number must cover to count frames
_LARGEST_UNLIKE = 0.25  # assumed; share of names that may be unlike the others
_SHOWN = 5
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # without those amid the rows
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_SENSOR_BITS = (8, 10, 12, 14, 16)


class OrderUnknownError(ValueError):
    """The names do not give the order of the frames; the message says why and what to do."""


@dataclass(frozen=True)
class FrameOrder:
    """Images of a folder in order.

    Attributes:
        names: File names.
        numbers: Number of each frame, ascending.
        remarks: What is doubtful about the order, or was left out.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    remarks: tuple[str, ...] = ()

    @property
    def step(self) -> int | None:
        """Difference between the numbers of consecutive frames; ``None`` where they do not count evenly."""
        steps = [b - a for a, b in pairwise(self.numbers)]
        common = gcd(*steps)
        return common if steps and 2 * steps.count(common) >= len(steps) else None

    @property
    def holes(self) -> list[tuple[int, int]]:
        """First and last missing number of every gap; empty where the numbers do not count evenly."""
        step = self.step
        return [] if step is None else [(a + step, b - step) for a, b in pairwise(self.numbers) if b > a + step]


def list_images(folder: Path) -> tuple[FrameOrder, int]:
    """Return the images of a folder in order, and the number of visible files that are not images.

    Raises:
        OSError: The folder cannot be read.
        OrderUnknownError: The names do not give the order.
    """
    with os.scandir(folder) as entries:
        files = [entry.name for entry in entries if not entry.is_dir()]
    images = [name for name in files if is_image(name)]
    return frame_order(images), len(files) - len(images)


def _others(folder: Path) -> str:
    """Return what a folder without images has instead, and what is expected."""
    endings = Counter(entry.suffix.lower() for entry in folder.iterdir() if not entry.name.startswith("."))
    del endings[""]
    kinds = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(3))
    read = f"files ending in {', '.join(IMAGE_SUFFIXES)}"
    return f" of a kind that is read, but {kinds}; convert them to {read}" if kinds else f"; expected {read}"


def is_image(name: str) -> bool:
    """Return whether a file name is visible and ends like an image."""
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def folder_pictures(path: Path, first: int, stop: int | None, most: int | None) -> Iterator[Picture]:
    """Stream the images ``first`` to ``stop`` of a folder; remarks on the folder come with the first image.

    Where numbers count the frames, a missing number is a missing frame, during which time passes.

    Raises:
        VideoError: The folder or an image cannot be read, the names do not give the order, or there are more than
            ``most`` images.
    """
    try:
        order, _ = list_images(path)
    except OSError as error:
        raise VideoError(f"{path}: the folder cannot be read ({error.strerror}); check it") from error
    except OrderUnknownError as error:
        raise VideoError(f"{path}: {error}") from error
    if not order.names:
        raise VideoError(f"{path}: the folder contains no image{_others(path)}")
    clip = FrameOrder(order.names[first:stop], order.numbers[first:stop])
    if not clip.names:
        raise begins_late(path, len(order.names), first)
    refuse_long(path, len(clip.names), most)
    flags = order.remarks
    if clip.holes:
        flags += (f"frames missing: {ranges_text(clip.holes)}",)
    if order.step is None and len(order.names) > 2:
        flags += ("frame numbers are uneven",)
    files = [path / name for name in clip.names]
    start = _load(files[0])
    bits = _sample_bits(start, files[1:])
    for position, (file, number) in enumerate(zip(files, clip.numbers, strict=True)):
        image = _load(file) if position else start
        if image.dtype != start.dtype:
            raise VideoError(
                f"{file}: has {8 * image.itemsize} bits a sample after images of {8 * start.itemsize}; save all alike"
            )
        if image.dtype == np.uint16:
            image = np.asarray(cv2.convertScaleAbs(image, alpha=255.0 / ((1 << bits) - 1)))
        elif image.dtype != np.uint8:
            raise VideoError(f"{file}: has pixels of type {image.dtype}; save it with 8 or 16 bits")
        tick = (number - clip.numbers[0]) / order.step if order.step else position
        yield Picture(to_grey(image), tick, flags=() if position else flags)


def frame_order(names: Iterable[str]) -> FrameOrder:
    """Order the file names of the images of one clip.

    Raises:
        OrderUnknownError: Several series, no number that differs, or two numbers that count in different orders.

    Example:
        >>> frame_order(["img10_64x48.png", "img9_64x48.png", "img9_64x48 (1).png"]).names
        ('img9_64x48.png', 'img10_64x48.png')
    """
    names = sorted(names)
    endings = Counter(PurePath(name).suffix.lower() for name in names)
    rank = {suffix: (-endings[suffix], place) for place, suffix in enumerate(IMAGE_SUFFIXES)}
    stems: dict[str, str] = {}
    for name in sorted(names, key=lambda name: rank.get(PurePath(name).suffix.lower(), (0, 0))):
        stems.setdefault(PurePath(name).stem, name)
    left_out = set(names) - set(stems.values())
    series = list(stems)
    columns = _columns(series)
    if len({_pattern(stem) for stem in series}) > 1 and len(_counters(columns, 1.0)) != 1:
        series = _main_series(series)
        left_out |= {stems[stem] for stem in stems.keys() - series}
        columns = _columns(series)
    numbers, doubts = _numbers(series, columns)
    ordered = sorted(zip(numbers, series, strict=True))
    for (number, stem), (next_number, next_stem) in pairwise(ordered):
        if number == next_number:
            raise OrderUnknownError(
                f"{stems[stem]} and {stems[next_stem]} have the same number; keep one of them in the folder"
            )
    remarks = ([f"left out: {_some(sorted(left_out))}"] if left_out else []) + doubts
    return FrameOrder(tuple(stems[stem] for _, stem in ordered), tuple(number for number, _ in ordered), tuple(remarks))


def ranges_text(gaps: Sequence[tuple[int, int]]) -> str:
    """Write the first few gaps in words.

    Example:
        >>> ranges_text([(3, 3), (7, 9)])
        '3, 7 to 9'
    """
    words = [str(a) if a == b else f"{a} to {b}" for a, b in gaps[:_SHOWN]]
    return ", ".join(words) + (" and more" if len(gaps) > _SHOWN else "")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _pattern(stem: str) -> str:
    return _NUMBER.sub("#", stem).casefold()


def _main_series(stems: Sequence[str]) -> list[str]:
    """Return the stems of the most frequent pattern; the others must be copies of them or few."""
    patterns = Counter(map(_pattern, stems))
    main = min(patterns, key=lambda pattern: (-patterns[pattern], len(pattern), pattern))
    series = [stem for stem in stems if _pattern(stem) == main]
    frames = {stem.casefold() for stem in series}
    frame = re.compile(r"(?<!\d)" + r"\d+".join(map(re.escape, main.split("#"))) + r"(?!\d)")
    unlike = [stem for stem in stems if _pattern(stem) != main and frames.isdisjoint(frame.findall(stem.casefold()))]
    if len(unlike) > _LARGEST_UNLIKE * len(stems):
        raise OrderUnknownError(
            f"its names are of several sorts, such as {series[0]} and {unlike[0]}; number the images of one clip "
            f"alike, and keep others in another folder"
        )
    return series


def _columns(stems: Sequence[str]) -> list[tuple[int, ...]]:
    """Return the numbers that differ, as columns: from the left, and from the right where names are unlike."""
    rows = [tuple(map(int, _NUMBER.findall(stem))) for stem in stems]
    common = min(map(len, rows), default=0)
    columns = list(zip(*(row[:common] for row in rows), strict=True))
    if common and any(len(row) > common for row in rows):
        columns += zip(*(row[-common:] for row in rows), strict=True)
    return [column for column in columns if len(set(column)) > 1]


def _counters(columns: Sequence[Sequence[int]], least_coverage: float) -> dict[tuple[int, ...], int]:
    """Return, for columns that could count frames: positions of the names in order -> the first such column."""
    orders: dict[tuple[int, ...], int] = {}
    for place, column in enumerate(columns):
        steps = [b - a for a, b in pairwise(sorted(column))]
        if 0 not in steps and len(column) >= least_coverage * (sum(steps) // gcd(*steps) + 1):
            orders.setdefault(_order(column), place)
    return orders


def _order(keys: Sequence[int] | Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(sorted(range(len(keys)), key=keys.__getitem__))


def _numbers(stems: Sequence[str], columns: Sequence[tuple[int, ...]]) -> tuple[Sequence[int], list[str]]:
    """Return the number of each frame, and what is doubtful about the numbers."""
    if len(stems) <= 1:
        return [int((_NUMBER.findall(stem) or ["0"])[-1]) for stem in stems], []
    if not columns:
        raise OrderUnknownError(f"no number in its names counts the frames, as in {_some(stems[:2])}; number the files")
    counters = _counters(columns, _LEAST_COVERAGE)
    if len(counters) > 1:
        raise OrderUnknownError(
            f"several numbers in its names could count the frames, as in {_some(stems[:2])}; leave one of them"
        )
    natural = list(zip(*columns, strict=True))
    for order, place in counters.items():
        # Numbers further left come first, as seconds before milliseconds, unless they change to and fro between frames.
        left = [natural[i][:place] for i in order]
        as_blocks = len(list(groupby(left))) == len(set(left)) < len(left)
        if order == _order(natural) or not as_blocks:
            return columns[place], []
    if len(columns) == 1:
        return columns[0], []
    rank = {key: number for number, key in enumerate(sorted(set(natural)))}
    return [rank[key] for key in natural], ["frames ordered by several numbers in their names"]


def _sample_bits(start: NDArray[Any], others: Sequence[Path]) -> int:
    """Return the bits that the samples of all images use: cameras store 10 to 14 bits in 16."""
    if start.dtype != np.uint16:
        return 8
    top = int(start.max())
    with suppress(VideoError):  # a damaged image is reported when it is reached
        for file in others:
            if top >> _SENSOR_BITS[-2]:
                break
            top = max(top, int(_load(file).max()))
    return next(bits for bits in _SENSOR_BITS if not top >> bits)


def _whole_jpeg(data: bytes) -> bytes:
    """Return a JPEG up to its end marker, which may be missing; nothing where rows are missing."""
    at = 2
    while marker := _JPEG_MARKER.search(data, at):
        if marker[0] in (_JPEG_START, _JPEG_END):
            return data[: marker.end()] if marker[0] == _JPEG_END else b""
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    try:
        # Pillow reads a few bytes ahead of the rows, and fails where rows are missing.
        with Image.open(io.BytesIO(data[at:] and data.removesuffix(b"\xff") + bytes(32)), formats=("JPEG",)) as image:
            image.load()
    except Exception:  # Pillow reports damage as OSError, SyntaxError, struct.error and more
        return b""
    return data + _JPEG_END


def _load(file: Path) -> NDArray[Any]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise VideoError(f"{file}: cannot be read ({error.strerror}); check the file") from error
    refuse_absurd(file, *announced_size(data))
    jpeg = data.startswith(b"\xff\xd8")
    # OpenCV fills the rest of a cut-off JPEG or PNG with grey and prints a warning.
    if jpeg:
        data = _whole_jpeg(data)
    complete = b"IEND" in data[-4096:] if data.startswith(b"\x89PNG") else len(data) > 0
    # OpenCV obeys the orientation mark only where it drops transparency.
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH if jpeg else cv2.IMREAD_UNCHANGED
    with suppress(cv2.error):
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if complete else None
        if image is not None:
            return np.asarray(image)
    raise VideoError(f"{file}: is not a readable image; copy it again or take it out of the folder")
