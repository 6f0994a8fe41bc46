"""The files of ``stag explain``: an attribution as pictures, CSV and JSON, and the scores of the methods."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stag.explanation.explain import Attribution
from stag.report.export import explanation_dict, step_csv
from stag.report.plots.attribution import attribution_figure, lit_face_figure
from stag.report.plots.scores import faithfulness_figure
from stag.report.theme import figure_png
from stag.report.wording import share
from stag.types import Prediction
from stag.utils.files import write_bytes, write_json, write_text

if TYPE_CHECKING:
    from stag.explanation.scoring import Scores  # imports the simulation, which one explanation does not need

_COLUMNS = ("step", "time_s", "channel", "attribution", "u_px", "v_px")


def write_explanation(folder: Path, why: Attribution, prediction: Prediction) -> list[Path]:
    """Write ``explanation.json``, ``attribution.csv``, ``explanation.png`` and ``face.png`` of a clip; return them."""
    motion = prediction.motion
    title = f"Why {why.class_name} ({share(why.probability)})?  {why.title}"
    if not why.class_specific:
        title = f"{why.title}  (the same for every class; {why.class_name} {share(why.probability)})"
    crop, points, layout = motion.crop, motion.points, why.layout
    whole = attribution_figure(why.values, motion.time_s, crop, points, layout, title=title, signed=why.signed)
    face = lit_face_figure(crop, points, why.by_channel, layout)
    files = [folder / name for name in ("explanation.json", "attribution.csv", "explanation.png", "face.png")]
    write_json(files[0], explanation_dict(why, prediction))
    write_text(files[1], step_csv(prediction, why, _COLUMNS))
    write_bytes(files[2], figure_png(whole))
    write_bytes(files[3], figure_png(face))
    return files


def write_scores(folder: Path, scores: Scores) -> list[Path]:
    """Write ``faithfulness.json``, ``faithfulness.csv`` and ``faithfulness.png``; return them."""
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
