"""From annotated rows to usable clips, with a reason for every other one and a remark on every repair."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stag.datasets.readers.key_frames import locate
from stag.datasets.readers.result import Remark, Skipped, Unusable
from stag.datasets.readers.tree import Folders, index_frames
from stag.facs import FacsCode
from stag.types import Clip
from stag.utils.cells import frame_number, text

IMPOSSIBLE = "(no frame of the clip)"
"""Old value of a repair that holds wherever the sheet names no frame that is on disk."""


@dataclass(frozen=True)
class Repair:
    """A known mistake of a sheet; repaired only where the mistake is there.

    Attributes:
        clip_id: The clip.
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
    """One annotated clip, as the sheet has it.

    Attributes:
        clip_id: Unique in the set.
        subject: Subject, text.
        emotion: Emotion, as spelled in the sheet.
        base: Folder below which its frames lie.
        chain: Names of the folders from there to its frames.
        fps: Frames per second.
        onset: Cell of the sheet.
        apex: Cell of the sheet.
        offset: Cell of the sheet.
        codes: Action units; ``None`` where the set has none.
        split: Split, where the set has any.
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
        """Read the cells that name something; those of key frames are read beside the frames on disk."""
        for field in ("subject", "emotion"):
            object.__setattr__(self, field, text(getattr(self, field)))


Gathered = tuple[tuple[Clip, ...], tuple[Skipped, ...], tuple[Remark, ...]]


def gather(
    entries: Sequence[Entry], dataset: str, folders: Folders, *, repairs: Sequence[Repair] = (), annotated: bool = True
) -> Gathered:
    """Clips of a sheet: each is usable, or skipped with its reason.

    Args:
        entries: The annotated clips, in order.
        dataset: Name of the set.
        folders: Folders on disk.
        repairs: Known mistakes of the sheet.
        annotated: Whether the set gives key frames.

    Returns:
        Clips, what was skipped, and remarks.
    """
    clips: list[Clip] = []
    skipped: list[Skipped] = []
    remarks: list[Remark] = []
    seen: dict[str, str] = {}
    ignored = 0
    for entry in entries:
        try:
            _complete(entry)
            if entry.clip_id in seen:
                raise Unusable("duplicate", f"stands in {seen[entry.clip_id]} and again in {entry.where}")
            seen[entry.clip_id] = entry.where
            index = index_frames(folders.find(entry.base, *entry.chain))
            ignored += index.ignored
            cells = {"onset": entry.onset, "apex": entry.apex, "offset": entry.offset}
            cells, said = repaired(entry.clip_id, cells, index.numbers, repairs)
            found = locate(index, cells["onset"], cells["apex"], cells["offset"], annotated=annotated)
            if entry.fps is None:
                raise Unusable("row incomplete", f"{entry.where} gives no frame rate")
        except Unusable as problem:
            who = entry.clip_id if all(entry.chain) else entry.where
            emotion = entry.emotion.casefold()
            skipped.append(Skipped(who, problem.kind, str(problem), emotion, entry.subject, entry.split))
            continue
        remarks += [Remark("repair", one, entry.clip_id) for one in said]
        remarks += [Remark("files", one, entry.clip_id) for one in index.order.remarks]
        remarks += [Remark(kind, one, entry.clip_id) for kind, one in found.remarks]
        codes = entry.codes or FacsCode(())
        remarks += [Remark("action units", f"{one!r} in {str(codes)!r}", entry.clip_id) for one in codes.unread]
        clips.append(
            Clip(
                clip_id=entry.clip_id, subject=entry.subject, frames=index.folder, emotion=entry.emotion.casefold(),
                dataset=dataset, onset=found.onset, apex=found.apex, offset=found.offset, fps=entry.fps,
                action_units=codes if codes.units else None, split=entry.split,
            )
        )  # fmt: skip
    if ignored:
        remarks.append(Remark("files", f"{ignored} files in the folders of clips are no frames"))
    strangers = _strangers(entries, folders)
    if strangers:
        shown = ", ".join(strangers[:5]) + (" and more" if len(strangers) > 5 else "")
        remarks.append(Remark("files", f"{len(strangers)} folders are not annotated: {shown}"))
    return tuple(clips), tuple(skipped), tuple(remarks)


def on_disk(entries: Iterable[Entry], folders: Folders) -> list[Entry]:
    """The entries whose folder is there."""
    return [entry for entry in entries if all(entry.chain) and _has_folder(entry, folders)]


def _has_folder(entry: Entry, folders: Folders) -> bool:
    try:
        folders.find(entry.base, *entry.chain)
    except Unusable:
        return False
    return True


def _complete(entry: Entry) -> None:
    for what, value in (("subject", entry.subject), ("file name", entry.chain[-1]), ("emotion", entry.emotion)):
        if not value:
            raise Unusable("row incomplete", f"{entry.where} gives no {what}")


def repaired(
    clip_id: str, values: Mapping[str, str], numbers: Collection[int], repairs: Iterable[Repair]
) -> tuple[dict[str, str], list[str]]:
    """Return the values of a clip after its repairs, and a sentence about each repair that was applied.

    A repair is passed over where the sheet does not have the old value, or where its frame is not on disk.
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


def _strangers(entries: Iterable[Entry], folders: Folders) -> list[str]:
    """Folders of clips or subjects that no entry names."""
    known: dict[Path, set[str]] = {}
    for entry in entries:
        folder: Path | None = entry.base
        for name in entry.chain:
            if folder is None:
                break
            known.setdefault(folder, set()).add(name.casefold())
            folder = folders.inside(folder).get(name.casefold())
    found = [
        path for folder, names in known.items() for name, path in folders.inside(folder).items() if name not in names
    ]
    return [f"{path.parent.name}/{path.name}" for path in sorted(found)]
