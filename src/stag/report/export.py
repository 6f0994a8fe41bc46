"""What a page shows, to take along: CSV and JSON inside the page, as links that need no server."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stag import __version__
from stag.explanation.explain import Attribution
from stag.motion.regions import channel_names
from stag.report.pages.explanation_file import CAVEAT, explanation_dict, step_csv
from stag.report.table import prediction_rows
from stag.report.wording import all_flags, headline
from stag.types import Prediction

_TYPES = {"csv": "text/csv", "json": "application/json", "html": "text/html"}
LARGEST = 900_000
"""A link over this many characters is left out of a page, which then says so."""

View = dict[str, Any]


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


def rows_csv(predictions: Sequence[Prediction], failures: Sequence[tuple[str, str]] = ()) -> str:
    """Return the rows of ``stag predict --csv``."""
    return str(prediction_rows(predictions, failures).to_csv(index=False))


def motion_csv(p: Prediction, attribution: Attribution | None = None) -> str:
    """Return one row per step and channel: ``step, time_s, channel, u_px, v_px, attribution``."""
    return step_csv(p, attribution, ("step", "time_s", "channel", "u_px", "v_px", "attribution"))


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
