"""Models and evaluation: training, export, protocols, ablations, the audit of leaks, the tables of the paper."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, BadParameter, Option

from stag.cli.console import print_scores, progress_bar, say, study_title, warn
from stag.cli.options import (
    Au,
    Device,
    Model,
    MotionFiles,
    NoProgress,
    Quiet,
    RunOptions,
    SettingOptions,
    listed,
    load_motion,
    named_paths,
)
from stag.cli.paths import FOLDER, MODEL, ONNX, PAGE, RECORD, STUDY, Reads, Values, Writes
from stag.cli.usage import RESUMES, Mode, verb
from stag.errors import StagError
from stag.model.shipped import DEFAULT_MODEL
from stag.utils.choices import METHODS, NETWORK_NAMES, AuSource, PresetName, ProtocolName, did_you_mean

_LOSO = Mode("with --protocol loso, which has a fold a subject", lambda given: given["protocol"] == "loso", "", "folds")
_TRAINING = "protocol folds seeds preset config set_"
_LEARNING = ("model", "train", "au")
_StudyFolder = Annotated[Path, Option(help="Folder to write: the study, and a run folder for each row."), Writes(STUDY)]


@verb("Models", settings=_LEARNING)
def train(
    files: MotionFiles,
    settings: SettingOptions,
    out: Annotated[Path, Option(help="Model folder to write."), Writes(MODEL)],
    au: Au = None,
    init: Annotated[str | None, Option(help="Model to start from. Default: random weights."), Reads()] = None,
    device: Device = "auto",
    seed: Annotated[int | None, Option(min=0, help="Seed of everything. Default: the setting train.seed.")] = None,
    quiet: Quiet = False,
) -> None:
    """Train a model on motion files."""
    from stag.inference.probabilities import conformed
    from stag.model.stag import STAG
    from stag.training import fit

    motion = load_motion(files)
    start = None
    if init is not None:
        start = STAG.from_pretrained(init)
        motion = conformed(motion, start.info)
    config = settings.settings(au)
    with progress_bar("train", quiet) as progress:
        model = fit.train(motion, config, seed=seed, init=start, device=device, progress=progress)
    try:
        model.save_pretrained(out)
    except (StagError, OSError):
        spare = Path(tempfile.mkdtemp(prefix="stag-")) / "model"
        model.save_pretrained(spare)
        warn(f"the trained model is kept in {spare}")
        raise
    losses = [row["val_loss"] for row in model.history if "val_loss" in row]
    say(f"{len(model.history)} epochs" + (f", inner validation loss {min(losses):.3f} at best" if losses else ""))
    say(f"model  {out}")


@verb("Models")
def export(
    onnx: Annotated[Path, Option(help="ONNX file to write."), Writes(ONNX)],
    model: Model = DEFAULT_MODEL,
    au: Annotated[
        Literal["none", "predicted"] | None,
        Option(help="Action units that the classifier reads. Default: as the model was trained."),
    ] = None,
    quiet: NoProgress = False,
) -> None:
    """Write a model as one ONNX file that describes itself."""
    from stag.model.onnx import export_onnx
    from stag.model.stag import STAG

    trained = STAG.from_pretrained(model)
    source = trained.info.au_source(au)
    export_onnx(trained, onnx, au_source=source)
    say(f"AU source {source}; motion {trained.shape} in, {', '.join(trained.classes)} out")
    say(f"model  {onnx}")


@verb("Models")
def info(
    model: Annotated[
        str, Argument(metavar="MODEL", help="Folder or name of a model. The default ships with stag."), Reads()
    ] = DEFAULT_MODEL,
    json: Annotated[Path | None, Option(help="JSON file to write: the same facts."), Writes(RECORD)] = None,
    quiet: NoProgress = False,
) -> None:
    """Describe a model: classes, size, operations, latency here, training data, calibration, licence."""
    from stag.inference.facts import model_facts
    from stag.utils.files import write_json

    facts = model_facts(model)
    say(str(facts))
    if json is not None:
        write_json(json, facts.as_dict())
        say(f"facts  {json}")


@verb(
    "Evaluation",
    Mode(
        "with --train and --test",
        lambda given: bool(given["train_file"] or given["test_file"]) and given["model"] is None,
        takes="out files train_file test_file method init seeds preset config set_ au jobs device scheduler quiet",
    ),
    Mode("with --model", lambda given: given["model"] is not None, takes="out files model au quiet"),
    Mode(
        "without --model, --train or --test",
        lambda given: not (given["train_file"] or given["test_file"] or given["model"]),
        takes=f"out files method init {_TRAINING} au jobs device scheduler quiet",
    ),
    Mode(
        "with a --method that is not a network",
        lambda given: given["method"] in METHODS and given["method"] not in NETWORK_NAMES,
        ignores="preset config set_ au device",
    ),
    Mode("with --scheduler, whose workers compute", lambda given: given["scheduler"] is not None, ignores="jobs"),
    _LOSO,
    settings=_LEARNING,
    kept=lambda given: RESUMES if given["model"] is None else None,
)
def evaluate(
    out: Annotated[Path, Option(help="Run folder to write."), Writes(FOLDER)],
    run: RunOptions,
    files: MotionFiles = None,
    train_file: Annotated[list[Path] | None, Option("--train", help="Motion file to train on."), Reads()] = None,
    test_file: Annotated[list[Path] | None, Option("--test", help="Motion file to test on."), Reads()] = None,
    model: Annotated[str | None, Option(help="Trained model to score, without training."), Reads()] = None,
    method: Annotated[
        str,
        Option(
            metavar="NAME",
            help=f"What is evaluated: {'; '.join(f'{name}, {text}' for name, text in METHODS.items())}.",
        ),
    ] = "stag",
    init: Annotated[
        str | None, Option(help="Model to start from in every fold. Default: random weights."), Reads()
    ] = None,
    scheduler: Annotated[
        str | None,
        Option(metavar="tcp://HOST:PORT", help="Scheduler of a dask cluster that sees OUT; its workers compute."),
    ] = None,
) -> None:
    """Train and score by leave-one-subject-out or k folds, across data sets, or score a trained model."""
    from stag.evaluation import evaluate as evaluation

    if method not in METHODS:
        raise BadParameter(
            f"--method {method}: no such method{did_you_mean(method, METHODS)}; there are {', '.join(METHODS)}"
        )
    settings = run.settings(run.au) if method in NETWORK_NAMES else None
    start = None
    if init is not None:
        from stag.model.stag import STAG

        start = STAG.from_pretrained(init)
    arguments = run.protocol_arguments() | {"scheduler": scheduler}
    if bool(train_file) != bool(test_file):
        raise BadParameter("--train and --test go together")
    if train_file and files:
        raise BadParameter("give motion files, or --train and --test, not both")
    with progress_bar("evaluate", run.quiet) as progress:
        if train_file and test_file:
            sets = load_motion(train_file), load_motion(test_file)
            split_arguments = {name: arguments[name] for name in ("seeds", "jobs", "device", "scheduler")}
            result = evaluation.evaluate_split(
                *sets, settings, method=method, init=start, out=out, **split_arguments, progress=progress
            )
        elif model is not None:
            from stag.model.stag import STAG

            trained = STAG.from_pretrained(model)
            result = evaluation.evaluate_model(load_motion(files), trained, au=run.au, out=out, progress=progress)
        else:
            motion = load_motion(files)
            result = evaluation.evaluate(
                motion, settings, method=method, init=start, out=out, **arguments, progress=progress
            )
    print_scores(result.content)
    say(f"result  {out / 'result.json'}")


@verb("Evaluation")
def score(
    predictions: Annotated[
        Path,
        Argument(metavar="PREDICTIONS.csv", help="CSV of clip_id, subject, truth, predicted; dataset optional."),
        Reads(),
    ],
    classes: Annotated[
        str | None,
        Option(help="All classes, separated by commas, or a label scheme. Default: those that occur."),
    ] = None,
    out: Annotated[Path | None, Option(help="JSON file to write: every metric."), Writes(RECORD)] = None,
    quiet: NoProgress = False,
) -> None:
    """Score predictions made by any program: every metric, pooled and by folds, with intervals over subjects."""
    from stag.evaluation.prediction_file import score_predictions
    from stag.studies.side_by_side import score_lines
    from stag.utils.files import write_json

    named = classes.split(",") if classes and "," in classes else classes
    scores = score_predictions(predictions, [name.strip() for name in named] if isinstance(named, list) else named)
    _say_all(score_lines(scores))
    if out is not None:
        write_json(out, scores.plain())
        say(f"result  {out}")


def _say_all(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def _page(given: Values) -> Path:
    run: Path = given["run"]
    return run / "report.html"


@verb("Evaluation")
def report(
    run: Annotated[Path, Argument(help="Folder of an evaluation, ablation or audit."), Reads(inside=True)],
    out: Annotated[
        Path | None, Option(help="HTML file to write. Default: RUN/report.html."), Writes(PAGE, otherwise=_page)
    ] = None,
    quiet: NoProgress = False,
) -> None:
    """Make one self-contained HTML file from a run."""
    from stag.report.pages.prediction import report_run, write_page

    target = out or _page({"run": run})
    write_page(target, report_run(run))
    say(f"report  {target}")


@verb("Studies", _LOSO, settings=_LEARNING, kept=RESUMES)
def ablate(
    out: _StudyFolder,
    run: RunOptions,
    files: MotionFiles = None,
    only: Annotated[str | None, Option(help="Parts, such as architecture,graph-depth,tta,au. Default: all.")] = None,
) -> None:
    """Remove parts of the model one at a time: the paper's Table 5 and further rows."""
    from stag.studies.ablation import ablate as study
    from stag.studies.side_by_side import study_lines

    settings, arguments, motion = run.settings(run.au), run.protocol_arguments(), load_motion(files)
    with progress_bar("ablate", run.quiet, unit="rows") as progress:
        result = study(motion, settings, out=out, only=listed(only), **arguments, progress=progress)
    _say_all([study_title(result), *study_lines(result), f"result  {out / 'ablation.json'}"])


