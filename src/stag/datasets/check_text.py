"""An audit as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from stag.datasets.check import Audit, Comparison
from stag.datasets.readers.result import KINDS

_LINES = 40
_IDS = 6


def audit_lines(found: Audit) -> Iterator[str]:
    """The audit for a terminal: what is there, counts under each scheme, then all that is not as it should be."""
    mark = "simulated " if found.simulated else ""
    where = ", ".join(part for part in (found.layout and f"{found.layout} frames", found.sheet) if part)
    yield f"{mark}{found.dataset}: {found.clips} usable clips of {found.subjects} subjects in {found.root}"
    if where:
        yield f"  {where}"
    if found.emotions:
        yield f"  annotated: {', '.join(f'{name} {count}' for name, count in found.emotions.items())}"
    for comparison in found.comparisons:
        yield from _comparison_lines(comparison)
    yield from _skipped_lines(found)
    yield from _remark_lines(found)
    if found.clips == 0:
        yield "no clip is usable"
    if all(comparison.expected is None for comparison in found.comparisons):
        yield "nothing is published about this set, so there is nothing to compare with"
    elif found.agrees:
        yield f"every published count agrees{' (simulated clips)' if found.simulated else ''}"
    else:
        wrong = sum(not comparison.agrees for comparison in found.comparisons)
        yield f"{wrong} of {len(found.comparisons)} comparisons differ from what is published"


def _comparison_lines(one: Comparison) -> Iterator[str]:
    split = f" {one.split}" if one.split else ""
    verdict = "no published counts" if one.expected is None else "as published" if one.agrees else "DIFFERS"
    yield f"{one.scheme}{split}: {one.clips} clips of {one.subjects} subjects, {verdict}"
    wanted = one.expected or {}
    shown = [
        f"{name} {count}" + (f" (published {wanted[name]})" if wanted.get(name, count) != count else "")
        for name, count in one.counts.items()
    ]
    yield f"  {', '.join(shown)}" + (f"  [{one.source}]" if one.source else "")
    yield from (f"  {text}" for text in one.explanations)
    yield from (f"  note: {text}" for text in one.notes)


def _skipped_lines(found: Audit) -> Iterator[str]:
    if found.skipped:
        yield f"skipped: {len(found.skipped)}"
        yield from (f"  {clip.clip_id}: {clip.kind}, {clip.reason}" for clip in found.skipped[:_LINES])
        yield from _rest(len(found.skipped))


def _remark_lines(found: Audit) -> Iterator[str]:
    """Remarks by kind, equal ones in one line."""
    for kind, title in KINDS.items():
        by_text: dict[str, list[str]] = {}
        for remark in found.remarks:
            if remark.kind == kind:
                by_text.setdefault(remark.text, []).append(remark.clip_id)
        if not by_text:
            continue
        yield f"{title}: {sum(map(len, by_text.values()))}"
        for text, ids in list(by_text.items())[:_LINES]:
            who = ", ".join(ids[:_IDS]) + (f" and {len(ids) - _IDS} more" if len(ids) > _IDS else "")
            yield f"  {who}: {text}" if who else f"  {text}"
        yield from _rest(len(by_text))


def _rest(count: int) -> Iterator[str]:
    if count > _LINES:
        yield f"  and {count - _LINES} more; the JSON file lists all"
