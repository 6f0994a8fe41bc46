"""Read sets of long recordings with annotated expressions: SAMM Long Videos, CAS(ME)^2, CAS(ME)^3 part A, a manifest.

Frame numbers of the sheets become seconds since the first image of a recording. What a sheet leaves open is decided
here and reported: an apex of -1 is unknown, an offset of 0 is the apex, and a row whose frames are not on disk is
skipped with its reason.

Source: the layouts that public loaders of these sets read; sheets and frames are licensed by their authors.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stag.datasets.readers.intervals import read_intervals
from stag.datasets.readers.result import Remark, Skipped, Unusable
from stag.datasets.readers.sheet import Columns, read_sheet, workbook_rows
from stag.datasets.readers.tree import Folders, FrameIndex, existing_root, find_sheets, index_frames
from stag.errors import DatasetError
from stag.facs import parse_facs
from stag.types import Interval
from stag.utils.cells import number, text

PUBLISHED: dict[str, tuple[int, int, int]] = {
    "samm-lv": (147, 343, 159), "casme-sq": (98, 300, 57), "casme3": (956, 3346, 860),
}  # fmt: skip
"""Set -> published number of recordings, macro- and micro-expressions (labelled recordings only for CAS(ME)^3)."""

_SQUARE_KINDS = {"0101": "disgust1", "0102": "disgust2", "0401": "anger1", "0402": "anger2", "0502": "happy1"}
_SQUARE_KINDS |= {"0503": "happy2", "0505": "happy3", "0507": "happy4", "0508": "happy5"}
_SAMM_COLUMNS: Columns = {
    "subject": ("Subject",), "name": ("Filename",), "onset": ("Onset", "Onset Frame"), "apex": ("Apex", "Apex Frame"),
    "offset": ("Offset", "Offset Frame"), "kind": ("Type", "Micro"), "codes": ("Action Units",),
}  # fmt: skip
_CASME3_COLUMNS: Columns = {
    "subject": ("Subject",), "name": ("Filename",), "onset": ("Onset",), "apex": ("Apex",), "offset": ("Offset",),
    "codes": ("AU",), "kind": ("Expression type",), "emotion": ("emotion", "Objective class"),
}  # fmt: skip


@dataclass(frozen=True)
class Recording:
    """One recording: its name in the set, the person, its frames, and their rate where these are images."""

    name: str
    subject: str
    frames: Path
    fps: float | None


@dataclass(frozen=True)
class RecordingSet:
    """Recordings with their expressions.

    Attributes:
        intervals: Expressions; ``file`` is the name of a recording.
        skipped: Rows that cannot be used.
        remarks: What was decided about the others.
    """

    name: str
    recordings: tuple[Recording, ...]
    intervals: tuple[Interval, ...]
    skipped: tuple[Skipped, ...]
    remarks: tuple[Remark, ...]

    def count(self, kind: str) -> int:
        """Return the number of intervals of a kind."""
        return sum(one.kind == kind for one in self.intervals)


@dataclass(frozen=True)
class _Row:
    """One row of a sheet, with the folders that lead to its frames."""

    where: str
    name: str
    subject: str
    chain: tuple[str, ...]
    onset: str
    apex: str
    offset: str
    kind: str
    codes: str
    emotion: str = ""


def load_recordings(name: str, root: Path) -> RecordingSet:
    """Read a set of long recordings.

    Args:
        name: ``samm-lv``, ``casme-sq``, ``casme3`` or ``recordings``, the manifest.
        root: Folder of the set; of a manifest the table itself.

    Raises:
        DatasetError: There is no such set, its sheet is missing, or cannot be read.
    """
    if name not in RECORDING_SETS:
        raise DatasetError(f"no set of recordings {name!r}; there are {', '.join(RECORDING_SETS)}")
    return RECORDING_SETS[name](root)


def load_samm_lv(root: Path) -> RecordingSet:
    """Read SAMM Long Videos: ``SAMM_longvideos/<subject>_<video>/*.jpg``, 200 frames a second."""
    root = existing_root(root)
    sheet = read_sheet(_sheet(root, "longvideos"), _SAMM_COLUMNS, prefer="FACS_Movement_Only")
    rows = []
    for line, row in sheet.rows:
        name = "_".join(text(row["name"]).split("_")[:2])
        subject = text(row["subject"]).zfill(3)
        rows.append(
            _Row(
                f"row {line}",
                name,
                subject,
                (name,),
                row["onset"],
                row["apex"],
                row["offset"],
                row["kind"],
                row["codes"],
            )
        )
    _, frames = Folders().frame_tree(root, {"raw": ("SAMM_longvideos",)}, r"\d+_\d+", None, "SAMM Long Videos")
    return _gathered("samm-lv", frames, rows, 200.0, lambda folder: folder.name.split("_")[0], depth=1)


def load_casme_sq(root: Path) -> RecordingSet:
    """Read CAS(ME)^2: ``rawpic/s15/15_0101disgustingteeth/img001.jpg``, 30 frames a second, sheets without headers."""
    root = existing_root(root)
    path = _sheet(root, "code_final")
    sheets = workbook_rows(path)
    coded = next((rows for name, rows in sheets.items() if name.casefold().startswith("casfecode")), None)
    people = next((rows for name, rows in sheets.items() if "rule1" in name.casefold()), None)
    if coded is None or people is None:
        raise DatasetError(f"{path}: has no sheets CASFEcode_final and naming rule1; give the published workbook")
    folder_of: dict[str, str] = {}
    for _, row in people:
        first, last = (text(row[column]) for column in (min(row), max(row)))
        folder_of[first] = last if last.casefold().startswith("s") else f"s{last}"
    _, frames = Folders().frame_tree(root, {"raw": ("rawpic",)}, r"s\d+", None, "CAS(ME)^2")
    folders = Folders()
    rows = []
    for line, row in coded:
        participant, event, onset, apex, offset, codes, _, kind = (text(row.get(c, "")) for c in range(1, 9))
        person = folder_of.get(participant, "")
        video = _square_folder(folders.inside(frames / person), event) if person else ""
        name = f"{person}/{video}" if video else f"{participant} {event}"
        rows.append(_Row(f"row {line}", name, person, (person, video), onset, apex, offset, kind, codes))
    return _gathered("casme-sq", frames, rows, 30.0, lambda folder: folder.parent.name, depth=2)


def _square_folder(inside: dict[str, Path], name: str) -> str:
    """Return the folder of a video such as ``anger1_1``: the stimulus is a number in its name."""
    stimulus = name.casefold().split("_")[0]
    code = next((code for code, word in _SQUARE_KINDS.items() if word == stimulus), None)
    return next((path.name for key, path in inside.items() if code and f"_{code}" in key), "")


def load_casme3(root: Path) -> RecordingSet:
    """Read CAS(ME)^3 part A: ``part_A/spNO.1/a/color/*.jpg``, 30 frames a second; the workbook saved as ``.xlsx``."""
    root = existing_root(root)
    sheet = read_sheet(_sheet(root, "part_a"), _CASME3_COLUMNS, ("emotion",), prefer="AU+Emotion")
    rows = []
    for line, row in sheet.rows:
        person, video = text(row["subject"]), text(row["name"])
        folder = person if person.casefold().startswith("spno") else f"spNO.{person}"
        rows.append(
            _Row(f"row {line}", f"{folder}/{video}", folder, (folder, video, "color"), row["onset"], row["apex"],
                 row["offset"], row["kind"], row["codes"], row["emotion"])
        )  # fmt: skip
    _, frames = Folders().frame_tree(root, {"raw": ("part_A",)}, r"spNO\.\d+", None, "CAS(ME)^3")
    return _gathered("casme3", frames, rows, 30.0, lambda folder: folder.parent.parent.name, depth=3)


def load_manifest(path: Path) -> RecordingSet:
    """Read a table of intervals (see :mod:`stag.datasets.readers.intervals`) whose files lie beside it."""
    coded = read_intervals(path)
    recordings, skipped = [], []
    for file, subject in coded.recordings.items():
        frames = path.parent / file
        if frames.exists():
            recordings.append(Recording(file, subject or file, frames, None))
        else:
            skipped.append(Skipped(file, "frames missing", f"{file} does not exist", subject=subject))
    names = {one.name for one in recordings}
    intervals = tuple(one for one in coded.intervals if one.file in names)
    return RecordingSet("recordings", tuple(recordings), intervals, tuple(skipped), ())


RECORDING_SETS: dict[str, Callable[[Path], RecordingSet]] = {
    "samm-lv": load_samm_lv, "casme-sq": load_casme_sq, "casme3": load_casme3, "recordings": load_manifest,
}  # fmt: skip
"""Name -> reader of a set of long recordings."""


def recording_lines(found: RecordingSet) -> Iterator[str]:
    """Yield what ``stag check`` prints: counts beside the published ones, then skipped rows and remarks."""
    counts = (len(found.recordings), found.count("macro"), found.count("micro"))
    published = PUBLISHED.get(found.name)
    people = len({one.subject for one in found.recordings})
    for what, n, known in zip(("recordings", "macro", "micro"), counts, published or (None,) * 3, strict=True):
        yield f"{what}  {n}" + ("" if known is None else f"  published {known}")
    yield f"people  {people}"
    for one in found.skipped:
        yield f"skipped  {one.clip_id}: {one.reason}"
    for remark in found.remarks:
        yield f"{remark.kind}  {remark.clip_id}: {remark.text}"


def agrees(found: RecordingSet) -> bool:
    """Return whether the counts are the published ones, and every row could be used."""
    counts = (len(found.recordings), found.count("macro"), found.count("micro"))
    return not found.skipped and PUBLISHED.get(found.name, counts) == counts


def _gathered(
    name: str, frames: Path, rows: Iterable[_Row], fps: float, subject_of: Callable[[Path], str], *, depth: int
) -> RecordingSet:
    """Find the frames of each row; recordings on disk without a row count as recordings without expressions."""
    folders = Folders()
    indexed: dict[Path, FrameIndex] = {}
    recordings: dict[Path, Recording] = {}
    intervals: list[Interval] = []
    skipped: list[Skipped] = []
    remarks: list[Remark] = []
    for row in rows:
        try:
            if not all(row.chain):
                raise Unusable("folder missing", f"{row.where} names no recording on disk")
            folder = folders.find(frames, *row.chain)
            index = indexed.get(folder) or indexed.setdefault(folder, index_frames(folder))
            one, notes = _interval(row, index, fps)
        except Unusable as problem:
            skipped.append(Skipped(row.name or row.where, problem.kind, str(problem), subject=row.subject))
            continue
        recordings.setdefault(folder, Recording(row.name, row.subject, folder, fps))
        intervals.append(one)
        remarks += [Remark("key frames", note, row.name) for note in notes]
    for folder in _recording_folders(folders, frames, depth):
        if folder not in recordings and name != "casme3":
            label = str(folder.relative_to(frames)).removesuffix("/color")
            recordings[folder] = Recording(label, subject_of(folder), folder, fps)
    ordered = tuple(sorted(recordings.values(), key=lambda one: one.name))
    return RecordingSet(name, ordered, tuple(intervals), tuple(skipped), tuple(remarks))


def _recording_folders(folders: Folders, place: Path, depth: int) -> Iterator[Path]:
    for below in folders.inside(place).values():
        if depth == 1:
            yield below
        else:
            yield from _recording_folders(folders, below, depth - 1)


def _interval(row: _Row, index: FrameIndex, fps: float) -> tuple[Interval, list[str]]:
    """Return the interval of a row in seconds, and remarks on what was decided."""
    onset, apex, offset = (number(cell) for cell in (row.onset, row.apex, row.offset))
    notes = []
    apex = None if apex is None or apex <= 0 else apex
    first, last = index.numbers[0], index.numbers[-1]
    if onset is not None and onset < first:
        notes.append(f"onset {row.onset} is before the first frame {first}, which counts")
        onset = first
    if offset == 0 and apex is not None:
        notes.append("offset 0: the apex counts")
        offset = apex
    if onset is None or offset is None or not onset <= offset:
        raise Unusable("key frames", f"{row.where}: {row.onset!r} to {row.offset!r} is no interval")
    if onset > last:
        raise Unusable("frames missing", f"{row.where}: onset {row.onset} is after the last frame {last} on disk")
    step = index.order.step

    def seconds(frame: float) -> float:
        # As the frames are read: by their numbers where these count evenly, else by their places.
        place = (min(frame, last) - first) / step if step else bisect_left(index.numbers, min(frame, last))
        return float(place / fps)

    word = row.kind.casefold()
    kind = "micro" if "micro" in word else "macro" if "macro" in word else ""
    if not kind:
        raise Unusable("kind", f"{row.where}: {row.kind!r} is neither micro nor macro")
    return Interval(
        file=row.name, subject=row.subject, kind=kind, onset_s=seconds(onset),
        offset_s=max(seconds(offset), seconds(onset) + 1 / fps),
        apex_s=float("nan") if apex is None else seconds(apex),
        emotion=text(row.emotion).casefold(), action_units=tuple(sorted(parse_facs(text(row.codes)).numbers)),
    ), notes  # fmt: skip


def _sheet(root: Path, part: str) -> Path:
    """Return the workbook whose name contains a text, without regard to case and punctuation."""
    found = [path for path in find_sheets(root, (".xlsx",)) if part in re.sub(r"[^a-z_]", "", path.stem.casefold())]
    if not found:
        old = find_sheets(root, (".xls",))
        hint = f"; open {old[0].name} and save it as .xlsx" if old else f"; put the published workbook into {root}"
        raise DatasetError(f"{root}: holds no annotation ({part}*.xlsx){hint}")
    return found[-1]
