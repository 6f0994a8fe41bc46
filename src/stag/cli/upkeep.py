"""Setup: show what is installed, try the whole path, print the settings, measure the speed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from stag.cli.console import print_scores, progress_bar, say
from stag.cli.options import Device, Jobs, NoProgress, Quiet, Seed, listed
from stag.cli.paths import BENCH, DEMO, SETTINGS, Writes
from stag.cli.usage import Mode, verb
from stag.errors import MissingDependency, RunError, StagError
from stag.utils.choices import PresetName

if TYPE_CHECKING:
    import pandas as pd


@verb("Setup")
def doctor(quiet: NoProgress = False) -> None:
    """Show what is installed: versions, landmark models and their licence, device, threads."""
    from stag.doctor import findings
    from stag.utils.extras import install_hint

    rows, ready = findings()
    for what, finding in rows:
        say(f"{what:<26}{finding}")
    if not ready:
        raise StagError(f"a package or model that every command needs is missing: {install_hint('faces')}")


@verb("Setup", kept="finished stages and folds are kept, and the same command goes on from there")
def demo(
    out: Annotated[Path, Option(help="Folder to write."), Writes(DEMO)] = Path("runs/demo"),
    jobs: Jobs = 2,
    device: Device = "auto",
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Simulate clips, extract, evaluate, train and report: the whole path, offline, in about three minutes."""
    from stag.config import Config
    from stag.datasets.clips import load_dataset
    from stag.datasets.extract import extract_motion
    from stag.evaluation.evaluate import evaluate
    from stag.explanation.explain import explain
    from stag.inference.predictor import Predictor
    from stag.report.pages.prediction import run_page, write_page
    from stag.simulate.corpus import simulate_corpus
    from stag.training.fit import train
    from stag.utils.parallel import one_thread
    from stag.video import read_frames

    config, corpus = Config.preset("quick"), out / "corpus"
    if not (corpus / "manifest.csv").is_file():
        with progress_bar("simulate", quiet) as progress:
            simulate_corpus(corpus, subjects=12, clips=6, seed=seed, jobs=jobs, progress=progress)
    _refuse_another_corpus(corpus, {"subjects": 12, "clips": 6, "seed": seed})
    clips = load_dataset("manifest", corpus)
    with progress_bar("extract", quiet) as progress:
        motion = extract_motion(clips, config, jobs=jobs, progress=progress)
    motion.save(out / "motion.npz")
    with progress_bar("evaluate", quiet) as progress:
        run = evaluate(motion, config, out=out / "loso", jobs=jobs, device=device, progress=progress)
    with progress_bar("train", quiet) as progress:
        model = train(motion, config, seed=seed, device=device, progress=progress)
    model.save_pretrained(out / "model")
    clip_id = _surest(run.predictions)
    path = next(clip.frames for clip in clips if clip.clip_id == clip_id)
    example = Predictor(model).predict_frames(read_frames(path), str(path), "largest", pictures=True)[0]
    try:
        with one_thread():
            why = [explain(model, example)]
    except MissingDependency:  # the page then shows motion alone
        why = []
    write_page(out / "report.html", run_page(run.content, run.predictions, examples=[example], attributions=why))
    print_scores(run.content)
    say(f"model   {out / 'model'}")
    say(f"report  {out / 'report.html'}")


def _refuse_another_corpus(corpus: Path, arguments: dict[str, int]) -> None:
    from stag.evaluation.store import read_object

    made_with = read_object(corpus / "simulation.json") or {}
    for name, value in arguments.items():
        if made_with.get(name) != value:
            raise RunError(
                f"{corpus}: was made with {name} {made_with.get(name)}, now it would be {value}; name another --out, "
                "or remove this folder"
            )


def _surest(predictions: pd.DataFrame) -> str:
    """Return the id of the clip that was classified correctly with the highest probability; any clip if none was."""
    right = predictions[predictions["truth"] == predictions["predicted"]]
    chosen = right if len(right) else predictions
    surest = int(chosen.filter(regex="^p_").max(axis=1).to_numpy().argmax())
    return str(chosen["clip_id"].iloc[surest])


@verb("Setup")
def settings(
    preset: Annotated[PresetName, Option(help="Settings to print.")] = "default",
    out: Annotated[Path | None, Option(help="TOML file to write, for --config."), Writes(SETTINGS)] = None,
    quiet: NoProgress = False,
) -> None:
    """Print every setting with its meaning, accepted values, default and origin: a file for --config."""
    from stag.config import Config
    from stag.utils.files import write_text

    text = Config.preset(preset).to_toml(comments=True)
    if out is None:
        say(text.rstrip())
    else:
        write_text(out, text)
        say(f"settings  {out}")


@verb(
    "Setup",
    Mode(
        "on the parts that --only names",
        lambda given: (
            bool(listed(given["only"])) and {*listed(given["only"])} <= {"predict", "start", "memory", "growth"}
        ),
        ignores="jobs",
    ),
    Mode("with --only memory", lambda given: listed(given["only"]) == ("memory",), ignores="quick"),
)
def bench(
    out: Annotated[Path, Option(help="Folder to write: a table and JSON."), Writes(BENCH)] = Path("runs/bench"),
    only: Annotated[str, Option(help="Some of extract,train,predict,start,memory,growth. Default: all.")] = "",
    quick: Annotated[bool, Option("--quick", help="A small selection in about a minute.")] = False,
    jobs: Jobs = 2,
    quiet: Quiet = False,
) -> None:
    """Measure the speed of each part on this machine, beside a reference in the same run."""
    from stag.bench.speed import measure, speed_table
    from stag.utils.files import write_json, write_text

    with progress_bar("bench", quiet, unit="parts") as progress:
        speed = measure(listed(only), quick=quick, jobs=jobs, progress=progress)
    say(speed_table(speed))
    write_json(out / "speed.json", speed.as_dict())
    write_text(out / "speed.md", speed_table(speed))
    say(f"tables  {out / 'speed.md'}")
