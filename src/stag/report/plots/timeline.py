"""Draw what a face does over minutes: motion of its parts, eyes and head, with what was spotted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from stag.facs import AU_VOCABULARY
from stag.report.theme import ACCENT, MUTED, RULE, SERIES, STYLE, NotebookFigure
from stag.spotting.recognise import FaceTimeline
from stag.spotting.score import EVENTS
from stag.types import RecordingMotion

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS: dict[str, tuple[int, ...]] = {
    "left brow": (1, 2, 3), "right brow": (5, 6, 7), "lower lids": (16, 17), "nose": (14, 15), "mouth": (9, 10, 11, 12),
}  # fmt: skip
"""Part of the face -> its channels of ``roi18``."""

COLOURS = {"micro": SERIES[1], "macro": ACCENT}
_UNITS, _LEAST_UNIT = 5, 0.3  # action units that are drawn, and the least activity that they reach
_AT_MOST = 3000  # points of a curve; more are not seen


def part_courses(motion: RecordingMotion) -> dict[str, NDArray[np.float64]]:
    """Return the distance of each part from its median place in the surrounding stretch, ``(N,)`` crop pixels."""
    moved = motion.motion.astype(np.float64)
    for rows in motion.stretches():
        moved[rows] -= np.median(moved[rows], axis=0)
    return {name: np.hypot(moved[:, list(ids), 0], moved[:, list(ids), 1]).mean(axis=1) for name, ids in PARTS.items()}


def side_courses(motion: RecordingMotion) -> dict[str, NDArray[np.float64]]:
    """Return the change of the eyes, and the distance of the head from its median place in crop pixels."""
    place = motion.head[:, :2].astype(np.float64)
    for rows in motion.stretches():
        place[rows] -= np.median(place[rows], axis=0)
    return {"eyes": motion.eyes.astype(np.float64), "head": np.hypot(*place.T)}


def unit_courses(face: FaceTimeline) -> dict[str, NDArray[np.float64]]:
    """Return the estimated activity of the action units that are most active at some time, by number."""
    curves = np.nan_to_num(face.unit_curves)
    peak = np.quantile(curves, 0.995, axis=0)
    chosen = sorted(i for i in np.argsort(-peak)[:_UNITS].tolist() if peak[i] >= _LEAST_UNIT)
    return {f"AU {AU_VOCABULARY[i]}": curves[:, i] for i in chosen}


def thinned(
    time_s: NDArray[np.float64], course: NDArray[np.float64], motion: RecordingMotion
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return fewer points of a curve that keep every peak, with ``nan`` between stretches."""
    times, values = [], []
    per = max(1, 2 * len(course) // _AT_MOST)
    for rows in motion.stretches():
        for begin in range(rows.start, rows.stop, per):
            part = slice(begin, min(begin + per, rows.stop))
            best = part.start + int(np.argmax(course[part]))
            times.append(time_s[best])
            values.append(course[best])
        times.append(times[-1])
        values.append(float("nan"))
    return np.array(times), np.array(values)


def timeline_figure(face: FaceTimeline) -> Figure:
    """Draw one row for each part of the face, the eyes and the head, and mark expressions and events."""
    courses = part_courses(face.motion) | side_courses(face.motion) | unit_courses(face)
    with mpl.rc_context(STYLE):
        figure = NotebookFigure(figsize=(10, 0.8 * len(courses) + 1.2), layout="constrained")
        axes = np.atleast_1d(figure.subplots(len(courses) + 1, 1, sharex=True))
        for axis, (name, course) in zip(axes, courses.items(), strict=False):
            axis.plot(*thinned(face.motion.time_s, course, face.motion), color=MUTED, linewidth=0.8)
            axis.set_ylabel(name, rotation=0, ha="right", va="center")
            for one in face.expressions:
                when = one.interval
                axis.axvspan(when.onset_s, when.offset_s, color=COLOURS[when.kind], alpha=0.25, linewidth=0)
        for event in face.events:
            width = max(event.offset_s - event.onset_s, 0.05)
            axes[-1].barh(EVENTS.index(event.kind), width, left=event.onset_s, height=0.7, color=RULE, edgecolor=MUTED)
        axes[-1].set_yticks(range(len(EVENTS)), EVENTS)
        axes[-1].set_ylim(len(EVENTS) - 0.4, -0.6)
        axes[-1].set_xlim(0, max(face.motion.duration_s, 0.1))
        axes[-1].set_xlabel("seconds")
        figure.suptitle(face._summary() + "  (spotter trained on simulated recordings)", x=0.01, ha="left", fontsize=10)
    return figure
