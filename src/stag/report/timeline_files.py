"""Write what was spotted for other programs: tables, ELAN, WebVTT, a BORIS-style table, and a row for each moment."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from stag.facs import AU_VOCABULARY
from stag.motion.regions import channel_names
from stag.report.export import CAVEAT
from stag.report.wording import all_flags, share
from stag.spotting.peaks import noise_px
from stag.spotting.recognise import Expression, FaceTimeline
from stag.types import Interval

if TYPE_CHECKING:
    import pandas as pd

_HEAD = ("file", "face_id", "onset_s", "apex_s", "offset_s", "kind", "score", "predicted")
_EAF = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_TYPE = "default-lt"
_LEAST_UNIT = 0.5  # probability from which an action unit has an annotation in its tier


def interval_rows(timelines: Sequence[FaceTimeline], failures: Sequence[tuple[str, str]] = ()) -> pd.DataFrame:
    """Return the rows that ``stag spot --csv`` writes: one for each expression, and for each failed recording.

    A recording in which nothing was spotted has a row with its name alone, so that scoring knows it.
    """
    import pandas as pd

    expressions = [(face, one) for face in timelines for one in face.expressions]
    classes = dict.fromkeys(f"p_{name}" for _, one in expressions for name in one.prediction.classes)
    units = dict.fromkeys(f"au_{n}" for _, one in expressions for n in one.prediction.au_vocabulary)
    rows: list[dict[str, Any]] = [_row(face, one) for face, one in expressions]
    rows += [
        {"file": face.file, "face_id": face.motion.face_id, "flags": "no expression"}
        for face in timelines
        if not face.expressions
    ]
    rows += [{"file": file, "flags": reason} for file, reason in failures]
    columns = [*_HEAD, *classes, *units, "regions", "strength_px", "flags"]
    return pd.DataFrame(rows, columns=columns).astype({"face_id": "Int64"})


def _row(face: FaceTimeline, one: Expression) -> dict[str, Any]:
    p, when = one.prediction, one.interval
    return {
        "file": face.file, "face_id": face.motion.face_id, "onset_s": round(when.onset_s, 4),
        "apex_s": round(when.apex_s, 4), "offset_s": round(when.offset_s, 4), "kind": when.kind,
        "score": round(when.score, 4), "predicted": p.predicted,
        **{f"p_{name}": value for name, value in zip(p.classes, p.probabilities.tolist(), strict=True)},
        **{f"au_{n}": value for n, value in zip(p.au_vocabulary, p.au_probabilities.tolist(), strict=True)},
        "regions": ", ".join(one.regions), "strength_px": round(one.strength_px, 3),
        "flags": remarks_of(one),
    }  # fmt: skip


def remarks_of(one: Expression) -> str:
    """Return what else happens meanwhile, and the remarks on the motion, each once."""
    return "; ".join(dict.fromkeys((*one.flags, *all_flags(one.prediction))))


def answer_of(one: Expression) -> str:
    """Return the class and its probability, ``"surprise .71"``, or why there is none."""
    p = one.prediction
    return p.predicted if p.abstains else f"{p.predicted} {share(float(p.probabilities.max()))}"


def timeline_dict(face: FaceTimeline) -> dict[str, Any]:
    """Return a face's timeline as plain data for a JSON file."""
    noise = noise_px([face.motion.motion[rows] for rows in face.motion.stretches()])
    return {
        "file": face.file,
        "face_id": face.motion.face_id,
        "duration_s": face.motion.duration_s,
        "measured_s": face.motion.measured_s,
        "false_alarms_per_min": face.false_alarms,
        "noise_px": dict(zip(channel_names("roi18"), noise.round(4).tolist(), strict=True)),
        "expressions": [_row(face, one) for one in face.expressions],
        "events": [
            {"kind": e.kind, "onset_s": e.onset_s, "apex_s": e.apex_s, "offset_s": e.offset_s, "score": e.score}
            for e in face.events
        ],
        "caveat": CAVEAT,
    }


def curve_rows(face: FaceTimeline) -> pd.DataFrame:
    """Return one row for each moment: ``file, face_id, time_s, au_<n>..., <region>_u, <region>_v``."""
    import pandas as pd

    motion = face.motion
    columns: dict[str, Any] = {"file": face.file, "face_id": motion.face_id, "time_s": motion.time_s.round(4)}
    columns |= {f"au_{n}": course.round(4) for n, course in zip(AU_VOCABULARY, face.unit_curves.T, strict=True)}
    for i, name in enumerate(channel_names("roi18")):
        for part, letter in enumerate("uv"):
            columns[f"{name.replace(' ', '_')}_{letter}"] = motion.motion[:, i, part].round(4)
    return pd.DataFrame(columns)


