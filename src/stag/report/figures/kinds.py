"""The figures by name: their numbers in the paper, and what each is drawn from; light, for the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stag.errors import ConfigError
from stag.utils.choices import did_you_mean


class Kind(NamedTuple):
    """One kind of figure.

    Attributes:
        number: Its number in the paper.
        about: What it shows.
        reads: What it is drawn from: ``clip`` (a video), ``motion`` (motion files), ``runs``, ``model``.
    """

    number: int
    about: str
    reads: frozenset[str]


def _kind(number: int, about: str, *reads: str) -> Kind:
    return Kind(number, about, frozenset(reads))


KINDS: dict[str, Kind] = {
    "architecture": _kind(1, "the model with its real shapes", "clip", "model"),
    "maps": _kind(2, "motion and every explanation method on one face", "clip", "model"),
    "comparison": _kind(3, "answers and maps beside the truth", "model"),
    "motion": _kind(4, "the motion channels of one clip", "clip", "model"),
    "embedding": _kind(5, "features before and after training", "motion", "model"),
    "graphs": _kind(6, "the graph of each layer, and over time", "clip", "model"),
    "protocols": _kind(7, "scores by protocol", "runs"),
    "confusions": _kind(8, "confusion matrices of several sets", "runs"),
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
