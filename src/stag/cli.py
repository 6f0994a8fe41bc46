"""The command line: verbs only. Heavy imports live inside the verbs, so that help comes at once."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stag import __version__
from stag.console import fail, print_faithfulness, print_scores, progress_bar, say, warn
from stag.errors import MissingDependency, StagError
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
Protocol = Annotated[Literal["loso", "gkf", "skf"], typer.Option(help="How subjects are split.")]
Folds = Annotated[int, typer.Option(min=2, help="Number of folds of gkf and skf.")]
Seeds = Annotated[str, typer.Option(help="Comma-separated.")]
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
    protocol: Protocol = "loso",
    folds: Folds = 5,
    seeds: Seeds = "0",
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
def score(
    predictions: Annotated[Path, typer.Argument(metavar="PREDICTIONS.csv", help="clip_id, subject, truth, predicted.")],
    out: Annotated[Path | None, typer.Option(help="Write every metric here, as JSON.")] = None,
) -> None:
    """Score predictions made anywhere: every metric, pooled and by folds, with intervals over subjects."""
    from stag.evaluation.score_file import score_predictions
    from stag.evaluation.side_by_side import score_lines
    from stag.files import write_json

    found = score_predictions(predictions)
    for line in score_lines(found):
        say(line)
    if out is not None:
        write_json(out, found)
        say(f"result  {out}")


@app.command()
def ablate(
    out: Annotated[Path, typer.Option(help="Folder of the study; a run folder for each row lies in it.")],
    files: MotionFiles = None,
    only: Annotated[str | None, typer.Option(help="Comma-separated: architecture,graph-depth,tta,au,...")] = None,
    protocol: Protocol = "loso",
    folds: Folds = 5,
    seeds: Seeds = "0",
    preset: Preset = "default",
    config: ConfigFile = None,
    set_: Sets = None,
    au: Au = None,
    jobs: Jobs = 1,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Take parts out of the model, one at a time: the paper's Table 5 and further rows."""
    from stag.evaluation.ablation import ablate as study
    from stag.evaluation.side_by_side import study_rows, text_lines

    parts = [part.strip() for part in (only or "").split(",") if part.strip()]
    settings, wanted, motion = _settings(preset, config, set_, au), _seeds(seeds), _load(files)
    with progress_bar("ablate", quiet, unit="rows") as progress:
        found = study(
            motion,
            settings,
            out=out,
            only=parts,
            protocol=protocol,
            folds=folds,
            seeds=wanted,
            jobs=jobs,
            device=device,
            progress=progress,
        )
    for line in [_study_title(found.json), *text_lines(*study_rows(found.json["rows"], ("category", "configuration")))]:
        say(line)
    say(f"result  {out / 'ablation.json'}")


@app.command()
def audit(
    out: Annotated[Path, typer.Option(help="Folder of the audit; a run folder for each row lies in it.")],
    files: MotionFiles = None,
    protocol: Annotated[Literal["loso", "gkf"], typer.Option(help="The honest protocol.")] = "loso",
    folds: Folds = 5,
    seeds: Seeds = "0",
    preset: Preset = "default",
    config: ConfigFile = None,
    set_: Sets = None,
    au: Au = None,
    jobs: Jobs = 1,
    quiet: Quiet = False,
) -> None:
    """Measure what each kind of leakage would be worth on your data."""
    from stag.evaluation.audit import leak_audit
    from stag.evaluation.side_by_side import study_rows, text_lines

    settings, wanted, motion = _settings(preset, config, set_, au), _seeds(seeds), _load(files)
    with progress_bar("audit", quiet, unit="rows") as progress:
        found = leak_audit(
            motion, settings, out=out, protocol=protocol, folds=folds, seeds=wanted, jobs=jobs, progress=progress
        )
    honest = found.json["honest"]
    say(f"{_study_title(found.json)}; honest UF1 {honest['uf1']:.3f}, UAR {honest['uar']:.3f}")
    for line in text_lines(*study_rows(found.json["rows"], ("leak", "against"))):
        say(line)
    for row in found.json["rows"]:
        say(f"  {row['leak']}: {row['explanation']}")
    say(f"result  {out / 'audit.json'}")


