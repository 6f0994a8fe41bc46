"""Evaluation: protocols, ablations, the audit of leaks, the tables of the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from stag.cli.console import print_scores, progress_bar, say
from stag.cli.options import (
    Au,
    ConfigFile,
    Device,
    Folds,
    Jobs,
    MotionFiles,
    NoProgress,
    Preset,
    Protocol,
    Quiet,
    Seeds,
    Sets,
    load_motion,
    named_path,
    seed_list,
    settings_of,
    study_title,
)
from stag.cli.paths import FOLDER, PAGE, RECORD, STUDY, Reads, Values, Writes
from stag.cli.usage import RESUMES, Mode, verb
from stag.utils.choices import AuSource, MethodName

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
    out: Annotated[Path, typer.Option(help="Run folder."), Writes(FOLDER)],
    files: MotionFiles = None,
    protocol: Protocol = "loso",
    folds: Folds = 5,
    seeds: Seeds = "0",
    train_file: Annotated[
        list[Path] | None, typer.Option("--train", help="Train on this motion file ..."), Reads()
    ] = None,
    test_file: Annotated[list[Path] | None, typer.Option("--test", help="... and test on this one."), Reads()] = None,
    model: Annotated[str | None, typer.Option(help="Score a finished model; no training."), Reads()] = None,
    method: Annotated[
        MethodName,
        typer.Option(help="What is evaluated: STAG, or a simpler method by the same protocol."),
    ] = "stag",
    preset: Preset = "default",
    config: ConfigFile = None,
    set_: Sets = None,
    au: Au = None,
    jobs: Jobs = 1,
    quiet: Quiet = False,
) -> None:
    """Evaluate by LOSO, group or stratified k-fold, across data sets, or a finished model."""
    from stag.evaluation import evaluate as experiment

    settings = settings_of(preset, config, set_, au) if method == "stag" else None
    wanted = seed_list(seeds)
    if bool(train_file) != bool(test_file):
        raise typer.BadParameter("--train and --test go together")
    if train_file and files:
        raise typer.BadParameter("give motion files, or --train and --test, not both")
    with progress_bar("evaluate", quiet) as progress:
        if train_file and test_file:
            pair = load_motion(train_file), load_motion(test_file)
            result = experiment.evaluate_split(
                *pair, settings, method=method, seeds=wanted, out=out, jobs=jobs, progress=progress
            )
        elif model is not None:
            from stag.model.stag import STAG

            judge = STAG.from_pretrained(model)
            result = experiment.evaluate_model(load_motion(files), judge, au=au, out=out, progress=progress)
        else:
            motion = load_motion(files)
            result = experiment.evaluate(
                motion,
                settings,
                protocol=protocol,
                method=method,
                folds=folds,
                seeds=wanted,
                out=out,
                jobs=jobs,
                progress=progress,
            )
    print_scores(result.content)
    say(f"result  {out / 'result.json'}")


@verb()
def score(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS.csv", help="clip_id, subject, truth, predicted."), Reads()
    ],
    out: Annotated[Path | None, typer.Option(help="Write every metric here, as JSON."), Writes(RECORD)] = None,
    quiet: NoProgress = False,
) -> None:
    """Score predictions made anywhere: every metric, pooled and by folds, with intervals over subjects."""
    from stag.evaluation.prediction_file import score_predictions
    from stag.studies.side_by_side import score_lines
    from stag.utils.files import write_json

    found = score_predictions(predictions)
    for line in score_lines(found):
        say(line)
    if out is not None:
        write_json(out, found.plain())
        say(f"result  {out}")


@verb(_LOSO, settings=_LEARNING, kept=RESUMES)
def ablate(
    out: Annotated[
        Path, typer.Option(help="Folder of the study; a run folder for each row lies in it."), Writes(STUDY)
    ],
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
    from stag.studies.ablation import ablate as study
    from stag.studies.side_by_side import study_lines

    parts = [part.strip() for part in (only or "").split(",") if part.strip()]
    settings, wanted, motion = settings_of(preset, config, set_, au), seed_list(seeds), load_motion(files)
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
    for line in [study_title(found.content), *study_lines(found.content)]:
        say(line)
    say(f"result  {out / 'ablation.json'}")


@verb(_LOSO, settings=_LEARNING, kept=RESUMES)
def audit(
    out: Annotated[
        Path, typer.Option(help="Folder of the audit; a run folder for each row lies in it."), Writes(STUDY)
    ],
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
    from stag.studies.leakage import leak_audit
    from stag.studies.side_by_side import study_lines

    settings, wanted, motion = settings_of(preset, config, set_, au), seed_list(seeds), load_motion(files)
    with progress_bar("audit", quiet, unit="rows") as progress:
        found = leak_audit(
            motion, settings, out=out, protocol=protocol, folds=folds, seeds=wanted, jobs=jobs, progress=progress
        )
    honest = found.content.honest
    say(f"{study_title(found.content)}; honest UF1 {honest.uf1:.3f}, UAR {honest.uar:.3f}")
    for line in study_lines(found.content):
        say(line)
    for row in found.content.rows:
        say(f"  {row.leak}: {row.explanation}")
    say(f"result  {out / 'audit.json'}")


@verb(
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
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for what is extracted, the runs and the table; runs/TABLE if omitted."),
        Writes(FOLDER, otherwise=_runs),
    ] = None,
    roots: Annotated[
        list[str] | None,
        typer.Option("--root", metavar="NAME=DIR", help="A data set."),
        Reads(inside=True, paths=lambda given: [named_path("--root", text)[1] for text in given["roots"] or ()]),
    ] = None,
    motion: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE.npz", help="Its motion file; dfme:test_a=... for a split."),
        Reads(paths=lambda given: [named_path("--motion", text)[1] for text in given["motion"] or ()]),
    ] = None,
    protocol: Protocol = "gkf",
    folds: Folds = 5,
    seeds: Seeds = "0",
    preset: Preset = "default",
    config: ConfigFile = None,
    set_: Sets = None,
    au: Annotated[
        AuSource | None,
        typer.Option(help="Where the classifier's action units come from; annotated, unless a setting says otherwise."),
    ] = None,
    jobs: Jobs = 1,
    quiet: Quiet = False,
) -> None:
    """Run a table of the paper on your data sets: published and measured, side by side."""
    from stag.studies.paper import reproduce as run
    from stag.studies.paper_rows import printed
    from stag.studies.side_by_side import text_lines
    from stag.studies.sources import Sources

    told = au or config or any(change.partition("=")[0].strip() == "au" for change in set_ or ())
    settings = settings_of(preset, config, set_, au if told else "annotated")
    named: dict[str, list[Path]] = {}
    for name, path in (named_path("--motion", text) for text in motion or ()):
        named[name] = [*named.get(name, ()), Path(path)]
    folders = {name: Path(path) for name, path in (named_path("--root", text) for text in roots or ())}
    folder = _runs({"out": out, "table": table})
    sources = Sources(folders, named, folder, settings, jobs)
    with progress_bar(table, quiet, unit="rows") as progress:
        found = run(
            table,
            sources,
            settings,
            out=folder,
            protocol=protocol,
            folds=folds,
            seeds=seed_list(seeds),
            jobs=jobs,
            progress=progress,
        )
    say(f"{table}: {found.content.title}")
    for line in text_lines(printed(found.content.rows)):
        say(line)
    for note in found.content.notes:
        say(f"note  {note}")
    for conflict in found.content.conflicts:
        say(f"the paper  {conflict}")
    say(f"written  {folder / table}.json, .csv, .tex, .html")


@verb()
def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of an evaluation, ablation or audit."), Reads(inside=True)
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="HTML file; RUN/report.html where omitted."),
        Writes(PAGE, otherwise=_page),
    ] = None,
    quiet: NoProgress = False,
) -> None:
    """Make one self-contained HTML file from a run."""
    from stag.report.pages.prediction import report_run, write_page

    target = out or _page({"run": run})
    write_page(target, report_run(run))
    say(f"report  {target}")
