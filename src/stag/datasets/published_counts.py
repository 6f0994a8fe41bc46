"""Published numbers of clips and people of every set, with which an audit compares; nearly all of it is data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stag.datasets.schemes import SCHEMES


@dataclass(frozen=True)
class Edition:
    """Published numbers of one set, edition and split.

    Attributes:
        dataset: Name of the set.
        name: Edition of the annotation.
        split: Empty where there is none.
        subjects: Number of people; ``None`` where it is not published.
        emotions: Emotion -> number of clips; empty where it is not published.
    """

    dataset: str
    name: str
    split: str
    clips: int
    subjects: int | None
    emotions: Mapping[str, int]
    source: str


@dataclass(frozen=True)
class Expected:
    """Published result of a scheme on a set.

    Attributes:
        counts: Class -> number of clips.
        subjects: Number of people; ``None`` where it is not published.
        notes: Known conflicts between publications.
    """

    counts: Mapping[str, int]
    subjects: int | None
    source: str
    notes: tuple[str, ...] = ()

    @property
    def clips(self) -> int:
        """Number of clips."""
        return sum(self.counts.values())


def _casme2(**changes: int) -> dict[str, int]:
    counts = dict(others=99, disgust=63, happiness=32, repression=27, surprise=25, sadness=7, fear=2)
    return {**counts, **changes}


def _dfme(*counts: int) -> dict[str, int]:
    order = ("disgust", "surprise", "sadness", "fear", "happiness", "anger", "contempt")
    return dict(zip(order, counts, strict=True))


_SAMM = dict(anger=57, other=26, happiness=26, surprise=15, contempt=12, disgust=9, fear=8, sadness=6)
_NAME = dict(happiness=15, anger=26, disgust=69, sadness=46, surprise=162, others=188)
_CCAC = "DFME release for CCAC 2024"

EDITIONS: tuple[Edition, ...] = (
    Edition("casme2", "2014", "", 255, 26, _casme2(), "CASME2-coding-20140508"),
    Edition("casme2", "2019", "", 255, 26, _casme2(surprise=28, sadness=4), "CASME2-coding-20190701"),
    Edition("casme2", "2014 with 256 rows", "", 256, 26, _casme2(disgust=64), "a copy in circulation"),
    Edition("samm", "v2", "", 159, 29, _SAMM, "SAMM_Micro_FACS_Codes_v2"),
    Edition("smic", "", "", 164, 16, dict(negative=70, positive=51, surprise=43), "Li et al., FG 2013"),
    Edition("dfme", "CCAC 2024", "train", 1856, 176, _dfme(548, 298, 278, 265, 206, 161, 100), _CCAC),
    Edition("dfme", "CCAC 2024", "test_a", 474, 42, _dfme(129, 101, 46, 62, 63, 39, 34), _CCAC),
    Edition("dfme", "CCAC 2024", "test_b", 299, 41, _dfme(58, 48, 35, 38, 42, 41, 37), _CCAC),
    Edition("fourdme", "v1", "", 267, None, {}, "4DME_Labelling_Micro_release v1"),
    Edition("name", "", "", 506, None, _NAME, "the STAG paper, Table 2"),
)
"""The published class counts of a set mean its first edition."""

_TABLE_2 = "the STAG paper, Table 2"
_MEGC = "MEGC 2019"

PUBLISHED: Mapping[tuple[str, str, str], tuple[Mapping[str, int], int | None, str]] = {
    ("megc3", "casme2", ""): (dict(positive=32, negative=88, surprise=25), 24, _MEGC),
    ("megc3", "samm", ""): (dict(positive=26, negative=92, surprise=15), 28, _MEGC),
    ("megc3", "smic", ""): (dict(positive=51, negative=70, surprise=43), 16, _MEGC),
    ("paper3", "casme2", ""): (dict(positive=32, negative=198, surprise=25), None, _TABLE_2),
    ("paper3", "samm", ""): (dict(positive=26, negative=92, surprise=15), 28, _TABLE_2),
    ("paper3", "smic", ""): (dict(positive=51, negative=70, surprise=43), None, _TABLE_2),
    ("paper3", "dfme", "test_a"): (dict(positive=63, negative=310, surprise=101), None, _TABLE_2),
    ("paper3", "fourdme", ""): (dict(positive=48, negative=138, surprise=29), None, _TABLE_2),
    ("paper3", "name", ""): (dict(positive=15, negative=329, surprise=162), None, _TABLE_2),
    ("paper5", "casme2", ""): (
        dict(positive=32, surprise=25, negative=63, repression=27, others=108), None, _TABLE_2,
    ),
    ("paper5", "samm", ""): (dict(anger=57, happiness=26, contempt=12, surprise=15, others=49), None, _TABLE_2),
    ("paper5", "dfme", "test_a"): (
        dict(anger=39, contempt=34, happiness=63, surprise=101, others=237), None, _TABLE_2,
    ),
    ("paper5", "fourdme", ""): (
        dict(positive=56, negative=142, surprise=29, repression=9, others=31), None, _TABLE_2,
    ),
    ("paper5", "name", ""): (dict(happiness=15, anger=26, disgust=69, sadness=46, surprise=162), None, _TABLE_2),
    ("paper6", "name", ""): (_NAME, None, _TABLE_2),
    ("paper7", "dfme", "test_a"): (_dfme(129, 101, 46, 62, 63, 39, 34), None, _TABLE_2),
    ("common5", "samm", ""): (
        dict(anger=57, contempt=12, happiness=26, surprise=15, others=26), None, "published work on SAMM",
    ),
}  # fmt: skip
"""(scheme, set, split) -> published class counts of the first edition, people, source."""

COMPOSITE_MEGC3 = Expected(dict(positive=109, negative=250, surprise=83), 68, _MEGC)
"""CASME II, SAMM and SMIC-HS together."""

NOTES: Mapping[tuple[str, str], str] = {
    ("paper3", "casme2"): "Table 2 counts others as negative; MEGC 2019 leaves them out",
    ("paper5", "casme2"): "Table 2 swaps two names: it gives others 27 and repression 108",
    ("paper3", "dfme"): "Table 2 calls these 474 clips DFME; they are exactly its test_a",
    ("paper5", "dfme"): "Table 2 calls these 474 clips DFME; they are exactly its test_a",
    ("paper7", "dfme"): "Table 2 calls these 474 clips DFME; they are exactly its test_a",
    ("paper3", "fourdme"): "how joined emotions are reduced is not published; Table 2 has 215 clips, Table 6 has 216",
    ("paper5", "fourdme"): "how joined emotions are reduced is not published; Table 2 has 267 clips, Table 7 fewer",
    ("paper5", "name"): "Table 2 names the 188 others and leaves them out",
}
"""(scheme, set) -> known conflict."""


def editions(dataset: str, split: str = "") -> list[Edition]:
    """Return the editions of a set and split with published numbers, the usual one first."""
    return [edition for edition in EDITIONS if (edition.dataset, edition.split) == (dataset, split)]


def expected(scheme: str, edition: Edition) -> Expected | None:
    """Return the counts of a scheme on an edition, or ``None`` where nothing is published.

    These are the published class counts if they mean this edition; else they follow from its published emotions and
    the members of the scheme.
    """
    note = NOTES.get((scheme, edition.dataset))
    published = PUBLISHED.get((scheme, edition.dataset, edition.split))
    if published is not None and edition == editions(edition.dataset, edition.split)[0]:
        counts, subjects, source = published
    else:
        derived = derived_counts(scheme, edition)
        if derived is None:
            return None
        counts, subjects, source = derived, None, f"follows from {edition.source}"
    if subjects is None and sum(counts.values()) == edition.clips:  # every clip is used, so every person is
        subjects = edition.subjects
    return Expected(counts, subjects, source, (note,) if note and published else ())


def derived_counts(scheme: str, edition: Edition) -> dict[str, int] | None:
    """Return the class counts that follow from the published emotions; ``None`` where those are not published."""
    if not edition.emotions:
        return None
    chosen = SCHEMES[scheme]
    counts = dict.fromkeys(chosen.within([edition.dataset]).classes, 0)
    for emotion, count in edition.emotions.items():
        name = chosen.class_of(emotion, edition.dataset)
        if name is not None:
            counts[name] += count
    # Both clips that MEGC 2019 leaves out are negative there.
    if chosen.left_out.get(edition.dataset):
        counts["negative"] -= len(chosen.left_out[edition.dataset])
    return counts
