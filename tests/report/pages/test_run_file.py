import json

import pytest

from stag.errors import RunError
from stag.report.pages.prediction import report_run, run_page


@pytest.fixture
def folder(tmp_path, run_result, predictions_table):
    (tmp_path / "result.json").write_text(json.dumps(run_result), encoding="utf-8")
    predictions_table.to_csv(tmp_path / "predictions.csv", index=False)
    return tmp_path


def change(folder, **values):
    path = folder / "result.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_run_folder_gives_the_page_of_its_content(folder, run_result, predictions_table):
    assert report_run(folder) == run_page(run_result, predictions_table)
    assert 'casme2</td><th scope="row">003</th>' in report_run(str(folder))


@pytest.mark.parametrize("name", ["result.json", "predictions.csv"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(RunError, match=rf"has no {name}; name the folder of a finished"):
        report_run(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("result.json", "{", "cannot be read as JSON"),
        ("result.json", "[]", "contains list, not an object"),
        ("result.json", "{}", "protocol: Field required"),
        ("predictions.csv", "", "cannot be read as CSV"),
        ("predictions.csv", "clip_id,dataset\n", "no column 'subject'"),
        ("predictions.csv", "clip_id,dataset,subject,truth,predicted\na,b,c,joy,negative\n", "truth contains 'joy'"),
        ("predictions.csv", "clip_id,dataset,subject,truth,predicted\na,b,c,positive,negative\n", "1 clips and"),
    ],
)
def test_damaged_content_is_refused_with_its_place(folder, name, content, message):
    (folder / name).write_text(content)
    with pytest.raises(RunError, match=message) as raised:
        report_run(folder)
    assert str(folder / name) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_bytes_that_are_no_text_are_refused(folder):
    for name in ("predictions.csv", "result.json"):
        (folder / name).write_bytes(b"\xff\xfe\x00")
        with pytest.raises(RunError, match=name):
            report_run(folder)


def test_an_unfinished_run_is_refused(folder):
    change(folder, units={"done": 11, "total": 12})
    with pytest.raises(RunError, match="11 of 12 units are done"):
        report_run(folder)


def test_a_confusion_matrix_of_another_size_is_refused(folder, run_result):
    change(folder, pooled={**run_result["pooled"], "confusion": [[1, 2], [3, 4]]})
    with pytest.raises(RunError, match="not 3 x 3"):
        report_run(folder)


def test_people_and_clips_named_like_missing_values_are_kept(folder, predictions_table):
    table = predictions_table.replace({"subject": {"003": "NA"}, "clip_id": {"c00": "None"}})
    table.to_csv(folder / "predictions.csv", index=False)
    assert '<th scope="row">NA</th>' in report_run(folder)


def test_further_keys_are_no_obstacle(folder):
    change(folder, seeds_spread={"uf1": 0.0}, class_counts={}, run={"stag": "9"})
    assert "Leave one subject out" in report_run(folder)