@dataclass(frozen=True)
class AuditOptions(RunOptions):
    """The options of an audit, whose honest run keeps subjects apart."""

    protocol: Annotated[
        Literal["loso", "gkf"],
        Option(help="Protocol of the honest run: leave one subject out, or folds of whole subjects."),
    ] = "loso"


@verb("Studies", _LOSO, settings=_LEARNING, kept=RESUMES)
def audit(out: _StudyFolder, run: AuditOptions, files: MotionFiles = None) -> None:
    """Measure how much each kind of leakage would raise the scores on your data."""
    from stag.studies.leakage import leak_audit
    from stag.studies.side_by_side import study_lines

    settings, arguments, motion = run.settings(run.au), run.protocol_arguments(), load_motion(files)
    with progress_bar("audit", run.quiet, unit="rows") as progress:
        result = leak_audit(motion, settings, out=out, **arguments, progress=progress)
    say(f"{study_title(result)}; honest UF1 {result.honest.uf1:.3f}, UAR {result.honest.uar:.3f}")
    explanations = [f"  {row.leak}: {row.explanation}" for row in result.rows]
    _say_all([*study_lines(result), *explanations, f"result  {out / 'audit.json'}"])


@dataclass(frozen=True)
class TableOptions(RunOptions):
    """The options of a table of the paper, with the paper's settings and protocol."""

    preset: Annotated[PresetName, Option(help="Settings to start from; stag settings prints them.")] = "paper"
    protocol: Annotated[
        ProtocolName,
        Option(help="How clips are split: leave one subject out, folds of whole subjects, or folds of clips."),
    ] = "gkf"
    au: Annotated[
        AuSource | None,
        Option(help="Action units that the classifier reads. Default: the setting au where given, or annotated."),
    ] = None


