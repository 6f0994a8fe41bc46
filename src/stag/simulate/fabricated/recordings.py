"""Write small trees in the layouts of published sets of long recordings, sheets and quirks included, without faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from openpyxl import Workbook

from stag.datasets.readers.manifest import SIMULATION
from stag.utils.files import write_json

_SIZE = (24, 32)


def fabricate_recordings(out: Path, name: str) -> None:
    """Write the tree of ``samm-lv``, ``casme-sq`` or ``casme3`` with a few recordings of tiny grey images."""
    book = Workbook()
    book.remove(book.active)
    for title, rows in _SHEETS[name].items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    for folder, (numbers, pattern) in _FRAMES[name].items():
        place = out / folder
        place.mkdir(parents=True)
        for number in numbers:
            image = np.full(_SIZE, number % 250, np.uint8)
            (place / pattern.format(number)).write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
    book.save(out / _BOOKS[name])
    write_json(out / SIMULATION, {"simulated": True})


_BOOKS = {
    "samm-lv": "SAMM_LongVideos_V1_Release.xlsx",
    "casme-sq": "CAS(ME)^2code_final.xlsx",
    "casme3": "CAS(ME)3_part_A_v2.xlsx",
}
_FRAMES: Mapping[str, Mapping[str, tuple[Sequence[int], str]]] = {
    "samm-lv": {
        "SAMM_longvideos/006_1": (range(1, 121), "006_1_{:04d}.jpg"),
        "SAMM_longvideos/007_3": (range(1, 61), "007_3_{:04d}.jpg"),
    },
    "casme-sq": {
        "rawpic/s15/15_0101disgustingteeth": (range(1, 91), "img{:03d}.jpg"),
        "rawpic/s15/15_0508funnyinnovations": (range(1, 61), "img{:03d}.jpg"),
        "rawpic/s16/16_0401girlcrashing": (range(1, 61), "img{:03d}.jpg"),
    },
    "casme3": {
        "part_A/spNO.1/a/color": (range(5, 95), "{}.jpg"),
        "part_A/spNO.2/b/color": (range(0, 60), "{}.jpg"),
    },
}
_SAMM_HEAD = (
    "Subject", "Filename", "Inducement Code", "Onset", "Apex", "Offset", "Duration", "Type", "Action Units", "Notes",
)  # fmt: skip
_SHEETS: Mapping[str, Mapping[str, Sequence[Sequence[object]]]] = {
    "samm-lv": {
        "FACS_Movement_Only": [
            *[("SAMM Long Videos",)] * 10,
            _SAMM_HEAD,
            (6, "006_1_1", 1, 11, 31, 51, 40, "Micro - 1/2", "4", ""),
            (6, "006_1_2", 1, 0, -1, 101, 101, "Macro", "12A", ""),
            (6, "006_1_3", 1, 60, 70, 0, 0, "Macro", "R1+R2", ""),
            (8, "008_1_1", 1, 5, 8, 12, 7, "Macro", "4", "recording is missing"),
        ]
    },
    "casme-sq": {
        "CASFEcode_final": [
            (1, "disgust1_1", 10, 15, 22, "4+7", "negative", "micro-expression", "disgust"),
            (1, "disgust1_2", 30, 45, 60, "12", "positive", "macro-expression", "happiness"),
            (2, "anger1_1", 20, 31, 0, "4", "negative", "macro-expression", "anger"),
        ],
        "naming rule1": [(1, "s15"), (2, "s16")],
        "naming rule2": [("0101", "disgust1"), ("0401", "anger1")],
    },
    "casme3": {
        "AU+Emotion": [
            ("Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Expression type", "Objective class"),
            ("spNO.1", "a", "20", "28", "35", "4+7", "Micro-expression", "1"),
            ("spNO.2", "b", "10", "20", "50", "12", "Macro-expression", "2"),
        ],
        "eye blink": [("Subject", "Filename", "Onset", "Offset"), ("spNO.1", "a", "7", "12")],
    },
}
