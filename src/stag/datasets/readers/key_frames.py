"""Onset, apex and offset: from what a sheet says to positions among the frames on disk."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise

from stag.datasets.readers.result import Unusable
from stag.datasets.readers.tree import FrameIndex
from stag.utils.cells import frame_number, is_missing
from stag.video.folder import ranges_text

LEAST_SHARE = 0.5  # assumed
"""Share of the frames from onset to offset below which a clip is left out."""

_Remarks = list[tuple[str, str]]


@dataclass(frozen=True)
class KeyFrames:
    """Positions among the frames on disk, from 0, and what had to be done to get them.

    Attributes:
        onset: Position of the onset.
        apex: Position of the apex; ``None`` where it is unknown.
        offset: Position of the offset; ``None`` for the last frame of a video.
        remarks: ``(kind, text)``.
    """

    onset: int
    apex: int | None
    offset: int | None
    remarks: tuple[tuple[str, str], ...] = ()


def locate(
    index: FrameIndex, onset: str, apex: str, offset: str, *, annotated: bool = True, optional: bool = False
) -> KeyFrames:
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
        optional: Whether a blank onset or offset means the end of the folder, and is no mistake.

    Raises:
        Unusable: Fewer than half of the frames are on disk, or onset and offset make no sense.
    """
    numbers = index.numbers
    first, last = numbers[0], numbers[-1]
    if not annotated:
        remarks = [("apex estimated", "the set gives no apex")]
        if len(numbers) < 2:
            raise Unusable("frames missing", "one frame is on disk")
        holes = [(a + 1, b - 1) for a, b in pairwise(numbers) if b > a + 1]
        if holes:
            remarks.insert(0, ("frames missing", f"frame {ranges_text(holes)} missing on disk"))
        return KeyFrames(0, None, len(numbers) - 1, tuple(remarks))

    peak = frame_number(apex)
    start, stop, remarks = _ends(onset, offset, peak, first, last, optional)
    stop = last if stop is None else stop
    if (stop < first or start > last) and stop - start + 1 == len(numbers):
        remarks.append(("key frame", f"the sheet counts from {start} and the files from {first}; counted by place"))
        shift = first - start
        start, stop, peak = first, stop + shift, None if peak is None else peak + shift
    _refuse_no_motion(start, stop)

    begin, end = bisect_left(numbers, start), bisect_right(numbers, stop) - 1
    there, wanted = end + 1 - begin, stop - start + 1
    if there < 2 or there < LEAST_SHARE * wanted:
        raise Unusable("frames missing", f"{there} of the {wanted} frames {start} to {stop} on disk")
    if there < wanted:
        inner = (start - 1, *numbers[begin : end + 1], stop + 1)
        gaps = [(a + 1, b - 1) for a, b in pairwise(inner) if b > a + 1]
        remarks.append(("frames missing", f"frame {ranges_text(gaps)} of {start} to {stop} missing on disk"))
    peak, about_apex = _peak(apex, peak, start, stop, optional)
    top = None if peak is None else min(max(bisect_left(numbers, peak), begin), end)
    return KeyFrames(begin, top, end, (*remarks, *about_apex))


def locate_in_video(onset: str, apex: str, offset: str) -> KeyFrames:
    """Find the key frames of a clip in a video, by the rules of :func:`locate`, before its frames are counted.

    Args:
        onset: Cell of the sheet; a position in the file, from 0, or blank for its beginning.
        apex: Cell of the sheet.
        offset: Cell of the sheet, or blank for the end.

    Raises:
        Unusable: Onset and offset span no motion.
    """
    peak = frame_number(apex)
    start, stop, remarks = _ends(onset, offset, peak, 0, None, True)
    if stop is not None:
        _refuse_no_motion(start, stop)
    peak, about_apex = _peak(apex, peak, start, stop, True)
    return KeyFrames(start, peak, stop, (*remarks, *about_apex))


def _ends(
    onset: str, offset: str, peak: int | None, first: int, last: int | None, optional: bool
) -> tuple[int, int | None, _Remarks]:
    """Onset and offset in their order, those that are missing at the ends, and what had to be done.

    Args:
        onset: Cell.
        offset: Cell.
        peak: Number of the apex.
        first: Number of the first frame.
        last: Number of the last frame; ``None`` where it is not known.
        optional: Whether a blank cell means the end.
    """
    remarks: _Remarks = []
    start, stop = frame_number(onset), frame_number(offset)
    at_first, at_last = f"the first frame {first} stands in", "the last frame stands in"
    if last is not None:
        at_last = f"the last frame {last} stands in"
    if start is not None and stop is not None and start > stop:
        reached = last is None or start <= last
        if first <= stop and reached and (peak is None or stop <= peak <= start):
            remarks.append(("key frame", f"onset {start} and offset {stop} exchanged"))
            start, stop = stop, start
        elif first <= start and reached:
            remarks.append(("key frame", f"offset {stop} lies before onset {start}; {at_last}"))
            stop = last
        else:
            remarks.append(("key frame", f"onset {start} lies after offset {stop}; {at_first}"))
            start = first
    else:
        if start is None and not (optional and is_missing(onset)):
            remarks.append(("key frame", f"onset {onset!r} is no frame number; {at_first}"))
        if stop is None and not (optional and is_missing(offset)):
            remarks.append(("key frame", f"offset {offset!r} is no frame number; {at_last}"))
    return first if start is None else start, last if stop is None else stop, remarks


def _peak(cell: str, peak: int | None, start: int, stop: int | None, optional: bool) -> tuple[int | None, _Remarks]:
    """The apex where it is after the onset and up to the offset, and what is to be said about it."""
    if peak is None:
        why = "no apex is given" if optional and is_missing(cell) else f"apex {cell!r} is no frame number"
        return None, [("apex estimated", why)]
    if peak <= start or (stop is not None and peak > stop):
        outside = f"lies before the onset {start}" if stop is None else f"lies outside {start} to {stop}"
        return None, [("apex estimated", f"apex {peak} {'is the onset' if peak == start else outside}")]
    return peak, [("key frame", f"apex {peak} is the offset; kept")] if peak == stop else []


def _refuse_no_motion(start: int, stop: int) -> None:
    if stop <= start:
        raise Unusable("key frames", f"onset {start} and offset {stop} span no motion")
