"""What ``stag explain`` leaves behind: an attribution as pictures, CSV and JSON, and the scores of the methods."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stag import __version__
from stag.explanation.explain import AttentionMaps, Attribution
from stag.motion.regions import channel_names
from stag.report.plots.attribution import attribution_figure, lit_face_figure
from stag.report.plots.scores import faithfulness_figure
from stag.report.theme import figure_png
from stag.report.wording import all_flags, share
from stag.types import Prediction
from stag.utils.files import write_bytes, write_json, write_text

if TYPE_CHECKING:
    from stag.explanation.scoring import Scores  # draws simulated clips, which one explanation needs nothing of

_COLUMNS = ("step", "time_s", "channel", "attribution", "u_px", "v_px")

CAVEAT = "An attribution tells what moved the model, not what a person felt."


def write_explanation(folder: Path, why: Attribution, prediction: Prediction) -> list[Path]:
    """Write ``explanation.json``, ``attribution.csv``, ``explanation.png`` and ``face.png`` of one clip.

    Returns:
        The files, in that order.
    """
    motion = prediction.motion
    title = f"Why {why.class_name} ({share(why.probability)})?  {why.title}"
    if not why.class_specific:
        title = f"{why.title}  (the same for every class; {why.class_name} {share(why.probability)})"
    whole = attribution_figure(
        why.values,
        motion.time_s,
        motion.crop,
        motion.points,
        why.layout,
        title=title,
        signed=why.signed,
    )
    face = lit_face_figure(motion.crop, motion.points, why.by_channel, why.layout)
    files = [folder / name for name in ("explanation.json", "attribution.csv", "explanation.png", "face.png")]
    write_json(files[0], explanation_dict(why, prediction))
    write_text(files[1], step_csv(prediction, why, _COLUMNS))
    write_bytes(files[2], figure_png(whole))
    write_bytes(files[3], figure_png(face))
    return files


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
        "attention": None if why.attention is None else _attention(why.attention),
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


def write_scores(folder: Path, scores: Scores) -> list[Path]:
    """Write ``faithfulness.json``, ``faithfulness.csv`` and ``faithfulness.png``."""
    scores.save(folder)
    by_title = {scored.title: scored for scored in scores.methods}
    figure = faithfulness_figure(
        {title: scored.metrics["share"] for title, scored in by_title.items()},
        {t: s.metrics["shuffled_share"][0] for t, s in by_title.items() if "shuffled_share" in s.metrics},
        scores.chance["share"],
        {title: scored.deletion for title, scored in by_title.items()},
        {title: scored.insertion for title, scored in by_title.items()},
    )
    write_bytes(folder / "faithfulness.png", figure_png(figure))
    return [folder / f"faithfulness.{ending}" for ending in ("json", "csv", "png")]


def _attention(maps: AttentionMaps) -> dict[str, Any]:
    return {
        "adjacency": maps.adjacency.round(6).tolist(),
        "temporal": maps.temporal.round(6).tolist(),
        "region_to_step": maps.region_to_step.round(6).tolist(),
        "step_to_region": maps.step_to_region.round(6).tolist(),
    }
