"""Label schemes: which annotated emotion belongs to which class."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from stag.errors import DatasetError


@dataclass(frozen=True)
class Scheme:
    """One way to turn annotated emotions into classes.

    Attributes:
        name: As typed by the user.
        members: Class name -> the annotated emotions that belong to it, lower case.
        source: Where the scheme comes from.
    """

    name: str
    members: Mapping[str, tuple[str, ...]]
    source: str

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, sorted."""
        return tuple(sorted(self.members))

    def class_of(self, emotion: str) -> str | None:
        """Class of an annotated emotion, or ``None`` where the scheme leaves it out."""
        wanted = emotion.strip().lower()
        for name, emotions in self.members.items():
            if wanted == name or wanted in emotions:
                return name
        return None


SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme(
            "megc3",
            {
                "negative": ("disgust", "repression", "anger", "contempt", "fear", "sadness"),
                "positive": ("happiness",),
                "surprise": (),
            },
            "MEGC 2019 composite database evaluation",
        ),
    )
}


def scheme(name: str) -> Scheme:
    """The label scheme of that name.

    Raises:
        DatasetError: There is no such scheme.
    """
    if name in SCHEMES:
        return SCHEMES[name]
    close = difflib.get_close_matches(name, SCHEMES, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise DatasetError(f"no label scheme {name!r}{hint}; there are {', '.join(SCHEMES)}")
