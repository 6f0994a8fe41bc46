"""Facial Action Coding System: the AU vocabulary, the AU-string parser, and the AU to region map."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
_LIDS, _NOSE_AND_LIP, _NOSE = (16, 17), (11, 14, 15), (14, 15)
_CORNERS, _LIPS = (8, 9, 10), (8, 11, 12, 13)

AU_REGIONS: dict[int, tuple[int, ...]] = {
    1: _INNER_BROWS, 2: _OUTER_BROWS, 4: _BROWS, 5: _LIDS, 6: _LIDS, 7: _LIDS, 9: _NOSE_AND_LIP, 10: _NOSE_AND_LIP,
    12: _CORNERS, 14: _CORNERS, 15: _CORNERS, 16: _LIPS, 17: _LIPS, 18: _LIPS, 20: _CORNERS, 23: _LIPS, 24: _LIPS,
    25: _LIPS, 26: _LIPS, 28: _LIPS, 38: _NOSE, 39: _NOSE, 43: _LIDS, 45: _LIDS,
}  # fmt: skip
"""Anatomical map from action unit to the ids of the 18 motion channels that it moves (METHOD 2.3)."""


@dataclass(frozen=True)
class CodedUnit:
    """One action unit of a FACS string.

    Attributes:
        unit: Number of the action unit.
        side: ``"L"``, ``"R"``, ``"T"`` (top), ``"B"`` (bottom) or ``""`` for both sides.
        intensity: ``"A"`` (trace) to ``"E"`` (maximum), or ``""`` where not coded.
        uncertain: Whether the coder marked it with ``?``.
    """

    unit: int
    side: str = ""
    intensity: str = ""
    uncertain: bool = False


@dataclass(frozen=True)
class FacsCode:
    """A parsed FACS string: the units, and what could not be read."""

    units: tuple[CodedUnit, ...]
    unread: tuple[str, ...] = ()

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of all coded units."""
        return frozenset(u.unit for u in self.units)


_UNIT = re.compile(r"^(?:AU|AD|M)?([LRTBU]?)(\d{1,2})([A-E]?)(\??)$", re.IGNORECASE)


def parse_facs(text: object) -> FacsCode:
    """Read an AU string such as ``"R4+L10B"``; never raises.

    Args:
        text: A spreadsheet cell: text, a bare number, or nothing.

    Returns:
        The units in order of appearance; pieces that are no unit are kept in ``unread``.

    Example:
        >>> sorted(parse_facs("4+7+L10").numbers)
        [4, 7, 10]
    """
    if text is None or text != text:  # NaN differs from itself
        return FacsCode(())
    if isinstance(text, float) and text.is_integer():
        text = int(text)
    units: list[CodedUnit] = []
    unread: list[str] = []
    for piece in re.split(r"[+,;&\s]+", str(text).strip()):
        if not piece:
            continue
        match = _UNIT.match(piece)
        if match is None:
            unread.append(piece)
            continue
        side, number, intensity, doubt = match.groups()
        units.append(CodedUnit(int(number), side.upper(), intensity.upper(), bool(doubt)))
    return FacsCode(tuple(units), tuple(unread))


def au_vector(numbers: frozenset[int] | set[int]) -> list[float]:
    """Binary vector over :data:`AU_VOCABULARY`, length ``A``; units outside the vocabulary are dropped."""
    return [1.0 if au in numbers else 0.0 for au in AU_VOCABULARY]
