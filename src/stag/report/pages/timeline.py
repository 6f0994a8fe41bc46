"""The report of long recordings: a timeline that zooms, and a table of what was spotted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stag.facs import AU_NAMES
from stag.report.export import View, data_link, fitting, to_json
from stag.report.moments import Moments
from stag.report.pages.timeline_player import player_view, thumbnails
from stag.report.plots.timeline import part_courses, side_courses, thinned, unit_courses
from stag.report.render import render
from stag.report.timeline_files import answer_of, events_in_words, interval_rows, remarks_of, timeline_dict
from stag.report.wording import capitalised, share
from stag.spotting.recognise import FaceTimeline
from stag.spotting.score import EVENTS
from stag.types import FloatArray

_LANE, _BAND = 44, 14  # height of a curve and of a row of events, in units of the drawing
_TICKS_S, _MOST_TICKS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600), 10
_ZOOM_S = 3.0  # seconds that fill the width at the largest zoom


def timeline_page(
    timelines: Sequence[FaceTimeline],
    failures: Sequence[tuple[str, str]] = (),
    *,
    limits: Sequence[str] = (),
    moments: Sequence[Moments] = (),
) -> str:
    """Return the report of ``stag spot --report``; equal input gives equal text.

    Args:
        timelines: One for each face.
        failures: ``(file, reason)`` of every recording without a result.
        limits: For each face a sentence about the limit of detection, where that was measured.
        moments: For each face its pictures, where there are any.
    """
    found = [one.interval.kind for face in timelines for one in face.expressions]
    links = [
        data_link("intervals.csv", interval_rows(timelines, failures).to_csv(index=False), "a row an expression"),
        data_link("timeline.json", to_json([timeline_dict(face) for face in timelines]), "all of it"),
    ]
    files = len({face.file for face in timelines})
    return render(
        "timeline.html.j2",
        script_name="timeline.js",
        title=f"{found.count('micro')} micro- and {found.count('macro')} macro-expressions",
        meta=f"{files} {'recording' if files == 1 else 'recordings'} · {len(timelines)} followed",
        faces=[
            _face_view(face, i, limits[i] if i < len(limits) else "", moments[i] if i < len(moments) else None)
            for i, face in enumerate(timelines)
        ],
        failures=failures,
        links=fitting(links, "stag spot writes it"),
        lane=_LANE,
        band=_BAND,
    )


def _face_view(face: FaceTimeline, number: int, limit: str, moments: Moments | None) -> View:
    motion = face.motion
    parts, sides, units = part_courses(motion), side_courses(motion), unit_courses(face)
    courses = parts | sides | units
    scale_px = max(1.0, float(np.ceil(max(np.quantile(course, 0.998) for course in parts.values()))))
    tops = dict.fromkeys(parts, scale_px) | dict.fromkeys(units, 1.0)
    tops |= {name: max(float(np.quantile(course, 0.998)), 1.0) for name, course in sides.items()}
    paths = [
        {
            "d": _path(*thinned(motion.time_s, np.minimum(course / tops[name], 1), motion), lane),
            "kind": "unit" if name in units else "",
        }
        for lane, (name, course) in enumerate(courses.items())
    ]
    player = player_view(face, moments)
    small = thumbnails(player)
    drawn = len(courses) * _LANE
    bands: list[View] = [
        _band("blank", a, b, 0, drawn, "face not followed") for a, b in _gaps(motion.time_s, motion.duration_s)
    ]
    rows = []
    for i, one in enumerate(face.expressions):
        when = one.interval
        anchor = f"e{number}-{i}"
        title = f"{when.kind}, {when.onset_s:.2f} to {when.offset_s:.2f} s, {one.prediction.predicted}"
        bands.append(_band(when.kind, when.onset_s, when.offset_s, 0, drawn, title) | {"link": anchor, "id": i})
        rows.append(
            {
                "id": anchor, "number": i, "thumbnails": small.get(i, ()),
                "onset": _clock(when.onset_s), "apex": _clock(when.apex_s),
                "offset": _clock(when.offset_s), "kind": when.kind, "score": share(when.score),
                "predicted": answer_of(one),
                "regions": ", ".join(one.regions), "px": share(one.strength_px),
                "flags": remarks_of(one),
            }
        )  # fmt: skip
    for event in face.events:
        y = drawn + _BAND * EVENTS.index(event.kind)
        bands.append(_band("event", event.onset_s, event.offset_s, y, _BAND - 2, event.kind))
    words = events_in_words(face.events)
    return {
        "number": number,
        "title": f"{Path(face.file).name}, face {motion.face_id}",
        "meta": f"{motion.measured_s:.1f} of {motion.duration_s:.1f} s measured, {face.false_alarms:g} "
        f"false alarms a minute accepted",
        "duration_ms": max(round(1000 * motion.duration_s), 1),
        "most_zoom": max(2, round(motion.duration_s / _ZOOM_S)),
        "lanes": [{"name": name, "title": _title(name)} for name in courses],
        "ticks": _ticks(motion.duration_s),
        "events_at": list(EVENTS),
        "height": drawn + len(EVENTS) * _BAND,
        "player": player,
        "bands": bands,
        "paths": paths,
        "rows": rows,
        "scale": f"{scale_px:g}",
        "false_alarms": f"{face.false_alarms:g}",
        "events": capitalised(words) + "." if words else "No blink, speech, shift of the gaze or turn was seen.",
        "limit": limit,
    }


def _band(kind: str, from_s: float, to_s: float, y: float, height: float, title: str) -> View:
    place = {"x": round(1000 * from_s), "y": y, "width": max(round(1000 * (to_s - from_s)), 20), "height": height}
    return {"kind": kind, "title": title, "link": "", **place}


def _ticks(duration_s: float) -> list[View]:
    """Return some round times, and how far along they are."""
    step = next((s for s in _TICKS_S if duration_s / s <= _MOST_TICKS), _TICKS_S[-1])
    times = np.arange(0, duration_s, step).tolist()[:100]
    return [
        {"percent": f"{100 * t / max(duration_s, 1e-6):.3f}", "name": f"{int(t // 60)}:{t % 60:02.0f}"}
        for t in times
        if t < 0.96 * duration_s
    ]


def _title(lane: str) -> str:
    """Return the name of the action unit of a lane."""
    return AU_NAMES[int(lane[3:])] if lane.startswith("AU ") else ""


def _gaps(time_s: FloatArray, duration_s: float) -> list[tuple[float, float]]:
    """Return the times in which the face was not followed for more than half a second."""
    edges = np.concatenate([[0.0], time_s, [duration_s]])
    wide = np.flatnonzero(np.diff(edges) > 0.5)
    return [(float(edges[i]), float(edges[i + 1])) for i in wide]


def _path(time_s: FloatArray, course: FloatArray, lane: int) -> str:
    """Return the path of a curve of 0 to 1 within its lane; it breaks at ``nan``."""
    pieces, pen = [], "M"
    for at, value in zip((1000 * time_s).round().astype(int).tolist(), course.tolist(), strict=True):
        if value != value:
            pen = "M"
            continue
        pieces.append(f"{pen}{at} {(lane + 1) * _LANE - 2 - (_LANE - 4) * value:.1f}")
        pen = "L"
    return "".join(pieces)


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:05.2f}"
