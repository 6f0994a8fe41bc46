"""4DME, the grey release of micro-expressions: joined emotions, static action units, and two exchanged rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from stag.datasets.readers.annotation import Format
from stag.datasets.readers.entries import Entry
from stag.datasets.readers.published_set import Names, PublishedSet, load_published
from stag.datasets.readers.result import Loaded, Options, Remark
from stag.utils.cells import text

LAYOUT = PublishedSet(
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
EXCHANGED = (144, 145)
"""Rows that hold each other's action units, counted from 0; by place, because what they say is under licence."""

COMPLETE = 267
"""Number of rows of the sheet in which they stand there."""


def load(root: Path, options: Options) -> Loaded:
    """Read 4DME; clip ids are ``sub_ID/fold_name``, joined emotions stay joined. See :func:`load_published`."""
    return load_published(root, options, LAYOUT, _names, _exchange_rows)


def _names(row: Mapping[str, str]) -> Names:
    subject, folder = text(row["subject"]), row["name"]
    return Names(clip_id=f"{subject}/{folder}", subject=subject, folder=folder, emotion=row["emotion"])


def _exchange_rows(entries: list[Entry]) -> list[Remark]:
    """Exchange the action units of the two rows where the sheet is as long as the one that has the mistake."""
    if len(entries) != COMPLETE:
        why = f"{len(entries)} rows instead of {COMPLETE}, so no action units were changed over between rows"
        return [Remark("sheet", why)]
    first, second = (entries[row] for row in EXCHANGED)
    for row, codes in zip(EXCHANGED, (second.codes, first.codes), strict=True):
        entries[row] = replace(entries[row], codes=codes)
    why = "known mistake of release v1"
    return [Remark("repair", f"action units of {first.where} and {second.where} exchanged: {why}")]
