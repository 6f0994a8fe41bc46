"""Read CASME II, SAMM and 4DME: published data sets with one tree of frames and one annotation sheet."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stag.datasets.readers.annotation import Format, choose_table, read_tables
from stag.datasets.readers.entries import IMPOSSIBLE, Entry, Repair, gather
from stag.datasets.readers.manifest import is_simulated
from stag.datasets.readers.result import Loaded, Options, Remark
from stag.datasets.readers.sheet import Sheet
from stag.datasets.readers.tree import Folders, existing_root
from stag.facs import parse_facs
from stag.utils.cells import text


@dataclass(frozen=True, kw_only=True)
class PublishedSet:
    """Layout of a published data set.

    Attributes:
        name: As typed by the user.
        title: As written in messages.
        fps: Frames per second.
        trees: Layout -> names that its folder may have; the preferred layout first.
        subject_folder: Pattern of the folders of subjects.
        form: Form of the annotation.
        editions: Editions of the annotation, the preferred one first; known by the year in the file name.
        repairs: Known mistakes of the sheet.
    """

    name: str
    title: str
    fps: float
    trees: Mapping[str, Sequence[str]]
    subject_folder: str
    form: Format
    editions: tuple[str, ...]
    repairs: tuple[Repair, ...] = ()


_COLUMNS = {
    "subject": ("Subject", "sub"),
    "name": ("Filename", "File name", "Video"),
    "onset": ("Onset Frame", "Onset"),
    "apex": ("Apex Frame", "Apex"),
    "offset": ("Offset Frame", "Offset"),
    "codes": ("Action Units", "AUs", "AU"),
    "emotion": ("Estimated Emotion", "Emotion"),
}

CASME2 = PublishedSet(
    name="casme2",
    title="CASME II",
    fps=200.0,
    trees={"raw": ("CASME2_RAW_selected", "CASME2-RAW", "CASME2_RAW", "Raw"), "cropped": ("Cropped", "CASME2_Cropped")},
    subject_folder=r"sub\d+",
    form=Format(
        example="CASME2-coding-20140508.xlsx",
        names=r"casme.?(2|ii).*coding",
        columns=_COLUMNS,
        optional=("codes",),
    ),
    editions=("2014", "2019"),
)

_FROM_FLOW = "known from the optical flow of the clip"
SAMM = PublishedSet(
    name="samm",
    title="SAMM",
    fps=200.0,
    trees={"raw": ("SAMM",), "cropped": ("SAMM_cropped", "Cropped")},
    subject_folder=r"\d{3}",
    form=Format(
        example="SAMM_Micro_FACS_Codes_v2.xlsx",
        names=r"samm.*facs|samm.*micro",
        columns=_COLUMNS,
        optional=("codes",),
        sheet="MICRO_ONLY",
    ),
    editions=("v2",),
    repairs=(
        Repair("013_1_9", "offset", IMPOSSIBLE, "5739", "known mistake of the sheet"),
        Repair("028_4_1", "apex", IMPOSSIBLE, "1105", _FROM_FLOW),
        Repair("032_3_1", "apex", IMPOSSIBLE, "4945", _FROM_FLOW),
        Repair("032_3_2", "apex", IMPOSSIBLE, "5130", _FROM_FLOW),
    ),
)

FOURDME = PublishedSet(
    name="fourdme",
    title="4DME",
    fps=60.0,  # assumed; the rate of the grey camera is not published with the layout
    trees={"raw": ("gray_micro", "grey_micro"), "cropped": ("gray_micro_crop", "grey_micro_crop")},
    subject_folder=r".+",
    form=Format(
        example="4DME_Labelling_Micro_release v1.xlsx",
        names=r"4dme.*label",
        columns={
            "subject": ("sub_ID", "Subject", "subject_id"),
            "name": ("fold_name", "Filename", "folder"),
            "onset": ("Onset", "OnsetFrame"),
            "apex": ("Apex", "ApexFrame"),
            "offset": ("Offset", "OffsetFrame"),
            "emotion": ("Emotion", "Estimated Emotion"),
            "codes": ("AUs", "Action Units"),
        },
        optional=("codes",),
    ),
    editions=("v1",),
)
_FOURDME_ROWS = 267
_FOURDME_EXCHANGED = (144, 145)  # these rows contain each other's action units; by place, as the codes are licensed


def load_casme2(root: Path, options: Options) -> Loaded:
    """Read CASME II: 255 clips at 200 fps, annotated in 2014 and again in 2019; clip ids are ``sub01/EP02_01f``."""

    def names(row: Mapping[str, str]) -> tuple[str, str, str]:
        subject = text(row["subject"])
        number = re.fullmatch(r"(?:sub)?0*(\d{1,4})", subject, re.IGNORECASE)  # "1" and "sub01" alike
        subject = f"sub{int(number[1]):02d}" if number else subject
        return f"{subject}/{row['name']}", subject, row["emotion"]

    return _load(root, options, CASME2, names)


def load_samm(root: Path, options: Options) -> Loaded:
    """Read SAMM: 159 clips at 200 fps with four known mistakes in key frames; clip ids are ``006_1_2``."""

    def names(row: Mapping[str, str]) -> tuple[str, str, str]:
        subject, emotion = text(row["subject"]), text(row["emotion"])
        subject = f"{int(subject):03d}" if subject.isdecimal() else subject
        return row["name"], subject, "other" if emotion.casefold() == "others" else emotion

    return _load(root, options, SAMM, names)


def load_fourdme(root: Path, options: Options) -> Loaded:
    """Read the grey micro-expressions of 4DME; clip ids are ``sub_ID/fold_name``, joined emotions stay joined."""

    def names(row: Mapping[str, str]) -> tuple[str, str, str]:
        subject = text(row["subject"])
        return f"{subject}/{row['name']}", subject, row["emotion"]

    return _load(root, options, FOURDME, names, _exchange_rows)


def _exchange_rows(entries: list[Entry]) -> list[Remark]:
    """Exchange the action units of the two rows in place, if the sheet is as long as the one with the mistake."""
    if len(entries) != _FOURDME_ROWS:
        why = f"{len(entries)} rows instead of {_FOURDME_ROWS}, so no action units were changed over between rows"
        return [Remark("sheet", why)]
    first, second = (entries[row] for row in _FOURDME_EXCHANGED)
    for row, codes in zip(_FOURDME_EXCHANGED, (second.codes, first.codes), strict=True):
        entries[row] = replace(entries[row], codes=codes)
    why = "known mistake of release v1"
    return [Remark("repair", f"action units of {first.where} and {second.where} exchanged: {why}")]


def _load(
    root: Path,
    options: Options,
    layout: PublishedSet,
    names: Callable[[Mapping[str, str]], tuple[str, str, str]],
    correct: Callable[[list[Entry]], list[Remark]] = lambda entries: [],
) -> Loaded:
    """Read a data set whose frames lie in ``subject/clip`` folders.

    ``names`` returns clip id, subject and emotion from the cells of a row; ``correct`` changes the entries in place and
    returns a remark on each correction.

    Raises:
        DatasetError: The sheet or the folder of frames is missing or not as documented, or several sheets fit.
    """
    options.refuse(layout.title, "split")
    root, folders = existing_root(root), Folders()
    kind, frames = folders.frame_tree(root, layout.trees, layout.subject_folder, options.layout, layout.title)

    def entry(number: int, row: Mapping[str, str]) -> Entry:
        clip_id, subject, emotion = names(row)
        return Entry(
            clip_id=clip_id, subject=subject, emotion=emotion, base=frames, chain=(subject, row["name"]),
            fps=layout.fps, onset=row["onset"], apex=row["apex"], offset=row["offset"],
            codes=parse_facs(text(row["codes"])), where=f"row {number}",
        )  # fmt: skip

    def entries_of(sheet: Sheet) -> list[Entry]:
        return [entry(number, row) for number, row in sheet.rows]

    choices = layout.editions if len(layout.editions) > 1 else ()
    tables = read_tables(root, [frames], layout.form, options, choices)
    chosen = options.annotation if options.annotation in choices else None
    sheet, edition, remarks = choose_table(tables, layout.form, entries_of, folders, layout.editions, chosen)
    entries = entries_of(sheet)
    corrections = correct(entries)
    clips, skipped, more = gather(entries, layout.name, folders, repairs=layout.repairs)
    return Loaded(
        clips, (*sheet.skipped, *skipped), (*remarks, *corrections, *more), is_simulated(root, sheet.path.parent),
        edition, sheet.path, kind,
    )  # fmt: skip
