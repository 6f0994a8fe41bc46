"""Make the figures of the paper, and write them as PNG and SVG; nothing is written before all are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from stag import __version__
from stag.errors import ConfigError
from stag.report.figures import clips, sets
from stag.report.figures.material import Drawn, Material
from stag.report.theme import figure_png, figure_svg
from stag.utils.files import write_bytes, write_json, write_text
from stag.utils.text import did_you_mean

INDEX = "figures.json"


class Kind(NamedTuple):
    """One kind of figure.

    Attributes:
        number: Its number in the paper.
        about: What it shows.
        draw: Draws it; one kind can give several files.
        reads: What it is drawn from: ``clip``, ``motion`` (motion files), ``runs``, ``model``.
    """

    number: int
    about: str
    draw: Callable[[Material], list[Drawn]]
    reads: frozenset[str]


KINDS: dict[str, Kind] = {
    "architecture": Kind(1, "the model with its real shapes", clips.architecture, frozenset({"clip", "model"})),
    "maps": Kind(2, "motion and every explanation method on one face", clips.maps, frozenset({"clip", "model"})),
    "comparison": Kind(3, "answers and maps beside the truth", clips.comparison, frozenset({"model"})),
    "motion": Kind(4, "the motion channels of one clip", clips.motion, frozenset({"clip", "model"})),
    "embedding": Kind(5, "features before and after training", sets.embedding, frozenset({"motion", "model"})),
    "graphs": Kind(6, "the graph of each layer, and over time", clips.graphs, frozenset({"clip", "model"})),
    "protocols": Kind(7, "scores by protocol", sets.protocols, frozenset({"runs"})),
    "confusions": Kind(8, "confusion matrices of several sets", sets.confusions, frozenset({"runs"})),
}
"""Name of a figure -> what it is."""


def chosen_kinds(only: Sequence[str] = ()) -> list[str]:
    """Return the names of figures in the order of the paper; all of them where none is named.

    Args:
        only: Names, or numbers of the paper.

    Raises:
        ConfigError: There is no such figure.
    """
    numbers = {str(kind.number): name for name, kind in KINDS.items()}
    wanted = [numbers.get(text, text) for text in only]
    for name in wanted:
        if name not in KINDS:
            raise ConfigError(f"no figure {name!r}{did_you_mean(name, KINDS)}; there are {', '.join(KINDS)}")
    return [name for name in KINDS if name in wanted or not wanted]


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
        made += KINDS[name].draw(material)
        if progress is not None:
            progress(number, len(names))
    return made


def write_figures(folder: Path, figures: Sequence[Drawn]) -> list[Path]:
    """Write each figure as PNG and SVG, and ``figures.json`` with what each shows; return the paths of the pictures."""
    rendered = [(one, figure_png(one.figure), figure_svg(one.figure)) for one in figures]
    about = [
        {"file": one.stem, "title": one.title, "shows": one.note, "simulated": one.simulated} for one in figures
    ]
    write_json(folder / INDEX, {"figures": about, "version": __version__})
    paths = []
    for one, png, svg in rendered:
        paths += [folder / f"{one.stem}.png", folder / f"{one.stem}.svg"]
        write_bytes(paths[-2], png)
        write_text(paths[-1], svg)
    return paths