def _table_folder(given: Values) -> Path:
    out: Path | None = given["out"]
    return out or Path("runs") / given["table"]


@verb(
    "Studies",
    _LOSO,
    Mode("with the counts of table2", lambda given: given["table"] == "table2", ignores=f"{_TRAINING} au jobs device"),
    Mode("across data sets", lambda given: given["table"] in ("table6", "table7"), ignores="protocol folds"),
    Mode(
        "in a table that compares sources of action units",
        lambda given: given["table"] in ("table8", "table9", "table10"),
        ignores="au",
    ),
    settings=("motion", *_LEARNING),
    kept=RESUMES,
)
def reproduce(
    table: Annotated[str, Argument(metavar="TABLE", help="table2 to table10.")],
    run: TableOptions,
    out: Annotated[
        Path | None,
        Option(help="Folder to write: motion files, runs and the table. Default: runs/TABLE."),
        Writes(FOLDER, otherwise=_table_folder),
    ] = None,
    roots: Annotated[
        list[str] | None,
        Option("--root", metavar="NAME=DIR", help="Folder of a data set, such as samm=SAMM; repeatable."),
        Reads(inside=True, paths=lambda given: [path for _, path in named_paths("--root", given["roots"])]),
    ] = None,
    motion: Annotated[
        list[str] | None,
        Option(metavar="NAME=FILE.npz", help="Motion file of a data set or split (dfme:test_a); repeatable."),
        Reads(paths=lambda given: [path for _, path in named_paths("--motion", given["motion"])]),
    ] = None,
) -> None:
    """Run a table of the paper on your data sets: published and measured, side by side."""
    from stag.studies.paper import reproduce as study
    from stag.studies.side_by_side import printed, text_lines
    from stag.studies.sources import Sources

    given = run.au or run.config or any(change.partition("=")[0].strip() == "au" for change in run.set_ or ())
    settings = run.settings(run.au if given else "annotated")
    files: dict[str, list[Path]] = {}
    for name, path in named_paths("--motion", motion):
        files.setdefault(name, []).append(Path(path))
    folders = {name: Path(path) for name, path in named_paths("--root", roots)}
    folder = _table_folder({"out": out, "table": table})
    sources = Sources(folders, files, folder, settings, run.jobs)
    with progress_bar(table, run.quiet, unit="rows") as progress:
        result = study(table, sources, settings, out=folder, **run.protocol_arguments(), progress=progress)
    _say_all([f"{table}: {result.title}", *text_lines(printed(result.rows))])
    _say_all([f"note  {note}" for note in result.notes])
    _say_all([f"the paper  {conflict}" for conflict in result.conflicts])
    say(f"written  {folder / table}.json, .csv, .tex, .html")
