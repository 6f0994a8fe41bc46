"""Plan a fabricated tree (people, clips, emotions in published numbers), and define what each data set provides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stag.errors import ConfigError
from stag.facs import CodedUnit
from stag.simulate.actions import one_sided_share
from stag.simulate.emotions import EMOTION_CLIPS, draw_units, unit_odds
from stag.simulate.render import ClipTruth

_TALKATIVE = 1.5  # assumed; shape of the gamma by which some people have many more clips than others
_SPELLINGS = {"other": "others", "positive": "happiness"}
_NEGATIVE = ("disgust", "repression", "anger", "contempt", "fear", "sadness")


@dataclass(frozen=True)
class PlannedClip:
    """One clip of a tree, before anything is drawn.

    Attributes:
        subject: Person, as the set spells it; so are ``name`` and ``emotion``.
        part: Split of the set, if any.
        digits: Width to which frame numbers are padded with zeros.
        quirks: Faults of this clip, on disk or in the sheet.
        position: Place in the plan of the whole set; it seeds everything that is drawn for the clip.
        person: Number of the person in the whole set.
    """

    subject: str
    name: str
    emotion: str
    fps: float
    part: str = ""
    digits: int = 0
    quirks: frozenset[str] = frozenset()
    position: int = 0
    person: int = 0

    @property
    def key(self) -> str:
        """Id of the clip in ``truth.npz`` and ``simulation.json``."""
        return f"{self.subject}/{self.name}"


def allot(
    counts: Mapping[str, int],
    subjects: Sequence[str],
    generator: np.random.Generator,
    *,
    reserved: Sequence[tuple[str, str]] = (),
    closed: Collection[str] = (),
    first: Collection[str] = (),
) -> list[tuple[str, str]]:
    """Distribute the clips of a set over its people: every count is met, everybody has a clip, some have many.

    Args:
        counts: Emotion -> number of clips.
        subjects: The people, in order.
        generator: Source of randomness.
        reserved: ``(subject, emotion)`` of fixed clips.
        closed: People with no clips but the reserved ones.
        first: Everybody else gets a clip of one of these emotions; of any emotion where empty.

    Returns:
        ``(subject, emotion)`` of every clip, by subject, with reserved clips first.
    """
    left = dict(counts)
    for _, emotion in reserved:
        left[emotion] -= 1
    pool = [emotion for emotion, count in left.items() for _ in range(count)]
    pool = [pool[i] for i in generator.permutation(len(pool))]
    takers = [subject for subject in subjects if subject not in closed]
    dealt = list(reserved)
    for subject in takers:
        place = next(i for i, emotion in enumerate(pool) if not first or emotion in first)
        dealt.append((subject, pool.pop(place)))
    weight = generator.gamma(_TALKATIVE, size=len(takers))
    who = generator.choice(len(takers), size=len(pool), p=weight / weight.sum())
    dealt += [(takers[i], emotion) for i, emotion in zip(who, pool, strict=True)]
    order = {subject: i for i, subject in enumerate(subjects)}
    return sorted(dealt, key=lambda clip: order[clip[0]])


def mark(
    clips: list[PlannedClip], quirk: str, count: int, generator: np.random.Generator, among: Collection[str] = ()
) -> None:
    """Give a quirk to ``count`` clips without any, in place; if ``among`` is given, to clips of these emotions."""
    free = [i for i, clip in enumerate(clips) if not clip.quirks and (not among or clip.emotion in among)]
    for i in generator.choice(free, size=count, replace=False):
        clips[i] = replace(clips[i], quirks=frozenset({quirk}))


def choose(plan: Sequence[PlannedClip], subjects: int | None, clips: int | None) -> list[PlannedClip]:
    """Number all clips and people; return at most ``clips`` clips of the first ``subjects`` people of each split.

    Odd clips come first, then the emotions in turn, to keep a small tree varied.
    """
    people: dict[str, int] = {}
    plan = [
        replace(clip, position=i, person=people.setdefault(clip.subject, len(people))) for i, clip in enumerate(plan)
    ]
    of_split: dict[str, dict[int, list[PlannedClip]]] = {}
    for clip in plan:
        of_split.setdefault(clip.part, {}).setdefault(clip.person, []).append(clip)
    kept = [own for split in of_split.values() for own in list(split.values())[:subjects]]
    return sorted((clip for own in kept for clip in _varied(own)[:clips]), key=lambda clip: clip.position)


def _varied(clips: Sequence[PlannedClip]) -> list[PlannedClip]:
    turn: Counter[str] = Counter()
    rounds = {}
    for clip in sorted(clips, key=lambda clip: not clip.quirks):
        turn[clip.emotion] += 1
        rounds[clip.position] = turn[clip.emotion]
    return sorted(clips, key=lambda clip: (not clip.quirks, rounds[clip.position], clip.position))


def simulated_emotion(emotion: str, generator: np.random.Generator) -> str:
    """Return the emotion of the simulator for a label of a set; ``Surprise+Positive`` is ``surprise+happiness``."""
    names = []
    for label in emotion.lower().split("+"):
        name = _SPELLINGS.get(label, label)
        if name == "negative":
            odds = np.array([EMOTION_CLIPS[member] for member in _NEGATIVE], dtype=np.float64)
            name = str(generator.choice(_NEGATIVE, p=odds / odds.sum()))
        names.append(name)
    return "+".join(names)


def draw_codes(emotion: str, generator: np.random.Generator) -> tuple[CodedUnit, ...]:
    """Draw the coded action units of a clip that is not rendered."""
    units = {unit for part in emotion.split("+") for unit in draw_units(unit_odds(part, None), generator)}
    side = "L" if generator.random() < 0.5 else "R"
    return tuple(CodedUnit(unit, side if generator.random() < one_sided_share(unit) else "") for unit in sorted(units))


@dataclass(frozen=True)
class WrittenClip:
    """A clip whose frames are on disk.

    Attributes:
        first: Number of its first frame, as in the file names.
        n_frames: Number of frames from the first to the last, with missing ones.
        onset: True onset, numbered as in the file names; so are ``apex`` and ``offset``.
        missing: Positions from the first frame that are not on disk.
        strength_px: Peak displacement in crop pixels; nan for a tiny clip.
        truth: True motion of each frame; ``None`` for a tiny clip.
    """

    clip: PlannedClip
    first: int
    n_frames: int
    onset: int
    apex: int
    offset: int
    units: tuple[CodedUnit, ...]
    missing: frozenset[int] = frozenset()
    strength_px: float = float("nan")
    truth: ClipTruth | None = None


class Shape(ABC):
    """The layout of one public data set; ``variants`` select other copies in circulation.

    Attributes:
        image_size: Width and height of a frame as published.
        inter_ocular_px: Smallest and largest distance between the inner eye corners in such a frame. # assumed
        frame_path: Path of a frame below the root, from ``clip`` and ``number``.
        cropped_path: Path in the variant ``cropped``, if there is one; so is ``cropped_size``.
        colour: Whether images have three channels.
        with_lead: Whether a folder contains frames before the onset and after the offset.

    Raises:
        ConfigError: There is no such variant.
    """

    name: str
    known_variants: tuple[str, ...] = ()
    image_size: tuple[int, int]
    inter_ocular_px: tuple[float, float]
    frame_path: str
    cropped_path: str
    cropped_size: tuple[int, int]
    colour: bool = False
    with_lead: bool = False

    def __init__(self, variants: Collection[str] = ()) -> None:
        unknown = sorted(set(variants) - set(self.known_variants))
        if unknown:
            known = ", ".join(self.known_variants)
            raise ConfigError(f"{self.name} has no variant {unknown[0]!r}; there are {known}")
        self.variants = frozenset(variants)
        if "cropped" in self.variants:
            self.frame_path, self.image_size = self.cropped_path, self.cropped_size

    @abstractmethod
    def plan(self, generator: np.random.Generator) -> list[PlannedClip]:
        """Return all clips of the set in published numbers, in the order of its sheet."""

    def first_number(self, clip: PlannedClip, n_frames: int, generator: np.random.Generator) -> int:
        """Draw the number of the first frame; half of the clips cross 100, where sorting as text fails."""
        if generator.random() < 0.5:
            return 100 - int(generator.integers(1, min(n_frames, 99)))
        return int(generator.integers(1, 400))

    def missing(self, clip: PlannedClip, n_frames: int) -> frozenset[int]:
        """Return the positions of frames that are missing on disk."""
        return frozenset()

    def annotate(self, root: Path, clips: Sequence[WrittenClip], generator: np.random.Generator) -> None:
        """Write the annotation of the set, if folders are not the annotation."""
        return
