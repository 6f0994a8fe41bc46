"""The order of the frames of a folder, decided by looking at all file names.

The number that counts the frames is the one that differs from name to name and leaves few gaps. A name that is another
name with something added (a copy, a mask) and a name unlike all others (a cover picture) is left out. Whatever is
doubtful becomes a remark; what cannot be decided is an error.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, pairwise
from math import gcd
from pathlib import PurePath

IMAGE_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg")
"""Endings of images; of one frame in two formats the more frequent counts, then the one that is earlier here."""

_NUMBER = re.compile(r"\d+")
_COUNTS = 0.5  # assumed; share of its range that a number must cover to count frames
_STRANGERS = 0.25  # assumed; share of names that may be unlike the others
_SHOWN = 5


class OrderUnknownError(ValueError):
    """The names do not tell the order of the frames; the message says why and what to do."""


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


def is_image(name: str) -> bool:
    """Whether a file is one of the images of its folder: not hidden, and of a known ending."""
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def frame_order(names: Iterable[str]) -> FrameOrder:
    """Order the images of one clip.

    Args:
        names: File names; an empty collection gives an empty order.

    Raises:
        OrderUnknownError: Several series, no number that differs, or two numbers that count in different orders.

    Example:
        >>> frame_order(["img10_64x48.png", "img9_64x48.png", "img9_64x48 (1).png"]).names
        ('img9_64x48.png', 'img10_64x48.png')
    """
    stems, left_out = _one_format(sorted(names))
    series = list(stems)
    columns = _columns(series)
    if len({_pattern(stem) for stem in series}) > 1 and len(_counters(columns, 1.0)) != 1:
        series, others = _main_series(series)
        left_out += [stems[stem] for stem in others]
        columns = _columns(series)
    numbers, doubts = _numbers(series, columns)
    ordered = sorted(zip(numbers, series, strict=True))
    for (number, stem), (again, other) in pairwise(ordered):
        if number == again:
            raise OrderUnknownError(
                f"{stems[stem]} and {stems[other]} have the same number; keep one of them in the folder"
            )
    remarks = ([f"left out: {_some(sorted(left_out))}"] if left_out else []) + doubts
    return FrameOrder(tuple(stems[stem] for _, stem in ordered), tuple(number for number, _ in ordered), tuple(remarks))


def ranges_text(gaps: Sequence[tuple[int, int]]) -> str:
    """Gaps in words, the first few of them.

    Example:
        >>> ranges_text([(3, 3), (7, 9)])
        '3, 7 to 9'
    """
    words = [str(a) if a == b else f"{a} to {b}" for a, b in islice(gaps, _SHOWN)]
    return ", ".join(words) + (" and more" if len(gaps) > _SHOWN else "")


def _one_format(names: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Stem -> name, with one format a frame, and the names that were left out."""
    endings = Counter(PurePath(name).suffix.lower() for name in names)
    rank = {suffix: (-endings[suffix], place) for place, suffix in enumerate(IMAGE_SUFFIXES)}
    stems: dict[str, str] = {}
    for name in sorted(names, key=lambda name: rank.get(PurePath(name).suffix.lower(), (0, 0))):
        stems.setdefault(PurePath(name).stem, name)
    return stems, sorted(set(names) - set(stems.values()))


def _pattern(stem: str) -> str:
    return _NUMBER.sub("#", stem).casefold()


def _main_series(stems: Sequence[str]) -> tuple[list[str], list[str]]:
    """The stems of the most frequent pattern, and the others, which must be copies of them or few."""
    patterns = Counter(_pattern(stem) for stem in stems)
    main = min(patterns, key=lambda pattern: (-patterns[pattern], len(pattern), pattern))
    series = [stem for stem in stems if _pattern(stem) == main]
    others = [stem for stem in stems if _pattern(stem) != main]
    frames = {stem.casefold() for stem in series}
    frame = re.compile(r"(?<!\d)" + r"\d+".join(map(re.escape, main.split("#"))) + r"(?!\d)")
    strangers = [stem for stem in others if frames.isdisjoint(frame.findall(stem.casefold()))]
    if len(strangers) > _STRANGERS * len(stems):
        raise OrderUnknownError(
            f"its names are of several sorts, such as {series[0]} and {strangers[0]}; number the images of one clip "
            f"alike, and keep others in another folder"
        )
    return series, others


def _columns(stems: Sequence[str]) -> list[tuple[int, ...]]:
    """The numbers of the names that differ, as columns: from the left, and from the right where names are unlike."""
    rows = [tuple(int(number) for number in _NUMBER.findall(stem)) for stem in stems]
    common = min(map(len, rows), default=0)
    if not common:
        return []
    columns = list(zip(*(row[:common] for row in rows), strict=True))
    if any(len(row) > common for row in rows):
        columns += zip(*(row[-common:] for row in rows), strict=True)
    return [column for column in columns if len(set(column)) > 1]


def _counters(columns: Sequence[Sequence[int]], least: float) -> dict[tuple[int, ...], int]:
    """The orders in which columns that differ in every name and cover so much of their range put the names.

    Returns:
        Positions of the names in order -> the first column that puts them so.
    """
    orders: dict[tuple[int, ...], int] = {}
    for place, column in enumerate(columns):
        steps = [b - a for a, b in pairwise(sorted(column))]
        if 0 not in steps and len(column) >= least * (sum(steps) // gcd(*steps) + 1):
            orders.setdefault(_order(column), place)
    return orders


def _order(keys: Sequence[int] | Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(sorted(range(len(keys)), key=keys.__getitem__))


def _numbers(stems: Sequence[str], columns: Sequence[tuple[int, ...]]) -> tuple[Sequence[int], list[str]]:
    """The number of each frame, and what is doubtful about them."""
    if len(stems) <= 1:
        found = [_NUMBER.findall(stem) for stem in stems]
        return [int(numbers[-1]) if numbers else 0 for numbers in found], []
    if not columns:
        raise OrderUnknownError(f"no number in its names counts the frames, as in {_some(stems[:2])}; number the files")
    counters = _counters(columns, _COUNTS)
    natural = list(zip(*columns, strict=True))
    if len(counters) > 1:
        raise OrderUnknownError(
            f"several numbers in its names could count the frames, as in {_some(stems[:2])}; leave one of them"
        )
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


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
