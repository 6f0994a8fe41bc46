"""Is it installed, does it work, how fast is it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from stag.cli.app import app
from stag.cli.options import Jobs, NoProgress, Quiet, Seed
from stag.console import print_scores, progress_bar, say
from stag.errors import StagError


@app.command()
def doctor(quiet: NoProgress = False) -> None:
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
def bench(
    out: Annotated[Path, typer.Option(help="Folder for table and JSON.")] = Path("runs/bench"),
    only: Annotated[str, typer.Option(help="Some of extract,train,predict,start,memory; all if omitted.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="A small selection in about a minute.")] = False,
    jobs: Jobs = 2,
    quiet: Quiet = False,
) -> None:
    """Measure how fast each part is on this machine, beside a reference in the same run."""
    from stag.bench.speed import measure, speed_table
    from stag.files import write_json, write_text

    parts = tuple(dict.fromkeys(part.strip() for part in only.split(",") if part.strip()))
    with progress_bar("bench", quiet, unit="parts") as progress:
        found = measure(parts, quick=quick, jobs=jobs, progress=progress)
    write_json(out / "speed.json", found.as_dict())
    write_text(out / "speed.md", speed_table(found))
    say(speed_table(found))
    say(f"tables  {out / 'speed.md'}")
