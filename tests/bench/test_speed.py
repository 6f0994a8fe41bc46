"""The speed benchmark: every row is complete, adds up, and its own reference stands beside it."""

import json
import time
from functools import partial

import pytest

from stag.bench import extraction, learning, processes
from stag.bench.clips import ClipSpec
from stag.bench.growth import growth_rows
from stag.bench.rows import fastest
from stag.bench.speed import PARTS, measure, speed_table
from stag.errors import ConfigError


def test_the_fastest_run_of_each_counts_and_they_take_turns():
    order = []

    def run(name, pauses):
        order.append(name)
        time.sleep(next(pauses))

    best = fastest(
        {"a": partial(run, "a", iter((0.03, 0.0, 0.0))), "b": partial(run, "b", iter((0.02,) * 3))}, 0, at_least=3
    )
    assert order == ["a", "b"] * 3
    assert best["a"] < 0.01
    assert 0.02 <= best["b"]


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extraction, "_SPEC", ClipSpec(0, 32.0, (4, 12), 1.0, fps=100.0, size=(320, 240)))
        return measure(("extract", "start"), quick=True)


def test_a_ratio_is_that_of_its_row(found):
    rows = [row for part in found.parts.values() for row in part]
    assert all(row["value"] > 0 for row in rows)
    for row in found.parts["start"]:
        assert row["ratio"] == pytest.approx(1 + row["value"] / row["reference"])


@pytest.mark.nightly
def test_predictions_are_timed_beside_torch():
    rows = measure(("predict",), quick=True).parts["predict"]
    assert [row["ratio"] for row in rows] == pytest.approx([row["reference"] / row["value"] for row in rows])


def test_the_stages_of_extraction_add_up(found):
    whole, *stages, floor = found.parts["extract"]
    assert sum(row["share"] for row in stages) == pytest.approx(1.0, abs=0.05)
    assert sum(row["value"] for row in stages) == pytest.approx(whole["value"], rel=0.05)
    assert floor["reference"] == pytest.approx(stages[0]["value"])
    assert whole["ratio"] == pytest.approx(whole["reference"] / whole["value"])


def test_what_was_measured_is_plain_data_and_names_its_machine(found):
    assert json.loads(json.dumps(found.as_dict()))["parts"].keys() == found.parts.keys()
    table = speed_table(found)
    assert all(f"### {part}" in table for part in found.parts)
    assert "python 3" in table.splitlines()[-1]


def test_an_unknown_part_is_refused_before_anything_is_measured():
    with pytest.raises(ConfigError, match=r"tain.*extract.*memory"):
        measure(("extract", "tain"))
    assert "motion" not in PARTS


@pytest.mark.parametrize("works", [1, pytest.param(len(processes.WORKS), marks=pytest.mark.nightly)])
def test_peak_memory_is_that_of_a_process_of_its_own(monkeypatch, works):
    monkeypatch.setattr(processes, "WORKS", processes.WORKS[:works])
    held = bytearray(b"x") * (800 * 1024**2)
    rows = processes.memory_peaks()
    assert len(held)
    assert len(rows) == works
    assert all(row["reference"] < row["value"] < 2048 for row in rows)
    assert all(row["reference"] < 600 for row in rows)


def test_an_epoch_of_training_stands_beside_a_plain_loop_and_takes_longer_than_its_matrix_products():
    plain, floor = learning._epoch_rows(0.0)
    assert plain["value"] == floor["value"] > floor["reference"] > 0
    assert plain["ratio"] > floor["ratio"]


def test_what_leave_one_subject_out_takes_grows_with_subjects_and_clips():
    (small, large) = ([row["value"] for row in growth_rows([size])] for size in ((3, 60), (6, 240)))
    assert all(value > 0 for value in small)
    assert large[2] > 4 * small[2]
    assert large[3] > small[3]
