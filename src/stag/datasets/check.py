"""Compare a data set on disk with its published counts, and explain every difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stag.datasets.clips import clip_class, load_set
from stag.datasets.published_counts import EDITIONS, Edition, Expected, editions, expected
from stag.datasets.readers.result import KINDS, Joined, Loaded, Options, Remark, Skipped
from stag.datasets.readers.tree import unreadable
from stag.datasets.schemes import SCHEMES, SETS, Scheme, covering, joined_name, scheme
from stag.errors import DatasetError
from stag.types import Clip

_LINES = 40


@dataclass(frozen=True)
class Comparison:
    """Counts under one scheme, in one split, beside the published ones.

    Attributes:
        split: Empty where there is none.
        counts: Class -> number of usable clips.
        subjects: Number of people in the usable clips.
        expected: Published class counts; ``None`` where nothing is published.
        source: Source of the published numbers.
        explanations: A sentence for every difference, and for what the scheme leaves out.
        notes: Known conflicts between publications.
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
        """Whether nothing contradicts the published numbers."""
        same = self.expected is None or dict(self.expected) == dict(self.counts)
        return same and self.expected_subjects in (None, self.subjects)


@dataclass(frozen=True)
class Audit:
    """Content of a data set, and its comparison with the published counts.

    Attributes:
        sheet: Annotation sheet; empty where there is none.
        layout: ``"raw"``, ``"cropped"`` or empty.
        edition: Published edition of the comparison; empty where none is published.
        clips: Number of usable clips.
        subjects: Number of people in the usable clips.
        emotions: Annotated emotion -> number of rows.
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
        """Return the audit as JSON-ready values."""
        result = asdict(self)
        for entry, comparison in zip(result["comparisons"], self.comparisons, strict=True):
            entry |= {"clips": comparison.clips, "agrees": comparison.agrees}
        return {**result, "agrees": self.agrees}


def audit(
    name: str,
    root: str | Path,
    scheme_name: str | None = None,
    options: Options = Options(),
    progress: Callable[[int, int], None] | None = None,
) -> Audit:
    """Audit a data set on disk: rows, folders, key frames, the first bytes of every image, and counts.

    Without ``scheme_name`` clips are counted under every scheme that covers the set. ``progress`` is called with
    (clips checked, clips in all).

    Raises:
        DatasetError: The set cannot be read at all, or the scheme is unknown or does not cover it.
    """
    if scheme_name is not None and not scheme(scheme_name).covers(name):
        raise DatasetError(f"{scheme_name} is not defined for {name}; there are {', '.join(covering(name))}")
    loaded = _without_unreadable(load_set(name, root, options), progress)
    schemes = [SCHEMES[one] for one in ([scheme_name] if scheme_name else covering(name))]
    datasets = [name]
    if name == "manifest":
        datasets = list(dict.fromkeys(row.dataset for row in _rows(loaded) if row.dataset))
    comparisons: list[Comparison] = []
    edition = ""
    for dataset in datasets or [name]:
        part = _part(loaded, dataset) if name == "manifest" else loaded
        for split in _splits(dataset, part, options):
            published = _edition(dataset, split, part)
            edition = edition or (published.name if published else "")
            comparisons += [
                _compare(one, dataset, split, part, published, options.joined) for one in schemes if one.covers(dataset)
            ]
    comparisons.sort(key=lambda one: [labels.name for labels in schemes].index(one.scheme))
    remarks = list(loaded.remarks)
    if edition and loaded.edition and edition != loaded.edition:
        about = f"emotions are counted as in the edition {edition}, though the sheet is {loaded.edition}"
        remarks.insert(0, Remark("sheet", about))
    return Audit(
        name, str(root), loaded.simulated, str(loaded.sheet or ""), loaded.layout, edition, len(loaded.clips),
        len({(clip.dataset, clip.subject) for clip in loaded.clips}),
        dict(Counter(row.emotion for row in _annotated(loaded)).most_common()), loaded.skipped,
        (*remarks, *_unknown_emotions(loaded, datasets), *_joined_emotions(loaded)), tuple(comparisons),
    )  # fmt: skip


def _without_unreadable(loaded: Loaded, progress: Callable[[int, int], None] | None) -> Loaded:
    """Move clips with an unreadable image to the skipped ones."""
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


def _rows(loaded: Loaded) -> list[Clip | Skipped]:
    return [*loaded.clips, *loaded.skipped]


def _annotated(loaded: Loaded, split: str | None = None) -> list[Clip | Skipped]:
    """Return the annotated clips of a split, usable or not, without repeated rows."""
    return [
        row
        for row in _rows(loaded)
        if split in (None, row.split) and row.emotion and not (isinstance(row, Skipped) and row.kind == "duplicate")
    ]


def _part(loaded: Loaded, dataset: str) -> Loaded:
    clips = tuple(clip for clip in loaded.clips if clip.dataset == dataset)
    return replace(loaded, clips=clips, skipped=tuple(clip for clip in loaded.skipped if clip.dataset == dataset))


def _splits(dataset: str, loaded: Loaded, options: Options) -> list[str]:
    if options.split is not None:
        return [options.split]
    published = [edition.split for edition in EDITIONS if edition.dataset == dataset]
    return list(dict.fromkeys([*published, *(row.split for row in _rows(loaded))])) or [""]


def _edition(dataset: str, split: str, loaded: Loaded) -> Edition | None:
    """Return the published edition with exactly these emotions; else that of the sheet; else the first."""
    known = editions(dataset, split)
    emotions = dict(Counter(row.emotion for row in _annotated(loaded, split)))
    exact = [edition for edition in known if emotions == dict(edition.emotions)]
    same = [edition for edition in known if edition.name == loaded.edition]
    return next(iter([*exact, *same, *known]), None)


def _compare(
    labels: Scheme, dataset: str, split: str, loaded: Loaded, published: Edition | None, joined: Joined
) -> Comparison:
    counts = dict.fromkeys(labels.within([dataset]).classes, 0)
    people: set[str] = set()
    annotated, outside = Counter[str](), Counter[str]()
    left_out: list[str] = []
    lost: dict[str, list[Skipped]] = {}
    for row in _annotated(loaded, split):
        name, why = clip_class(row.emotion, dataset, row.clip_id, labels, joined)
        if name is None:
            if row.clip_id in labels.left_out.get(dataset, {}):
                left_out.append(f"{row.clip_id} ({why})")
            else:
                outside[joined_name(row.emotion)] += 1
            continue
        annotated[name] += 1
        if isinstance(row, Skipped):
            lost.setdefault(name, []).append(row)
        else:
            counts[name] += 1
            people.add(row.subject)
    explanations = []
    if outside:
        verb = "is" if outside.total() == 1 else "are"
        explanations.append(f"{_clips(outside.total())} {verb} not part of {labels.name}: {_listed(outside)}")
    if left_out:
        explanations.append(f"left out by {labels.name}: {', '.join(left_out)}")
    target = expected(labels.name, published) if published else None
    if target is None:
        return Comparison(labels.name, dataset, split, counts, len(people), None, None, "", tuple(explanations))
    explanations += _differences(counts, annotated, lost, target)
    if target.subjects not in (None, len(people)):
        without = sorted({clip.subject for clip in loaded.skipped if clip.split == split and clip.subject} - people)
        why = f"; no usable clip of {_first(without, 4)}" if without else ""
        explanations.append(f"{len(people)} subjects instead of {target.subjects}{why}")
    return Comparison(
        labels.name, dataset, split, counts, len(people), target.counts, target.subjects, target.source,
        tuple(explanations), target.notes,
    )  # fmt: skip


def _differences(
    counts: Mapping[str, int], annotated: Mapping[str, int], lost: Mapping[str, list[Skipped]], target: Expected
) -> Iterator[str]:
    for name in sorted({*counts, *target.counts}):
        count, published = counts.get(name, 0), target.counts.get(name, 0)
        if count == published:
            continue
        by_kind: dict[str, list[str]] = {}
        for clip in lost.get(name, ()):
            by_kind.setdefault(clip.kind, []).append(clip.clip_id)
        reasons = [f"{_clips(len(ids))} skipped: {kind} ({_first(ids, 4)})" for kind, ids in by_kind.items()]
        surplus = annotated.get(name, 0) - published
        if surplus:
            way = "fewer" if surplus < 0 else "more"
            reasons.append(f"{_clips(abs(surplus))} {way} annotated than published")
        yield f"{name} {count} instead of {published}: {'; '.join(reasons)}"


def _unknown_emotions(loaded: Loaded, datasets: Iterable[str]) -> list[Remark]:
    """Return a remark on each emotion, most often misspelled, that neither a published list nor a scheme has."""
    known = {emotion for one in SCHEMES.values() for name, some in one.members.items() for emotion in (name, *some)}
    for dataset in datasets:
        known |= {emotion for edition in editions(dataset) for emotion in edition.emotions}
        if dataset in SETS:
            special = [one.by_set[dataset] for one in SCHEMES.values() if dataset in one.by_set]
            known |= {emotion for members in special for some in members.values() for emotion in some}
    return [
        Remark("emotion", f"{clip.emotion!r} is not known; correct the spelling, or it stays out", clip.clip_id)
        for clip in loaded.clips
        if not known.issuperset(joined_name(clip.emotion).split("+"))
    ]


def _joined_emotions(loaded: Loaded) -> list[Remark]:
    count = Counter(joined_name(clip.emotion) for clip in loaded.clips if "+" in clip.emotion)
    about = f"{_listed(count)}; `joined=skip` or `joined=first` changes what the schemes make of them"
    return [Remark("joined", about)] if count else []


def audit_lines(result: Audit) -> Iterator[str]:
    """Yield the audit as lines of text: content, counts under each scheme, then everything that is not as expected."""
    mark = "simulated " if result.simulated else ""
    yield f"{mark}{result.dataset}: {result.clips} usable clips of {result.subjects} subjects in {result.root}"
    origin = [part for part in (result.layout and f"{result.layout} frames", result.sheet) if part]
    if origin:
        yield f"  {', '.join(origin)}"
    if result.emotions:
        yield f"  annotated: {_listed(result.emotions)}"
    for comparison in result.comparisons:
        yield from _comparison_lines(comparison)
    if result.skipped:
        yield f"skipped: {len(result.skipped)}"
        yield from _capped([f"{clip.clip_id}: {clip.kind}, {clip.reason}" for clip in result.skipped])
    for kind, title in KINDS.items():
        ids_by_text: dict[str, list[str]] = {}
        for remark in result.remarks:
            if remark.kind == kind:
                ids_by_text.setdefault(remark.text, []).append(remark.clip_id)
        if ids_by_text:
            yield f"{title}: {sum(map(len, ids_by_text.values()))}"
            clips = ((_first(ids, 6), text) for text, ids in ids_by_text.items())
            yield from _capped([f"{names}: {text}" if names else text for names, text in clips])
    if result.clips == 0:
        yield "no clip is usable"
    if all(comparison.expected is None for comparison in result.comparisons):
        yield "nothing is published about this set, so there is nothing to compare with"
    elif result.agrees:
        yield f"every published count agrees{' (simulated clips)' if result.simulated else ''}"
    else:
        wrong = sum(not comparison.agrees for comparison in result.comparisons)
        yield f"{wrong} of {len(result.comparisons)} comparisons differ from what is published"


def _comparison_lines(one: Comparison) -> Iterator[str]:
    split = f" {one.split}" if one.split else ""
    verdict = "no published counts" if one.expected is None else "as published" if one.agrees else "DIFFERS"
    yield f"{one.scheme}{split}: {one.clips} clips of {one.subjects} subjects, {verdict}"
    published = one.expected or {}
    shown = [
        f"{name} {count}" + (f" (published {published[name]})" if published.get(name, count) != count else "")
        for name, count in one.counts.items()
    ]
    yield f"  {', '.join(shown)}" + (f"  [{one.source}]" if one.source else "")
    yield from (f"  {text}" for text in one.explanations)
    yield from (f"  note: {text}" for text in one.notes)


def _capped(lines: list[str]) -> Iterator[str]:
    yield from (f"  {line}" for line in lines[:_LINES])
    if len(lines) > _LINES:
        yield f"  and {len(lines) - _LINES} more; the JSON file lists all"


def _clips(count: int) -> str:
    return f"{count} {'clip' if count == 1 else 'clips'}"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in Counter(counts).most_common())


def _first(ids: list[str], most: int) -> str:
    return ", ".join(ids[:most]) + (f" and {len(ids) - most} more" if len(ids) > most else "")
