"""The command line: verbs only. Heavy imports live inside the verbs, so that help comes at once."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stag import __version__
from stag.console import fail, print_faithfulness, print_scores, progress_bar, say, warn
from stag.errors import StagError
from stag.model.shipped import DEFAULT_MODEL

if TYPE_CHECKING:
    from stag.config import Config
    from stag.datasets.motion_file import MotionSet

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Recognise facial micro-expressions, and see why. Micro-expressions are not lie detection.",
)

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
Jobs = Annotated[int, typer.Option(min=1, help="Worker processes; the result does not depend on it.")]
Seed = Annotated[int, typer.Option(min=0, help="Everything random follows from it.")]
Preset = Annotated[Literal["default", "paper", "quick"], typer.Option(help="Settings to start from.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file of settings, instead of a preset.")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting.")]
Au = Annotated[
    Literal["none", "annotated", "predicted"] | None,
    typer.Option(help="Where the classifier's action units come from."),
]
Annotation = Annotated[
    str | None, typer.Option("--annotation", help="Edition of the annotation where there are several, such as 2019.")
]
Layout = Annotated[Literal["raw", "cropped"] | None, typer.Option(help="Which frames, where a root holds both.")]
Split = Annotated[str | None, typer.Option(help="One split of the set, such as train, test_a, test_b.")]
Joined = Annotated[
    Literal["scheme", "skip", "first"], typer.Option(help="Clips of several emotions: as the scheme says, or so.")
]
Model = Annotated[str, typer.Option(help="Model folder, or name; the one that ships where omitted.")]
Engine = Annotated[Literal["torch", "onnx"], typer.Option(help="What runs the model; onnx is quicker a clip.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train; auto takes a GPU.")]
MotionFiles = Annotated[list[Path] | None, typer.Argument(metavar="FILE.npz...", help="Motion files.")]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Options before the verb."""
    if version:
        say(__version__)
        raise typer.Exit


@app.command()
def doctor() -> None:
    """Show what is installed, the landmark models and their licence, device, threads, versions."""
    from stag.doctor import findings

    rows, ready = findings()
    for what, finding in rows:
        say(f"{what:<26}{finding}")
    if not ready:
        raise StagError("something that the main path needs is missing: pip install 'stag[faces]'")


@app.command()
def demo(out: Path = Path("runs/demo"), jobs: Jobs = 2, seed: Seed = 0, quiet: Quiet = False) -> None:
    """Simulated corpus -> extract -> LOSO -> report, in one command and offline."""
    from stag.demo import run_demo

    made = run_demo(out, partial(progress_bar, quiet=quiet), seed=seed, jobs=jobs)
    print_scores(made.result)
    say(f"model   {made.model}")
    say(f"report  {made.report}")


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder to make, or the .npz of --as motion.")],
    shape: Annotated[
        Literal["manifest", "motion", "casme2", "samm", "smic", "dfme", "fourdme"],
        typer.Option("--as", help="Shape of the corpus: a manifest, a motion file, or the tree of a published set."),
    ] = "manifest",
    subjects: Annotated[int | None, typer.Option(min=1, help="People; 12, or as many as the published set.")] = None,
    clips: Annotated[int | None, typer.Option(min=1, help="Clips of each; 6, or as the published set.")] = None,
    tiny: Annotated[bool, typer.Option("--tiny", help="Published sets: a few tiny frames a clip, no faces.")] = False,
    portrait: Annotated[Path | None, typer.Option(help="Another grey portrait, with --points.")] = None,
    points: Annotated[Path | None, typer.Option(help="CSV of its 68 landmarks.")] = None,
    scheme: Annotated[str, typer.Option(help="Label scheme.")] = "megc3",
    fps: Annotated[float, typer.Option(min=10, max=1000)] = 100.0,
    seed: Seed = 0,
    jobs: Jobs = 1,
    quiet: Quiet = False,
) -> None:
    """Make face clips in which action units fire, with everything known."""
    from stag.datasets.labels import scheme as named_scheme

    labels = named_scheme(scheme).name
    if (portrait is None) != (points is None):
        raise typer.BadParameter("--portrait and --points go together")
    if shape == "motion":
        from stag.simulate.motion import simulate_motion

        _writable_npz(out)
        simulate_motion(subjects or 12, clips or 6, seed=seed, scheme=labels).save(out)
        say(f"simulated  {out}")
        return
    from stag.simulate.corpus import simulate_corpus
    from stag.simulate.portraits import load_portrait
    from stag.simulate.shapes.tree import simulate_tree

    face = load_portrait(portrait, points) if portrait and points else None
    with progress_bar("simulate", quiet) as progress:
        if shape == "manifest":
            simulate_corpus(
                out,
                subjects=subjects or 12,
                clips=clips or 6,
                seed=seed,
                fps=fps,
                scheme=labels,
                portrait=face,
                jobs=jobs,
                progress=progress,
            )
        else:
            simulate_tree(
                out,
                shape,
                subjects=subjects,
                clips=clips,
                tiny=tiny,
                seed=seed,
                portrait=face,
                jobs=jobs,
                progress=progress,
            )
    say(f"simulated  {out}")


