import csv
import io
import re
from dataclasses import replace
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

import stag
from stag.config import ModelConfig, MotionConfig
from stag.datasets.readers.intervals import read_intervals
from stag.errors import ModelError
from stag.inference.predictor import Predictor
from stag.model.stag import STAG
from stag.report.overlay import write_overlay
from stag.report.pages.timeline import timeline_page
from stag.report.plots.timeline import thinned, timeline_figure, unit_courses
from stag.report.timeline_files import (
    boris_csv,
    curve_rows,
    datavyu_csv,
    elan,
    events_in_words,
    interval_rows,
    spotted_intervals,
    webvtt,
)
from stag.simulate.recording_motion import simulate_recording
from stag.spotting.peaks import noise_px
from stag.spotting.recognise import FaceTimeline, interval_motion, recognise, unit_curves
from stag.types import Interval
from stag.video import read_frames, write_video


@pytest.fixture(scope="module")
def predictor():
    return Predictor(detector=SimpleNamespace())


@pytest.fixture(scope="module")
def face(predictor):
    made = simulate_recording(0, duration_s=30.0)
    events = [e for e in made.script.events if e.kind in ("blink", "speech", "gaze", "turn")]
    shown = [Interval(**{**vars(one), "file": "a <b>.mp4", "score": 0.9}) for one, _ in made.seen]
    shown += [Interval(file="a <b>.mp4", onset_s=5.0, apex_s=5.2, offset_s=5.4, kind="micro", score=0.8)]
    expressions = tuple(recognise(made.motion, one, predictor, events) for one in shown)
    curves = unit_curves(made.motion, predictor)
    return FaceTimeline("a <b>.mp4", made.motion, expressions, tuple(events), 1.0, curves)


def test_an_elan_document_is_read_back(face, tmp_path):
    path = tmp_path / "x.eaf"
    path.write_text(elan([face], tmp_path / "a <b>.mp4"), encoding="utf-8")
    coded = read_intervals(path)
    assert list(coded.recordings) == ["a <b>.mp4"]
    wanted = sorted((one.interval for one in face.expressions), key=lambda one: one.onset_s)
    assert [one.kind for one in coded.intervals] == [one.kind for one in wanted]
    for one, other in zip(coded.intervals, wanted, strict=True):
        assert (one.onset_s, one.offset_s) == pytest.approx((other.onset_s, other.offset_s), abs=0.0006)
        assert one.face_id == 0
    root = ElementTree.parse(path).getroot()
    slots = {slot.get("TIME_SLOT_ID") for slot in root.iter("TIME_SLOT")}
    used = {note.get(f"TIME_SLOT_REF{i}") for note in root.iter("ALIGNABLE_ANNOTATION") for i in (1, 2)}
    assert slots == used
    types = {one.get("LINGUISTIC_TYPE_ID") for one in root.iter("LINGUISTIC_TYPE")}
    assert {tier.get("LINGUISTIC_TYPE_REF") for tier in root.iter("TIER")} == types
    assert {f"{event.kind} (face 0)" for event in face.events} <= {tier.get("TIER_ID") for tier in root.iter("TIER")}


def test_rows_are_read_back_as_intervals(face, tmp_path):
    path = tmp_path / "x.csv"
    interval_rows([face], [("b.mp4", "cannot be read")]).to_csv(path, index=False)
    coded = read_intervals(path)
    assert set(coded.recordings) == {"a <b>.mp4", "b.mp4"}
    assert [(one.kind, one.emotion) for one in coded.intervals] == [
        (one.kind, one.emotion) for one in spotted_intervals([face])
    ]


def test_subtitles_are_in_order_and_escaped(face):
    text = webvtt([face])
    assert text.startswith("WEBVTT\n")
    starts = re.findall(r"^(\d\d):(\d\d):(\d\d\.\d{3}) --> ", text, flags=re.M)
    seconds = [3600 * int(h) + 60 * int(m) + float(s) for h, m, s in starts]
    assert len(seconds) == len(face.expressions) + len(face.events)
    assert seconds == sorted(seconds)


def test_boris_rows_have_a_start_before_their_stop(face):
    rows = list(csv.DictReader(io.StringIO(boris_csv([face]))))
    assert len(rows) == len(face.expressions) + len(face.events)
    assert all(float(row["Start (s)"]) < float(row["Stop (s)"]) for row in rows)
    assert {row["Behavior"] for row in rows} >= {"micro"}


