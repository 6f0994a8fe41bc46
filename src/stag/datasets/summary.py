"""What a motion file holds, counted: clips of each class, and of each kind of remark."""

from __future__ import annotations

import re
from collections import Counter

from stag.motion_set import MotionSet

_NUMBER = re.compile(r"\d+(\.\d+)?")


def summary(motion: MotionSet) -> list[tuple[str, list[tuple[str, int]]]]:
    """``(what, [(name, number of clips)])``: classes by name where there is a scheme, flags from the commonest.

    Example:
        >>> summary(motion)  # doctest: +SKIP
        [('classes', [('negative', 88), ('positive', 32)]), ('flags', [('apex estimated', 3)])]
    """
    found: list[tuple[str, list[tuple[str, int]]]] = []
    if motion.meta.get("scheme"):
        labels = Counter(str(label) for label in motion.label)
        found.append(("classes", [(name, labels[name]) for name in motion.classes]))
    flags = Counter(kind for text in motion.flags for kind in {flag_kind(flag) for flag in str(text).split("; ")})
    del flags[""]
    if flags:
        found.append(("flags", sorted(flags.items(), key=lambda item: (-item[1], item[0]))))
    return found


def flag_kind(flag: str) -> str:
    """A flag without its particulars, so that equal kinds can be counted.

    Example:
        >>> flag_kind("interpolated from 12 frames"), flag_kind("outside the picture: left cheek, chin")
        ('interpolated from N frames', 'outside the picture')
    """
    return _NUMBER.sub("N", flag.split(":")[0]).strip()
