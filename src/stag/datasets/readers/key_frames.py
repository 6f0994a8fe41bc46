"""Convert onset, apex and offset from the cells of a sheet to positions among the frames on disk."""

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
    """Positions among the frames on disk, from 0, and the corrections that they needed.

    Attributes:
        apex: ``None`` where it is unknown.
        offset: ``None`` for the last frame of a video.
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

    A mistake with one possible correction is corrected and reported: exchanged onset and offset are swapped back, one
    that is missing or not on disk becomes the end of the folder, and an apex that is not a number, or not after the
    onset and up to the offset, is unknown. Frame numbers that start elsewhere than the file names count by place
    where the number of frames agrees.

    The cells are numbers as in the file names. Without ``annotated`` the set gives no key frames, and the folder is the
    clip; with ``optional`` a blank onset or offset is the first or last frame, and not a mistake.

    Raises:
        Unusable: Fewer than half of the frames are on disk, or onset and offset make no sense.
    """
    numbers = index.numbers
    first, last = numbers[0], numbers[-1]
    if not annotated:
        if len(numbers) < 2:
            raise Unusable("frames missing", "one frame is on disk")
        missing = [("frames missing", f"frame {gaps} missing on disk")] if (gaps := _gaps(numbers)) else []
        return KeyFrames(0, None, len(numbers) - 1, (*missing, ("apex estimated", "the set gives no apex")))

    peak = frame_number(apex)
    start, stop, remarks = _ends(onset, offset, peak, first, last, optional)
    stop = last if stop is None else stop
    if (stop < first or start > last) and stop - start + 1 == len(numbers):
        remarks.append(("key frame", f"the sheet counts from {start} and the files from {first}; counted by place"))
        shift = first - start
        start, stop, peak = first, stop + shift, None if peak is None else peak + shift
    _refuse_no_motion(start, stop)

    begin, end = bisect_left(numbers, start), bisect_right(numbers, stop) - 1
    present, expected = end + 1 - begin, stop - start + 1
    if present < 2 or present < LEAST_SHARE * expected:
        raise Unusable("frames missing", f"{present} of the {expected} frames {start} to {stop} on disk")
    if present < expected:
        gaps = _gaps((start - 1, *numbers[begin : end + 1], stop + 1))
        remarks.append(("frames missing", f"frame {gaps} of {start} to {stop} missing on disk"))
    peak, about_apex = _peak(apex, peak, start, stop, optional)
    place = None if peak is None else min(max(bisect_left(numbers, peak), begin), end)
    return KeyFrames(begin, place, end, (*remarks, *about_apex))


def locate_in_video(onset: str, apex: str, offset: str) -> KeyFrames:
    """Find the key frames of a clip in a video, by the rules of :func:`locate`, before its frames are counted.

    The cells are positions in the file, from 0; a blank onset or offset is the first or last frame.

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
    """Return onset and offset in order, missing ones at the ends, and the corrections; ``last`` may be unknown."""
    remarks: list[str] = []
    start, stop = frame_number(onset), frame_number(offset)
    at_first = f"the first frame {first} stands in"
    at_last = "the last frame stands in" if last is None else f"the last frame {last} stands in"
    if start is not None and stop is not None and start > stop:
        on_disk = last is None or start <= last
        if first <= stop and on_disk and (peak is None or stop <= peak <= start):
            remarks.append(f"onset {start} and offset {stop} exchanged")
            start, stop = stop, start
        elif first <= start and on_disk:
            remarks.append(f"offset {stop} lies before onset {start}; {at_last}")
            stop = last
        else:
            remarks.append(f"onset {start} lies after offset {stop}; {at_first}")
            start = first
    else:
        if start is None and not (optional and is_missing(onset)):
            remarks.append(f"onset {onset!r} is no frame number; {at_first}")
        if stop is None and not (optional and is_missing(offset)):
            remarks.append(f"offset {offset!r} is no frame number; {at_last}")
    about = [("key frame", remark) for remark in remarks]
    return first if start is None else start, last if stop is None else stop, about


def _peak(cell: str, peak: int | None, start: int, stop: int | None, optional: bool) -> tuple[int | None, _Remarks]:
    """Return the apex if it is after the onset and up to the offset, and a remark where there is one."""
    if peak is None:
        why = "no apex is given" if optional and is_missing(cell) else f"apex {cell!r} is no frame number"
        return None, [("apex estimated", why)]
    if peak <= start or (stop is not None and peak > stop):
        outside = f"lies before the onset {start}" if stop is None else f"lies outside {start} to {stop}"
        return None, [("apex estimated", f"apex {peak} {'is the onset' if peak == start else outside}")]
    return peak, [("key frame", f"apex {peak} is the offset; kept")] if peak == stop else []


def _gaps(numbers: tuple[int, ...]) -> str:
    gaps = [(a + 1, b - 1) for a, b in pairwise(numbers) if b > a + 1]
    return ranges_text(gaps) if gaps else ""


def _refuse_no_motion(start: int, stop: int) -> None:
    if stop <= start:
        raise Unusable("key frames", f"onset {start} and offset {stop} span no motion")