@app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="DATASET", help="casme2, samm, smic, dfme, fourdme, name, manifest.")],
    root: Annotated[Path, typer.Option(help="Folder of the data set, or a parent of it.")],
    scheme: Annotated[str | None, typer.Option(help="Label scheme; every one of the set if omitted.")] = None,
    annotation: Annotation = None,
    layout: Layout = None,
    split: Split = None,
    joined: Joined = "scheme",
    json: Annotated[Path | None, typer.Option(help="Write the whole audit here.")] = None,
    quiet: Quiet = False,
) -> None:
    """Audit a data set on disk against its published counts; exit code 1 where they differ."""
    from stag.datasets.audit import audit
    from stag.datasets.audit_text import audit_lines
    from stag.datasets.loaded import Options
    from stag.files import write_json

    with progress_bar("check", quiet) as progress:
        found = audit(name, root, scheme, Options(annotation, layout, split, joined), progress)
    for line in audit_lines(found):
        say(line)
    if json is not None:
        write_json(json, found.as_dict())
    if not found.agrees:
        raise typer.Exit(1)


@app.command()
def extract(
    inputs: Annotated[list[str], typer.Argument(metavar="DATASET|VIDEO...", help="A data set, or your own clips.")],
    out: Annotated[Path, typer.Option(help="Motion file to write.")],
    root: Annotated[Path | None, typer.Option(help="Folder of the data set.")] = None,
    scheme: Annotated[str, typer.Option(help="Label scheme.")] = "megc3",
    annotation: Annotation = None,
    layout: Layout = None,
    split: Split = None,
    joined: Joined = "scheme",
    preset: Preset = "default",
    config: ConfigFile = None,
    set_: Sets = None,
    jobs: Jobs = 1,
    backend: Annotated[Literal["loky", "dask"], typer.Option(help="Processes here, or workers of a cluster.")] = "loky",
    scheduler: Annotated[str | None, typer.Option(metavar="tcp://HOST:PORT", help="Of --backend dask.")] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of finished clips, kept; OUT.cache, until OUT is written, if omitted.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Turn a data set, videos or folders of frames into a motion file; the same command resumes a stopped one."""
    from stag.datasets.cache import ClipCache
    from stag.datasets.clips import load_dataset
    from stag.datasets.extraction import extract_files, extract_motion
    from stag.datasets.summary import summary

    settings = _settings(preset, config, set_, None)
    _writable_npz(out)
    if root is not None and len(inputs) != 1:
        raise typer.BadParameter("with --root, name exactly one data set")
    finished = ClipCache(cache or out.with_name(f"{out.name}.cache"))
    known = len(finished)
    if known and not quiet:
        warn(f"{known} finished clips are in {finished.folder}; those that fit are taken from there")
    copy: dict[str, Any] = {"annotation": annotation, "layout": layout, "split": split, "joined": joined}
    table = load_dataset(inputs[0], root, scheme, **copy) if root is not None else None
    how: dict[str, Any] = {"jobs": jobs, "backend": backend, "scheduler": scheduler, "cache": finished.folder}
    try:
        with progress_bar("extract", quiet, unit="clips") as progress:
            if table is not None:
                motion = extract_motion(table, settings, **how, progress=progress)
            else:
                motion = extract_files([Path(name) for name in inputs], settings, **how, progress=progress)
        motion.save(out)
    except KeyboardInterrupt:
        warn(
            f"stag: interrupted; {len(finished)} finished clips are kept in {finished.folder}, "
            f"and the same command goes on from there"
        )
        raise typer.Exit(130) from None
    if cache is None:
        finished.remove()
    for clip_id, reason in motion.meta["skipped"]:
        warn(f"skipped {clip_id}: {reason}")
    for what, counts in summary(motion):
        say(f"{what:<10}" + ", ".join(f"{name} {count}" for name, count in counts))
    say(f"{len(motion)} clips, {len(motion.meta['skipped'])} skipped  {out}")
    if root is None and motion.meta["skipped"]:
        raise typer.Exit(1)


@app.command()
def train(
    files: MotionFiles,
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    preset: Preset = "default",
    config: ConfigFile = None,
    set_: Sets = None,
    au: Au = None,
    init: Annotated[str | None, typer.Option(help="Start from this model: a folder, or the name of one.")] = None,
    device: Device = "auto",
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Train a model on motion files."""
    from stag.model.stag import STAG
    from stag.training.fit import fit
    from stag.training.inference import conformed

    motion = _load(files)
    start = None
    if init is not None:
        start = STAG.from_pretrained(init)
        motion = conformed(motion, start.info)
    settings = _settings(preset, config, set_, au)
    with progress_bar("train", quiet) as progress:
        fitted = fit(motion, settings, seed=seed, init=start, device=device, progress=progress)
    fitted.model.save_pretrained(out)
    losses = [row["val_loss"] for row in fitted.history if "val_loss" in row]
    say(f"{len(fitted.history)} epochs" + (f", inner validation loss {min(losses):.3f} at best" if losses else ""))
    say(f"model  {out}")


@app.command()
def evaluate(
    out: Annotated[Path, typer.Option(help="Run folder.")],
    files: MotionFiles = None,
    protocol: Annotated[Literal["loso", "gkf", "skf"], typer.Option(help="How subjects are split.")] = "loso",
    folds: Annotated[int, typer.Option(min=2, help="Number of folds of gkf and skf.")] = 5,
    seeds: Annotated[str, typer.Option(help="Comma-separated.")] = "0",
    train_file: Annotated[list[Path] | None, typer.Option("--train", help="Train on this motion file ...")] = None,
    test_file: Annotated[list[Path] | None, typer.Option("--test", help="... and test on this one.")] = None,
    model: Annotated[str | None, typer.Option(help="Score a finished model; no training.")] = None,
    preset: Preset = "default",
    config: ConfigFile = None,
    set_: Sets = None,
    au: Au = None,
    jobs: Jobs = 1,
    quiet: Quiet = False,
) -> None:
    """Evaluate by LOSO, group or stratified k-fold, across data sets, or a finished model."""
    from stag.evaluation import experiment

    settings = _settings(preset, config, set_, au)
    wanted = _seeds(seeds)
    if bool(train_file) != bool(test_file):
        raise typer.BadParameter("--train and --test go together")
    if train_file and files:
        raise typer.BadParameter("give motion files, or --train and --test, not both")
    with progress_bar("evaluate", quiet) as progress:
        if train_file and test_file:
            pair = _load(train_file), _load(test_file)
            result = experiment.evaluate_split(*pair, settings, seeds=wanted, out=out, jobs=jobs, progress=progress)
        elif model is not None:
            from stag.model.stag import STAG

            judge = STAG.from_pretrained(model)
            result = experiment.evaluate_model(_load(files), judge, au=settings.au, out=out, progress=progress)
        else:
            motion = _load(files)
            result = experiment.evaluate(
                motion, settings, protocol=protocol, folds=folds, seeds=wanted, out=out, jobs=jobs, progress=progress
            )
    print_scores(result.json)
    say(f"result  {out / 'result.json'}")


@app.command()
def predict(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Videos, GIFs or folders of images.")],
    model: Model = DEFAULT_MODEL,
    faces: Annotated[Literal["largest", "all"], typer.Option(help="Which faces of a clip.")] = "largest",
    engine: Engine = "torch",
    csv: Annotated[Path | None, typer.Option(help="Write the rows here.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    quiet: Quiet = False,
) -> None:
    """Say what a model sees in your own clips, and why."""
    from stag.files import write_text
    from stag.parallel import one_thread
    from stag.predictor import Predictor
    from stag.report.html import prediction_page, write_page
    from stag.report.table import prediction_rows

    predictor = Predictor(model, engine=engine)
    predictions, failures = [], []
    with one_thread(), progress_bar("predict", quiet) as progress:
        for done, video in enumerate(videos, start=1):
            try:
                predictions += predictor.predict_faces(video, faces)
            except StagError as error:
                failures.append((str(video), str(error)))
            if progress is not None:
                progress(done, len(videos))
    if csv is not None:
        rows = prediction_rows(predictions, failures)
        place = rows["file"].map({str(video): i for i, video in enumerate(videos)})
        write_text(csv, rows.iloc[place.argsort(kind="stable")].to_csv(index=False))
    if report is not None:
        write_page(report, prediction_page(predictions, failures))
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
    class_: Annotated[str | None, typer.Option("--class", help="Explain this class, not the most probable.")] = None,
    score: Annotated[bool, typer.Option("--score", help="Score every method on simulated clips instead.")] = False,
    clips: Annotated[int, typer.Option(min=1, help="Simulated clips for --score, each of another person.")] = 200,
    quiet: Quiet = False,
) -> None:
    """Show which regions at which moments spoke for a class, or score how far each method can be believed."""
    if score == (video is not None):
        raise typer.BadParameter("give a VIDEO to explain, or --score, and not both")
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
            prediction = predictor.predict(video)
            found = attribute(predictor.model, prediction.motion, method=method, target=class_)
            files = write_explanation(out, found, prediction)
            remarks = f"  [{'; '.join(prediction.flags)}]" if prediction.flags else ""
            say(f"{found.class_name} {found.probability:.2f}  {found.title}{remarks}")
            say(regions_in_words(found.by_channel, found.layout, signed=found.signed))
    for path in files:
        say(f"written  {path}")


@app.command()
def export(
    onnx: Annotated[Path, typer.Option(help="ONNX file to write.")],
    model: Model = DEFAULT_MODEL,
    au: Annotated[Literal["none", "predicted"] | None, typer.Option(help="AU source; as it was trained.")] = None,
) -> None:
    """Write a model as one ONNX file that describes itself."""
    from stag.model.onnx_file import export_onnx
    from stag.model.stag import STAG

    judge = STAG.from_pretrained(model)
    trained = judge.info.training.get("au_source", "none")
    source = au or ("none" if trained == "none" else "predicted")
    export_onnx(judge, onnx, au_source=source)
    say(f"AU source {source}; motion {judge.shape} in, {', '.join(judge.classes)} out")
    say(f"model  {onnx}")


@app.command()
def motion(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A video, GIF or folder of images.")],
    out: Annotated[Path, typer.Option(help="Picture to write: .png or .svg.")],
    preset: Preset = "default",
    config: ConfigFile = None,
    set_: Sets = None,
) -> None:
    """Draw how a face moves: regions and arrows, channels over time, the most active channels."""
    if out.suffix not in (".png", ".svg"):
        raise typer.BadParameter(f"--out {out}: a picture ends in .png or .svg")
    from stag.faces.detect import load_detector
    from stag.files import write_bytes
    from stag.motion.extract import extract_clip
    from stag.parallel import one_thread
    from stag.report.figures import figure_png, figure_svg, motion_figure
    from stag.video import read_frames

    settings = _settings(preset, config, set_, None).motion
    with one_thread():
        detector = load_detector("dlib", min_score=settings.min_face_score)
        (tensor,) = extract_clip(read_frames(video), detector, settings, video)
    figure = motion_figure(tensor, settings.layout)
    write_bytes(out, figure_png(figure) if out.suffix == ".png" else figure_svg(figure).encode())
    remarks = f"  [{'; '.join(tensor.flags)}]" if tensor.flags else ""
    say(f"{tensor.n_frames} frames, {tensor.duration_s:.2f} s, strength {tensor.strength_px:.2f} px{remarks}")
    say(f"picture  {out}")


@app.command()
def bench(
    out: Annotated[Path, typer.Option(help="Folder for the table, the figure and the JSON.")] = Path("runs/bench"),
    only: Annotated[Literal["motion"], typer.Option(help="What to measure.")] = "motion",
    quick: Annotated[bool, typer.Option("--quick", help="A small selection in about a minute.")] = False,
    jobs: Jobs = 1,
    quiet: Quiet = False,
) -> None:
    """Measure extraction against the known motion of simulated clips, beside the source scheme."""
    from stag.bench.motion import motion_benchmark
    from stag.bench.table import motion_table
    from stag.files import write_bytes, write_json, write_text
    from stag.report.bench_figures import motion_figure
    from stag.report.figures import figure_png

    with progress_bar(only, quiet) as progress:
        measured = motion_benchmark(quick=quick, jobs=jobs, progress=progress)
    write_json(out / "motion.json", measured.as_dict())
    write_text(out / "motion.md", motion_table(measured))
    write_bytes(out / "motion.png", figure_png(motion_figure(measured)))
    for row in measured.targets:
        say("  ".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))
    say(f"simulated motion; tables  {out / 'motion.md'}")


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of an evaluation.")],
    out: Annotated[Path | None, typer.Option(help="HTML file; RUN/report.html where omitted.")] = None,
) -> None:
    """Make one self-contained HTML file from a run."""
    from stag.report.html import report_run, write_page

    target = out or run / "report.html"
    write_page(target, report_run(run))
    say(f"report  {target}")


def main() -> None:
    """Run the command line; every error that a user can act on is one sentence on stderr and exit code 1."""
    try:
        app()
    except (StagError, OSError, MemoryError) as error:
        fail(error)
        sys.exit(1)


def _settings(preset: str, file: Path | None, changes: list[str] | None, au: str | None) -> Config:
    from stag.config import Config

    config = Config.preset(preset) if file is None else Config.from_toml(file)
    extra = [f"au={au}"] if au else []
    return config.override([*(changes or []), *extra])


def _load(files: list[Path] | None) -> MotionSet:
    from stag.datasets.motion_file import MotionSet

    if not files:
        raise typer.BadParameter("name at least one motion file")
    return MotionSet.concatenate([MotionSet.load(path) for path in files])


def _seeds(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(f"--seeds {text}: expected whole numbers such as 0,1,2")
    return list(dict.fromkeys(int(part) for part in parts))


def _writable_npz(path: Path) -> None:
    if path.suffix != ".npz":
        raise typer.BadParameter(f"--out {path}: a motion file ends in .npz")
