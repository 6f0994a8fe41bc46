"""SAMM: 159 clips at 200 fps; frame numbers run through whole recordings, and four key frames are known to be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stag.datasets.readers.annotation import Format
from stag.datasets.readers.entries import IMPOSSIBLE, Repair
from stag.datasets.readers.published_set import Names, PublishedSet, load_published
from stag.datasets.readers.result import Loaded, Options
from stag.utils.cells import text

_FROM_FLOW = "known from the optical flow of the clip"
LAYOUT = PublishedSet(
    name="samm",
    title="SAMM",
    fps=200.0,
    trees={"raw": ("SAMM",), "cropped": ("SAMM_cropped", "Cropped")},
    subject_folder=r"\d{3}",
    form=Format(
        example="SAMM_Micro_FACS_Codes_v2.xlsx",
        names=r"samm.*facs|samm.*micro",
        columns={
            "subject": ("Subject",),
            "name": ("Filename", "File name"),
            "onset": ("Onset Frame", "Onset"),
            "apex": ("Apex Frame", "Apex"),
            "offset": ("Offset Frame", "Offset"),
            "codes": ("Action Units", "AUs", "AU"),
            "emotion": ("Estimated Emotion", "Emotion"),
        },
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


def load(root: Path, options: Options) -> Loaded:
    """Read SAMM; clip ids are file names such as ``006_1_2``. See :func:`load_published`."""
    return load_published(root, options, LAYOUT, _names)


def _names(row: Mapping[str, str]) -> Names:
    subject, emotion = text(row["subject"]), text(row["emotion"])
    return Names(
        clip_id=row["name"],
        subject=f"{int(subject):03d}" if subject.isdecimal() else subject,
        folder=row["name"],
        emotion="other" if emotion.casefold() == "others" else emotion,
    )
