"""Repairs of known mistakes in annotation sheets: data beside the adapters, applied only where the mistake is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from stag.utils.cells import frame_number

IMPOSSIBLE = "(no frame of the clip)"
"""Old value of a repair that holds wherever the sheet names no frame that is on disk."""


@dataclass(frozen=True)
class Repair:
    """One known mistake.

    Attributes:
        clip_id: The clip.
        field: ``onset``, ``apex`` or ``offset``.
        old: The wrong text, or :data:`IMPOSSIBLE`.
        new: The right text.
        why: How the mistake is known.
    """

    clip_id: str
    field: str
    old: str
    new: str
    why: str


def repaired(
    clip_id: str, values: Mapping[str, str], numbers: Collection[int], repairs: Iterable[Repair]
) -> tuple[dict[str, str], list[str]]:
    """The values of a clip after its repairs, and a sentence about each repair that was applied.

    A repair is passed over where the sheet says something else than the old value, or where the frame that it names
    is not on disk.
    """
    result, said = dict(values), []
    for repair in repairs:
        if repair.clip_id != clip_id or int(repair.new) not in numbers:
            continue
        old = result[repair.field]
        wrong = frame_number(old) not in numbers if repair.old == IMPOSSIBLE else old == repair.old
        if wrong:
            result[repair.field] = repair.new
            said.append(f"{repair.field} {old or 'blank'!r} -> {repair.new}: {repair.why}")
    return result, said
