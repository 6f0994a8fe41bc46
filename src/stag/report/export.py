"""Predictions as tables and plain data, and as files inside a page: links that need no server."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stag import __version__
from stag.explanation.explain import Attribution
from stag.motion.regions import channel_names
from stag.report.wording import all_flags, headline
from stag.types import Prediction

if TYPE_CHECKING:
    import pandas as pd

_TYPES = {"csv": "text/csv", "json": "application/json", "html": "text/html"}
LARGEST = 900_000
"""A link over this many characters is left out of a page, which then says so."""

CAVEAT = "An attribution tells what moved the model, not what a person felt."

View = dict[str, Any]
_HEAD = ("file", "face_id", "face_score", "start_s", "end_s", "frames", "predicted")


def data_link(name: str, text: str, about: str) -> View:
    """Return a link that saves ``text`` as a file of that name."""
    kind = _TYPES[name.rsplit(".", 1)[-1]]
    coded = base64.b64encode(text.encode("utf-8", "backslashreplace")).decode("ascii")
    return {"name": name, "about": about, "href": f"data:{kind};charset=utf-8;base64,{coded}"}


def fitting(links: Sequence[View], elsewhere: str) -> list[View]:
    """Return the links as a page can carry them; one that is too large loses its target and says why.

    Args:
        links: From :func:`data_link`.
        elsewhere: Where the reader finds a file that is left out, for example ``"it lies in the run folder"``.
    """
    return [link if len(link["href"]) <= LARGEST else _left_out(link, elsewhere) for link in links]


def weight(links: Sequence[View]) -> int:
    """Return bytes that the links take of a page."""
    return sum(len(link["href"]) for link in links)


def to_json(content: Any) -> str:
    """Return JSON text for a download; numbers that JSON cannot hold become ``null``."""
    return json.dumps(_finite(content), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def prediction_rows(predictions: Sequence[Prediction], failures: Sequence[tuple[str, str]] = ()) -> pd.DataFrame:
    """Return the rows that ``stag predict --csv`` writes.

    Args:
        predictions: What the model said, one per face.
        failures: ``(file, reason)`` of every file without a usable face.

    Returns:
        Columns file, face_id, face_score, start_s, end_s, frames, predicted, ``p_<class>``..., ``au_<n>``..., flags.
        A failed file has its reason in ``flags`` and nothing in the other columns; flags are joined by ``"; "``.
    """
    import pandas as pd

    classes = dict.fromkeys(f"p_{name}" for p in predictions for name in p.classes)
    units = dict.fromkeys(f"au_{number}" for p in predictions for number in p.au_vocabulary)
    rows = [_prediction_row(p) for p in predictions] + [{"file": file, "flags": reason} for file, reason in failures]
    table = pd.DataFrame(rows, columns=[*_HEAD, *classes, *units, "flags"])
    return table.astype({"face_id": "Int64", "frames": "Int64", "face_score": float, "start_s": float, "end_s": float})


def rows_csv(predictions: Sequence[Prediction], failures: Sequence[tuple[str, str]] = ()) -> str:
    """Return the rows of ``stag predict --csv``."""
    return str(prediction_rows(predictions, failures).to_csv(index=False))


def motion_csv(p: Prediction, attribution: Attribution | None = None) -> str:
    """Return one row per step and channel: ``step, time_s, channel, u_px, v_px, attribution``."""
    return step_csv(p, attribution, ("step", "time_s", "channel", "u_px", "v_px", "attribution"))


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


def step_csv(prediction: Prediction, why: Attribution | None, columns: Sequence[str]) -> str:
    """Return one row per step and channel as CSV.

    Args:
        prediction: Its motion gives ``step``, ``time_s``, ``channel``, ``u_px`` and ``v_px``.
        why: What spoke for the answer; ``attribution`` is blank without it.
        columns: Columns in order, of those named here.
    """
    motion, names = prediction.motion, channel_names(prediction.layout)
    lines = [",".join(columns)]
    for t, r in np.ndindex(*motion.motion.shape[:2]):
        u, v = motion.motion[t, r]
        attribution = "" if why is None else f"{why.values[t, r]:.8g}"
        cells = {"step": f"{t}", "time_s": f"{motion.time_s[t]:.6f}", "channel": names[r], "attribution": attribution}
        cells |= {"u_px": f"{u:.6f}", "v_px": f"{v:.6f}"}
        lines.append(",".join(cells[column] for column in columns))
    return "\n".join(lines) + "\n"


def prediction_dict(p: Prediction, attribution: Attribution | None = None) -> dict[str, Any]:
    """Return a prediction, and why, as plain data."""
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


def _prediction_row(p: Prediction) -> dict[str, Any]:
    return {
        "file": p.file,
        "face_id": p.face_id,
        "face_score": p.motion.face_score,
        "start_s": p.start_s,
        "end_s": p.end_s,
        "frames": p.motion.n_frames,
        "predicted": p.predicted,
        **{f"p_{name}": float(value) for name, value in zip(p.classes, p.probabilities, strict=True)},
        **{f"au_{number}": float(value) for number, value in zip(p.au_vocabulary, p.au_probabilities, strict=True)},
        "flags": "; ".join(all_flags(p)),
    }


def _left_out(link: View, elsewhere: str) -> View:
    size_mb = 0.75 * len(link["href"]) / 1e6
    about = f"{link['about']}; left out, because its {size_mb:.1f} MB would make this page too large: {elsewhere}"
    return {"name": link["name"], "about": about, "href": ""}


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
