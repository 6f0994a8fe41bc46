"""What ``stag explain`` leaves behind: an attribution as pictures, CSV and JSON, and the scores of the methods."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stag import __version__
from stag.explanation.explain import AttentionMaps, Attribution
from stag.motion.regions import channel_names
from stag.report.plots.attribution import attribution_figure, lit_face_figure
from stag.report.plots.protocol import faithfulness_figure
from stag.report.theme import figure_png
from stag.report.wording import all_flags, share
from stag.types import Prediction
from stag.utils.files import write_bytes, write_json, write_text

if TYPE_CHECKING:
    from stag.explanation.scoring import Scores  # draws simulated clips, which one explanation needs nothing of

CAVEAT = "An attribution tells what moved the model, not what a person felt."


def write_explanation(folder: Path, found: Attribution, prediction: Prediction) -> list[Path]:
    """Write ``explanation.json``, ``attribution.csv``, ``explanation.png`` and ``face.png`` of one clip.

    Returns:
        The files, in that order.
    """
    motion = prediction.motion
    title = f"Why {found.class_name} ({share(found.probability)})?  {found.title}"
    if not found.class_specific:
        title = f"{found.title}  (the same for every class; {found.class_name} {share(found.probability)})"
    whole = attribution_figure(
        found.values, motion.time_s, motion.crop, motion.points, found.layout, title=title, signed=found.signed
    )
    face = lit_face_figure(motion.crop, motion.points, found.by_channel, found.layout)
    files = [folder / name for name in ("explanation.json", "attribution.csv", "explanation.png", "face.png")]
    write_json(files[0], explanation_dict(found, prediction))
    write_text(files[1], attribution_csv(found, prediction))
    write_bytes(files[2], figure_png(whole))
    write_bytes(files[3], figure_png(face))
    return files


def explanation_dict(found: Attribution, prediction: Prediction) -> dict[str, Any]:
    """An attribution as plain data for a JSON file."""
    return {
        "file": prediction.file,
        "face_id": prediction.face_id,
        "predicted": prediction.predicted,
        "probabilities": dict(zip(prediction.classes, prediction.probabilities.tolist(), strict=True)),
        "explained": found.class_name,
        "probability": found.probability,
        "score": found.score,
        "method": found.method,
        "title": found.title,
        "signed": found.signed,
        "class_specific": found.class_specific,
        "baseline": found.baseline,
        "au_source": found.au_source,
        "codes": None if prediction.codes is None else list(prediction.codes),
        "simulated": prediction.simulated,
        "flags": list(all_flags(prediction)),
        "checks": dict(found.checks),
        "layout": found.layout,
        "channels": list(channel_names(found.layout)),
        "time_s": prediction.motion.time_s.astype(float).round(6).tolist(),
        "by_channel": found.by_channel.tolist(),
        "by_step": found.by_step.tolist(),
        "values": found.values.tolist(),
        "vectors": None if found.vectors is None else found.vectors.tolist(),
        "attention": None if found.attention is None else _attention(found.attention),
        "caveat": CAVEAT,
        "version": __version__,
    }


def attribution_csv(found: Attribution, prediction: Prediction) -> str:
    """One row per step and channel: ``step, time_s, channel, attribution, u_px, v_px``."""
    motion, names = prediction.motion, channel_names(found.layout)
    lines = ["step,time_s,channel,attribution,u_px,v_px"]
    for t, r in np.ndindex(*found.values.shape):
        u, v = motion.motion[t, r]
        lines.append(f"{t},{motion.time_s[t]:.6f},{names[r]},{found.values[t, r]:.8g},{u:.6f},{v:.6f}")
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
