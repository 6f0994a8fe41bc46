"""Find names that look alike: subject ids that may be one person, and classes with two spellings.

Nothing is joined here. Only the user knows whether ``1`` and ``S01`` are one person; if they are, leave-one-subject-out
trains and tests on the same person.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from stag.utils.cells import number, text

_PERSON = {
    **dict.fromkeys(("s", "sub", "subj", "subject"), "subject"),
    **dict.fromkeys(("p", "pp", "part", "participant", "person"), "participant"),
    **dict.fromkeys(("id", "no", "nr"), "number"),
}  # word before the number of a person -> its kind
_PARTS = re.compile(r"^-(?=\d)|\d+|[^\W\d_]+")  # the sign of a number is a part of it
_SHOWN = 3

Parts = tuple[str, ...]


def alike_names(names: Iterable[str]) -> list[list[str]]:
    """Return groups of names that differ only in letter case, blanks, punctuation, leading zeros or ``.0``.

    Example:
        >>> alike_names(["Negative", "positive", "negative", "0", "0.0"])
        [['Negative', 'negative'], ['0', '0.0']]
    """
    groups: dict[Parts, set[str]] = {}
    for name in names:
        groups.setdefault(_parts(name), set()).add(name)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def alike_people(subjects: Iterable[str]) -> list[list[str]]:
    """Return groups of subject ids of one data set that look like one person.

    Ids are compared as in :func:`alike_names`, and a bare number is like the number after a word for a person, unless
    several words come before it: ``S01`` and ``P01`` are two people.

    Example:
        >>> alike_people(["1", "01", "S01", "sub-1", "2", "A2", "11"])
        [['01', '1', 'S01', 'sub-1']]
    """
    groups: dict[Parts, dict[str, set[str]]] = {}
    for subject in subjects:
        parts = _parts(subject)
        kind = _PERSON.get(parts[0], "") if len(parts) > 1 else ""
        groups.setdefault(parts[1:] if kind else parts, {}).setdefault(kind, set()).add(subject)
    people: list[set[str]] = []
    for by_kind in groups.values():
        one_person = "" in by_kind and len(by_kind) == 2
        people += [set().union(*by_kind.values())] if one_person else by_kind.values()
    return [sorted(group) for group in people if len(group) > 1]


def people_warnings(people: Iterable[tuple[str, str]]) -> list[str]:
    """Return a sentence for each data set in which subject ids look alike, from ``(data set, subject)`` pairs."""
    by_set: dict[str, list[str]] = {}
    for dataset, subject in dict.fromkeys(people):
        by_set.setdefault(str(dataset), []).append(str(subject))
    warnings = []
    for dataset, subjects in by_set.items():
        groups = alike_people(subjects)
        if groups:
            listed = "; ".join(" = ".join(map(repr, group)) for group in groups[:_SHOWN])
            more = f"; and {len(groups) - _SHOWN} more" if len(groups) > _SHOWN else ""
            warnings.append(
                f"{sum(map(len, groups))} subject ids{f' of {dataset}' if dataset else ''} look like "
                f"{len(groups)} {'person' if len(groups) == 1 else 'people'} ({listed}{more}); if so, one person is "
                "trained and tested on: write one id for each person as subject"
            )
    return warnings


def class_warnings(classes: Iterable[str]) -> list[str]:
    """Return a sentence for each group of classes that look alike, and one where numbers are mixed with names."""
    names = list(classes)
    warnings = [
        f"classes {' and '.join(map(repr, group))} look like one and count as {len(group)}; spell them alike"
        for group in alike_names(names)
    ]
    numbers = [name for name in names if number(name) is not None]
    words = [name for name in names if number(name) is None]
    if numbers and words:
        warnings.append(f"class {numbers[0]!r} is a number and {words[0]!r} a name; write all classes in one way")
    return warnings


def _parts(name: str) -> Parts:
    """Return the numbers and words of a name, for comparison."""
    plain = unicodedata.normalize("NFKC", text(name) or name).casefold()
    parts = tuple((part.lstrip("0") or "0") if part.isdecimal() else part for part in _PARTS.findall(plain))
    return parts or (plain,)
