"""Facial Action Coding System: the AU vocabulary, the AU-string parser, and the AU to region map.

An AU string is a list of terms joined by ``+``. A term is a unit such as ``R12A?``: kind (``AU``, ``AD``, ``M``), side,
number, intensity, doubt, and ``(k)`` where the unit is static. An ``A`` before the number is a side (``A12``: the
action is asymmetric), after it an intensity (``12A``). Coders add alternatives (``L12 or L14``, ``10A/B``,
``A/L12``), brackets, ``ref(...)`` around codes that count, and words. Unreadable pieces are kept.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

from stag.errors import ConfigError

AU_VOCABULARY: tuple[int, ...] = (
    1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 18, 20, 23, 24, 25, 26, 28, 38, 39, 43, 45,
)  # fmt: skip
"""Action units of the model, in the fixed order of every AU vector."""

AU_NAMES: dict[int, str] = {
    1: "inner brow raiser", 2: "outer brow raiser", 4: "brow lowerer", 5: "upper lid raiser", 6: "cheek raiser",
    7: "lid tightener", 9: "nose wrinkler", 10: "upper lip raiser", 12: "lip corner puller", 14: "dimpler",
    15: "lip corner depressor", 16: "lower lip depressor", 17: "chin raiser", 18: "lip pucker", 20: "lip stretcher",
    23: "lip tightener", 24: "lip pressor", 25: "lips part", 26: "jaw drop", 28: "lip suck", 38: "nostril dilator",
    39: "nostril compressor", 43: "eyes closed", 45: "blink",
}  # fmt: skip

_INNER_BROWS, _OUTER_BROWS, _BROWS = (0, 1, 4, 5), (0, 3, 4, 7), (0, 1, 2, 3, 4, 5, 6, 7)
_LIDS, _NOSE_AND_LIP, _NOSE = (16, 17, 18, 19), (11, 14, 15), (14, 15)
_CORNERS, _LIPS = (8, 9, 10), (8, 11, 12, 13)

AU_REGIONS: dict[int, tuple[int, ...]] = {
    1: _INNER_BROWS, 2: _OUTER_BROWS, 4: _BROWS, 5: _LIDS, 6: _LIDS, 7: _LIDS, 9: _NOSE_AND_LIP, 10: _NOSE_AND_LIP,
    12: _CORNERS, 14: _CORNERS, 15: _CORNERS, 16: _LIPS, 17: _LIPS, 18: _LIPS, 20: _CORNERS, 23: _LIPS, 24: _LIPS,
    25: _LIPS, 26: _LIPS, 28: _LIPS, 38: _NOSE, 39: _NOSE, 43: _LIDS, 45: _LIDS,
}  # fmt: skip
"""Anatomical map from action unit to the ids of the motion channels that it moves."""


@dataclass(frozen=True)
class CodedUnit:
    """One action unit of a FACS string.

    Attributes:
        side: ``"L"``, ``"R"``, ``"T"`` (top), ``"B"`` (bottom), ``"A"`` (asymmetric: both sides, unequally strong) or
            ``""`` for both sides.
        intensity: ``"A"`` (trace) to ``"E"`` (maximum), or ``""`` where not coded.
        uncertain: Whether the coder marked it with ``?``.
        static: Whether it is marked ``(k)``: present throughout, so not part of the expression, and not counted.
        kind: ``""`` for an action unit, ``"AD"`` for an action descriptor, ``"M"`` for a head movement.
        alternatives: Other units that the coder thought possible, in order; they do not count.
    """

    unit: int
    side: str = ""
    intensity: str = ""
    uncertain: bool = False
    static: bool = False
    kind: str = ""
    alternatives: tuple[CodedUnit, ...] = ()


@dataclass(frozen=True)
class FacsCode:
    """A parsed FACS string: its units in order of appearance, and the pieces that are not a unit."""

    units: tuple[CodedUnit, ...]
    unread: tuple[str, ...] = ()
    text: str = ""

    def __str__(self) -> str:
        return self.text

    @property
    def numbers(self) -> frozenset[int]:
        """Numbers of the units that fire: first alternatives, without static units."""
        return frozenset(u.unit for u in self.units if not u.static)


_TOKEN = re.compile(
    r"""
    (?P<or> / | \bor\b )
    | (?P<unit>
        (?P<other_sides> (?: [LRTBA] \s? (?: / | \b or \b ) \s? ){1,4} )?
        (?P<kind> AU | AD | M )? \s? (?: (?P<side> [LRTBA] ) \s? )? (?P<number> [0-9]{1,2} ) (?P<intensity> [A-E] )?
        (?P<marks> (?: \s? (?: \? | \(k\) ) )* )
        (?= $ | [\s/()] )
      )
    | (?P<level> [A-E] (?= $ | [\s/()] ) )
    | (?P<bracket> [()] )
    | (?P<reference> ref \.? (?= \s? \( ) )
    | (?P<word> (?: (?! / | [\s()] ) . )+ )
    | \s+
    """,
    re.VERBOSE | re.IGNORECASE,
)


def parse_facs(text: object) -> FacsCode:
    """Read an AU string such as ``"R4+L10B"``; never raises.

    Of alternatives the first counts and the others are kept with it; a bare letter after ``/`` is another intensity of
    the unit before it, and one before ``/`` another side of the unit after it. ``AU``, brackets, the ``ref`` of
    ``ref(...)`` and letter case have no meaning.

    Args:
        text: A spreadsheet cell: text, a bare number, or missing.

    Example:
        >>> sorted(parse_facs("4+7+L10").numbers)
        [4, 7, 10]
        >>> parse_facs("A9E+ref(10)").units[0].side, parse_facs("R14+soft focus").unread
        ('A', ('soft focus',))
    """
    if text is None or (not isinstance(text, str) and str(text) in ("nan", "NaT", "<NA>")):
        return FacsCode(())
    plain = unicodedata.normalize("NFKC", str(text)).strip()
    whole = re.fullmatch(r"([0-9]{1,2})\.0+", plain)
    terms = [_read_term(term) for term in re.split(r"[+,;&]", whole[1] if whole else plain)]
    units = tuple(unit for term_units, _ in terms for unit in term_units)
    return FacsCode(units, tuple(piece for _, pieces in terms for piece in pieces), str(text))


def format_facs(units: Iterable[CodedUnit]) -> str:
    """Return the AU string of units; :func:`parse_facs` reads it back.

    Example:
        >>> format_facs([CodedUnit(4), CodedUnit(12, "L", "B")])
        '4+L12B'
    """

    def formatted(unit: CodedUnit) -> str:
        marks = ("?" if unit.uncertain else "") + ("(k)" if unit.static else "")
        return f"{unit.kind}{unit.side}{unit.unit}{unit.intensity}{marks}"

    return "+".join("/".join(map(formatted, (unit, *unit.alternatives))) for unit in units)


def _read_term(term: str) -> tuple[list[CodedUnit], list[str]]:
    """Return the units and unreadable pieces between two ``+``; neighbouring words stay one piece."""
    units: list[CodedUnit] = []
    unread: list[str] = []
    choice = ""  # an "or" without its second side yet
    reference = ""  # a "ref" without the codes in its bracket yet
    after_word = False
    for token in _TOKEN.finditer(term):
        piece = token[0]
        new: list[CodedUnit] = []
        if token["unit"]:
            new = _units(token)
        elif token["level"] and choice and units:
            last = (units[-1], *units[-1].alternatives)[-1]
            new = [replace(last, intensity=piece.upper(), uncertain=False, alternatives=())]
        if new:
            if choice and units:
                units[-1] = replace(units[-1], alternatives=(*units[-1].alternatives, *new))
            else:
                units.append(replace(new[0], alternatives=tuple(new[1:])))
            choice, after_word = "", False
        elif token["reference"]:
            reference, after_word = piece, False
        elif token["or"]:
            choice, after_word = piece, False
        elif token["level"] or token["word"]:
            if after_word:
                unread[-1] += f" {piece}"
            else:
                unread.append(piece)
            after_word = True
        elif token["bracket"]:
            after_word = False
    if not units and not unread:
        unread += [piece for piece in (reference, choice) if piece]
    return units, unread


def _units(token: re.Match[str]) -> list[CodedUnit]:
    """Return the unit of a token; with another side before it (``A/L12``), the unit on each of its sides, in order."""
    marks = token["marks"].lower()
    number, kind, intensity = int(token["number"]), (token["kind"] or "").upper(), (token["intensity"] or "").upper()
    others = re.split(r"/|\bor\b", (token["other_sides"] or "").casefold())[:-1]
    return [
        CodedUnit(number, side.strip().upper(), intensity, "?" in marks, "(k)" in marks, "" if kind == "AU" else kind)
        for side in (*others, token["side"] or "")
    ]


def outside_vocabulary(code: FacsCode) -> tuple[str, ...]:
    """Return the action units of a parsed string that no model knows, such as ``"27"``."""
    return tuple(format_facs([unit]) for unit in code.units if not unit.kind and unit.unit not in AU_VOCABULARY)


def known_units(code: FacsCode) -> frozenset[int] | None:
    """Return the units that fire and that models know; ``None`` where only others are coded, so that they are unknown.

    Example:
        >>> known_units(parse_facs("4+27")), known_units(parse_facs("27"))
        (frozenset({4}), None)
    """
    return (code.numbers & set(AU_VOCABULARY)) or (None if outside_vocabulary(code) else frozenset())


def au_vector(numbers: frozenset[int] | set[int]) -> list[float]:
    """Return a binary vector over :data:`AU_VOCABULARY`, length ``A``, without units outside the vocabulary."""
    return [1.0 if au in numbers else 0.0 for au in AU_VOCABULARY]


def read_codes(text: str) -> tuple[int, ...]:
    """Read the codes of one clip strictly, as an input of a model: ``"4+L7B"`` -> ``(4, 7)``.

    Raises:
        ConfigError: A part of the AU string cannot be read, is not in :data:`AU_VOCABULARY`, or there is none.
    """
    code = parse_facs(text)
    foreign = [format_facs([unit]) for unit in code.units if unit.kind or unit.unit not in AU_VOCABULARY]
    remedy = f"write for example 4+7; models know {', '.join(map(str, AU_VOCABULARY))}"
    wrong = [*code.unread, *foreign]
    if wrong:
        raise ConfigError(f"aus {text!r}: {wrong[0]!r} is no action unit that models know; {remedy}")
    if not code.numbers:
        raise ConfigError(f"aus {text!r}: names no action unit; {remedy}")
    return tuple(sorted(code.numbers))
