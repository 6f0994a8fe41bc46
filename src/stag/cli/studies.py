"""Evaluation: protocols, ablations, the audit of leaks, the tables of the paper."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from stag.cli.console import print_scores, progress_bar, say, study_title
from stag.cli.options import Device, MotionFiles, NoProgress, RunOptions, listed, load_motion, named_path
from stag.cli.paths import FOLDER, PAGE, RECORD, STUDY, Reads, Values, Writes
from stag.cli.usage import RESUMES, Mode, verb
from stag.utils.choices import AuSource, MethodName, ProtocolName

_LOSO = Mode(
    "with --protocol loso, which has a fold a subject", lambda given: given["protocol"] == "loso", ignores="folds"
)
_TRAINING = "protocol folds seeds preset config set_"
_LEARNING = ("model", "train", "au")


def _runs(given: Values) -> Path:
    out: Path | None = given["out"]
    return out or Path("runs") / given["table"]


def _page(given: Values) -> Path:
    run: Path = given["run"]
    return run / "report.html"


@verb(
    "Evaluation",
    Mode(
        "with --train and --test",
        lambda given: bool(given["train_file"] or given["test_file"]) and given["model"] is None,
        takes="out files train_file test_file method seeds preset config set_ au jobs quiet",
    ),
    Mode("with --model", lambda given: given["model"] is not None, takes="out files model au quiet"),
    Mode(
        "without --model, --train or --test",
        lambda given: not (given["train_file"] or given["test_file"] or given["model"]),
        takes=f"out files method {_TRAINING} au jobs quiet",
    ),
    Mode("with a --method other than stag", lambda given: given["method"] != "stag", ignores="preset config set_ au"),
    _LOSO,
    settings=_LEARNING,
    kept=lambda given: RESUMES if given["model"] is None else None,
)
def evaluate(
    out: Annotated[Path, typer.Option(help="Run folder to write."), Writes(FOLDER)],
    run: RunOptions,
    files: MotionFiles = None,
    train_file: Annotated[
        list[Path] | None, typer.Option("--train", help="Motion file to train on, with --test; repeatable."), Reads()
    ] = None,
    test_file: Annotated[
        list[Path] | None, typer.Option("--test", help="Motion file to test on, with --train; repeatable."), Reads()
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Folder or name of a trained model to score, without training."), Reads()
    ] = None,
    method: Annotated[
        MethodName,
        typer.Option(help="What is evaluated: STAG, or a simpler method by the same protocol."),
    ] = "stag",
) -> None:
    """Train and score by leave-one-subject-out or k folds, across data sets, or score a trained model."""
    from stag.evaluation import evaluate as evaluation

    settings = run.settings(run.au) if method == "stag" else None
    arguments = run.protocol_arguments()
    if bool(train_file) != bool(test_file):
        raise typer.BadParameter("--train and --test go together")
    if train_file and files:
        raise typer.BadParameter("give motion files, or --train and --test, not both")
    with progress_bar("evaluate", run.quiet) as progress:
        if train_file and test_file:
            pair = load_motion(train_file), load_motion(test_file)
            seeds, jobs = arguments["seeds"], run.jobs
            result = evaluation.evaluate_split(
                *pair, settings, method=method, seeds=seeds, out=out, jobs=jobs, progress=progress
            )
        elif model is not None:
            from stag.model.stag import STAG

            trained = STAG.from_pretrained(model)
            result = evaluation.evaluate_model(load_motion(files), trained, au=run.au, out=out, progress=progress)
        else:
            motion = load_motion(files)
            result = evaluation.evaluate(motion, settings, method=method, out=out, **arguments, progress=progress)
    print_scores(result.content)
    say(f"result  {out / 'result.json'}")


@verb("Evaluation")
def score(
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS.csv",
            help="Table with the columns clip_id, subject, truth, predicted; dataset optional.",
        ),
        Reads(),
    ],
    out: Annotated[Path | None, typer.Option(help="JSON file to write: every metric."), Writes(RECORD)] = None,
    quiet: NoProgress = False,
) -> None:
    """Score predictions made by any program: every metric, pooled and by folds, with intervals over subjects."""
    from stag.evaluation.prediction_file import score_predictions
    from stag.studies.side_by_side import score_lines
    from stag.utils.files import write_json

    scores = score_predictions(predictions)
    for line in score_lines(scores):
        say(line)
    if out is not None:
        write_json(out, scores.plain())
        say(f"result  {out}")


@verb("Evaluation")
def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of an evaluation, ablation or audit."), Reads(inside=True)
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="HTML file to write. Default: RUN/report.html."),
        Writes(PAGE, otherwise=_page),
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
    out: Annotated[
        Path, typer.Option(help="Folder to write: the study, and a run folder for each row."), Writes(STUDY)
    ],
    run: RunOptions,
    files: MotionFiles = None,
    only: Annotated[
        str | None, typer.Option(help="Parts of the study, such as architecture,graph-depth,tta,au. Default: all.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Remove parts of the model one at a time: the paper's Table 5 and further rows."""
    from stag.studies.ablation import ablate as study
    from stag.studies.side_by_side import study_lines

    settings, arguments, motion = run.settings(run.au), run.protocol_arguments(), load_motion(files)
    with progress_bar("ablate", run.quiet, unit="rows") as progress:
        result = study(motion, settings, out=out, only=listed(only), **arguments, device=device, progress=progress)
    for line in [study_title(result), *study_lines(result)]:
        say(line)
    say(f"result  {out / 'ablation.json'}")


