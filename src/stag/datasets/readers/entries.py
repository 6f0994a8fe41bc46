"""Turn annotated rows into usable clips, with a reason for every other one and a remark on every repair."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from stag.datasets.readers.key_frames import locate
from stag.datasets.readers.result import Remark, Skipped, Unusable
from stag.datasets.readers.tree import Folders, index_frames
from stag.facs import FacsCode, outside_vocabulary
from stag.types import Clip
from stag.utils.cells import frame_number, text

IMPOSSIBLE = "(no frame of the clip)"
"""Old value of a repair that applies wherever the sheet names no frame on disk."""

Gathered = tuple[tuple[Clip, ...], tuple[Skipped, ...], tuple[Remark, ...]]
Row = TypeVar("Row")


@dataclass(frozen=True)
class Repair:
    """A known mistake of a sheet, repaired only where it occurs.

    Attributes:
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


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One annotated clip as in the sheet; onset, apex and offset are its cells.

    Attributes:
        clip_id: Unique in the set.
        base: Folder below which its frames lie.
        chain: Names of the folders from there to its frames.
        codes: Action units; ``None`` where the set has none.
        split: Empty where the set has none.
        where: Place in the sheet, for messages.
    """

    clip_id: str
    subject: str
    emotion: str
    base: Path
    chain: tuple[str, ...]
    fps: float | None
    onset: str = ""
    apex: str = ""
    offset: str = ""
    codes: FacsCode | None = None
    split: str = ""
    where: str = ""

    def __post_init__(self) -> None:
        """Clean the cells with names; those of key frames are read together with the frames on disk."""
        for field in ("subject", "emotion"):
            object.__setattr__(self, field, text(getattr(self, field)))


def collect(
    rows: Iterable[Row],
    read: Callable[[Row], tuple[Clip, list[tuple[str, str]]]],
    skip: Callable[[Row, Unusable], Skipped],
) -> Gathered:
    """Read every row with ``read``, which returns a clip and ``(kind, text)`` remarks, or raises ``Unusable``."""
    clips: list[Clip] = []
    skipped: list[Skipped] = []
    remarks: list[Remark] = []
    for row in rows:
        try:
            clip, notes = read(row)
        except Unusable as problem:
            skipped.append(skip(row, problem))
            continue
        clips.append(clip)
        remarks += [Remark(kind, note, clip.clip_id) for kind, note in notes]
    return tuple(clips), tuple(skipped), tuple(remarks)


def gather(
    entries: Sequence[Entry], dataset: str, folders: Folders, *, repairs: Sequence[Repair] = (), annotated: bool = True
) -> Gathered:
    """Return the usable clips of a sheet, the skipped ones, and remarks; ``annotated`` says if it has key frames."""
    seen: dict[str, str] = {}
    ignored = 0

    def read(entry: Entry) -> tuple[Clip, list[tuple[str, str]]]:
        nonlocal ignored
        for what, value in (("subject", entry.subject), ("file name", entry.chain[-1]), ("emotion", entry.emotion)):
            if not value:
                raise Unusable("row incomplete", f"{entry.where} gives no {what}")
        if entry.clip_id in seen:
            raise Unusable("duplicate", f"stands in {seen[entry.clip_id]} and again in {entry.where}")
        seen[entry.clip_id] = entry.where
        index = index_frames(folders.find(entry.base, *entry.chain))
        ignored += index.ignored
        cells = {"onset": entry.onset, "apex": entry.apex, "offset": entry.offset}
        cells, applied = repaired(entry.clip_id, cells, index.numbers, repairs)
        key_frames = locate(index, cells["onset"], cells["apex"], cells["offset"], annotated=annotated)
        if entry.fps is None:
            raise Unusable("row incomplete", f"{entry.where} gives no frame rate")
        codes = entry.codes or FacsCode(())
        clip = Clip(
            clip_id=entry.clip_id, subject=entry.subject, frames=index.folder, emotion=entry.emotion.casefold(),
            dataset=dataset, onset=key_frames.onset, apex=key_frames.apex, offset=key_frames.offset, fps=entry.fps,
            action_units=codes if codes.units else None, split=entry.split,
        )  # fmt: skip
        return clip, [
            *(("repair", repair) for repair in applied),
            *(("files", remark) for remark in index.order.remarks),
            *key_frames.remarks,
            *(("action units", f"{piece!r} in {str(codes)!r}") for piece in codes.unread),
            *(
                ("action units", f"{unit} in {str(codes)!r} is not known to models")
                for unit in outside_vocabulary(codes)
            ),
        ]

    def skip(entry: Entry, problem: Unusable) -> Skipped:
        name = entry.clip_id if all(entry.chain) else entry.where
        return Skipped(name, problem.kind, str(problem), entry.emotion.casefold(), entry.subject, entry.split)

    clips, skipped, remarks = collect(entries, read, skip)
    about = []
    if ignored:
        about.append(f"{ignored} files in the folders of clips are no frames")
    unannotated = _unannotated(entries, folders)
    if unannotated:
        shown = ", ".join(unannotated[:5]) + (" and more" if len(unannotated) > 5 else "")
        about.append(f"{len(unannotated)} folders are not annotated: {shown}")
    return clips, skipped, (*remarks, *(Remark("files", one) for one in about))


def on_disk(entries: Iterable[Entry], folders: Folders) -> list[Entry]:
    """Return the entries whose folder exists."""

    def exists(entry: Entry) -> bool:
        try:
            folders.find(entry.base, *entry.chain)
        except Unusable:
            return False
        return True

    return [entry for entry in entries if all(entry.chain) and exists(entry)]


def repaired(
    clip_id: str, values: Mapping[str, str], numbers: Collection[int], repairs: Iterable[Repair]
) -> tuple[dict[str, str], list[str]]:
    """Return the values of a clip after its repairs, and a sentence about each repair that was applied.

    A repair is not applied where the sheet does not have the old value, or where its frame is not on disk.
    """
    result, applied = dict(values), []
    for repair in repairs:
        if repair.clip_id != clip_id or int(repair.new) not in numbers:
            continue
        old = result[repair.field]
        if frame_number(old) not in numbers if repair.old == IMPOSSIBLE else old == repair.old:
            result[repair.field] = repair.new
            applied.append(f"{repair.field} {old or 'blank'!r} -> {repair.new}: {repair.why}")
    return result, applied


def _unannotated(entries: Iterable[Entry], folders: Folders) -> list[str]:
    """Return the folders of clips or subjects that no entry names."""
    known: dict[Path, set[str]] = {}
    for entry in entries:
        folder: Path | None = entry.base
        for name in entry.chain:
            if folder is None:
                break
            known.setdefault(folder, set()).add(name.casefold())
            folder = folders.inside(folder).get(name.casefold())
    unnamed = [
        path for folder, names in known.items() for name, path in folders.inside(folder).items() if name not in names
    ]
    return [f"{path.parent.name}/{path.name}" for path in sorted(unnamed)]