def elan(timelines: Sequence[FaceTimeline], media: Path) -> str:
    """Return an ELAN document (EAF 3.0) of one recording: for each face tiers of kinds, events and action units."""
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "stag", "DATE": "2000-01-01T00:00:00+00:00", "FORMAT": "3.0", "VERSION": "3.0",
            "xmlns:xsi": _XSI, "xsi:noNamespaceSchemaLocation": _EAF,
        },
    )  # fmt: skip
    header = ElementTree.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    address = media.resolve().as_uri()
    kind = {".mp4": "video/mp4", ".mpg": "video/mpeg", ".mov": "video/quicktime"}.get(media.suffix.lower(), "video/*")
    ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", {"MEDIA_URL": address, "MIME_TYPE": kind})
    order = ElementTree.SubElement(root, "TIME_ORDER")
    slots = 0
    for face in timelines:
        for name, notes in _tiers(face).items():
            tier = ElementTree.SubElement(
                root, "TIER", {"LINGUISTIC_TYPE_REF": _TYPE, "TIER_ID": f"{name} (face {face.motion.face_id})"}
            )
            for one, text in notes:
                ends = []
                for at_s in (one.onset_s, max(one.offset_s, one.onset_s + 0.001)):
                    slots += 1
                    ends.append(f"ts{slots}")
                    at_ms = str(round(1000 * at_s))
                    ElementTree.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": ends[-1], "TIME_VALUE": at_ms})
                about = {"TIME_SLOT_REF1": ends[0], "TIME_SLOT_REF2": ends[1], "ANNOTATION_ID": f"a{slots // 2}"}
                inner = ElementTree.SubElement(
                    ElementTree.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", about
                )
                ElementTree.SubElement(inner, "ANNOTATION_VALUE").text = text
    ElementTree.SubElement(
        root,
        "LINGUISTIC_TYPE",
        {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": _TYPE, "TIME_ALIGNABLE": "true"},
    )
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _tiers(face: FaceTimeline) -> dict[str, list[tuple[Interval, str]]]:
    tiers: dict[str, list[tuple[Interval, str]]] = {"micro": [], "macro": []}
    for one in face.expressions:
        tiers[one.interval.kind].append((one.interval, _label(one)))
        p = one.prediction
        for unit, odds in zip(p.au_vocabulary, p.au_probabilities.tolist(), strict=True):
            if odds >= _LEAST_UNIT:
                tiers.setdefault(f"AU {unit}", []).append((one.interval, share(odds)))
    for event in face.events:
        tiers.setdefault(event.kind, []).append((event, event.kind))
    return tiers


def webvtt(timelines: Sequence[FaceTimeline]) -> str:
    """Return subtitles: a cue for each expression and each event, in order of time."""
    several = len(timelines) > 1
    cues = []
    for face in timelines:
        who = f"face {face.motion.face_id}: " if several else ""
        cues += [(one.interval, f"{who}{one.interval.kind}: {_label(one)}") for one in face.expressions]
        cues += [(event, f"{who}{event.kind}") for event in face.events]
    cues.sort(key=lambda cue: cue[0].onset_s)
    lines = ["WEBVTT", "", "NOTE Spotted by stag; not lie detection.", ""]
    for one, text in cues:
        end = max(one.offset_s, one.onset_s + 0.001)
        lines += [f"{_clock(one.onset_s)} --> {_clock(end)}", _escaped(text), ""]
    return "\n".join(lines)


def boris_csv(timelines: Sequence[FaceTimeline]) -> str:
    """Return events as BORIS aggregates them: start and stop in seconds, subject, behaviour, modifier, comment."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    head = ("Observation id", "Media file name", "Subject", "Behavior", "Behavior type", "Modifiers")
    writer.writerow([*head, "Start (s)", "Stop (s)", "Duration (s)", "Comment"])
    for face in timelines:
        name = Path(face.file).name
        rows = [(one.interval, one.prediction.predicted, ", ".join(one.regions)) for one in face.expressions]
        rows += [(event, "", "") for event in face.events]
        for one, modifier, comment in sorted(rows, key=lambda row: row[0].onset_s):
            times = [f"{value:.3f}" for value in (one.onset_s, one.offset_s, one.offset_s - one.onset_s)]
            who = f"face {face.motion.face_id}"
            writer.writerow([Path(name).stem, face.file, who, one.kind, "STATE", modifier, *times, comment])
    return table.getvalue()


def datavyu_csv(timelines: Sequence[FaceTimeline]) -> str:
    """Return a spreadsheet that Datavyu opens: a column for each kind and action unit of a face, a cell an interval."""
    lines = ["#4"]
    for face in timelines:
        for name, notes in _tiers(face).items():
            lines.append(f"{name.replace(' ', '')}_face{face.motion.face_id} (MATRIX,true,)-what|NOMINAL")
            for one, text in notes:
                times = (_clock(at_s).replace(".", ":") for at_s in (one.onset_s, one.offset_s))
                cell = re.sub(r"([^ .+A-Za-z0-9])", r"\\\1", text)  # a backslash before what parts cells
                lines.append(f"{','.join(times)},({cell})")
    return "\n".join(lines) + "\n"


def events_in_words(events: Iterable[Interval]) -> str:
    """Return how many events of each kind there are: ``"14 blinks, 2 bouts of speech"``."""
    kinds = [one.kind for one in events]
    names = {"blink": "blink", "speech": "bout of speech", "gaze": "shift of the gaze", "turn": "turn of the head"}
    many = {"blink": "blinks", "speech": "bouts of speech", "gaze": "shifts of the gaze", "turn": "turns of the head"}
    counts = [(kind, kinds.count(kind)) for kind in names if kind in kinds]
    return ", ".join(f"{n} {names[kind] if n == 1 else many[kind]}" for kind, n in counts)


def _label(one: Expression) -> str:
    return f"{answer_of(one)}, {', '.join(one.regions)}"


def _clock(seconds: float) -> str:
    whole = round(1000 * seconds)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}.{whole % 1000:03d}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def spotted_intervals(timelines: Sequence[FaceTimeline]) -> list[Interval]:
    """Return the expressions as intervals with their predicted class, for scoring."""
    return [
        replace(one.interval, file=face.file, emotion=one.prediction.predicted)
        for face in timelines
        for one in face.expressions
    ]
