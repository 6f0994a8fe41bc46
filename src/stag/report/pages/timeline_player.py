"""The values that the template of a timeline shows of the pictures of a face: what its player plays, and thumbnails."""

from __future__ import annotations

import numpy as np

from stag.facs import AU_VOCABULARY
from stag.motion.regions import LAYOUTS
from stag.report.export import View
from stag.report.moments import Moments, interval_rows
from stag.report.pages.face import jpeg, lights
from stag.report.plots.face import arrow_scale
from stag.report.theme import FULL_PX
from stag.report.timeline_files import answer_of
from stag.report.wording import share
from stag.spotting.recognise import FaceTimeline
from stag.types import FloatArray

_LAYOUT = "roi14"
_UNITS, _LEAST_UNIT = 4, 0.3  # action units that are named beside a picture, and their least activity


def player_view(face: FaceTimeline, moments: Moments | None) -> View | None:
    """Return the lights of the regions and the data of ``timeline.js``, or ``None`` without pictures."""
    motion, own = face.motion, list(LAYOUTS[_LAYOUT])
    if moments is None or not len(moments.rows) or motion.points is None:
        return None
    data: View = {"t_ms": (1000 * motion.time_s[moments.rows]).round().astype(int).tolist()}
    data["pictures"] = [jpeg(picture, 60) for picture in moments.pictures]
    data["what"] = [_at_rest(face, row) for row in moments.rows.tolist()]
    data["expressions"] = []
    place = {row: i for i, row in enumerate(moments.rows.tolist())}
    for i, one in enumerate(face.expressions):
        when = one.interval
        rows = [row for row in interval_rows(motion, one).tolist() if row in place]
        if i not in moments.magnified or len(rows) < 3:
            continue
        onset, apex = np.minimum(np.searchsorted(motion.time_s, [when.onset_s, when.apex_s]), len(motion.time_s) - 1)
        moved = (motion.motion[rows] - motion.motion[onset])[:, own].astype(np.float64)
        data["expressions"].append(
            {
                "id": i,
                "from_ms": round(1000 * when.onset_s),
                "to_ms": round(1000 * when.offset_s),
                "kind": when.kind,
                "name": f"{when.kind}-expression, {answer_of(one)}",
                "at": [place[row] for row in rows],
                "apex": int(np.argmin(np.abs(np.array(rows) - apex))),
                "magnified": [jpeg(moments.magnified[i][row], 60) for row in rows],
                "factor": f"{moments.factor[i]:g}",
                "light": _relative(np.hypot(moved[..., 0], moved[..., 1])).round(2).tolist(),
                "arrows": (moved * arrow_scale(moved.reshape(-1, 2))).round(1).tolist(),
            }
        )
    return {"lights": lights(_LAYOUT, motion.points), "data": data, "picture": data["pictures"][0]}


def thumbnails(view: View | None) -> dict[int, tuple[str, str]]:
    """Return expression -> JPEGs (base64) of the face at its beginning and magnified at its apex."""
    if view is None:
        return {}
    pictures = view["data"]["pictures"]
    return {one["id"]: (pictures[one["at"][0]], one["magnified"][one["apex"]]) for one in view["data"]["expressions"]}


def _at_rest(face: FaceTimeline, row: int) -> str:
    """Return the strongest action units and what happens at a moment, in words."""
    time_s = float(face.motion.time_s[row])
    curves = np.nan_to_num(face.unit_curves[row])
    strongest = [int(i) for i in np.argsort(-curves)[:_UNITS] if curves[i] >= _LEAST_UNIT]
    units = [f"AU {AU_VOCABULARY[i]} {share(float(curves[i]))}" for i in strongest]
    events = dict.fromkeys(e.kind for e in face.events if e.onset_s <= time_s <= e.offset_s)
    return " · ".join([*units, *events])


def _relative(size: FloatArray) -> FloatArray:
    return np.asarray(size / max(float(size.max(initial=0.0)), FULL_PX))
