"""Is it installed, does it work, how fast is it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from stag.cli.options import Jobs, NoProgress, Quiet, Seed
from stag.cli.paths import BENCH, DEMO, Values, Writes
from stag.cli.usage import Mode, verb
from stag.console import print_scores, progress_bar, say
from stag.errors import StagError


def _parts(only: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in only.split(",") if part.strip()))


def _only(given: Values, *names: str) -> bool:
    parts = _parts(given["only"])
    return bool(parts) and set(parts) <= set(names)


@verb()
def doctor(quiet: NoProgress = False) -> None:
    """Show what is installed, the landmark models and their licence, device, threads, versions."""
    from stag.doctor import findings
    from stag.extras import install_hint

    rows, ready = findings()
    for what, finding in rows:
        say(f"{what:<26}{finding}")
    if not ready:
        raise StagError(f"something that the main path needs is missing: {install_hint('faces')}")


@verb(kept="finished stages and folds are kept, and the same command goes on from there")
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the run."), Writes(DEMO)] = Path("runs/demo"),
    jobs: Jobs = 2,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Simulated corpus -> extract -> LOSO -> report, in one command and offline."""
    from stag.demo import run_demo

    made = run_demo(out, partial(progress_bar, quiet=quiet), seed=seed, jobs=jobs)
    print_scores(made.result)
    say(f"model   {made.model}")
    say(f"report  {made.report}")


@verb(
    Mode("on the parts that --only names", lambda given: _only(given, "predict", "start", "memory"), ignores="jobs"),
    Mode("with --only memory", lambda given: _only(given, "memory"), ignores="quick"),
)
def bench(
    out: Annotated[Path, typer.Option(help="Folder for tables, figure and JSON."), Writes(BENCH)] = Path("runs/bench"),
    only: Annotated[str, typer.Option(help="Some of extract,train,predict,start,memory; or motion, quality.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="A small selection in about a minute.")] = False,
    jobs: Jobs = 2,
    quiet: Quiet = False,
) -> None:
    """Measure the program's own speed beside references; with --only motion, extraction against known motion."""
    from stag.files import write_json, write_text

    parts = _parts(only)
    speeds = tuple(part for part in parts if part not in ("motion", "quality"))
    if speeds or not parts:
        from stag.bench.speed import measure, speed_table

        with progress_bar("bench", quiet, unit="parts") as progress:
            found = measure(speeds, quick=quick, jobs=jobs, progress=progress)
        say(speed_table(found))
        write_json(out / "speed.json", found.as_dict())
        write_text(out / "speed.md", speed_table(found))
        say(f"tables  {out / 'speed.md'}")
    if "motion" in parts:
        _bench_motion(out, quick, jobs, quiet)
    if "quality" in parts:
        from stag.bench.reliability import reliability, reliability_table

        with progress_bar("quality", quiet) as progress:
            clips = reliability(quick=quick, jobs=jobs, progress=progress)
        write_text(out / "quality.md", reliability_table(clips))
        say(reliability_table(clips))
        say(f"simulated clips; table  {out / 'quality.md'}")


def _bench_motion(out: Path, quick: bool, jobs: int, quiet: bool) -> None:
    from stag.bench.figures import motion_figure
    from stag.bench.motion import motion_benchmark
    from stag.bench.table import motion_table
    from stag.files import write_bytes, write_json, write_text
    from stag.report.figures import figure_png

    with progress_bar("motion", quiet) as progress:
        measured = motion_benchmark(quick=quick, jobs=jobs, progress=progress)
    write_json(out / "motion.json", measured.as_dict())
    write_text(out / "motion.md", motion_table(measured))
    write_bytes(out / "motion.png", figure_png(motion_figure(measured)))
    for row in measured.targets:
        say("  ".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))
    say(f"simulated motion; tables  {out / 'motion.md'}")
