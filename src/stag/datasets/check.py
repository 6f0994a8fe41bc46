"""Is everything there? A data set on disk against what is published about it, and every difference in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stag.datasets.clips import judge, load_set
from stag.datasets.published_counts import EDITIONS, Edition, Expected, editions, expected
from stag.datasets.readers.result import Loaded, Options, Remark, Skipped
from stag.datasets.readers.tree import unreadable
from stag.datasets.schemes import SCHEMES, SETS, Scheme, covering, joined_name, scheme
from stag.errors import DatasetError
from stag.types import Clip

_SHOWN = 4


@dataclass(frozen=True)
class Comparison:
    """Counts under one scheme, in one split, beside what is published.

    Attributes:
        scheme: Name of the scheme.
        dataset: Name of the set.
        split: Split; empty where there is none.
        counts: Class -> number of usable clips.
        subjects: Number of their people.
        expected: Published class counts; ``None`` where nothing is published.
        expected_subjects: Published number of people; ``None`` where it is not published.
        source: Where the published numbers come from.
        explanations: Every difference, and what the scheme leaves out, in words.
        notes: Known conflicts in what is published.
    """

    scheme: str
    dataset: str
    split: str
    counts: Mapping[str, int]
    subjects: int
    expected: Mapping[str, int] | None
    expected_subjects: int | None
    source: str
    explanations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def clips(self) -> int:
        """Number of usable clips."""
        return sum(self.counts.values())

    @property
    def agrees(self) -> bool:
        """Whether nothing contradicts what is published."""
        same = self.expected is None or dict(self.expected) == dict(self.counts)
        return same and self.expected_subjects in (None, self.subjects)


@dataclass(frozen=True)
class Audit:
    """What is in a data set, and how it compares.

    Attributes:
        dataset: Name of the set.
        root: Folder that was looked at.
        simulated: Whether the simulator made it.
        sheet: Annotation sheet; empty where there is none.
        layout: ``"raw"``, ``"cropped"`` or empty.
        edition: Published edition that it is compared with; empty where none is published.
        clips: Number of usable clips.
        subjects: Number of their people.
        emotions: Annotated emotion -> number of rows.
        skipped: Every clip that cannot be used.
        remarks: Everything else to be known.
        comparisons: One for each scheme and split.
    """

    dataset: str
    root: str
    simulated: bool
    sheet: str
    layout: str
    edition: str
    clips: int
    subjects: int
    emotions: Mapping[str, int]
    skipped: tuple[Skipped, ...]
    remarks: tuple[Remark, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def agrees(self) -> bool:
        """Whether every count is as published."""
        return all(comparison.agrees for comparison in self.comparisons)

    def as_dict(self) -> dict[str, Any]:
        """The audit as JSON-ready values."""
        result = asdict(self)
        for entry, comparison in zip(result["comparisons"], self.comparisons, strict=True):
            entry |= {"clips": comparison.clips, "agrees": comparison.agrees}
        return {**result, "agrees": self.agrees}


def audit(
    name: str,
    root: str | Path,
    scheme_name: str | None = None,
    options: Options | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Audit:
    """Audit a data set on disk: rows, folders, key frames, the head of every image, and counts under every scheme.

    Args:
        name: Data set.
        root: Folder that holds it.
        scheme_name: One scheme; every scheme that covers the set where omitted.
        options: Which copy is read, and how.
        progress: Called with (clips looked at, clips in all).

    Raises:
        DatasetError: The set cannot be read at all, or the scheme is unknown or does not cover it.

    Example:
        >>> audit("casme2", "CASME2", "megc3").agrees  # doctest: +SKIP
        True
    """
    options = options or Options()
    if scheme_name is not None and not scheme(scheme_name).covers(name):
        raise DatasetError(f"{scheme_name} is not defined for {name}; there are {', '.join(covering(name))}")
    loaded = _with_images(load_set(name, root, options), progress)
    rows: list[Clip | Skipped] = [
        *loaded.clips,
        *(clip for clip in loaded.skipped if clip.kind != "duplicate" and clip.emotion),
    ]
    emotions = Counter(row.emotion for row in rows)
    names = [scheme_name] if scheme_name else covering(name)
    held = [*(clip.dataset for clip in loaded.clips), *(clip.dataset for clip in loaded.skipped if clip.dataset)]
    own = list(dict.fromkeys(held)) or [name]
    comparisons, edition = [], ""
    for dataset in own if name == "manifest" else [name]:
        part = _part(loaded, dataset) if name == "manifest" else loaded
        splits = _splits(
            dataset, [*(clip.split for clip in part.clips), *(clip.split for clip in part.skipped)], options
        )
        for split in splits:
            published = _edition(dataset, split, part, loaded.edition)
            edition = edition or (published.name if published else "")
            comparisons += [
                _compare(SCHEMES[one], dataset, split, part, published, options)
                for one in names
                if SCHEMES[one].covers(dataset)
            ]
    remarks = (*_edition_remark(loaded, edition), *loaded.remarks, *_unknown(loaded, own), *_joined(loaded))
    order = [one for scheme_of in names for one in comparisons if one.scheme == scheme_of]
    return Audit(
        name, str(root), loaded.simulated, str(loaded.sheet or ""), loaded.layout, edition, len(loaded.clips),
        len({(clip.dataset, clip.subject) for clip in loaded.clips}), dict(emotions.most_common()), loaded.skipped,
        remarks, tuple(order),
    )  # fmt: skip


def _with_images(loaded: Loaded, progress: Callable[[int, int], None] | None) -> Loaded:
    """The set without clips of which an image cannot be read."""
    usable, skipped = [], list(loaded.skipped)
    for done, clip in enumerate(loaded.clips, start=1):
        bad = list(unreadable(clip))
        if bad:
            more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            reason = f"image {bad[0][0]} {bad[0][1]}{more}"
            about = (clip.emotion, clip.subject, clip.split, clip.dataset)
            skipped.append(Skipped(clip.clip_id, "image unreadable", reason, *about))
        else:
            usable.append(clip)
        if progress is not None:
            progress(done, len(loaded.clips))
    return replace(loaded, clips=tuple(usable), skipped=tuple(skipped))


def _rows(loaded: Loaded, split: str) -> list[tuple[str, str, str, Skipped | None]]:
    """(clip id, emotion, subject, why skipped) of every annotated clip of a split, repeated rows once."""
    rows: list[tuple[str, str, str, Skipped | None]] = [
        (clip.clip_id, clip.emotion, clip.subject, None) for clip in loaded.clips if clip.split == split
    ]
    lost = [clip for clip in loaded.skipped if clip.split == split and clip.kind != "duplicate" and clip.emotion]
    return rows + [(clip.clip_id, clip.emotion, clip.subject, clip) for clip in lost]


def _part(loaded: Loaded, dataset: str) -> Loaded:
    """What a manifest holds of one set."""
    clips = tuple(clip for clip in loaded.clips if clip.dataset == dataset)
    return replace(loaded, clips=clips, skipped=tuple(clip for clip in loaded.skipped if clip.dataset == dataset))


def _splits(dataset: str, found: Iterable[str], options: Options) -> list[str]:
    """Published splits, whether there or not, and whatever else was found; one alone where it was asked for."""
    if options.split is not None:
        return [options.split]
    published = [edition.split for edition in EDITIONS if edition.dataset == dataset]
    return list(dict.fromkeys([*published, *found])) or [""]


def _edition(dataset: str, split: str, loaded: Loaded, read: str) -> Edition | None:
    """The published edition with just these emotions; else the one whose sheet was read; else the first."""
    known = editions(dataset, split)
    found = Counter(emotion for _, emotion, _, _ in _rows(loaded, split))
    exact = [edition for edition in known if dict(found) == dict(edition.emotions)]
    same = [edition for edition in known if edition.name == read]
    return next(iter([*exact, *same, *known]), None)


def _edition_remark(loaded: Loaded, edition: str) -> list[Remark]:
    if not edition or not loaded.edition or edition == loaded.edition:
        return []
    return [Remark("sheet", f"emotions are counted as in the edition {edition}, though the sheet is {loaded.edition}")]


def _compare(
    labels: Scheme, dataset: str, split: str, loaded: Loaded, published: Edition | None, options: Options
) -> Comparison:
    counts = dict.fromkeys(labels.within([dataset]).classes, 0)
    people, outside = set(), Counter[str]()
    left_out: list[str] = []
    lost: dict[str, list[Skipped]] = {}
    annotated = Counter[str]()
    for clip_id, emotion, subject, skipped in _rows(loaded, split):
        name, why = judge(emotion, dataset, clip_id, labels, options.joined)
        if name is None:
            if clip_id in labels.left_out.get(dataset, {}):
                left_out.append(f"{clip_id} ({why})")
            else:
                outside[joined_name(emotion)] += 1
            continue
        annotated[name] += 1
        if skipped is None:
            counts[name] += 1
            people.add(subject)
        else:
            lost.setdefault(name, []).append(skipped)
    wanted = expected(labels.name, published) if published else None
    said = [*_outside(labels.name, outside, left_out)]
    if wanted is not None:
        said += _differences(counts, annotated, lost, wanted)
        if wanted.subjects not in (None, len(people)):
            said.append(_people(len(people), wanted.subjects, loaded, split, people))
    return Comparison(
        labels.name, dataset, split, counts, len(people), wanted.counts if wanted else None,
        wanted.subjects if wanted else None, wanted.source if wanted else "", tuple(said),
        wanted.notes if wanted else (),
    )  # fmt: skip


def _outside(name: str, outside: Counter[str], left_out: Sequence[str]) -> list[str]:
    said = []
    if outside:
        listed = ", ".join(f"{emotion} {count}" for emotion, count in outside.most_common())
        verb = "is" if outside.total() == 1 else "are"
        said.append(f"{outside.total()} {_clips(outside.total())} {verb} not part of {name}: {listed}")
    if left_out:
        said.append(f"left out by {name}: {', '.join(left_out)}")
    return said


def _differences(
    counts: Mapping[str, int], annotated: Mapping[str, int], lost: Mapping[str, list[Skipped]], wanted: Expected
) -> list[str]:
    """A sentence for each class whose count is not as published."""
    said = []
    for name in sorted({*counts, *wanted.counts}):
        have, should = counts.get(name, 0), wanted.counts.get(name, 0)
        if have == should:
            continue
        reasons = []
        by_kind: dict[str, list[Skipped]] = {}
        for clip in lost.get(name, ()):
            by_kind.setdefault(clip.kind, []).append(clip)
        for kind, clips in by_kind.items():
            reasons.append(
                f"{len(clips)} {_clips(len(clips))} skipped: {kind} ({_ids(clip.clip_id for clip in clips)})"
            )
        rows = annotated.get(name, 0)
        if rows != should:
            way = "fewer" if rows < should else "more"
            reasons.append(f"{abs(rows - should)} {_clips(abs(rows - should))} {way} annotated than published")
        said.append(f"{name} {have} instead of {should}: {'; '.join(reasons)}")
    return said


def _people(have: int, should: int | None, loaded: Loaded, split: str, people: Iterable[str]) -> str:
    without = sorted({clip.subject for clip in loaded.skipped if clip.split == split and clip.subject} - set(people))
    why = f"; no usable clip of {_ids(without)}" if without else ""
    return f"{have} subjects instead of {should}{why}"


def _unknown(loaded: Loaded, datasets: Sequence[str]) -> list[Remark]:
    """Emotions that neither a published list nor a scheme knows: most often a slip of the pen."""
    known = {emotion for one in SCHEMES.values() for name, some in one.members.items() for emotion in (name, *some)}
    for dataset in datasets:
        known |= {emotion for edition in editions(dataset) for emotion in edition.emotions}
        if dataset in SETS:
            own = [one.by_set[dataset] for one in SCHEMES.values() if dataset in one.by_set]
            known |= {emotion for members in own for some in members.values() for emotion in some}
    return [
        Remark("emotion", f"{clip.emotion!r} is not known; correct the spelling, or it stays out", clip.clip_id)
        for clip in loaded.clips
        if not known.issuperset(joined_name(clip.emotion).split("+"))
    ]


def _joined(loaded: Loaded) -> list[Remark]:
    count = Counter(joined_name(clip.emotion) for clip in loaded.clips if "+" in clip.emotion)
    if not count:
        return []
    listed = ", ".join(f"{emotion} {number}" for emotion, number in count.most_common())
    return [Remark("joined", f"{listed}; `joined=skip` or `joined=first` changes what the schemes make of them")]


def _clips(count: int) -> str:
    return "clip" if count == 1 else "clips"


def _ids(ids: Iterable[str]) -> str:
    listed = list(ids)
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")
