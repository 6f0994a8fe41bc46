"""Your clips: predict, explain, draw the motion, serve the web page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Argument, BadParameter, Exit, Option

from stag.cli.console import fail, print_faithfulness, progress_bar, say, warn
from stag.cli.options import Aus, Fps, Landmarks, Model, NoProgress, Quiet, SettingOptions, Video, check_fps
from stag.cli.paths import EXPLANATION, PAGE, PICTURE, TABLE, Reads, Writes
from stag.cli.usage import Mode, verb
from stag.errors import MissingDependency, StagError
from stag.model.shipped import DEFAULT_MODEL

if TYPE_CHECKING:
    from stag.config import MotionConfig
    from stag.model.stag import STAG


@verb("Your clips")
def predict(
    videos: Annotated[list[Path], Argument(metavar="VIDEO...", help="Videos, GIFs or folders of images."), Reads()],
    model: Model = DEFAULT_MODEL,
    faces: Annotated[Literal["largest", "all"], Option(help="Which faces of a clip to classify.")] = "largest",
    engine: Annotated[Literal["torch", "onnx"], Option(help="Library that runs the model.")] = "torch",
    fps: Fps = None,
    landmarks: Landmarks = None,
    aus: Aus = None,
    csv: Annotated[Path | None, Option(help="CSV table to write: a row for each face."), Writes(TABLE)] = None,
    report: Annotated[Path | None, Option(help="HTML report to write."), Writes(PAGE)] = None,
    quiet: Quiet = False,
) -> None:
    """Classify the micro-expression in each of your clips; --report shows why."""
    check_fps(fps, videos)
    from stag.motion.clip import video_motion
    from stag.utils.files import write_text
    from stag.utils.parallel import begun_aside, one_thread

    settings, loaded = _settings_and_model(model)
    read = partial(video_motion, settings=settings, fps=fps, landmarks=landmarks)
    extract = partial(read, every_face=faces == "all", pictures=report is not None)
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
                    for p in answers:
                        scores = ", ".join(f"{n} {v:.2f}" for n, v in zip(p.classes, p.probabilities, strict=True))
                        say(f"{p.file}  face {p.face_id}  {p.predicted}  ({scores}){_remarks(p.flags)}")
                if progress is not None:
                    progress(done, len(videos))
    problems: list[Exception] = [StagError(reason) for _, reason in failures]
    if csv is not None:
        from stag.report.export import prediction_rows

        rows = prediction_rows(predictions, failures)
        place = rows["file"].map({str(video): number for number, video in enumerate(videos)})
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
        raise Exit(1)


def _remarks(flags: Sequence[str]) -> str:
    return f"  [{'; '.join(flags)}]" if flags else ""


@contextmanager
def _kept(problems: list[Exception]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        problems.append(error)


@verb(
    "Your clips",
    Mode("with --score", lambda given: given["score"], takes="score out model clips quiet"),
    Mode(
        "without --score",
        lambda given: not given["score"],
        takes="video out model method class_ fps landmarks aus quiet",
    ),
)
def explain(
    out: Annotated[Path, Option(help="Folder to write: tables and figures."), Writes(EXPLANATION)],
    video: Annotated[Path | None, Video, Reads()] = None,
    model: Model = DEFAULT_MODEL,
    method: Annotated[
        Literal["ig", "occlusion", "gradcam", "hirescam", "attention", "cross-attention"],
        Option(help="Attribution method; --score ranks ig first."),
    ] = "ig",
    fps: Fps = None,
    landmarks: Landmarks = None,
    class_: Annotated[str | None, Option("--class", help="Class to explain. Default: the most probable.")] = None,
    aus: Aus = None,
    score: Annotated[bool, Option("--score", help="Score every method on simulated clips.")] = False,
    clips: Annotated[int, Option(min=1, help="Number of simulated clips of --score, one a person.")] = 200,
    quiet: Quiet = False,
) -> None:
    """Show which regions at which moments made the model choose a class; or score the methods that show it."""
    if not score and video is None:
        raise BadParameter("give a VIDEO to explain, or --score")
    check_fps(fps, [video] if video else [])
    from stag.utils.parallel import begun_aside, one_thread

    if video is None:
        from stag.explanation.scoring import score_methods
        from stag.model.stag import STAG
        from stag.report.pages.explanation_file import write_scores

        with one_thread(), progress_bar("score", quiet, unit="methods") as progress:
            scores = score_methods(STAG.from_pretrained(model), clips=clips, progress=progress)
        print_faithfulness(scores.as_dict())
        files = write_scores(out, scores)
    else:
        from stag.motion.clip import video_motion

        settings, loaded = _settings_and_model(model)
        extract = partial(video_motion, settings=settings, fps=fps, landmarks=landmarks)
        with begun_aside(extract, [video]) as next_motion:
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
                files = write_explanation(out, why, prediction)
    for path in files:
        say(f"written  {path}")


def _settings_and_model(name: str) -> tuple[MotionConfig, str | STAG]:
    """Return the motion settings of a model and the model, or its name where it is local, so that torch can wait."""
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
    out: Annotated[Path, Option(help="Picture to write: .png or .svg."), Writes(PICTURE)],
    fps: Fps = None,
    landmarks: Landmarks = None,
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
        (tensor,) = video_motion(video, how, fps=fps, landmarks=landmarks)
    measured = f"{tensor.n_frames} frames, {tensor.duration_s:.2f} s, strength {tensor.strength_px:.2f} px"
    say(f"{measured}{_remarks(tensor.flags)}")
    figure = motion_figure(tensor, how.layout)
    write_bytes(out, figure_svg(figure).encode() if out.suffix.lower() == ".svg" else figure_png(figure))
    say(f"picture  {out}")


@verb("Your clips", kept="the page is closed, and its files are removed")
def serve(
    model: Model = DEFAULT_MODEL,
    port: Annotated[int, Option(min=1, max=65535, help="TCP port of the page.")] = 7860,
    host: Annotated[str, Option(help="Address; the default is reached from this machine only.")] = "127.0.0.1",
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
