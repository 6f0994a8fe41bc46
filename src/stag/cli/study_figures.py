"""The figures of the paper: from runs, motion files and clips, or from simulated data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stag.cli.console import progress_bar, say
from stag.cli.options import Device, Fps, Jobs, Model, Quiet, check_fps, load_motion
from stag.cli.paths import FIGURES, Reads, Values, Writes
from stag.cli.usage import Mode, verb
from stag.errors import ConfigError
from stag.model.shipped import DEFAULT_MODEL
from stag.report.figures.kinds import KINDS, chosen_kinds

if TYPE_CHECKING:
    from stag.motion_set import MotionSet


def _names(only: str | None) -> list[str]:
    return [part.strip() for part in (only or "").split(",") if part.strip()]


def _reads(names: Sequence[str], what: str) -> bool:
    return any(what in KINDS[name].reads for name in chosen_kinds(names))


def _unread(given: Values, what: str) -> bool:
    """Whether --only names figures, none of which is drawn from this; a name that is unknown is refused later."""
    try:
        return not _reads(_names(given["only"]), what)
    except ConfigError:
        return False


def _trains(given: Values) -> bool:
    inputs: Sequence[Path] = given["inputs"] or ()
    return not _unread(given, "runs") and not any(path.is_dir() for path in inputs)


@verb(
    "Studies",
    Mode("on figures that show no clip", lambda given: _unread(given, "clip"), ignores="clip fps"),
    Mode("without --clip", lambda given: given["clip"] is None, ignores="fps"),
    Mode("on figures of runs", lambda given: _unread(given, "model"), ignores="model"),
    Mode("where nothing is trained", lambda given: not _trains(given), ignores="jobs device"),
)
def figures(
    out: Annotated[Path, typer.Option(help="Folder to write: each figure as PNG and SVG."), Writes(FIGURES)],
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUT...",
            help="Finished runs, for scores and confusion matrices; motion files, for the map of features. What is not "
            "given is simulated, and marked so on the figure.",
        ),
        Reads(inside=True),
    ] = None,
    clip: Annotated[
        Path | None,
        typer.Option(metavar="VIDEO", help="A video, a GIF or a folder of images, instead of a simulated clip."),
        Reads(),
    ] = None,
    fps: Fps = None,
    model: Model = DEFAULT_MODEL,
    only: Annotated[
        str | None,
        typer.Option(
            help="Some of architecture,maps,comparison,motion,embedding,graphs,protocols,confusions, or their numbers "
            "1 to 8. Default: all."
        ),
    ] = None,
    jobs: Jobs = 2,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Draw Figures 1 to 8 of the paper: from your runs, motion files and clip, or from simulated data."""
    check_fps(fps, [clip] if clip else [])
    from stag.datasets.readers.manifest import SIMULATION
    from stag.evaluation.prediction_file import read_run
    from stag.model.stag import STAG
    from stag.motion.clip import video_motion
    from stag.report.figures.make import make_figures, write_figures
    from stag.report.figures.material import Material
    from stag.utils.parallel import one_thread

    names = chosen_kinds(_names(only))
    folders = [path for path in inputs or () if path.is_dir()]
    files = [path for path in inputs or () if not path.is_dir()]
    for paths, what, kind in ((folders, "runs", "run"), (files, "motion", "motion file")):
        if paths and not _reads(names, what):
            raise typer.BadParameter(f"{paths[0]}: no figure of --only {only} is drawn from a {kind}; leave it out")
    runs = {folder: read_run(folder)[0] for folder in folders}
    motion: MotionSet | None = load_motion(files) if files else None
    trained = STAG.from_pretrained(model)
    with one_thread(), progress_bar("figures", quiet, unit="figures") as progress:
        measured = None if clip is None else video_motion(clip, trained.info.motion_settings(), fps=fps)[0]
        drawn = clip is not None and any((folder / SIMULATION).is_file() for folder in clip.resolve().parents[:2])
        name = clip.name if clip else ""
        material = Material(trained, model, measured, name, drawn, motion, runs, jobs, device)
        made = make_figures(material, names, progress=progress)
    for one in made:
        say(f"{one.title}{'  [simulated data]' if one.simulated else ''}")
    for path in write_figures(out, made):
        say(f"written  {path}")
