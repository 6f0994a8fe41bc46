"""Run a benchmark: ``python -m benchmarks motion``, ``python -m benchmarks quality``. All clips are simulated."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.motion import motion_benchmark
from benchmarks.motion_figure import motion_figure
from benchmarks.motion_table import motion_table
from benchmarks.quality import reliability, reliability_table
from stag.cli.console import progress_bar, say
from stag.report.theme import figure_png
from stag.utils.files import write_bytes, write_json, write_text


def run_motion(out: Path, quick: bool, jobs: int) -> None:
    """Measure extraction against known motion, and write tables, figure and JSON."""
    with progress_bar("motion", quiet=False) as progress:
        measured = motion_benchmark(quick=quick, jobs=jobs, progress=progress)
    write_json(out / "motion.json", measured.as_dict())
    write_text(out / "motion.md", motion_table(measured))
    write_bytes(out / "motion.png", figure_png(motion_figure(measured)))
    for row in measured.targets:
        say("  ".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))
    say(f"simulated motion; tables  {out / 'motion.md'}")


def run_quality(out: Path, quick: bool, jobs: int) -> None:
    """Measure the calibration of probabilities for several ways of filming, and write the table."""
    with progress_bar("quality", quiet=False) as progress:
        table = reliability_table(reliability(quick=quick, jobs=jobs, progress=progress))
    write_text(out / "quality.md", table)
    say(table)
    say(f"simulated clips; table  {out / 'quality.md'}")


BENCHMARKS = {"motion": run_motion, "quality": run_quality}


def main() -> None:
    """Read the command line and run one benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=list(BENCHMARKS), help="what to measure")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"), help="folder to write")
    parser.add_argument("--quick", action="store_true", help="a small selection")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    arguments = parser.parse_args()
    BENCHMARKS[arguments.name](arguments.out, arguments.quick, arguments.jobs)


if __name__ == "__main__":
    main()
