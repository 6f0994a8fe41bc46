"""Analyse one clip for the page: the prediction with its explanation, and the HTML that shows both."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from stag.errors import MissingDependency, StagError
from stag.explanation.explain import Attribution, explain
from stag.inference.predictor import Predictor
from stag.report.export import View, data_link, prediction_dict, rows_csv, step_csv, to_json
from stag.report.pages.prediction import prediction_page
from stag.report.plots.attribution import attribution_figure
from stag.report.render import environment
from stag.report.theme import figure_png
from stag.report.wording import answer_in_words, capitalised
from stag.types import Frame, Prediction
from stag.video import fps_if_untimed, read_frames
from stag.web.limits import Limits, check_file, limited

Progress = Callable[[float, str], None]
_FRAMES_PER_REPORT = 5
_READING = 0.75  # assumed; share of the time that reading and tracking take


def analyse(
    path: Path,
    name: str,
    predictor: Predictor,
    limits: Limits,
    progress: Progress,
    *,
    fps: float | None = None,
    aus: str | None = None,
) -> tuple[Prediction, Attribution | None]:
    """Classify the largest face of a clip and explain the answer; without captum there is no explanation.

    Args:
        path: The file.
        name: What messages and the report call it.
        predictor: The model.
        limits: The largest clip that is accepted.
        progress: Called with a share in [0, 1] and what is being done.
        fps: Frames per second where the clip carries no times, as some animated pictures.
        aus: Annotated action units of the clip, for example ``"4+7"``; blank where there are none.

    Raises:
        StagError: The clip is no video, too large, or shows no face; the message contains ``name`` and no path.
    """
    aus = (aus or "").strip() or None
    try:
        predictor.codes(aus)  # before the clip is read
        announced = check_file(path, name, limits)
        frames = limited(read_frames(path, fps=fps_if_untimed(path, fps)), name, limits)
        counted = _counted(frames, announced, progress)
        (prediction, *_) = predictor.predict_frames(counted, name, "largest", pictures=True, aus=aus)
        progress(0.8, "Explaining the answer")
        try:
            return prediction, explain(predictor.model, prediction)
        except MissingDependency:
            return prediction, None
    except StagError as error:
        raise StagError(str(error).replace(str(path), name)) from error


def result_html(p: Prediction, why: Attribution | None) -> str:
    """Return the answer, its downloads and the report in a frame of its own."""
    report = prediction_page([p], attributions=[why])
    links = [
        data_link("report.html", report, "the whole report, one file"),
        data_link("prediction.csv", rows_csv([p]), "the answer"),
        data_link("motion.csv", step_csv(p, why), "every step and channel"),
        data_link("prediction.json", to_json(prediction_dict(p, why)), "everything"),
    ]
    if why is not None:
        links.append(_picture_link(p, why))
    verdict = capitalised(answer_in_words(p))
    template = environment("stag.web").get_template("result.html.j2")
    return template.render(verdict=verdict, simulated=p.simulated, links=links, report=report)


def problem_html(text: str) -> str:
    """Return one sentence that a screen reader announces."""
    return environment("stag.web").get_template("problem.html.j2").render(text=text)


def _picture_link(p: Prediction, why: Attribution) -> View:
    motion = p.motion
    title = f"Why {why.class_name}?  {why.title}" + ("  (simulated training)" if p.simulated else "")
    figure = attribution_figure(
        why.values, motion.time_s, motion.crop, motion.points, why.layout, title=title, signed=why.signed
    )
    picture = base64.b64encode(figure_png(figure)).decode("ascii")
    return {"name": "explanation.png", "about": "why, as a picture", "href": f"data:image/png;base64,{picture}"}


def _counted(frames: Iterable[Frame], announced: int, progress: Progress) -> Iterator[Frame]:
    """Pass the frames on and report how many there were; ``announced`` is their number, or 0 where it is unknown."""
    for number, frame in enumerate(frames):
        if number % _FRAMES_PER_REPORT == 0:
            done = min(number / announced, 1.0) if announced else 0.5
            progress(_READING * done, f"Following the face, frame {number + 1}")
        yield frame
