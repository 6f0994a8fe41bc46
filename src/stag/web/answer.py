"""One clip -> what the page shows of it: a verdict, files to take along, and the report; or one clear sentence."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from html import escape
from pathlib import Path

from stag.errors import MissingDependency, StagError
from stag.explanation.explain import Attribution, explain
from stag.inference.predictor import Predictor
from stag.report.export import data_link, motion_csv, prediction_dict, rows_csv, to_json
from stag.report.pages.prediction import prediction_page
from stag.report.plots.attribution import attribution_figure
from stag.report.theme import figure_png
from stag.report.wording import answer_in_words, capitalised
from stag.types import Frame, Prediction
from stag.video import fps_if_untimed, read_frames
from stag.web.limits import Limits, check_file, limited

Progress = Callable[[float, str], None]
_EVERY = 5
_READING = 0.75  # assumed; share of the time that reading and tracking take


def answer(
    path: Path,
    name: str,
    predictor: Predictor,
    limits: Limits,
    progress: Progress,
    *,
    fps: float | None = None,
    aus: str | None = None,
) -> str:
    """What the page shows of a clip, as HTML.

    Args:
        path: The file.
        name: What to call it.
        predictor: Who judges.
        limits: What is accepted.
        progress: Called with a share in [0, 1] and what is being done.
        fps: Frames per second where the clip carries no times, as some animated pictures.
        aus: Annotated action units of the clip as a visitor typed them; blank where there are none.
    """
    aus = (aus or "").strip() or None
    try:
        predictor.codes(aus)  # before the clip is read
        announced = check_file(path, name, limits)
        frames = _counted(limited(read_frames(path, fps=fps_if_untimed(path, fps)), name, limits), announced, progress)
        (found, *_) = predictor.predict_frames(frames, name, "largest", pictures=True, aus=aus)
        progress(0.8, "Asking why")
        why = _why(predictor, found)
        progress(0.9, "Writing the report")
        return _result(found, why)
    except StagError as error:
        return message(str(error).replace(str(path), name))


def message(text: str) -> str:
    """One sentence that a screen reader announces."""
    return f'<div class="stag-problem" role="alert"><strong>No result.</strong> {escape(text)}</div>'


def _why(predictor: Predictor, prediction: Prediction) -> Attribution | None:
    try:
        return explain(predictor.model, prediction)
    except MissingDependency:
        return None  # the report then shows motion alone


def _result(p: Prediction, why: Attribution | None) -> str:
    report = prediction_page([p], attributions=[why])
    links = [
        data_link("report.html", report, "the whole report, one file"),
        data_link("prediction.csv", rows_csv([p]), "the answer"),
        data_link("motion.csv", motion_csv(p, why), "every step and channel"),
        data_link("prediction.json", to_json(prediction_dict(p, why)), "everything"),
    ]
    if why is not None:
        links.append(_picture(p, why))
    items = "".join(
        f'<li><a href="{link["href"]}" download="{link["name"]}">{link["name"]}</a> {escape(link["about"])}</li>'
        for link in links
    )
    # The movement is named by the title of the report below.
    verdict = escape(capitalised(answer_in_words(p)))
    simulated = "By a model that was trained on simulated motion only. " if p.simulated else ""
    return (
        f'<div class="stag-result" role="status"><p class="stag-verdict">{verdict}</p>'
        f"<p>{simulated}Not lie detection, and not what a person feels.</p></div>"
        f'<ul class="stag-files" aria-label="Downloads">{items}</ul>'
        f'<iframe class="stag-report" title="Report" sandbox="allow-scripts allow-downloads" '
        f'srcdoc="{escape(report, quote=True)}"></iframe>'
    )


def _picture(p: Prediction, why: Attribution) -> dict[str, str]:
    motion = p.motion
    title = f"Why {why.class_name}?  {why.title}" + ("  (simulated training)" if p.simulated else "")
    figure = attribution_figure(
        why.values, motion.time_s, motion.crop, motion.points, why.layout, title=title, signed=why.signed
    )
    coded = base64.b64encode(figure_png(figure)).decode("ascii")
    return {"name": "explanation.png", "about": "why, as a picture", "href": f"data:image/png;base64,{coded}"}


def _counted(frames: Iterable[Frame], announced: int, progress: Progress) -> Iterator[Frame]:
    for number, frame in enumerate(frames):
        if number % _EVERY == 0:
            done = min(number / announced, 1.0) if announced else 0.5
            progress(_READING * done, f"Following the face, frame {number + 1}")
        yield frame
