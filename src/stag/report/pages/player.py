"""The player of a face: the aligned crop step by step, with its regions lit by motion or by what spoke for the answer.

What the page shows first is complete without a script, and so is its print; the script then moves it through time.
"""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np

from stag.explanation.explain import Attribution
from stag.faces.crop import CROP_PX
from stag.motion.regions import CHANNELS, LAYOUTS, channel_names, channel_window
from stag.motion.transforms import strongest_step
from stag.report.plots.face import arrow_scale
from stag.report.theme import FULL_PX
from stag.report.wording import direction, share
from stag.types import GreyImage, Prediction

_JPEG_QUALITY = 85
_GLOW = 0.8
"""Radius of a light over the larger half of its window."""
_LISTED = 5
_DULL = 0.04
"""Lights below this share of the strongest are not drawn."""

View = dict[str, Any]


def player_view(p: Prediction, anchor: str, attribution: Attribution | None = None) -> View:
    """Return everything that ``_player.html.j2`` shows.

    Args:
        p: The prediction; its ``motion.pictures`` are the frames, or its one crop where there are none.
        anchor: Id of the face on the page.
        attribution: What spoke for the answer; motion alone is shown without it.
    """
    motion = p.motion
    step = strongest_step(motion.motion)
    vectors = motion.motion.astype(float)
    size = np.hypot(vectors[..., 0], vectors[..., 1])
    names = channel_names(p.layout)
    pictures = motion.crop[None] if motion.pictures is None else motion.pictures
    layers = {"motion": _relative(size, FULL_PX)}
    if attribution is not None:
        layers["attribution"] = _relative(attribution.values)
    shown = "attribution" if attribution is not None else "motion"
    strength = np.sqrt(np.square(size).mean(axis=1))
    order = np.argsort(-np.abs(layers[shown][step]), kind="stable")[:_LISTED]
    scale = arrow_scale(vectors[step])
    data = {
        "step": step,
        "layer": shown,
        "arrowScale": scale,
        "frames": [_jpeg(picture) for picture in pictures],
        "time_s": [round(float(t), 3) for t in motion.time_s],
        "names": list(names),
        "u": vectors[..., 0].round(3).tolist(),
        "v": vectors[..., 1].round(3).tolist(),
        "layers": {name: values.round(3).tolist() for name, values in layers.items()},
    }
    lights = _lights(p)
    return {
        "id": f"{anchor}-player",
        "data": data,
        "step": step,
        "last": len(motion.time_s) - 1,
        "time": f"{motion.time_s[step]:.2f} s",
        "picture": data["frames"][min(step, len(pictures) - 1)],
        "moving": len(pictures) > 1,
        "lights": [
            {**light, "opacity": _opacity(layers[shown][step][i]), "kind": _kind(shown, layers[shown][step][i])}
            for i, light in enumerate(lights)
        ],
        "bars": _timeline(strength, None if attribution is None else attribution.by_step),
        "rows": [
            {
                "name": names[i],
                "value": _amount(shown, float(layers[shown][step][i]), vectors[step, i]),
                "percent": f"{100 * abs(float(layers[shown][step][i])):.0f}",
                "kind": _kind(shown, layers[shown][step][i]),
            }
            for i in order
        ],
        "shown": shown,
        "title": "" if attribution is None else attribution.title,
        "answer": _answer(p, attribution),
        "alternative": (
            f"The aligned face at {motion.time_s[step]:.2f} s; most lit: "
            + ", ".join(names[i] for i in order[:3])
            + "."
        ),
    }


def _answer(p: Prediction, attribution: Attribution | None) -> str:
    if attribution is None:
        return ""
    name = attribution.class_name
    probability = float(p.probabilities[p.classes.index(name)]) if name in p.classes else None
    return f"{name} {share(probability)}"


def _relative(values: np.ndarray[Any, Any], least: float = 0.0) -> np.ndarray[Any, Any]:
    top = max(float(np.abs(values).max(initial=0.0)), least)
    return np.asarray(values / top if top > 0 else np.zeros_like(values))


def _opacity(value: float) -> str:
    return f"{min(abs(float(value)), 1.0) if abs(value) >= _DULL else 0.0:.3f}"


def _kind(layer: str, value: float) -> str:
    return "moves" if layer == "motion" else "for" if value >= 0 else "against"


def _amount(layer: str, value: float, vector: np.ndarray[Any, Any]) -> str:
    if layer == "motion":
        return f"{share(float(np.hypot(*vector)))} px {direction(*vector)}"
    return f"{'+' if value >= 0 else '−'}{share(abs(value))}"


def _jpeg(picture: GreyImage) -> str:
    _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return base64.b64encode(coded.tobytes()).decode("ascii")


def _lights(p: Prediction) -> list[View]:
    """Return middle and radii of the light of each channel, crop pixels."""
    lights = []
    for channel_id in LAYOUTS[p.layout]:
        top, bottom, left, right = channel_window(CHANNELS[channel_id], p.motion.points)
        empty = bottom <= top or right <= left
        lights.append(
            {
                "x": (left + right) / 2 if not empty else -CROP_PX,
                "y": (top + bottom) / 2 if not empty else -CROP_PX,
                "rx": round(_GLOW * max(right - left, 24), 1),
                "ry": round(_GLOW * max(bottom - top, 24), 1),
            }
        )
    return lights


def _timeline(strength: np.ndarray[Any, Any], by_step: np.ndarray[Any, Any] | None) -> list[View]:
    """Return one bar a step: motion upwards, what spoke for or against the answer as its lower half."""
    up = _relative(strength, FULL_PX / 2)
    down = np.zeros(len(up)) if by_step is None else _relative(by_step)
    return [
        {"motion": round(26 * float(a), 1), "why": round(22 * abs(float(b)), 1), "kind": "for" if b >= 0 else "against"}
        for a, b in zip(up, down, strict=True)
    ]
