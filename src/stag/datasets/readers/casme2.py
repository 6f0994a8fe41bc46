"""CASME II: 255 clips at 200 fps, raw or cropped, annotated in 2014 and again in 2019."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from stag.datasets.readers.annotation import Format
from stag.datasets.readers.published_set import Names, PublishedSet, load_published
from stag.datasets.readers.result import Loaded, Options
from stag.utils.cells import text

LAYOUT = PublishedSet(
    name="casme2",
    title="CASME II",
    fps=200.0,
    trees={"raw": ("CASME2_RAW_selected", "CASME2-RAW", "CASME2_RAW", "Raw"), "cropped": ("Cropped", "CASME2_Cropped")},
    subject_folder=r"sub\d+",
    form=Format(
        example="CASME2-coding-20140508.xlsx",
        names=r"casme.?(2|ii).*coding",
        columns={
            "subject": ("Subject", "sub"),
            "name": ("Filename", "File name", "Video"),
            "onset": ("OnsetFrame", "Onset"),
            "apex": ("ApexFrame", "Apex"),
            "offset": ("OffsetFrame", "Offset"),
            "codes": ("Action Units", "AUs", "AU"),
            "emotion": ("Estimated Emotion", "Emotion"),
        },
        optional=("codes",),
    ),
    editions=("2014", "2019"),
)


def load(root: Path, options: Options) -> Loaded:
    """Read CASME II; clip ids are ``sub01/EP02_01f``. See :func:`load_published`."""
    return load_published(root, options, LAYOUT, _names)


def _names(row: Mapping[str, str]) -> Names:
    subject = text(row["subject"])
    number = re.fullmatch(r"(?:sub)?0*(\d{1,4})", subject, re.IGNORECASE)
    if number:  # "1" and "sub01" alike
        subject = f"sub{int(number[1]):02d}"
    return Names(clip_id=f"{subject}/{row['name']}", subject=subject, folder=row["name"], emotion=row["emotion"])
