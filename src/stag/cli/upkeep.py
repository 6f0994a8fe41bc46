"""Setup: what is installed, whether it works, what can be set, how fast it is."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from stag.cli.console import print_scores, progress_bar, say
from stag.cli.options import Jobs, NoProgress, Quiet, Seed, listed
from stag.cli.paths import BENCH, DEMO, SETTINGS, Values, Writes
from stag.cli.usage import Mode, verb
from stag.errors import StagError
from stag.utils.choices import PresetName


def _only(given: Values, *names: str) -> bool:
    parts = listed(given["only"])
    return bool(parts) and set(parts) <= set(names)


@verb("Setup")
def doctor(quiet: NoProgress = False) -> None:
    """Show what is installed: versions, landmark models and their licence, device, threads."""
    from stag.doctor import findings
    from stag.utils.extras import install_hint

    rows, ready = findings()
    for what, finding in rows:
        say(f"{what:<26}{finding}")
    if not ready:
        raise StagError(f"something that the main path needs is missing: {install_hint('faces')}")


@verb("Setup", kept="finished stages and folds are kept, and the same command goes on from there")
def demo(
    out: Annotated[Path, typer.Option(help="Folder to write."), Writes(DEMO)] = Path("runs/demo"),
    jobs: Jobs = 2,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Simulate clips, extract, evaluate, train and report: the whole path, offline, in about three minutes."""
    from stag.cli.demo import run_demo

    made = run_demo(out, partial(progress_bar, quiet=quiet), seed=seed, jobs=jobs)
    print_scores(made.result)
    say(f"model   {made.model}")
    say(f"report  {made.report}")


@verb("Setup")
def settings(
    preset: Annotated[PresetName, typer.Option(help="Settings to print.")] = "default",
    out: Annotated[Path | None, typer.Option(help="TOML file to write, for --config."), Writes(SETTINGS)] = None,
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
    Mode("on the parts that --only names", lambda given: _only(given, "predict", "start", "memory"), ignores="jobs"),
    Mode("with --only memory", lambda given: _only(given, "memory"), ignores="quick"),
)
def bench(
    out: Annotated[Path, typer.Option(help="Folder to write: a table and JSON."), Writes(BENCH)] = Path("runs/bench"),
    only: Annotated[str, typer.Option(help="Some of extract,train,predict,start,memory. Default: all.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="A small selection in about a minute.")] = False,
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