def test_a_datavyu_spreadsheet_has_a_column_for_each_tier(face):
    """By the grammar of Datavyu's own writer: columns with their codes, cells with two times and a value."""
    version, *lines = datavyu_csv([face]).splitlines()
    assert version == "#4"
    columns, cells = [], 0
    for line in lines:
        head = re.fullmatch(r"([A-Za-z]\w*) \(MATRIX,true,\)-what\|NOMINAL", line)
        if head:
            columns.append(head[1])
            continue
        cell = re.fullmatch(r"(\d\d:\d\d:\d\d:\d{3}),(\d\d:\d\d:\d\d:\d{3}),\(((?:[^,()\\]|\\.)*)\)", line)
        assert cell[1] <= cell[2]
        cells += 1
    units = sum(int((one.prediction.au_probabilities >= 0.5).sum()) for one in face.expressions)
    assert cells == len(face.expressions) + len(face.events) + units
    assert {"micro_face0", "macro_face0"} <= set(columns)
    assert len(columns) == len(set(columns))


def test_curves_have_a_row_for_each_moment(face):
    units, table = face.unit_curves, curve_rows(face)
    assert len(table) == len(face.motion.time_s)
    known = np.isfinite(units).all(axis=1)
    assert known.mean() > 0.9
    assert ((units[known] >= 0) & (units[known] <= 1)).all()
    np.testing.assert_allclose(table["mouth_v"], face.motion.motion[:, 8, 1], atol=1e-4)


def test_a_model_that_reads_upper_lids_is_told_that_recordings_have_none_before_one_is_read(face, tmp_path):
    said = r"layout roi20; recordings are measured in roi18.*take a model"
    lids = STAG(ModelConfig(), layout="roi20", steps=16, classes=("a", "b"), seed=1).eval()
    lids.info = replace(lids.info, motion=MotionConfig(layout="roi20").model_dump())
    with pytest.raises(ModelError, match=said):
        stag.spot(tmp_path / "there is none.mp4", lids)
    with pytest.raises(ModelError, match=said):
        interval_motion(face.motion, face.expressions[0].interval, MotionConfig(layout="roi20"))


def test_the_motion_of_an_interval_begins_at_its_onset(face, predictor):
    when = face.expressions[0].interval
    tensor = interval_motion(face.motion, when, predictor.settings)
    assert tensor.motion.shape == (predictor.settings.steps, 18, 2)
    assert (tensor.motion[0] == 0).all()
    assert tensor.start_s == pytest.approx(when.onset_s, abs=0.05)
    assert tensor.duration_s == pytest.approx(when.offset_s - when.onset_s, abs=0.1)
    last = np.searchsorted(face.motion.time_s, tensor.start_s + tensor.duration_s)
    first = np.searchsorted(face.motion.time_s, tensor.start_s)
    np.testing.assert_allclose(tensor.motion[-1], face.motion.motion[last] - face.motion.motion[first], atol=1e-5)


def test_the_page_lists_every_expression_and_escapes_names(face):
    page = timeline_page([face], [("c.mp4", "no face")], limits=["Under .4 px it would not have been seen here"])
    assert page.count('<tr id="e0-') == len(face.expressions)
    assert "a <b>" not in page
    assert "a &lt;b&gt;.mp4" in page
    assert "would not have been seen here" in page
    assert timeline_page([face]) == timeline_page([face])
    assert len(timeline_figure(face).axes) == 8 + len(unit_courses(face))


def test_a_thinned_curve_keeps_its_peak(face):
    course = np.zeros(len(face.motion.time_s))
    course[777] = 5.0
    _, values = thinned(face.motion.time_s, course, face.motion)
    assert np.nanmax(values) == 5.0


def test_words_and_noise(face):
    events = [Interval(file="", onset_s=0, offset_s=1, kind=kind) for kind in ("blink", "blink", "speech")]
    assert events_in_words(events) == "2 blinks, 1 bout of speech"
    noise = noise_px([face.motion.motion[rows] for rows in face.motion.stretches()])
    assert noise.shape == (18,)
    assert (noise > 0).all()


def test_an_overlay_has_the_frames_of_the_recording(face, tmp_path):
    source, target = tmp_path / "in.mkv", tmp_path / "out.mp4"
    write_video(source, [np.full((65, 81), 40 * i, np.uint8) for i in range(6)], 30.0)
    write_overlay(target, source, [face])
    frames = list(read_frames(target))
    assert len(frames) == 6
    assert frames[0].image.shape == (64, 80)
    assert frames[-1].time_s == pytest.approx(5 / 30, abs=0.01)


def test_a_table_of_another_program_is_read(tmp_path):
    path = tmp_path / "coded.csv"
    path.write_text("Video;Start (s);End_s;Type\nr1;1,5;1,9;Micro - 1/2\nr1;2;3;Macro\nr2;;;\nr3;4;4.2;\n")
    coded = read_intervals(path)
    assert [(one.file, one.onset_s, one.kind) for one in coded.intervals] == [
        ("r1", 1.5, "micro"), ("r1", 2.0, "macro"), ("r3", 4.0, "micro"),
    ]  # fmt: skip
    assert list(coded.recordings) == ["r1", "r2", "r3"]
    path.write_text("file,onset_s,offset_s\nr1,3,2\n")
    with pytest.raises(Exception, match="is no interval in seconds"):
        read_intervals(path)
