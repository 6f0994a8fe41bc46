"""Label schemes: the class of each annotated emotion of each data set; nearly all of it is data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from stag.errors import DatasetError
from stag.utils.choices import did_you_mean

Members = Mapping[str, tuple[str, ...]]
"""Class name -> the annotated emotions that belong to it, lower case; joined ones in alphabetical order."""

SETS = ("casme2", "samm", "smic", "dfme", "fourdme", "name")
"""The published data sets."""


_NOUNS = {
    "afraid": "fear", "angry": "anger", "contemptuous": "contempt", "disgusted": "disgust", "fearful": "fear",
    "happy": "happiness", "joy": "happiness", "joyful": "happiness", "repressed": "repression", "sad": "sadness",
    "scared": "fear", "sorrow": "sadness", "surprised": "surprise",
}  # fmt: skip
"""Names that labs write for the annotated emotions."""


@dataclass(frozen=True)
class Scheme:
    """One way to turn annotated emotions into classes.

    Attributes:
        members: Class name -> the annotated emotions that belong to it, as does the class name itself.
        source: Publication of the scheme.
        by_set: Published data set -> its own members; empty for all of them where the general members apply.
        left_out: Data set -> clip id -> why the scheme leaves this clip out.
    """

    name: str
    members: Members
    source: str
    by_set: Mapping[str, Members] = field(default_factory=dict)
    left_out: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, sorted."""
        return tuple(sorted(self.members))

    def class_of(self, emotion: str, dataset: str = "") -> str | None:
        """Return the class of an annotated emotion, or ``None`` where the scheme leaves it out.

        Args:
            emotion: As annotated; ``"Surprise+Positive"`` is looked up as a whole.
            dataset: Data set of the annotation; the general members apply where it has none of its own.
        """
        emotion = joined_name(emotion)
        for name, emotions in self.by_set.get(dataset, self.members).items():
            if emotion == name or emotion in emotions:
                return name
        return None

    def covers(self, dataset: str) -> bool:
        """Whether the scheme is defined for a data set; sets that are not published take its general members."""
        return dataset in self.by_set or dataset not in SETS or not self.by_set

    def within(self, datasets: Iterable[str]) -> Scheme:
        """Return the scheme with only the classes that clips of these sets can have."""
        named = list(dict.fromkeys(datasets))
        members: dict[str, tuple[str, ...]] = {}
        for dataset in named:
            for name, emotions in self.by_set.get(dataset, self.members).items():
                members[name] = tuple(dict.fromkeys((*members.get(name, ()), *emotions)))
        own = {dataset: self.by_set[dataset] for dataset in named if dataset in self.by_set}
        return replace(self, members=members or self.members, by_set=own)


def joined_name(emotion: str) -> str:
    """Return an emotion in lower case by its noun, the parts of a joined one in alphabetical order.

    Example:
        >>> joined_name("Surprise + Positive"), joined_name("Happy")
        ('positive+surprise', 'happiness')
    """
    parts = (part.strip() for part in emotion.casefold().split("+"))
    return "+".join(sorted(_NOUNS.get(part, part) for part in parts))


def _same(*names: str) -> dict[str, tuple[str, ...]]:
    return {name: (name,) for name in names}


_NEGATIVE = ("anger", "contempt", "disgust", "fear", "sadness")
_OTHER = ("other", "others")
_SMIC = _same("negative", "positive", "surprise")
_BASIC3: Members = {"negative": _NEGATIVE, "positive": ("happiness",), "surprise": ("surprise",)}
_DFME5: Members = {**_same("anger", "contempt", "happiness", "surprise"), "others": ("disgust", "fear", "sadness")}
_CASME5: Members = {**_same("disgust", "happiness", "repression", "surprise"), "others": _OTHER}
_NAME5 = _same("anger", "disgust", "happiness", "sadness", "surprise")
_SEVEN = _same(*_NEGATIVE, "happiness", "surprise")

_NOT_IN_MEGC = "MEGC 2019 leaves this clip out"

SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme(
            "megc3",
            {"negative": (*_NEGATIVE, "repression"), "positive": ("happiness",), "surprise": ()},
            "MEGC 2019 composite database evaluation (See et al., FG 2019)",
            {
                "casme2": {**_BASIC3, "negative": ("disgust", "repression")},
                "samm": _BASIC3,
                "smic": _SMIC,
                "dfme": _BASIC3,
                "fourdme": _SMIC,  # assumed; joined emotions and repression are left out
                "name": {**_BASIC3, "negative": ("anger", "disgust", "sadness")},
            },
            {"casme2": {"sub04/EP12_01f": _NOT_IN_MEGC, "sub05/EP09_05f": _NOT_IN_MEGC}},
        ),
        Scheme(
            "paper3",
            {"negative": (*_NEGATIVE, "repression", *_OTHER), "positive": ("happiness",), "surprise": ()},
            "the STAG paper, Table 2, three classes",
            {
                "casme2": {**_BASIC3, "negative": ("disgust", "repression", *_OTHER, "sadness", "fear")},
                "samm": _BASIC3,
                "smic": _SMIC,
                "dfme": _BASIC3,
                # Not published; this reading gives the class counts of Table 2 if joined clips are as many as assumed.
                "fourdme": {
                    "negative": ("negative", "negative+surprise"), "positive": ("positive", "positive+surprise"),
                    "surprise": ("surprise",),
                },
                "name": {**_BASIC3, "negative": ("anger", "disgust", "sadness", *_OTHER)},
            },
        ),
        Scheme(
            "paper5",
            {**_DFME5, "others": (*_DFME5["others"], "repression", *_OTHER)},
            "the STAG paper, Table 2, five classes",
            {
                "casme2": {
                    "negative": ("disgust",), "others": (*_OTHER, "sadness", "fear"), "positive": ("happiness",),
                    "repression": ("repression",), "surprise": ("surprise",),
                },
                "samm": {**_DFME5, "others": (*_OTHER, "disgust", "fear", "sadness")},
                "dfme": _DFME5,
                "fourdme": {  # as for paper3
                    "negative": ("negative", "negative+surprise", "negative+repression"),
                    "others": _OTHER,
                    "positive": ("positive", "positive+surprise", "positive+repression"),
                    "repression": ("repression", "repression+surprise"),
                    "surprise": ("surprise",),
                },
                "name": _NAME5,
            },
        ),
        Scheme(
            "paper6",
            {**_NAME5, "others": (*_OTHER, "contempt", "fear", "repression")},
            "the STAG paper, Table 2, six classes",
            {"name": {**_NAME5, "others": _OTHER}},
        ),
        Scheme("paper7", _SEVEN, "the STAG paper, Table 2, seven classes", {"dfme": _SEVEN}),
        Scheme(
            "common5",
            _CASME5,
            "five classes of most published work on CASME II and SAMM",
            {
                "casme2": _CASME5,
                "samm": {**_DFME5, "others": _OTHER},
            },
        ),
    )
}  # fmt: skip


def scheme(name: str) -> Scheme:
    """Return the label scheme of a name, or raise DatasetError."""
    if name in SCHEMES:
        return SCHEMES[name]
    raise DatasetError(f"no label scheme {name!r}{did_you_mean(name, SCHEMES)}; there are {', '.join(SCHEMES)}")


def covering(dataset: str) -> tuple[str, ...]:
    """Return the names of the schemes that are defined for a data set."""
    return tuple(name for name, one in SCHEMES.items() if one.covers(dataset))