@app.command()
def reproduce(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="table2 to table10.")],
    out: Annotated[Path, typer.Option(help="Folder for what is extracted, the runs and the table.")],
    roots: Annotated[list[str] | None, typer.Option("--root", metavar="NAME=DIR", help="A data set.")] = None,
    motion: Annotated[
        list[str] | None, typer.Option(metavar="NAME=FILE.npz", help="Its motion file; dfme:test_a=... for a split.")
    ] = None,
    protocol: Protocol = "gkf",
    folds: Folds = 5,
    seeds: Seeds = "0",
    preset: Preset = "default",
    config: ConfigFile = None,
    set_: Sets = None,
    au: Au = "annotated",
    jobs: Jobs = 1,
    quiet: Quiet = False,
) -> None:
    """Run a table of the paper on your data sets: published and measured, side by side."""
    from stag.evaluation.reproduce import reproduce as run
    from stag.evaluation.side_by_side import text_lines
    from stag.evaluation.sources import Sources

    settings = _settings(preset, config, set_, au)
    named: dict[str, list[Path]] = {}
    for name, path in (_pair("--motion", text) for text in motion or ()):
        named[name] = [*named.get(name, ()), Path(path)]
    folders = {name: Path(path) for name, path in (_pair("--root", text) for text in roots or ())}
    sources = Sources(folders, named, out, settings, jobs)
    with progress_bar(table, quiet, unit="rows") as progress:
        found = run(
            table,
            sources,
            settings,
            out=out,
            protocol=protocol,
            folds=folds,
            seeds=_seeds(seeds),
            jobs=jobs,
            progress=progress,
        )
    say(f"{table}: {found.json['title']}")
    for line in text_lines(found.columns, found.cells):
        say(line)
    for note in found.json["notes"]:
        say(f"note  {note}")
    for conflict in found.json["conflicts"]:
        say(f"the paper  {conflict}")
    say(f"written  {out / table}.json, .csv, .tex, .html")


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
    from stag.explanation.attribution import explain as attribute
    from stag.files import write_text
    from stag.parallel import one_thread
    from stag.predictor import Predictor
    from stag.report.html import prediction_page, write_page
    from stag.report.table import prediction_rows
    from stag.video import read_frames

    predictor = Predictor(model, engine=engine)
    predictions, failures = [], []
    with one_thread(), progress_bar("predict", quiet) as progress:
        for done, video in enumerate(videos, start=1):
            try:
                frames = read_frames(video)
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
    source = au or ("predicted" if judge.info.training.get("au_source") == "predicted" else "none")
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
def serve(
    model: Model = DEFAULT_MODEL,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page.")] = 7860,
    host: Annotated[str, typer.Option(help="Address; the default is reached from this machine only.")] = "127.0.0.1",
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
    say(f"page  http://{host}:{port}  (Ctrl-C stops it)")
    serve_page(predictor, host=host, port=port)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of an evaluation, ablation or audit.")],
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


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise typer.BadParameter(f"{option} {text}: expected NAME=PATH, for example samm=SAMM")
    return name, path


def _study_title(found: dict[str, Any]) -> str:
    mark = " (simulated)" if found["simulated"] else ""
    dependent = ", subject-dependent" if found["subject_dependent"] else ""
    return (
        f"{found['protocol']}{dependent}{mark}: {found['n_clips']} clips, {found['n_subjects']} subjects, "
        f"AU source {found['au_source']}"
    )


def _writable_npz(path: Path) -> None:
    if path.suffix != ".npz":
        raise typer.BadParameter(f"--out {path}: a motion file ends in .npz")
