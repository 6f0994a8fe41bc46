"""Faults planted in fabricated trees, and what must be said about each."""

import csv
import os
import re
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import openpyxl
import pytest

from stag.datasets.check import audit, audit_lines
from stag.datasets.clips import load_set
from stag.datasets.readers.result import Options
from stag.errors import DatasetError
from stag.facs import parse_facs
from stag.simulate.fabricated.sheets import write_csv, write_xlsx

SMALL = {"casme2": 8, "samm": 8, "smic": 8, "dfme": 5, "fourdme": 8}
"""Most clips of a person in a small tree."""

COLUMNS = {
    "casme2": ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion"),
    "samm": ("Subject", "Filename", "Onset Frame", "Apex Frame", "Offset Frame", "Action Units", "Estimated Emotion"),
    "dfme": ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "AU", "Emotion"),
    "fourdme": ("sub_ID", "fold_name", "Onset", "Apex", "Offset", "AUs", "Emotion"),
}
SUBJECT, NAME, ONSET, APEX, OFFSET, CODES, EMOTION = range(7)


def link_tree(source, target):
    shutil.copytree(source, target, copy_function=os.link)
    return target


def put(path, content):
    """Replace a file; its twin in the tree that it was linked from stays as it is."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


class Tree:
    """A fabricated tree, its annotation as rows of cells, and how it was read before anything was planted."""

    def __init__(self, name, root):
        self.name, self.root = name, root
        self.before = load_set(name, root, Options())
        self.sheet = self.before.sheet
        if name in COLUMNS:
            self.sheet_name, self.rows = self._read()
            marks = COLUMNS[name][:2]
            self.header = next(i for i, row in enumerate(self.rows) if set(marks) <= set(row))
            self.at = [self.rows[self.header].index(column) for column in COLUMNS[name]]

    def _read(self):
        if self.sheet.suffix == ".csv":
            with self.sheet.open(newline="") as stream:
                return "", [list(row) for row in csv.reader(stream)]
        sheet = openpyxl.load_workbook(self.sheet).active
        return sheet.title, [list(row) for row in sheet.iter_rows(values_only=True)]

    def row(self, clip):
        """Cells of the row of a clip."""
        for row in self.rows[self.header + 1 :]:
            if str(row[self.at[NAME]]) == clip.frames.name and subject_number(row[self.at[SUBJECT]]) == subject_number(
                clip.subject
            ):
                return row
        raise LookupError(clip.clip_id)

    def set(self, clip, column, value):
        self.row(clip)[self.at[column]] = value
        self.save()

    def save(self, **stray):
        if self.sheet.suffix == ".csv":
            write_csv(self.sheet, self.rows)
        else:
            write_xlsx(self.sheet, {**stray, self.sheet_name: self.rows})

    @property
    def plain(self):
        """A clip of the first sheet with nothing odd about it, of a person who has others, of four frames or more."""
        odd = {remark.clip_id for remark in self.before.remarks if remark.text != "the set gives no apex"}
        for clip in self.before.clips:
            alone = sum(other.subject == clip.subject for other in self.before.clips) < 2
            if clip.clip_id not in odd and not alone and len(images(clip)) >= 4 and clip.split in ("", "train"):
                return clip
        raise LookupError("no plain clip")

    def audit(self):
        found = audit(self.name, self.root)
        return found, "\n".join(audit_lines(found))


def subject_number(subject):
    return int(re.sub(r"\D", "", str(subject)))


def images(clip):
    def number(path):
        return int(re.findall(r"\d+", path.stem)[-1])

    return sorted((path for path in clip.frames.iterdir() if not path.name.startswith(".")), key=number)


@dataclass(frozen=True)
class Verdict:
    """What must come of a planted fault."""

    says: str
    skipped: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    kind: str = ""
    fields: dict = field(default_factory=dict)
    error: bool = False


def skip(kind, says, *clips):
    return Verdict(says, skipped=frozenset(clip.clip_id for clip in clips), kind=kind)


def keep(says, clip=None, **fields):
    return Verdict(says, changed=frozenset([clip.clip_id] if fields else []), fields=fields)


def assert_verdict(tree, verdict):
    """The fault is named in one line; every other clip is just as before."""
    if verdict.error:
        with pytest.raises(DatasetError, match=verdict.says) as caught:
            tree.audit()
        assert "\n" not in str(caught.value)
        return
    found, text = tree.audit()
    assert re.search(verdict.says, text), f"no line says {verdict.says!r} in\n{text}"
    assert re.search(f"simulated {tree.name}:", text)
    before = {skipped.clip_id for skipped in tree.before.skipped}
    lost = [skipped for skipped in found.skipped if skipped.clip_id not in before or skipped.kind == "duplicate"]
    assert {skipped.clip_id for skipped in lost} == verdict.skipped
    if verdict.kind:
        assert {skipped.kind for skipped in lost} == {verdict.kind}
    after = {clip.clip_id: clip for clip in load_set(tree.name, tree.root, Options()).clips}
    for clip in tree.before.clips:
        if clip.clip_id in verdict.gone:
            assert clip.clip_id not in after
        elif clip.clip_id in verdict.changed:
            assert after[clip.clip_id] == replace(clip, **verdict.fields)
        elif clip.clip_id not in verdict.skipped:
            assert after[clip.clip_id] == clip


def gone_frames(tree):
    clip = tree.plain
    for path in images(clip)[1:]:
        path.unlink()
    return skip("frames missing", rf"{clip.clip_id}: frames missing, 1 of the \d+ frames|one frame is on disk", clip)


def hole(tree):
    clip = tree.plain
    number = int(re.findall(r"\d+", images(clip)[1].stem)[-1])
    images(clip)[1].unlink()
    if clip.apex is None:
        return keep(rf"{clip.clip_id}: frame {number} missing on disk", clip, offset=clip.offset - 1)
    moved = {"apex": max(clip.apex - (clip.apex > 1 + clip.onset), 1), "offset": clip.offset - 1}
    return keep(rf"{clip.clip_id}: frame {number} of \d+ to \d+ missing on disk", clip, **moved)


def empty_folder(tree):
    clip = tree.plain
    for path in images(clip):
        path.unlink()
    return skip("frames missing", f"{clip.clip_id}: frames missing, folder {clip.frames.name} holds no image", clip)


def lost_folder(tree):
    clip = tree.plain
    clip.frames.rename(clip.frames.with_name("elsewhere"))
    return skip("folder missing", f"folder {clip.frames.name} is not in .*(.|\n)*folders? (is|are) not annotated", clip)


def subject_without_folder(tree):
    clip = tree.plain
    own = [other for other in tree.before.clips if other.subject == clip.subject]
    folders = {other.frames if tree.name == "dfme" else subject_folder(other) for other in own}
    for folder in folders:
        shutil.rmtree(folder)
    return skip("folder missing", f"no usable clip of {clip.subject}|folder missing", *own)


def subject_folder(clip):
    return next(path for path in clip.frames.parents if path.name.casefold() == clip.subject.casefold())


def empty_image(tree):
    clip = tree.plain
    put(images(clip)[2], b"")
    return skip("image unreadable", rf"{clip.clip_id}: image unreadable, image \S+ is empty", clip)


def text_as_image(tree):
    clip = tree.plain
    put(images(clip)[2], b"404: not found")
    return skip("image unreadable", rf"{clip.clip_id}: image unreadable, image \S+ is no image", clip)


def mac_files(tree):
    clip = tree.plain
    for name in ("._" + images(clip)[0].name, ".DS_Store", "Thumbs.db"):
        (clip.frames / name).write_bytes(b"\x00\x05\x16\x07")
    (tree.root / "._notes").mkdir()
    (tree.root / "__MACOSX").mkdir()
    if tree.sheet is not None:
        (tree.sheet.parent / f"._{tree.sheet.name}").write_bytes(b"\x00\x05\x16\x07")
        (tree.sheet.parent / f"~${tree.sheet.name}").write_bytes(b"lock")
    return keep("3 files in the folders of clips are no frames")


def extra_folder(tree):
    clip = tree.plain
    shutil.copytree(clip.frames, clip.frames.with_name("EP99_99"))
    return keep("1 folders? (is|are) not annotated: .*99_99")


def capital_folder(tree):
    clip = tree.plain
    target = clip.frames.with_name(clip.frames.name.swapcase())
    clip.frames.rename(target)
    fields = {} if target.name == clip.frames.name else {"frames": target}
    return keep("usable clips", clip, **fields)


FOLDER_FAULTS = [gone_frames, hole, empty_folder, empty_image, text_as_image, mac_files]


def slash_apex(tree):
    clip = tree.plain
    tree.set(clip, APEX, "/")
    return keep(f"apex unknown(.|\n)*{clip.clip_id}: apex '/' is no frame number", clip, apex=None)


def blank_apex(tree):
    clip = tree.plain
    tree.set(clip, APEX, None)
    return keep(f"{clip.clip_id}: apex '' is no frame number", clip, apex=None)


def apex_far_away(tree):
    clip = tree.plain
    tree.set(clip, APEX, 999_999)
    return keep(f"{clip.clip_id}: apex 999999 lies outside", clip, apex=None)


def swapped(tree):
    clip = tree.plain
    row = tree.row(clip)
    row[tree.at[ONSET]], row[tree.at[OFFSET]] = row[tree.at[OFFSET]], row[tree.at[ONSET]]
    tree.save()
    return keep(rf"{clip.clip_id}: onset \d+ and offset \d+ exchanged")


def offset_before_apex(tree):
    clip = tree.plain
    onset = int(tree.row(clip)[tree.at[ONSET]])
    tree.set(clip, OFFSET, onset + 1)
    tree.set(clip, APEX, onset + 2)
    return keep(rf"{clip.clip_id}: apex \d+ lies outside", clip, apex=None, offset=clip.onset + 1)


def blank_offset(tree):
    clip = tree.plain
    tree.set(clip, OFFSET, "")
    last = len(images(clip)) - 1
    return keep(rf"{clip.clip_id}: offset '' is no frame number; the last frame \d+ stands in", clip, offset=last)


def formula(tree):
    clip = tree.plain
    tree.set(clip, ONSET, "=1+1")
    says = rf"{clip.clip_id}: onset '=1\+1' is no frame number; the first frame \d+ stands in"
    return keep(says, clip, onset=0)


def renamed_column(tree):
    tree.rows[tree.header][tree.at[EMOTION]] = "Gefuehl"
    tree.save()
    return Verdict("has no column '.*Emotion.* found .*Gefuehl", error=True)


def respelled_columns(tree):
    header = tree.rows[tree.header]
    tree.rows[tree.header] = [cell and f" {str(cell).upper()} " for cell in header]
    tree.save()
    return keep("usable clips")


def other_order(tree):
    tree.rows = [list(reversed(row)) for row in tree.rows]
    tree.save()
    return keep("usable clips")


def preamble(tree):
    width = len(tree.rows[tree.header])
    note = ["Simulated", *[""] * (width - 1)] if tree.sheet.suffix == ".csv" else ["Simulated", "a note"]
    tree.rows = [note, [None] * width, note, note, *tree.rows]
    tree.save()
    return keep("usable clips")


def no_preamble(tree):
    tree.rows = tree.rows[tree.header :]
    tree.save()
    return keep("usable clips")


def stray_sheets(tree):
    if tree.sheet.suffix == ".csv":
        write_csv(tree.sheet.with_name("notes.csv"), [["to do"], ["nothing"]])
    else:
        tree.save(Empty=[], Legend=[["Subject", "who"], ["Filename", "what"]])
    return keep("usable clips")


def duplicate(tree):
    clip = tree.plain
    tree.rows.append(list(tree.row(clip)))
    tree.save()
    verdict = skip("duplicate", rf"{clip.clip_id}: duplicate, stands in .*row \d+ and again in .*row \d+", clip)
    return replace(verdict, changed=frozenset([clip.clip_id]))


def odd_codes(tree):
    clip = tree.plain
    tree.set(clip, CODES, "4+?+soft focus")
    says = rf"action units that could not be read(.|\n)*{clip.clip_id}: 'soft focus' in '4\+\?\+soft focus'"
    return keep(says, clip, action_units=parse_facs("4+?+soft focus"))


def misspelt_emotion(tree):
    clip = tree.plain
    tree.set(clip, EMOTION, "supprise")
    return keep(f"{clip.clip_id}: 'supprise' is not known", clip, emotion="supprise")


def path_trick(tree):
    clip = tree.plain
    tree.set(clip, NAME, "../../../../etc")
    wrong = clip.clip_id.replace(clip.frames.name, "../../../../etc")
    verdict = skip("folder missing", r"folder \.\./\.\./\.\./\.\./etc is not in", clip)
    return replace(verdict, skipped=frozenset([wrong]), gone=verdict.skipped)


def no_emotion(tree):
    clip = tree.plain
    row = tree.row(clip)
    row[tree.at[EMOTION]] = None
    if "EmotionId" in tree.rows[tree.header]:
        row[tree.rows[tree.header].index("EmotionId")] = None
    tree.save()
    return skip("row incomplete", r"row \d+ gives no emotion", clip)


def no_name(tree):
    clip = tree.plain
    number = tree.rows.index(tree.row(clip)) + 1
    tree.set(clip, NAME, None)
    where = f"{tree.sheet.name} row {number}" if tree.name == "dfme" else f"row {number}"
    verdict = skip("row incomplete", f"{where} gives no file name", clip)
    return replace(verdict, skipped=frozenset([where]), gone=verdict.skipped)


def damaged_workbook(tree):
    put(tree.sheet, b"\xff\xfe\x00PK\x03\x04 not a table")
    return Verdict("cannot be read", error=True)


def no_sheet(tree):
    tree.sheet.unlink()
    return Verdict("holds no annotation sheet; expected", error=True)


SHEET_FAULTS = [
    *FOLDER_FAULTS, lost_folder, subject_without_folder, extra_folder, capital_folder, slash_apex, blank_apex,
    apex_far_away, swapped, offset_before_apex, blank_offset, formula, renamed_column, respelled_columns, other_order,
    preamble, no_preamble, stray_sheets, duplicate, odd_codes, misspelt_emotion, path_trick, no_emotion, no_name,
    damaged_workbook, no_sheet,
]  # fmt: skip


def relative(loaded, root):
    """Clips without the place where they lie, to compare two trees."""
    return [replace(clip, frames=Path(os.path.relpath(clip.frames, root))) for clip in loaded.clips]
