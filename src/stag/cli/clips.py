"""Your own clips: motion, prediction, explanation, the web page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stag.cli.console import fail, print_faithfulness, progress_bar, say, warn
from stag.cli.options import Aus, Engine, Fps, Model, NoProgress, Quiet, SettingOptions, Video, check_fps
from stag.cli.paths import EXPLANATION, PAGE, PICTURE, TABLE, Reads, Writes
from stag.cli.usage import Mode, verb
from stag.errors import MissingDependency, StagError
from stag.model.shipped import DEFAULT_MODEL

if TYPE_CHECKING:
    from stag.config import MotionConfig
    from stag.model.stag import STAG
    from stag.types import Prediction


@verb("Your clips")
def predict(
    videos: Annotated[
        list[Path], typer.Argument(metavar="VIDEO...", help="Videos, GIFs or folders of images."), Reads()
    ],
    model: Model = DEFAULT_MODEL,
    faces: Annotated[Literal["largest", "all"], typer.Option(help="Which faces of a clip to classify.")] = "largest",
    engine: Engine = "torch",
    fps: Fps = None,
    aus: Aus = None,
    csv: Annotated[Path | None, typer.Option(help="CSV table to write: a row for each face."), Writes(TABLE)] = None,
    report: Annotated[Path | None, typer.Option(help="HTML report to write."), Writes(PAGE)] = None,
    quiet: Quiet = False,
) -> None:
    """Classify the micro-expression in each of your clips; --report shows why."""
    check_fps(fps, videos)
    from stag.motion.clip import video_motion
    from stag.utils.files import write_text
    from stag.utils.parallel import begun_aside, one_thread

    settings, loaded = _settings_and_model(model)
    extract = partial(video_motion, settings=settings, fps=fps, every_face=faces == "all", pictures=report is not None)
    predictions, failures = [], []
    with begun_aside(extract, videos) as next_motion:
        from stag.inference.predictor import Predictor

        predictor = Predictor(loaded, engine=engine)
        codes = predictor.codes(aus)
        with one_thread(), progress_bar("predict", quiet) as progress:
            for done, video in enumerate(videos, start=1):
                try:
                    answers = [predictor.classify(tensor, str(video), codes) for tensor in next_motion()]
                except StagError as error:
                    failures.append((str(video), str(error)))
                else:
                    predictions += answers
                    for prediction in answers:
                        _say_prediction(prediction)
                if progress is not None:
                    progress(done, len(videos))
    problems: list[Exception] = [StagError(reason) for _, reason in failures]
    if csv is not None:
        from stag.report.export import prediction_rows

        rows = prediction_rows(predictions, failures)
        place = rows["file"].map({str(video): i for i, video in enumerate(videos)})
        with _kept(problems):
            write_text(csv, rows.iloc[place.argsort(kind="stable")].to_csv(index=False))
    if report is not None:
        from stag.explanation.explain import explain as attribute
        from stag.report.pages.prediction import prediction_page, write_page

        try:
            with one_thread():
                whys = [attribute(predictor.model, p) for p in predictions]
        except MissingDependency as error:
            warn(f"{error}; the report shows motion alone")
            whys = []
        with _kept(problems):
            write_page(report, prediction_page(predictions, failures, attributions=whys))
    for problem in problems:
        fail(problem)
    if problems:
        raise typer.Exit(1)


def _say_prediction(answer: Prediction) -> None:
    scores = ", ".join(f"{n} {p:.2f}" for n, p in zip(answer.classes, answer.probabilities, strict=True))
    say(f"{answer.file}  face {answer.face_id}  {answer.predicted}  ({scores}){_remarks(answer.flags)}")


def _remarks(flags: Sequence[str]) -> str:
    return f"  [{'; '.join(flags)}]" if flags else ""


@contextmanager
def _kept(problems: list[Exception]) -> Iterator[None]:
    """Note that a file could not be written, and go on to the next."""
    try:
        yield
    except OSError as error:
        problems.append(error)


@verb(
    "Your clips",
    Mode("with --score", lambda given: given["score"], takes="score out model clips quiet"),
    Mode("without --score", lambda given: not given["score"], takes="video out model method class_ fps aus quiet"),
)
def explain(
    out: Annotated[Path, typer.Option(help="Folder to write: tables and figures."), Writes(EXPLANATION)],
    video: Annotated[Path | None, Video, Reads()] = None,
    model: Model = DEFAULT_MODEL,
    method: Annotated[
        Literal["ig", "occlusion", "gradcam", "hirescam", "attention", "cross-attention"],
        typer.Option(help="Attribution method; --score ranks ig first."),
    ] = "ig",
    fps: Fps = None,
    class_: Annotated[str | None, typer.Option("--class", help="Class to explain. Default: the most probable.")] = None,
    aus: Aus = None,
    score: Annotated[bool, typer.Option("--score", help="Score every method on simulated clips.")] = False,
    clips: Annotated[int, typer.Option(min=1, help="Number of simulated clips of --score, one a person.")] = 200,
    quiet: Quiet = False,
) -> None:
    """Show which regions at which moments made the model choose a class; or score the methods that show it."""
    if not score and video is None:
        raise typer.BadParameter("give a VIDEO to explain, or --score")
    check_fps(fps, [video] if video else [])
    if video is None:
        files = _score_explanations(out, model, clips, quiet)
    else:
        files = _explain_clip(out, video, model, method, class_, fps, aus)
    for path in files:
        say(f"written  {path}")


def _score_explanations(out: Path, model: str, clips: int, quiet: bool) -> list[Path]:
    from stag.explanation.scoring import score_methods
    from stag.model.stag import STAG
    from stag.report.pages.explanation_file import write_scores
    from stag.utils.parallel import one_thread

    with one_thread(), progress_bar("score", quiet, unit="methods") as progress:
        scores = score_methods(STAG.from_pretrained(model), clips=clips, progress=progress)
    print_faithfulness(scores.as_dict())
    return write_scores(out, scores)


def _explain_clip(
    out: Path, video: Path, model: str, method: str, class_: str | None, fps: float | None, aus: str | None
) -> list[Path]:
    from stag.motion.clip import video_motion
    from stag.utils.parallel import begun_aside, one_thread

    settings, loaded = _settings_and_model(model)
    with begun_aside(partial(video_motion, settings=settings, fps=fps), [video]) as next_motion:
        from stag.explanation.explain import explain as attribute
        from stag.inference.predictor import Predictor
        from stag.report.pages.explanation_file import write_explanation
        from stag.report.wording import regions_in_words

        predictor = Predictor(loaded)
        with one_thread():
            codes = predictor.codes(aus)
            prediction = predictor.classify(next_motion()[0], str(video), codes)
            why = attribute(predictor.model, prediction, method=method, target=class_)
            say(f"{why.class_name} {why.probability:.2f}  {why.title}{_remarks(prediction.flags)}")
            say(regions_in_words(why.by_channel, why.layout, signed=why.signed))
            return write_explanation(out, why, prediction)


def _settings_and_model(name: str) -> tuple[MotionConfig, str | STAG]:
    """Return the motion settings of a model, and the model; only its name where it is local, so that torch can wait."""
    from stag.model.folder import read_info
    from stag.model.shipped import local_folder

    folder = local_folder(name)
    if folder is not None:
        return read_info(folder).motion_settings(), name
    from stag.model.stag import STAG

    model = STAG.from_pretrained(name)
    return model.info.motion_settings(), model


@verb("Your clips", settings=("motion",))
def motion(
    video: Annotated[Path, Video, Reads()],
    settings: SettingOptions,
    out: Annotated[Path, typer.Option(help="Picture to write: .png or .svg."), Writes(PICTURE)],
    fps: Fps = None,
    quiet: NoProgress = False,
) -> None:
    """Draw how a face moves: regions and arrows, channels over time, the most active channels."""
    from stag.motion.clip import video_motion
    from stag.report.plots.motion import motion_figure
    from stag.report.theme import figure_png, figure_svg
    from stag.utils.files import write_bytes
    from stag.utils.parallel import one_thread

    check_fps(fps, [video])
    how = settings.settings().motion
    with one_thread():
        (tensor,) = video_motion(video, how, fps=fps)
    measured = f"{tensor.n_frames} frames, {tensor.duration_s:.2f} s, strength {tensor.strength_px:.2f} px"
    say(f"{measured}{_remarks(tensor.flags)}")
    figure = motion_figure(tensor, how.layout)
    write_bytes(out, figure_svg(figure).encode() if out.suffix.lower() == ".svg" else figure_png(figure))
    say(f"picture  {out}")


@verb("Your clips", kept="the page is closed, and every file that it held is removed")
def serve(
    model: Model = DEFAULT_MODEL,
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port of the page.")] = 7860,
    host: Annotated[
        str, typer.Option(help="Address of the page; the default is reached from this machine only.")
    ] = "127.0.0.1",
    quiet: NoProgress = False,
) -> None:
    """Open a web page on this machine that classifies clips you upload or record."""
    from stag.inference.predictor import Predictor
    from stag.web.serve import check_address, check_web_packages, is_loopback
    from stag.web.serve import serve as serve_page

    check_web_packages()
    check_address(host, port)
    predictor = Predictor(model)
    if not is_loopback(host):
        warn(f"--host {host}: others can reach this page; it has no password and no encryption")
    say(f"page  http://{f'[{host}]' if ':' in host else host}:{port}  (Ctrl-C stops it)")
    serve_page(predictor, host=host, port=port)
