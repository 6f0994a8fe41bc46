"""Make the figures of the paper, and write them as PNG and SVG; nothing is written before all are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from stag import __version__
from stag.report.figures import clips, sets
from stag.report.figures.kinds import chosen_kinds
from stag.report.figures.material import Drawn, Material
from stag.report.theme import figure_png, figure_svg
from stag.utils.files import write_bytes, write_json, write_text

INDEX = "figures.json"

DRAW: dict[str, Callable[[Material], list[Drawn]]] = {
    "architecture": clips.architecture,
    "maps": clips.maps,
    "comparison": clips.comparison,
    "motion": clips.motion,
    "embedding": sets.embedding,
    "graphs": clips.graphs,
    "protocols": sets.protocols,
    "confusions": sets.confusions,
}
"""Name of a kind of figure -> what draws it; one kind can give several files."""


def make_figures(
    material: Material, only: Sequence[str] = (), *, progress: Callable[[int, int], None] | None = None
) -> list[Drawn]:
    """Draw figures of the paper from the user's own material, and from simulated data where there is none.

    Args:
        material: Model, clip, motion and runs.
        only: Names or numbers of figures; all of them where empty.
        progress: Called with (kinds done, kinds).

    Raises:
        ConfigError: There is no such figure.
    """
    names = chosen_kinds(only)
    made: list[Drawn] = []
    for number, name in enumerate(names, start=1):
        made += DRAW[name](material)
        if progress is not None:
            progress(number, len(names))
    return made


def write_figures(folder: Path, figures: Sequence[Drawn]) -> list[Path]:
    """Write each figure as PNG and SVG, and ``figures.json`` with what each shows; return the paths of the pictures."""
    rendered = [(one, figure_png(one.figure), figure_svg(one.figure)) for one in figures]
    about = [{"file": one.stem, "title": one.title, "shows": one.note, "simulated": one.simulated} for one in figures]
    write_json(folder / INDEX, {"figures": about, "version": __version__})
    paths = []
    for one, png, svg in rendered:
        paths += [folder / f"{one.stem}.png", folder / f"{one.stem}.svg"]
        write_bytes(paths[-2], png)
        write_text(paths[-1], svg)
    return paths
