"""What a report gives away: every file says the same as the page, and nothing is left out in silence."""

import base64
import io
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stag.explanation.explain import Attribution
from stag.report import export as downloads
from stag.report.export import (
    LARGEST,
    data_link,
    fitting,
    prediction_dict,
    prediction_rows,
    rows_csv,
    step_csv,
    to_json,
    weight,
)
from stag.report.pages.prediction import prediction_page, run_page


def content(link):
    return base64.b64decode(link["href"].split("base64,")[1]).decode("utf-8")


def why(p, rng):
    values = rng.normal(size=p.motion.motion.shape[:2])
    return Attribution(
        values=values, vectors=None, method="ig", class_name=p.most_probable, probability=0.5, score=1.0,
        au_source=p.au_source, layout=p.layout, checks={"completeness_gap": float("nan")},
    )  # fmt: skip


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_link_holds_its_text(text):
    link = data_link("a.csv", text, "rows")
    assert content(link) == text
    assert link["href"].startswith("data:text/csv;charset=utf-8;base64,")


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NESTED = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner), max_leaves=12)


def emptied(value):
    if isinstance(value, dict):
        return {key: emptied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [emptied(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@given(NESTED)
def test_json_is_standard_and_loses_only_what_json_cannot_hold(value):
    def refuse(name):
        raise AssertionError(name)

    assert json.loads(to_json(value), parse_constant=refuse) == emptied(value)


def test_numbers_of_numpy_become_plain_ones():
    numbers = {"a": np.float32(0.5), "b": (np.int64(3), np.float64("inf")), 4: np.bool_(True)}
    assert json.loads(to_json(numbers)) == {"a": 0.5, "b": [3, None], "4": True}


@pytest.mark.parametrize("layout", ["roi20", "roi18", "roi14"])
def test_csv_and_json_tell_the_same_motion_and_reason(make_prediction, rng, layout):
    p = make_prediction("a, b.avi", layout=layout, simulated=True, flags=("low resolution",))
    found = why(p, rng)
    told = json.loads(to_json(prediction_dict(p, found)))
    table = pd.read_csv(io.StringIO(step_csv(p, found)))
    steps, channels = p.motion.motion.shape[:2]
    assert table["step"].tolist() == np.repeat(np.arange(steps), channels).tolist()
    assert table["channel"].tolist() == told["channels"] * steps
    np.testing.assert_allclose(table[["u_px", "v_px"]].to_numpy().reshape(steps, channels, 2), told["motion_px"])
    np.testing.assert_allclose(table["time_s"].to_numpy().reshape(steps, channels)[:, 0], told["time_s"], atol=1e-6)
    np.testing.assert_allclose(table["attribution"].to_numpy().reshape(steps, channels), found.values, rtol=1e-7)
    np.testing.assert_allclose(told["explanation"]["values"], found.values)
    assert told["explanation"]["checks"]["completeness_gap"] is None
    assert (told["simulated_training"], told["flags"]) == (True, ["low resolution"])
    assert max(told["probabilities"], key=told["probabilities"].get) == told["predicted"] == p.predicted
    np.testing.assert_allclose(np.sum(told["adjacency"], axis=1), 1, atol=1e-4)
    assert "not what a person felt" in told["caveat"]


def test_without_a_reason_or_a_graph_there_is_none(make_prediction):
    p = make_prediction(graph_layers=0)
    told = prediction_dict(p)
    assert (told["adjacency"], told["explanation"]) == (None, None)
    assert pd.read_csv(io.StringIO(step_csv(p)))["attribution"].isna().all()


def test_rows_are_those_of_predict_csv(make_prediction):
    made = [make_prediction("a, b.avi"), make_prediction('"c".avi', seed=1)], [("dark.mp4", "no face, none")]
    read = pd.read_csv(io.StringIO(rows_csv(*made)))
    wanted = prediction_rows(*made)
    assert list(read["file"]) == ["a, b.avi", '"c".avi', "dark.mp4"]
    assert list(read.columns) == list(wanted.columns)
    np.testing.assert_allclose(read["p_negative"], wanted["p_negative"].to_numpy(float))


def test_only_what_is_too_large_is_left_out_and_says_so():
    prefix = len(data_link("a.json", "", "x")["href"])
    at_most = (LARGEST - prefix) // 4 * 3
    fits, large = (data_link("a.json", "x" * size, "every score") for size in (at_most, at_most + 1))
    kept, left = fitting([fits, large], "it lies in the run folder")
    assert kept == fits
    assert (left["name"], left["href"]) == ("a.json", "")
    assert left["about"] == (
        "every score; left out, because its 0.7 MB would make this page too large: it lies in the run folder"
    )
    assert weight([kept, left]) == len(fits["href"]) <= LARGEST


def test_a_page_names_what_it_leaves_out(make_prediction, run_result, predictions_table, monkeypatch):
    pages = {
        "stag explain writes": lambda: prediction_page([make_prediction("my.avi")]),
        "lies in the run folder": lambda: run_page(run_result, predictions_table),
    }
    assert all("left out, because" not in page() for page in pages.values())
    monkeypatch.setattr(downloads, "LARGEST", 100)
    for where, page in pages.items():
        text = page()
        assert where in text
        assert "left out, because" in text
        assert "<a href=" not in text
        assert "predictions.csv <span>" in text


def test_links_count_towards_the_size_of_a_page(make_prediction, run_result, predictions_table, monkeypatch):
    one = make_prediction()
    whole = run_page(run_result, predictions_table, examples=[one])
    assert 'class="face"' in whole
    monkeypatch.setattr(
        "stag.report.pages.prediction._FOR_FACES", len(whole) - len(run_page(run_result, predictions_table)) + 100
    )
    assert 'class="face"' not in run_page(run_result, predictions_table, examples=[one])


def test_a_row_holds_what_the_prediction_says(make_prediction):
    p = make_prediction("a.avi", flags=("low resolution",), motion_flags=("low resolution", "face lost after 0.30 s"))
    table = prediction_rows([p])
    assert list(table.columns) == [
        "file", "face_id", "face_score", "start_s", "end_s", "frames", "yaw_deg", "pitch_deg", "roll_deg", "predicted",
        *(f"p_{name}" for name in p.classes), *(f"au_{n}" for n in p.au_vocabulary), "flags",
    ]  # fmt: skip
    row = table.iloc[0]
    assert [row[f"p_{name}"] for name in p.classes] == list(p.probabilities)
    assert [row[f"au_{n}"] for n in p.au_vocabulary] == list(p.au_probabilities)
    assert (row["file"], row["predicted"], row["frames"], row["face_score"]) == ("a.avi", p.predicted, 41, 1.5)
    assert row["flags"] == "low resolution; face lost after 0.30 s"


def test_a_failed_file_has_its_reason_and_nothing_else(make_prediction):
    table = prediction_rows([make_prediction()], [("dark.mp4", "no face")])
    failed = table.iloc[1]
    assert (failed["file"], failed["flags"]) == ("dark.mp4", "no face")
    assert failed.drop(["file", "flags"]).isna().all()
    assert table.to_csv(index=False).splitlines()[2] == "dark.mp4" + "," * (len(table.columns) - 1) + "no face"


def test_only_failures_and_nothing_at_all():
    assert list(prediction_rows([], [("a", "b")])["flags"]) == ["b"]
    assert list(prediction_rows([]).columns[:2]) == ["file", "face_id"]
    assert prediction_rows([]).empty


def test_models_of_different_classes_share_one_table(make_prediction):
    table = prediction_rows([make_prediction(), make_prediction(classes=("anger", "surprise"))])
    assert pd.isna(table.loc[0, "p_anger"])
    assert pd.isna(table.loc[1, "p_negative"])
    assert table["p_surprise"].notna().all()