@dataclass(frozen=True)
class AuditOptions(RunOptions):
    """The options of an audit, whose honest run keeps subjects apart."""

    protocol: Annotated[
        Literal["loso", "gkf"],
        typer.Option(help="Protocol of the honest run: leave one subject out, or folds of whole subjects."),
    ] = "loso"


@verb("Studies", _LOSO, settings=_LEARNING, kept=RESUMES)
def audit(
    out: Annotated[
        Path, typer.Option(help="Folder to write: the audit, and a run folder for each row."), Writes(STUDY)
    ],
    run: AuditOptions,
    files: MotionFiles = None,
) -> None:
    """Measure how much each kind of leakage would raise the scores on your data."""
    from stag.studies.leakage import leak_audit
    from stag.studies.side_by_side import study_lines

    settings, arguments, motion = run.settings(run.au), run.protocol_arguments(), load_motion(files)
    with progress_bar("audit", run.quiet, unit="rows") as progress:
        result = leak_audit(motion, settings, out=out, **arguments, progress=progress)
    honest = result.honest
    say(f"{study_title(result)}; honest UF1 {honest.uf1:.3f}, UAR {honest.uar:.3f}")
    for line in study_lines(result):
        say(line)
    for row in result.rows:
        say(f"  {row.leak}: {row.explanation}")
    say(f"result  {out / 'audit.json'}")


@dataclass(frozen=True)
class TableOptions(RunOptions):
    """The options of a table of the paper, with the paper's protocol."""

    protocol: Annotated[
        ProtocolName,
        typer.Option(help="How clips are split: leave one subject out, folds of whole subjects, or folds of clips."),
    ] = "gkf"
    au: Annotated[
        AuSource | None,
        typer.Option(help="Action units that the classifier reads. Default: the setting au where given, or annotated."),
    ] = None


@verb(
    "Studies",
    _LOSO,
    Mode("with the counts of table2", lambda given: given["table"] == "table2", ignores=f"{_TRAINING} au jobs"),
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
    table: Annotated[str, typer.Argument(metavar="TABLE", help="table2 to table10.")],
    run: TableOptions,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write: motion files, runs and the table. Default: runs/TABLE."),
        Writes(FOLDER, otherwise=_runs),
    ] = None,
    roots: Annotated[
        list[str] | None,
        typer.Option("--root", metavar="NAME=DIR", help="Folder of a data set, such as samm=SAMM; repeatable."),
        Reads(inside=True, paths=lambda given: [named_path("--root", text)[1] for text in given["roots"] or ()]),
    ] = None,
    motion: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE.npz",
            help="Motion file of a data set, instead of --root; dfme:test_a=FILE.npz of a split; repeatable.",
        ),
        Reads(paths=lambda given: [named_path("--motion", text)[1] for text in given["motion"] or ()]),
    ] = None,
) -> None:
    """Run a table of the paper on your data sets: published and measured, side by side."""
    from stag.studies.paper import reproduce as study
    from stag.studies.side_by_side import printed, text_lines
    from stag.studies.sources import Sources

    given = run.au or run.config or any(change.partition("=")[0].strip() == "au" for change in run.set_ or ())
    settings = run.settings(run.au if given else "annotated")
    files: dict[str, list[Path]] = {}
    for name, path in (named_path("--motion", text) for text in motion or ()):
        files.setdefault(name, []).append(Path(path))
    folders = {name: Path(path) for name, path in (named_path("--root", text) for text in roots or ())}
    folder = _runs({"out": out, "table": table})
    sources = Sources(folders, files, folder, settings, run.jobs)
    with progress_bar(table, run.quiet, unit="rows") as progress:
        result = study(table, sources, settings, out=folder, **run.protocol_arguments(), progress=progress)
    say(f"{table}: {result.title}")
    for line in text_lines(printed(result.rows)):
        say(line)
    for note in result.notes:
        say(f"note  {note}")
    for conflict in result.conflicts:
        say(f"the paper  {conflict}")
    say(f"written  {folder / table}.json, .csv, .tex, .html")
