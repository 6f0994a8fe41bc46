"""Predictions as tables and plain data, and as download links inside a page."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stag import __version__
from stag.explanation.explain import Attribution
from stag.motion.regions import channel_names
from stag.report.wording import all_flags, headline
from stag.types import FloatArray, MotionTensor, Prediction

if TYPE_CHECKING:
    import pandas as pd

_TYPES = {"csv": "text/csv", "json": "application/json", "html": "text/html", "vtt": "text/vtt", "eaf": "text/xml"}
LARGEST = 900_000
"""Longest link of a page, characters; a page states which links it leaves out."""

CAVEAT = "An attribution tells what moved the model, not what a person felt."

View = dict[str, Any]
"""The values that a template shows."""

STEP_COLUMNS = ("step", "time_s", "channel", "u_px", "v_px", "attribution")
_HEAD = ("file", "face_id", "face_score", "start_s", "end_s", "frames", "yaw_deg", "pitch_deg", "roll_deg", "predicted")


def data_link(name: str, text: str, about: str) -> View:
    """Return a link that saves ``text`` as a file of that name."""
    kind = _TYPES[name.rsplit(".", 1)[-1]]
    coded = base64.b64encode(text.encode("utf-8", "backslashreplace")).decode("ascii")
    return {"name": name, "about": about, "href": f"data:{kind};charset=utf-8;base64,{coded}"}


def fitting(links: Sequence[View], elsewhere: str) -> list[View]:
    """Return the links with an empty target where one is too large, and ``elsewhere`` to say where its content is."""
    fitted = []
    for link in links:
        size_mb = 0.75 * len(link["href"]) / 1e6
        about = f"{link['about']}; left out, because its {size_mb:.1f} MB would make this page too large: {elsewhere}"
        fitted.append(link if len(link["href"]) <= LARGEST else link | {"href": "", "about": about})
    return fitted


def weight(links: Sequence[View]) -> int:
    """Return the bytes that the links take of a page."""
    return sum(len(link["href"]) for link in links)


def to_json(content: Any) -> str:
    """Return JSON text for a download; numbers without a JSON form become ``null``."""
    return json.dumps(_finite(content), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def prediction_rows(predictions: Sequence[Prediction], failures: Sequence[tuple[str, str]] = ()) -> pd.DataFrame:
    """Return the rows that ``stag predict --csv`` writes.

    Args:
        predictions: One per face.
        failures: ``(file, reason)`` of every file without a usable face; the reason goes into ``flags``.

    Returns:
        Columns file, face_id, face_score, start_s, end_s, frames, yaw_deg, pitch_deg, roll_deg (the largest, with its
        sign), predicted, ``p_<class>``..., ``au_<n>``..., and flags, joined by ``"; "``.
    """
    import pandas as pd

    classes = dict.fromkeys(f"p_{name}" for p in predictions for name in p.classes)
    units = dict.fromkeys(f"au_{n}" for p in predictions for n in p.au_vocabulary)
    rows: list[dict[str, Any]] = [
        {
            "file": p.file,
            "face_id": p.face_id,
            "face_score": p.motion.face_score,
            "start_s": p.start_s,
            "end_s": p.end_s,
            "frames": p.motion.n_frames,
            **_largest_turn(p.motion.head_deg),
            "predicted": p.predicted,
            **{f"p_{name}": value for name, value in zip(p.classes, p.probabilities.tolist(), strict=True)},
            **{f"au_{n}": value for n, value in zip(p.au_vocabulary, p.au_probabilities.tolist(), strict=True)},
            "flags": "; ".join(all_flags(p)),
        }
        for p in predictions
    ]
    rows += [{"file": file, "flags": reason} for file, reason in failures]
    table = pd.DataFrame(rows, columns=[*_HEAD, *classes, *units, "flags"])
    numbers = dict.fromkeys(("face_score", "start_s", "end_s", "yaw_deg", "pitch_deg", "roll_deg"), float)
    return table.astype({"face_id": "Int64", "frames": "Int64", **numbers})


def rows_csv(predictions: Sequence[Prediction], failures: Sequence[tuple[str, str]] = ()) -> str:
    """Return :func:`prediction_rows` as CSV."""
    return str(prediction_rows(predictions, failures).to_csv(index=False))


def _largest_turn(head_deg: FloatArray | None) -> dict[str, float]:
    angles = np.full((1, 3), np.nan) if head_deg is None else head_deg
    largest = np.take_along_axis(angles, np.abs(angles).argmax(axis=0)[None], axis=0)[0]
    return dict(zip(("yaw_deg", "pitch_deg", "roll_deg"), largest.tolist(), strict=True))


def step_columns(motion: MotionTensor, layout: str, attribution: FloatArray | None) -> dict[str, NDArray[Any]]:
    """Return columns of one row per step and channel: ``step, time_s, channel, u_px, v_px, attribution``."""
    steps, regions = motion.motion.shape[:2]
    return {
        "step": np.repeat(np.arange(steps), regions),
        "time_s": np.repeat(motion.time_s, regions),
        "channel": np.tile(channel_names(layout), steps),
        "u_px": motion.motion[..., 0].ravel(),
        "v_px": motion.motion[..., 1].ravel(),
        "attribution": np.full(steps * regions, np.nan) if attribution is None else attribution.ravel(),
    }


def step_csv(p: Prediction, why: Attribution | None = None, columns: Sequence[str] = STEP_COLUMNS) -> str:
    """Return :func:`step_columns` as CSV; ``attribution`` is blank without an explanation."""
    # Not pandas: an explanation takes half a second without it.
    formats = dict.fromkeys(("time_s", "u_px", "v_px"), "{:.6f}") | {"attribution": "" if why is None else "{:.8g}"}
    table = step_columns(p.motion, p.layout, None if why is None else why.values)
    cells = [[formats.get(name, "{}").format(value) for value in table[name].tolist()] for name in columns]
    return "\n".join(",".join(row) for row in [columns, *zip(*cells, strict=True)]) + "\n"


def explanation_dict(why: Attribution, prediction: Prediction) -> dict[str, Any]:
    """Return an attribution as plain data for a JSON file."""
    return {
        "file": prediction.file,
        "face_id": prediction.face_id,
        "predicted": prediction.predicted,
        "probabilities": dict(zip(prediction.classes, prediction.probabilities.tolist(), strict=True)),
        "explained": why.class_name,
        "probability": why.probability,
        "score": why.score,
        "method": why.method,
        "title": why.title,
        "signed": why.signed,
        "class_specific": why.class_specific,
        "baseline": why.baseline,
        "au_source": why.au_source,
        "codes": None if prediction.codes is None else list(prediction.codes),
        "simulated": prediction.simulated,
        "flags": list(all_flags(prediction)),
        "checks": dict(why.checks),
        "layout": why.layout,
        "channels": list(channel_names(why.layout)),
        "time_s": prediction.motion.time_s.astype(float).round(6).tolist(),
        "by_channel": why.by_channel.tolist(),
        "by_step": why.by_step.tolist(),
        "values": why.values.tolist(),
        "vectors": None if why.vectors is None else why.vectors.tolist(),
        "attention": None
        if why.attention is None
        else {name: weight.round(6).tolist() for name, weight in vars(why.attention).items()},
        "caveat": CAVEAT,
        "version": __version__,
    }


def prediction_dict(p: Prediction, attribution: Attribution | None = None) -> dict[str, Any]:
    """Return a prediction and its explanation as plain data for a JSON file."""
    return {
        "file": p.file,
        "face_id": p.face_id,
        "summary": headline(p, attribution),
        "predicted": p.predicted,
        "abstains": p.abstains,
        "probabilities": dict(zip(p.classes, p.probabilities.tolist(), strict=True)),
        "action_units": dict(zip(map(str, p.au_vocabulary), p.au_probabilities.tolist(), strict=True)),
        "au_source": p.au_source,
        "codes": None if p.codes is None else list(p.codes),
        "simulated_training": p.simulated,
        "flags": list(all_flags(p)),
        "start_s": p.start_s,
        "end_s": p.end_s,
        "frames": p.motion.n_frames,
        "face_score": p.motion.face_score,
        "strength_px": p.motion.strength_px,
        "channels": list(channel_names(p.layout)),
        "time_s": p.motion.time_s.astype(float).round(6).tolist(),
        "motion_px": p.motion.motion.astype(float).round(6).tolist(),
        "adjacency": p.adjacency[-1].mean(axis=0).round(6).tolist() if p.adjacency.size else None,
        "temporal_attention": p.temporal_attention.round(6).tolist(),
        "explanation": None if attribution is None else explanation_dict(attribution, p),
        "caveat": CAVEAT,
        "version": __version__,
    }


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
