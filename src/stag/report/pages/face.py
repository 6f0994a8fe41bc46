"""The values that the templates show of one prediction; without a script, the page shows its strongest step."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from stag.explanation.explain import Attribution
from stag.faces.crop import CROP_PX
from stag.facs import AU_NAMES
from stag.motion.regions import CHANNELS, LAYOUTS, channel_names, channel_window
from stag.motion.transforms import strongest_step
from stag.report.export import View, data_link, fitting, prediction_dict, step_csv, to_json
from stag.report.plots.face import arrow_scale, graph_figure, strongest_edges
from stag.report.plots.motion import (
    TOP_CURVES,
    adjacency_figure,
    face_motion_figure,
    motion_curves_figure,
    motion_heatmap_figure,
)
from stag.report.theme import FULL_PX, figure_inline
from stag.report.wording import (
    all_flags,
    direction,
    headline,
    regions_in_words,
    share,
    strongest_movement,
    summary,
)
from stag.types import FloatArray, GreyImage, Prediction

TOP_UNITS = 6
_GLOW = 0.8  # radius of a light over the larger half of its window
_LISTED = 5
_DULL = 0.04  # lights below this share of the strongest are not drawn

AU_NOTES = {
    "none": "estimated from the motion by the model and not used for the class.",
    "predicted": "estimated from the motion by the model, and these estimates were an input to the class.",
    "annotated": "codes given with the clip were an input to the class; those shown are estimated and were not.",
}
"""AU source -> its meaning for the reader."""


def bar(name: str, value: float, *, first: bool = False) -> View:
    """Return one row of the ``bars`` macro."""
    finite = value if np.isfinite(value) else 0.0
    return {"name": name, "percent": f"{100 * min(max(finite, 0), 1):.1f}", "text": share(value), "first": first}


def inline_plot(figure: Figure, prefix: str, alternative: str, caption: str) -> View:
    """Return a figure for the ``plot`` macro."""
    # The template must not escape this markup; figure_inline escapes the texts in it.
    return {"svg": Markup(figure_inline(figure, prefix, alternative)), "caption": caption}


def face_view(p: Prediction, anchor: str, why: Attribution | None = None) -> View:
    """Return the values of ``_face.html.j2`` for a prediction with the id ``anchor`` on the page."""
    motion = p.motion
    order = np.argsort(-p.probabilities, kind="stable")
    units = np.argsort(-p.au_probabilities, kind="stable")[:TOP_UNITS]
    if p.codes is not None:
        use = f"The class read the codes that were given with the clip instead: {', '.join(map(_unit_name, p.codes))}."
    else:
        use = f"They were {'an input to' if p.au_source == 'predicted' else 'not used for'} the class."
    name = p.file.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:60] + f"-face{p.face_id + 1}"
    links = [
        data_link(f"{stem}.csv", step_csv(p, why), "every step and channel"),
        data_link(f"{stem}.json", to_json(prediction_dict(p, why)), "everything shown here"),
    ]
    return {
        "id": anchor,
        "p": p,
        "channels": len(motion.motion[0]),
        "headline": headline(p, why),
        "summary": summary(p),
        "why": why,
        "regions": "" if why is None else regions_in_words(why.by_channel, why.layout, signed=why.signed),
        "player": player_view(p, anchor, why),
        "links": fitting(links, "stag explain writes the same for one clip"),
        "flags": [flag for flag in all_flags(p) if flag != p.predicted],
        "classes": [bar(p.classes[i], float(p.probabilities[i]), first=rank == 0) for rank, i in enumerate(order)],
        "units": [
            bar(_unit_name(p.au_vocabulary[i]), float(p.au_probabilities[i]), first=rank == 0)
            for rank, i in enumerate(units)
        ],
        "au_use": use,
        "plots": _plots(p, anchor),
    }


def overview_row(p: Prediction, link: str) -> View:
    """Return one row of the overview table; ``link`` is the id of its section, or empty."""
    return {
        "file": p.file,
        "link": link,
        "face": p.face_id + 1,
        "predicted": p.predicted,
        "probability": share(float(p.probabilities.max())),
        "movement": p.predicted if p.abstains else strongest_movement(p.motion, p.layout),
        "flags": "; ".join(all_flags(p)),
        "still": p.abstains,
    }


def au_notes(predictions: Sequence[Prediction]) -> list[str]:
    """Return the meaning of every AU source that occurs, each once."""
    return [AU_NOTES[s] for s in dict.fromkeys(p.au_source for p in predictions) if s in AU_NOTES]


def _unit_name(number: int) -> str:
    return f"AU {number} {AU_NAMES.get(number, '')}".rstrip()


def _plots(p: Prediction, anchor: str) -> dict[str, View]:
    motion, names = p.motion, channel_names(p.layout)
    step = strongest_step(motion.motion)
    vectors = motion.motion[step].astype(float)
    at, moved = f"{motion.time_s[step]:.2f} s", strongest_movement(motion, p.layout)
    peak = np.hypot(*np.moveaxis(motion.motion.astype(float), -1, 0)).max(axis=0)
    leading = ", ".join(names[i] for i in np.argsort(-peak, kind="stable")[:TOP_CURVES])
    size = f"{len(names)} channels by {len(motion.time_s)} steps"
    plots = {
        "face": inline_plot(
            face_motion_figure(motion.crop, motion.points, vectors, p.layout),
            f"{anchor}-face",
            f"The face with its {len(names)} channel windows and arrows of the motion at {at}. Strongest: {moved}.",
            f"Motion at {at}, the step at which the face as a whole moved most. Arrows {arrow_scale(vectors)}× their "
            "true length; the numbers are true lengths in pixels, of which 64 make the distance between the inner eye "
            "corners. Left and right are those of the picture."
            + (" Dashed windows are whole regions." if p.layout != "roi14" else ""),
        ),
        "heatmap": inline_plot(
            motion_heatmap_figure(motion.motion, motion.time_s, names),
            f"{anchor}-heat",
            f"Map of motion magnitude, {size}. Strongest: {moved}.",
            f"Magnitude of motion, {size}. Steps are not evenly spaced: where more happens there are more of them.",
        ),
        "curves": inline_plot(
            motion_curves_figure(motion.motion, motion.time_s, names),
            f"{anchor}-curves",
            f"Motion over time; the strongest channels are {leading}.",
            "The five channels of the highest peak; the others in grey. The dotted line marks the step of the picture "
            "above.",
        ),
    }
    if not p.adjacency.size:
        return plots
    adjacency = p.adjacency[-1].mean(axis=0)
    edges, even = strongest_edges(adjacency), share(1 / len(names))
    most = names[int(np.argmax(adjacency.sum(axis=0) - np.diag(adjacency)))]
    strongest, when = f"no link exceeds the even share of {even}", ""
    if edges:
        start, end, weight = edges[0]
        link = f"{names[start]} to {names[end]} ({share(weight)})"
        strongest = f"the strongest link is {link}, and an even share would be {even}"
    if p.temporal_attention.size:
        step = int(np.argmax(p.temporal_attention))
        when = (
            f" Over time, the graph weighed the step at {motion.time_s[step]:.2f} s most "
            f"({share(float(p.temporal_attention[step]))}; even would be {share(1 / p.temporal_attention.size)})."
        )
    about = "Attention of the last graph layer, averaged over time"
    plots["graph"] = inline_plot(
        graph_figure(adjacency, motion.points, None, p.layout),
        f"{anchor}-graph",
        f"Attention between channels on a line drawing of the face; {strongest}.",
        f"{about}: a line runs from a channel to one that it looks at. The {len(edges)} strongest links above an "
        f"even share are drawn; {strongest}. A larger disc is looked at more; most of all, {most}.{when}",
    )
    plots["matrix"] = inline_plot(
        adjacency_figure(adjacency, names),
        f"{anchor}-matrix",
        f"Attention as a {len(names)} by {len(names)} matrix; {strongest}.",
        f"{about}. Each row adds up to 1.",
    )
    return plots


def player_view(p: Prediction, anchor: str, why: Attribution | None = None) -> View:
    """Return the values of ``_player.html.j2``; one crop stands for all steps without ``motion.pictures``."""
    motion, names = p.motion, channel_names(p.layout)
    step = strongest_step(motion.motion)
    vectors = motion.motion.astype(float)
    size = np.hypot(vectors[..., 0], vectors[..., 1])
    pictures = motion.crop[None] if motion.pictures is None else motion.pictures
    layers, shown, answer = {"motion": _relative(size, FULL_PX)}, "motion", ""
    if why is not None:
        shown = "attribution"
        layers[shown] = _relative(why.values)
        probabilities = dict(zip(p.classes, p.probabilities.tolist(), strict=True))
        answer = f"{why.class_name} {share(probabilities.get(why.class_name))}"
    now = layers[shown][step]
    kinds = ["moves" if why is None else "for" if value >= 0 else "against" for value in now]
    order = np.argsort(-np.abs(now), kind="stable")[:_LISTED]
    time = f"{motion.time_s[step]:.2f} s"
    data = {
        "step": step,
        "layer": shown,
        "arrowScale": arrow_scale(vectors[step]),
        "frames": [jpeg(picture) for picture in pictures],
        "time_s": [round(float(t), 3) for t in motion.time_s],
        "names": list(names),
        "u": vectors[..., 0].round(3).tolist(),
        "v": vectors[..., 1].round(3).tolist(),
        "layers": {name: values.round(3).tolist() for name, values in layers.items()},
    }
    return {
        "id": f"{anchor}-player",
        "data": data,
        "step": step,
        "last": len(motion.time_s) - 1,
        "time": time,
        "picture": data["frames"][min(step, len(pictures) - 1)],
        "moving": len(pictures) > 1,
        "lights": [
            light | {"opacity": f"{min(abs(value), 1.0) if abs(value) >= _DULL else 0.0:.3f}", "kind": kind}
            for light, value, kind in zip(lights(p.layout, motion.points), now.tolist(), kinds, strict=True)
        ],
        "bars": _timeline(np.sqrt(np.square(size).mean(axis=1)), None if why is None else why.by_step),
        "rows": [
            {
                "name": names[i],
                "value": f"{share(float(size[step, i]))} px {direction(*vectors[step, i])}"
                if why is None
                else f"{'+' if now[i] >= 0 else '−'}{share(abs(now[i]))}",
                "percent": f"{100 * abs(float(now[i])):.0f}",
                "kind": kinds[i],
            }
            for i in order
        ],
        "shown": shown,
        "title": "" if why is None else why.title,
        "answer": answer,
        "alternative": f"The aligned face at {time}; most lit: {', '.join(names[i] for i in order[:3])}.",
    }


def _relative(values: FloatArray, least: float = 0.0) -> FloatArray:
    top = max(float(np.abs(values).max(initial=0.0)), least)
    return np.asarray(values / top if top > 0 else np.zeros_like(values))


def jpeg(picture: GreyImage, quality: int = 85) -> str:
    """Return a picture as JPEG, base64."""
    _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return base64.b64encode(coded.tobytes()).decode("ascii")


def lights(layout: str, points: FloatArray) -> list[View]:
    """Return the centre and radii of the light of each channel, crop pixels."""
    places = []
    for channel_id in LAYOUTS[layout]:
        top, bottom, left, right = channel_window(CHANNELS[channel_id], points)
        empty = bottom <= top or right <= left
        x, y = (-CROP_PX, -CROP_PX) if empty else ((left + right) / 2, (top + bottom) / 2)
        rx, ry = (round(_GLOW * max(size, 24), 1) for size in (right - left, bottom - top))
        places.append({"x": x, "y": y, "rx": rx, "ry": ry})
    return places


def _timeline(strength: FloatArray, by_step: FloatArray | None) -> list[View]:
    """Return one bar a step: motion as its upper half, the attribution as its lower half."""
    up = _relative(strength, FULL_PX / 2)
    down = np.zeros(len(up)) if by_step is None else _relative(by_step)
    return [
        {"motion": round(26 * float(a), 1), "why": round(22 * abs(float(b)), 1), "kind": "for" if b >= 0 else "against"}
        for a, b in zip(up, down, strict=True)
    ]
