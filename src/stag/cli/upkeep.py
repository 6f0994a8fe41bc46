"""Is it installed, does it work, how fast is it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from stag.cli.app import app
from stag.cli.options import Jobs, Quiet, Seed
from stag.console import print_scores, progress_bar, say
from stag.errors import StagError


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
