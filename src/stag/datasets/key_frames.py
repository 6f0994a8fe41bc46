"""Onset, apex and offset: from what a sheet says to positions among the frames on disk."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise

from stag.datasets.frame_folders import FrameIndex
from stag.datasets.loaded import Unusable
from stag.frames.order import ranges_text

_LEAST_SHARE = 0.5  # assumed; of the frames from onset to offset, below which a clip is left out


@dataclass(frozen=True)
class KeyFrames:
    """Positions among the frames on disk, from 0, and what had to be done to get them.

    Attributes:
        onset: Position of the onset.
        apex: Position of the apex; ``None`` where it is unknown.
        offset: Position of the offset.
        remarks: ``(kind, text)``.
    """

    onset: int
    apex: int | None
    offset: int
    remarks: tuple[tuple[str, str], ...] = ()


def locate(index: FrameIndex, onset: str, apex: str, offset: str, *, annotated: bool = True) -> KeyFrames:
    """Find the key frames of a clip.

    What cannot be is corrected where there is one way to do it, and every correction is reported: exchanged onset and
    offset are changed back, one that is missing or off the disk falls to the end of the folder, and an apex that is no
    number, or not after the onset and up to the offset, is unknown. Frame numbers that start elsewhere than the file
    names count by place where the number of frames agrees.

    Args:
        index: Frames on disk.
        onset: Cell of the sheet; a number as in the file names.
        apex: Cell of the sheet.
        offset: Cell of the sheet.
        annotated: Whether the set gives key frames at all; if not, the folder is the clip.

    Raises:
        Unusable: Fewer than half of the frames are on disk, or onset and offset make no sense.
    """
    numbers = index.numbers
    first, last = numbers[0], numbers[-1]
    remarks: list[tuple[str, str]] = []
    if not annotated:
        if len(numbers) < 2:
            raise Unusable("frames missing", "one frame is on disk")
        holes = [(a + 1, b - 1) for a, b in pairwise(numbers) if b > a + 1]
        if holes:
            remarks.append(("frames missing", f"frame {ranges_text(holes)} missing on disk"))
        remarks.append(("apex estimated", "the set gives no apex"))
        return KeyFrames(0, None, len(numbers) - 1, tuple(remarks))

    start, peak, stop = (_number(text) for text in (onset, apex, offset))
    if start is not None and stop is not None and start > stop:
        if first <= stop and start <= last and (peak is None or stop <= peak <= start):
            remarks.append(("key frame", f"onset {start} and offset {stop} exchanged"))
            start, stop = stop, start
        elif first <= start <= last:
            remarks.append(("key frame", f"offset {stop} lies before onset {start}; the last frame {last} stands in"))
            stop = last
        else:
            remarks.append(("key frame", f"onset {start} lies after offset {stop}; the first frame {first} stands in"))
            start = first
    if start is None:
        remarks.append(("key frame", f"onset {onset!r} is no frame number; the first frame {first} stands in"))
        start = first
    if stop is None:
        remarks.append(("key frame", f"offset {offset!r} is no frame number; the last frame {last} stands in"))
        stop = last
    if (stop < first or start > last) and stop - start + 1 == len(numbers):
        remarks.append(("key frame", f"the sheet counts from {start} and the files from {first}; counted by place"))
        shift = first - start
        start, stop, peak = first, stop + shift, None if peak is None else peak + shift
    if stop <= start:
        raise Unusable("key frames", f"onset {start} and offset {stop} span no motion")

    begin, end = bisect_left(numbers, start), bisect_right(numbers, stop) - 1
    there, wanted = end + 1 - begin, stop - start + 1
    if there < 2 or there < _LEAST_SHARE * wanted:
        raise Unusable("frames missing", f"{there} of the {wanted} frames {start} to {stop} on disk")
    if there < wanted:
        inner = (start - 1, *numbers[begin : end + 1], stop + 1)
        gaps = [(a + 1, b - 1) for a, b in pairwise(inner) if b > a + 1]
        remarks.append(("frames missing", f"frame {ranges_text(gaps)} of {start} to {stop} missing on disk"))

    if peak is None:
        remarks.append(("apex estimated", f"apex {apex!r} is no frame number"))
    elif not start < peak <= stop:
        where = "is the onset" if peak == start else f"lies outside {start} to {stop}"
        remarks.append(("apex estimated", f"apex {peak} {where}"))
        peak = None
    elif peak == stop:
        remarks.append(("key frame", f"apex {peak} is the offset; kept"))
    top = None if peak is None else min(max(bisect_left(numbers, peak), begin), end)
    return KeyFrames(begin, top, end, tuple(remarks))


def _number(text: str) -> int | None:
    """A frame number, or ``None`` for ``/``, a blank, ``-1`` or a word."""
    found = re.fullmatch(r"\+?([0-9]{1,9})(?:\.0+)?", text.strip())
    return int(found[1]) if found else None
