"""Run a benchmark, such as ``python -m benchmarks motion``. Clips are simulated, but for the footage that is given."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.fields import compare_fields, fields_table
from benchmarks.injection import answers, footage_paths, inject, injection_table
from benchmarks.lids import lid_models, lid_motion, lid_tables
from benchmarks.methods import compare_methods, methods_csv, methods_table
from benchmarks.motion import motion_benchmark
from benchmarks.motion_figure import motion_figure
from benchmarks.motion_table import motion_table
from benchmarks.portraits import portrait_paths, portrait_tables
from benchmarks.probes import probe_rows, probe_table
from benchmarks.quality import reliability, reliability_table
from benchmarks.spotting import spotting_tables
from benchmarks.starts import compare_starts, curve_table, learning_curve, pretrain, starts_table
from stag.cli.console import progress_bar, say
from stag.config import Config
from stag.model.stag import STAG
from stag.report.theme import figure_png
from stag.simulate.motion import simulate_motion
from stag.utils.choices import METHODS, PRESETS, PROTOCOLS
from stag.utils.files import write_bytes, write_json, write_text


def run_motion(arguments: argparse.Namespace) -> None:
    """Measure extraction against known motion; write tables, figure and JSON."""
    out: Path = arguments.out
    with progress_bar("motion", quiet=False) as progress:
        measured = motion_benchmark(quick=arguments.quick, jobs=arguments.jobs, progress=progress)
    write_json(out / "motion.json", measured.as_dict())
    write_text(out / "motion.md", motion_table(measured))
    write_bytes(out / "motion.png", figure_png(motion_figure(measured)))
    for row in measured.targets:
        say("  ".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))
    say(f"simulated motion; tables  {out / 'motion.md'}")


def run_fields(arguments: argparse.Namespace) -> None:
    """Compare the mean motion of simulated action units with that of real micro-expressions; write the table."""
    table = fields_table(compare_fields())
    write_text(arguments.out / "fields.md", table)
    say(table)


def run_lids(arguments: argparse.Namespace) -> None:
    """Measure what the upper lids of the layout roi20 add; write the tables."""
    with progress_bar("lids", quiet=False) as progress:
        models = lid_models(Config.preset("quick"), range(arguments.seeds), progress)
    tables = lid_tables(lid_motion(jobs=arguments.jobs), models)
    write_text(arguments.out / "lids.md", tables)
    say(tables)
    say(f"simulated clips; tables  {arguments.out / 'lids.md'}")


def run_quality(arguments: argparse.Namespace) -> None:
    """Measure the calibration of probabilities for several ways of filming, and write the table."""
    with progress_bar("quality", quiet=False) as progress:
        table = reliability_table(reliability(quick=arguments.quick, jobs=arguments.jobs, progress=progress))
    write_text(arguments.out / "quality.md", table)
    say(table)
    say(f"simulated clips; table  {arguments.out / 'quality.md'}")


def run_portraits(arguments: argparse.Namespace) -> None:
    """Measure face finding and extraction on photographs of many people; write the tables."""
    tables = portrait_tables(portrait_paths(arguments.portraits), jobs=arguments.jobs, quick=arguments.quick)
    write_text(arguments.out / "portraits.md", tables)
    say(tables)


def run_injection(arguments: argparse.Namespace) -> None:
    """Put known action units into real footage, and count what models say of them; write the table."""
    footage = footage_paths(arguments.footage)
    portraits = portrait_paths(arguments.portraits) if arguments.portraits else []
    with progress_bar("injection", quiet=False) as progress:
        clips = inject(footage, portraits, moments=arguments.moments, jobs=arguments.jobs, progress=progress)
    table = injection_table([one for model in arguments.models for one in answers(clips, model)])
    write_text(arguments.out / "injection.md", table)
    say(table)
    say(f"known movements in given footage; table  {arguments.out / 'injection.md'}")


def run_probes(arguments: argparse.Namespace) -> None:
    """Measure whether the graph branch can answer questions of connectivity; write the table."""
    with progress_bar("probes", quiet=False) as progress:
        table = probe_table(probe_rows(quick=arguments.quick, jobs=arguments.jobs, progress=progress))
    write_text(arguments.out / "probes.md", table + "\n")
    say(table)
    say(f"accuracy on made-up motion; table  {arguments.out / 'probes.md'}")


def run_methods(arguments: argparse.Namespace) -> None:
    """Evaluate every method beside STAG; write the table as CSV and Markdown, and a run folder for each method."""
    people, each = arguments.people, arguments.clips // arguments.people
    motion = simulate_motion(people, each, seed=arguments.corpus_seed, scheme=arguments.scheme)
    config = Config.preset(arguments.preset).override(arguments.set)
    protocol, seeds = arguments.protocol, range(arguments.seeds)
    with progress_bar("methods", quiet=False) as progress:
        scores = compare_methods(
            motion,
            config,
            out=arguments.out / "methods",
            methods=arguments.methods,
            protocol=protocol,
            folds=arguments.folds,
            seeds=seeds,
            jobs=arguments.jobs,
            device=arguments.device,
            progress=progress,
        )
    folds = "" if protocol == "loso" else f" with {arguments.folds} folds"
    changed = " ".join(["", *arguments.set])
    table = methods_table(
        scores,
        f"{len(motion)} clips of {people} people, scheme {arguments.scheme}, {protocol}{folds}, "
        f"{arguments.seeds} seed{'s' * (arguments.seeds > 1)}, preset {arguments.preset}{changed}",
    )
    write_text(arguments.out / "methods.csv", methods_csv(scores))
    write_text(arguments.out / "methods.md", table)
    say(table)
    say(f"simulated motion; table  {arguments.out / 'methods.md'}")


def run_starts(arguments: argparse.Namespace) -> None:
    """Evaluate STAG from random, pre-trained and shipped weights; write the table, and a run folder for each start."""
    if arguments.sizes:
        run_curve(arguments)
        return
    people, each = arguments.people, arguments.clips // arguments.people
    motion = simulate_motion(people, each, seed=arguments.corpus_seed, scheme=arguments.scheme)
    config = Config.preset(arguments.preset).override(arguments.set)
    pool = simulate_motion(arguments.pool // 20, 20, seed=arguments.corpus_seed + 1000, scheme=arguments.scheme)
    batches = arguments.batches
    filled = pretrain(pool, config, batches=batches, device=arguments.device)
    starts = [("random weights", None), ("unlabelled motion", filled), ("megc3", STAG.from_pretrained("megc3"))]
    with progress_bar("starts", quiet=False) as progress:
        rows = compare_starts(
            motion,
            config,
            starts,
            out=arguments.out / "starts",
            protocol=arguments.protocol,
            seeds=range(arguments.seeds),
            jobs=arguments.jobs,
            device=arguments.device,
            progress=progress,
        )
    table = starts_table(
        rows,
        f"{len(motion)} clips of {people} people, scheme {arguments.scheme}, {arguments.protocol}, "
        f"{arguments.seeds} seeds, preset {arguments.preset}; pre-training: {batches} batches of 128 of "
        f"{len(pool)} clips of other people",
    )
    write_text(arguments.out / "starts.md", table)
    say(table)
    say(f"simulated motion; table  {arguments.out / 'starts.md'}")


def run_curve(arguments: argparse.Namespace) -> None:
    """Compare ways to learn from few clips of another domain; write the table."""
    config = Config.preset(arguments.preset).override(arguments.set)
    with progress_bar("sizes", quiet=False) as progress:
        rows = learning_curve(
            arguments.sizes,
            config,
            STAG.from_pretrained(arguments.init),
            arguments.init,
            out=arguments.out / "curve",
            scheme=arguments.scheme,
            corpus_seed=arguments.corpus_seed,
            protocol=arguments.protocol,
            folds=arguments.folds,
            seeds=range(arguments.seeds),
            jobs=arguments.jobs,
            device=arguments.device,
            progress=progress,
        )
    about = f"scheme {arguments.scheme}, {arguments.protocol}, {arguments.seeds} seeds, preset {arguments.preset}"
    table = curve_table(rows, about)
    write_text(arguments.out / "curve.md", table)
    say(table)
    say(f"simulated motion; table  {arguments.out / 'curve.md'}")


def run_spotting(arguments: argparse.Namespace) -> None:
    """Measure spotters on simulated recordings of unseen people; write the tables."""
    with progress_bar("spotting", quiet=False) as progress:
        tables = spotting_tables(arguments.people, arguments.quiet_people, progress)
    write_text(arguments.out / "spotting.md", tables)
    say(tables)
    say(f"simulated recordings; tables  {arguments.out / 'spotting.md'}")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--out", type=Path, default=Path("build/benchmarks"), help="folder to write")
    shared.add_argument("--jobs", type=int, default=2, help="processes")
    main = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = main.add_subparsers(dest="name", required=True, help="what to measure")
    parts = {"motion": run_motion, "quality": run_quality, "probes": run_probes, "portraits": run_portraits}
    for name, run in parts.items():
        one = names.add_parser(name, parents=[shared], help=run.__doc__)
        one.add_argument("--quick", action="store_true", help="a small selection")
        if name == "portraits":
            one.add_argument("--portraits", type=Path, required=True, help="folder of photographs, one face in each")
        one.set_defaults(run=run)
    fields = names.add_parser("fields", parents=[shared], help=run_fields.__doc__)
    fields.set_defaults(run=run_fields)
    lids = names.add_parser("lids", parents=[shared], help=run_lids.__doc__)
    lids.set_defaults(run=run_lids)
    lids.add_argument("--seeds", type=int, default=3, help="number of seeds of the models")
    spotting = names.add_parser("spotting", parents=[shared], help=run_spotting.__doc__)
    spotting.set_defaults(run=run_spotting)
    spotting.add_argument("--people", type=int, default=60, help="people who show expressions")
    spotting.add_argument("--quiet-people", type=int, default=40, help="people who show none")
    injection = names.add_parser("injection", parents=[shared], help=run_injection.__doc__)
    injection.set_defaults(run=run_injection)
    injection.add_argument(
        "--footage", nargs="+", type=Path, required=True, help="videos or GIFs of a face, or folders"
    )
    injection.add_argument("--portraits", type=Path, help="folder of photographs, one face in each")
    injection.add_argument("--moments", type=int, default=3, help="still moments of each recording")
    injection.add_argument("--models", nargs="+", default=["megc3"], help="models of three classes")
    methods = names.add_parser("methods", parents=[shared], help=run_methods.__doc__)
    methods.set_defaults(run=run_methods)
    methods.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS), help="which methods")
    starts = names.add_parser("starts", parents=[shared], help=run_starts.__doc__)
    starts.set_defaults(run=run_starts)
    starts.add_argument("--pool", type=int, default=20_000, help="unlabelled clips to pre-train on")
    starts.add_argument("--batches", type=int, default=4_000, help="batches of pre-training")
    starts.add_argument("--init", default="megc3", help="trained model to start from, with --sizes")
    starts.add_argument(
        "--sizes", type=lambda text: [int(part) for part in text.split(",")], metavar="N,N...", help="learning curve"
    )
    for one in (methods, starts):
        _evaluation_options(one)
    return main


def _evaluation_options(one: argparse.ArgumentParser) -> None:
    one.add_argument("--people", type=int, default=20, help="people")
    one.add_argument("--clips", type=int, default=400, help="clips of all people together")
    one.add_argument("--seeds", type=int, default=3, help="number of seeds")
    one.add_argument("--corpus-seed", type=int, default=1, help="seed of the clips")
    one.add_argument("--scheme", default="megc3", help="label scheme")
    one.add_argument("--protocol", choices=list(PROTOCOLS), default="loso", help="how clips are split")
    one.add_argument("--folds", type=int, default=5, help="number of folds of gkf and skf")
    one.add_argument("--preset", choices=list(PRESETS), default="default", help="settings of all networks")
    one.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change one setting")
    one.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where networks train")


def main() -> None:
    """Read the command line and run one benchmark."""
    arguments = parser().parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
