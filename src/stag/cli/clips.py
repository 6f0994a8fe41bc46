"""Your own clips: motion, prediction, explanation, the web page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from stag.cli.app import app
from stag.cli.options import (
    ConfigFile,
    Engine,
    Fps,
    Model,
    NoProgress,
    Preset,
    Quiet,
    Sets,
    check_fps,
    settings_of,
)
from stag.console import fail, print_faithfulness, progress_bar, say, warn
from stag.errors import MissingDependency, StagError
from stag.model.shipped import DEFAULT_MODEL


@app.command()
def predict(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Videos, GIFs or folders of images.")],
    model: Model = DEFAULT_MODEL,
    faces: Annotated[Literal["largest", "all"], typer.Option(help="Which faces of a clip.")] = "largest",
    engine: Engine = "torch",
    fps: Fps = None,
    csv: Annotated[Path | None, typer.Option(help="Write the rows here.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    quiet: Quiet = False,
) -> None:
    """Say what a model sees in your own clips, and why."""
    check_fps(fps, videos)
    from stag.explanation.attribution import explain as attribute
    from stag.files import write_text
    from stag.parallel import one_thread
    from stag.predictor import Predictor
    from stag.report.html import prediction_page, write_page
    from stag.report.table import prediction_rows
    from stag.video import fps_if_untimed, read_frames

    predictor = Predictor(model, engine=engine)
    predictions, failures = [], []
    with one_thread(), progress_bar("predict", quiet) as progress:
        for done, video in enumerate(videos, start=1):
            try:
                frames = read_frames(video, fps=fps_if_untimed(video, fps))
                predictions += predictor.predict_frames(frames, str(video), faces, pictures=report is not None)
            except StagError as error:
                failures.append((str(video), str(error)))
            if progress is not None:
                progress(done, len(videos))
    if csv is not None:
        rows = prediction_rows(predictions, failures)
        place = rows["file"].map({str(video): i for i, video in enumerate(videos)})
        write_text(csv, rows.iloc[place.argsort(kind="stable")].to_csv(index=False))
    if report is not None:
        try:
            with one_thread():
                whys = [attribute(predictor.model, p.motion, target=p.most_probable) for p in predictions]
        except MissingDependency as error:
            warn(f"{error}; the report shows motion alone")
            whys = []
        write_page(report, prediction_page(predictions, failures, attributions=whys))
    for found in predictions:
        scores = ", ".join(f"{n} {p:.2f}" for n, p in zip(found.classes, found.probabilities, strict=True))
        remarks = f"  [{'; '.join(found.flags)}]" if found.flags else ""
        say(f"{found.file}  face {found.face_id}  {found.predicted}  ({scores}){remarks}")
    for _, reason in failures:
        fail(StagError(reason))
    if failures:
        raise typer.Exit(1)


@app.command()
def explain(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    video: Annotated[Path | None, typer.Argument(metavar="VIDEO", help="A video, GIF or folder of images.")] = None,
    model: Model = DEFAULT_MODEL,
    method: Annotated[
        Literal["ig", "occlusion", "gradcam", "hirescam", "attention", "cross-attention"],
        typer.Option(help="How to explain; ig is the one that --score ranks first."),
    ] = "ig",
    fps: Fps = None,
    class_: Annotated[str | None, typer.Option("--class", help="Explain this class, not the most probable.")] = None,
    score: Annotated[bool, typer.Option("--score", help="Score every method on simulated clips instead.")] = False,
    clips: Annotated[int, typer.Option(min=1, help="Simulated clips for --score, each of another person.")] = 200,
    quiet: Quiet = False,
) -> None:
    """Show which regions at which moments spoke for a class, or score how far each method can be believed."""
    if score == (video is not None):
        raise typer.BadParameter("give a VIDEO to explain, or --score, and not both")
    if video is None and fps is not None:
        raise typer.BadParameter("--fps belongs to a VIDEO and not to --score")
    check_fps(fps, [video] if video else [])
    from stag.explanation.attribution import explain as attribute
    from stag.explanation.scoring import score_methods
    from stag.model.stag import STAG
    from stag.parallel import one_thread
    from stag.predictor import Predictor
    from stag.report.explanation_file import write_explanation, write_scores
    from stag.report.words import regions_in_words

    with one_thread():
        if video is None:
            with progress_bar("score", quiet, unit="methods") as progress:
                scores = score_methods(STAG.from_pretrained(model), clips=clips, progress=progress)
            files = write_scores(out, scores)
            print_faithfulness(scores.as_dict())
        else:
            predictor = Predictor(model)
            prediction = predictor.predict(video, fps=fps)
            found = attribute(predictor.model, prediction.motion, method=method, target=class_)
            files = write_explanation(out, found, prediction)
            remarks = f"  [{'; '.join(prediction.flags)}]" if prediction.flags else ""
            say(f"{found.class_name} {found.probability:.2f}  {found.title}{remarks}")
            say(regions_in_words(found.by_channel, found.layout, signed=found.signed))
    for path in files:
        say(f"written  {path}")


@app.command()
def motion(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A video, GIF or folder of images.")],
    out: Annotated[Path, typer.Option(help="Picture to write: .png or .svg.")],
    fps: Fps = None,
    preset: Preset = "default",
    config: ConfigFile = None,
    set_: Sets = None,
    quiet: NoProgress = False,
) -> None:
    """Draw how a face moves: regions and arrows, channels over time, the most active channels."""
    if out.suffix not in (".png", ".svg"):
        raise typer.BadParameter(f"--out {out}: a picture ends in .png or .svg")
    from stag.faces.detect import load_detector
    from stag.files import write_bytes
    from stag.motion.extract import extract_clip
    from stag.parallel import one_thread
    from stag.report.figures import figure_png, figure_svg, motion_figure
    from stag.video import fps_if_untimed, read_frames

    check_fps(fps, [video])
    settings = settings_of(preset, config, set_, None).motion
    with one_thread():
        detector = load_detector("dlib", min_score=settings.min_face_score)
        (tensor,) = extract_clip(read_frames(video, fps=fps_if_untimed(video, fps)), detector, settings, video)
    figure = motion_figure(tensor, settings.layout)
    write_bytes(out, figure_png(figure) if out.suffix == ".png" else figure_svg(figure).encode())
    remarks = f"  [{'; '.join(tensor.flags)}]" if tensor.flags else ""
    say(f"{tensor.n_frames} frames, {tensor.duration_s:.2f} s, strength {tensor.strength_px:.2f} px{remarks}")
    say(f"picture  {out}")


@app.command()
def serve(
    model: Model = DEFAULT_MODEL,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page.")] = 7860,
    host: Annotated[str, typer.Option(help="Address; the default is reached from this machine only.")] = "127.0.0.1",
    quiet: NoProgress = False,
) -> None:
    """Open a web page that looks at uploaded or recorded clips, on this machine only unless --host says otherwise."""
    from stag.predictor import Predictor
    from stag.web.page import load_gradio
    from stag.web.serve import check_address, is_loopback
    from stag.web.serve import serve as serve_page

    load_gradio()
    check_address(host, port)
    predictor = Predictor(model)
    if not is_loopback(host):
        warn(f"--host {host}: others can reach this page; it has no password and no encryption")
    say(f"page  http://{f'[{host}]' if ':' in host else host}:{port}  (Ctrl-C stops it)")
    serve_page(predictor, host=host, port=port)
