"""Read intervals in recordings that a person, or any program, has coded: a table, or a document of ELAN.

A table has the columns ``file, onset_s, offset_s``, and optionally ``subject, apex_s, kind, emotion, action_units,
face_id, score``; a row with a file alone stands for a recording without expressions. In an ELAN document the tiers
whose names begin with ``micro`` or ``macro`` count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from stag.datasets.readers.sheet import Columns, read_sheet
from stag.datasets.schemes import SCHEMES
from stag.errors import DatasetError, reason
from stag.facs import parse_facs
from stag.types import EXPRESSIONS, MICRO_S, Interval
from stag.utils import limits
from stag.utils.cells import frame_number, is_missing, number, text
from stag.utils.files import refuse_large

_COLUMNS: Columns = {
    "file": ("file", "recording", "video"),
    "onset_s": ("onset_s", "start_s", "onset (s)", "start (s)"),
    "offset_s": ("offset_s", "end_s", "offset (s)", "stop (s)"),
    "apex_s": ("apex_s", "apex (s)"),
    "subject": ("subject",),
    "kind": ("kind", "type", "behavior"),
    "emotion": ("emotion", "predicted"),
    "action_units": ("action_units", "aus"),
    "face_id": ("face_id",),
    "score": ("score",),
}
_OPTIONAL = ("apex_s", "subject", "kind", "emotion", "action_units", "face_id", "score")
_KIND_WORDS = {"micro": "micro", "me": "micro", "micro-expression": "micro", "macro": "macro", "mae": "macro"}
_KIND_WORDS |= {"macro-expression": "macro"}


@dataclass(frozen=True)
class CodedRecordings:
    """Intervals in order of the file, and every recording with its subject (empty where unknown)."""

    intervals: tuple[Interval, ...]
    recordings: dict[str, str]


def read_intervals(path: Path) -> CodedRecordings:
    """Read a table, or an ELAN document (``.eaf``).

    An interval without a kind is ``micro`` up to half a second, and ``macro`` beyond.

    Raises:
        DatasetError: The file cannot be read, or a row is not an interval.
    """
    return _read_elan(path) if path.suffix.lower() == ".eaf" else _read_table(path)


def _read_table(path: Path) -> CodedRecordings:
    sheet = read_sheet(path, _COLUMNS, _OPTIONAL)
    if sheet.skipped:
        raise DatasetError(f"{path}, {sheet.skipped[0].clip_id}: {sheet.skipped[0].reason}")
    intervals: list[Interval] = []
    recordings: dict[str, str] = {}
    for line, row in sheet.rows:
        file, subject = row["file"], text(row["subject"])
        if is_missing(file):
            raise DatasetError(f"{path}, line {line}: names no file; fill in the recording")
        if recordings.setdefault(file, subject) != subject and subject:
            recordings[file] = subject
        if is_missing(row["onset_s"]) and is_missing(row["offset_s"]):
            continue
        onset, offset = number(row["onset_s"]), number(row["offset_s"])
        if onset is None or offset is None or not 0 <= onset < offset:
            raise DatasetError(
                f"{path}, line {line}: {row['onset_s']!r} to {row['offset_s']!r} is no interval in seconds; "
                f"give an onset before the offset"
            )
        apex, score = number(row["apex_s"]), number(row["score"])
        one = Interval(
            file=file, onset_s=onset, offset_s=offset, subject=subject,
            apex_s=float("nan") if apex is None else apex, score=float("nan") if score is None else score,
            kind=_kind(row["kind"], offset - onset), emotion=text(row["emotion"]).casefold(),
            action_units=tuple(sorted(parse_facs(text(row["action_units"])).numbers)),
            face_id=frame_number(row["face_id"]),
        )  # fmt: skip
        intervals.append(one)
    return CodedRecordings(tuple(intervals), recordings)


def _kind(cell: str, length_s: float) -> str:
    word = text(cell).casefold()
    if not word:
        return "micro" if length_s <= MICRO_S else "macro"
    first = re.split(r"[\s-]*\d*/|\s", word)[0].rstrip(" -0123456789")
    return _KIND_WORDS.get(word, _KIND_WORDS.get(first, word))


def _read_elan(path: Path) -> CodedRecordings:
    try:
        refuse_large(path, limits.TABLE_BYTES)
        root = ElementTree.fromstring(path.read_bytes())
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise DatasetError(f"{path}: is not an ELAN document ({reason(error)}); export it as .eaf") from error
    media = next((m.get("MEDIA_URL", "") for m in root.iter("MEDIA_DESCRIPTOR")), "")
    file = Path(unquote(urlsplit(media).path)).name or path.with_suffix("").name
    slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    intervals: list[Interval] = []
    for tier in root.iter("TIER"):
        name = (tier.get("TIER_ID") or "").casefold()
        kind = next((kind for kind in EXPRESSIONS if name.startswith(kind)), "")
        if not kind:
            continue
        face = re.search(r"face (\d+)", name)
        for note in tier.iter("ALIGNABLE_ANNOTATION"):
            ends = [slots.get(note.get(f"TIME_SLOT_REF{i}")) for i in (1, 2)]
            if None in ends:
                raise DatasetError(f"{path}, {note.get('ANNOTATION_ID')}: has no time; align it in ELAN")
            onset, offset = (float(str(end)) / 1000 for end in ends)
            value = (note.findtext("ANNOTATION_VALUE") or "").split(",")[0].strip()
            emotion = re.sub(r"\s+[01]?\.\d+$", "", value).casefold()
            one = Interval(file=file, onset_s=onset, offset_s=offset, kind=kind, emotion=emotion)
            intervals.append(replace(one, face_id=int(face[1])) if face else one)
    intervals.sort(key=lambda one: one.onset_s)
    return CodedRecordings(tuple(intervals), {file: ""})


def in_classes(intervals: Sequence[Interval]) -> tuple[Interval, ...]:
    """Return the intervals with the classes of ``megc3`` in place of emotions, empty for an emotion outside."""
    scheme = SCHEMES["megc3"]

    def named(emotion: str) -> str:
        return emotion if emotion in scheme.classes else (scheme.class_of(emotion) or "")

    return tuple(replace(one, emotion=named(one.emotion)) if one.emotion else one for one in intervals)
