"""Run a benchmark: ``python -m benchmarks motion --out build/benchmarks``."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.motion import motion_benchmark
from benchmarks.motion_figure import motion_figure
from benchmarks.motion_table import motion_table
from stag.console import progress_bar, say
from stag.files import write_bytes, write_json, write_text
from stag.report.figures import figure_png


def main() -> None:
    """Read the command line, measure, and write tables, figure and JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=["motion"], help="motion: extraction against known motion (simulated)")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"), help="folder to write")
    parser.add_argument("--quick", action="store_true", help="a small selection in about a minute")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    arguments = parser.parse_args()
    with progress_bar(arguments.name, quiet=False) as progress:
        measured = motion_benchmark(quick=arguments.quick, jobs=arguments.jobs, progress=progress)
    write_json(arguments.out / "motion.json", measured.as_dict())
    write_text(arguments.out / "motion.md", motion_table(measured))
    write_bytes(arguments.out / "motion.png", figure_png(motion_figure(measured)))
    for row in measured.targets:
        say("  ".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))
    say(f"simulated motion; tables  {arguments.out / 'motion.md'}")


if __name__ == "__main__":
    main()
