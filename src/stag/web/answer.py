"""Analyse a clip for the page, within its limits, and return the prediction with its explanation as HTML."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av

from stag.errors import MissingDependency, StagError, VideoError
from stag.explanation.explain import Attribution, explain
from stag.inference.predictor import Predictor
from stag.report.export import data_link, prediction_dict, rows_csv, step_csv, to_json
from stag.report.pages.prediction import prediction_page
from stag.report.plots.attribution import attribution_figure
from stag.report.render import environment
from stag.report.theme import figure_png
from stag.report.wording import answer_in_words, capitalised
from stag.types import Frame, Prediction
from stag.utils import limits as general
from stag.video import fps_if_untimed, read_frames
from stag.video.file import video_stream

Progress = Callable[[float, str], None]
"""Takes the share that is done, in [0, 1], and what is being done."""

_FRAMES_PER_REPORT = 5
_READING = 0.75  # assumed; share of the time that reading and tracking take
_CUT = "cut it to the expression"
_TAKE = "take a clip such as .mp4, .mov, .avi, .mkv, .webm or .gif"


@dataclass(frozen=True)
class Limits:
    """The largest clip that the page accepts; ``pixels`` are those of one frame."""

    size_mb: int = 50
    duration_s: float = 60.0
    frames: int = general.FRAMES
    pixels: int = 4096 * 2304

    @property
    def sentence(self) -> str:
        """The limits as the page shows them."""
        return f"Up to {self.size_mb} MB, {self.duration_s:g} seconds and {self.frames} frames."


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

    ``name`` stands for the path in messages and in the report. ``fps`` is used where the clip carries no times, as
    some animated pictures; ``aus`` are annotated action units, for example ``"4+7"``.

    Raises:
        StagError: The clip is not a video, too large, or shows no face.
    """
    aus = (aus or "").strip() or None
    try:
        predictor.codes(aus)  # before the clip is read
        announced = check_file(path, name, limits)
        frames = _counted(limited(read_frames(path, fps=fps_if_untimed(path, fps)), name, limits), announced, progress)
        (prediction, *_) = predictor.predict_frames(frames, name, "largest", pictures=True, aus=aus)
        progress(0.8, "Explaining the answer")
        try:
            return prediction, explain(predictor.model, prediction)
        except MissingDependency:
            return prediction, None
    except StagError as error:
        raise StagError(str(error).replace(str(path), name)) from error


def _counted(frames: Iterable[Frame], announced: int, progress: Progress) -> Iterator[Frame]:
    for number, frame in enumerate(frames):
        if number % _FRAMES_PER_REPORT == 0:
            done = min(number / announced, 1.0) if announced else 0.5
            progress(_READING * done, f"Following the face, frame {number + 1}")
        yield frame


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
        motion = p.motion
        title = f"Why {why.class_name}?  {why.title}" + ("  (simulated training)" if p.simulated else "")
        figure = attribution_figure(
            why.values, motion.time_s, motion.crop, motion.points, why.layout, title=title, signed=why.signed
        )
        picture = f"data:image/png;base64,{base64.b64encode(figure_png(figure)).decode('ascii')}"
        links.append({"name": "explanation.png", "about": "why, as a picture", "href": picture})
    template = environment("stag.web").get_template("result.html.j2")
    verdict = capitalised(answer_in_words(p))
    return template.render(verdict=verdict, simulated=p.simulated, links=links, report=report)


def problem_html(text: str) -> str:
    """Return a sentence about a problem that a screen reader announces."""
    return environment("stag.web").get_template("problem.html.j2").render(text=text)


def check_file(path: Path, name: str, limits: Limits) -> int:
    """Check a file by its header alone, and return the number of frames, 0 where the header has none."""
    size = path.stat().st_size
    if size > limits.size_mb * 1_000_000:
        raise VideoError(f"{name}: has {size / 1e6:.0f} MB and {limits.size_mb} are allowed; {_CUT}")
    try:
        with av.open(os.path.abspath(path), metadata_errors="replace") as container:
            if not container.streams.video:
                raise VideoError(f"{name}: contains no video; {_TAKE}")
            stream, _ = video_stream(name, container)
            # The file and the stream may announce different lengths.
            whole = container.duration / av.time_base if container.duration else 0.0
            own = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
            seconds = max(whole, own)
            width, height = stream.codec_context.width, stream.codec_context.height
            frames = int(stream.frames) or round(seconds * float(stream.average_rate or 0))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{name}: is not a video that can be read; {_TAKE}") from error
    _refuse_beyond(limits, name, seconds, frames, width, height)
    return frames


def limited(frames: Iterable[Frame], name: str, limits: Limits) -> Iterator[Frame]:
    """Yield the frames, and check the limits again, since a header may be wrong."""
    for number, frame in enumerate(frames, start=1):
        height, width = frame.image.shape
        _refuse_beyond(limits, name, frame.time_s, number, width, height)
        yield frame


def _refuse_beyond(limits: Limits, name: str, seconds: float, frames: int, width: int, height: int) -> None:
    if seconds > limits.duration_s:
        raise VideoError(f"{name}: lasts more than {limits.duration_s:g} seconds; {_CUT}")
    if frames > limits.frames:
        raise VideoError(f"{name}: has more than {limits.frames} frames; {_CUT}")
    if width * height > limits.pixels:
        raise VideoError(f"{name}: is {width} x {height}, too large a picture; make it smaller")
