"""DFME: three splits of different people."""

import shutil

import pytest

from planted import SHEET_FAULTS, assert_verdict, link_tree, no_preamble, put, relative
from stag.datasets.check import audit
from stag.datasets.clips import load_dataset, load_set
from stag.datasets.readers.result import Options
from stag.errors import DatasetError

ORDER = ("disgust", "surprise", "sadness", "fear", "happiness", "anger", "contempt")
EMOTIONS = {
    "train": dict(zip(ORDER, (548, 298, 278, 265, 206, 161, 100), strict=True)),
    "test_a": dict(zip(ORDER, (129, 101, 46, 62, 63, 39, 34), strict=True)),
    "test_b": dict(zip(ORDER, (58, 48, 35, 38, 42, 41, 37), strict=True)),
}
PEOPLE = {"train": 176, "test_a": 42, "test_b": 41}


def test_every_scheme_gives_the_published_counts_in_every_split(full_tree):
    found = audit("dfme", full_tree("dfme"))
    assert found.agrees
    assert (found.clips, found.subjects) == (2629, 259)
    counts = {(one.scheme, one.split): dict(one.counts) for one in found.comparisons}
    assert set(counts) == {(s, split) for s in ("megc3", "paper3", "paper5", "paper7") for split in EMOTIONS}
    for split, emotions in EMOTIONS.items():
        negative = sum(emotions[name] for name in ("anger", "contempt", "disgust", "fear", "sadness"))
        three = dict(negative=negative, positive=emotions["happiness"], surprise=emotions["surprise"])
        assert counts["megc3", split] == counts["paper3", split] == three
        others = sum(emotions[name] for name in ("disgust", "fear", "sadness"))
        alone = {name: emotions[name] for name in ("anger", "contempt", "happiness", "surprise")}
        assert counts["paper5", split] == {**alone, "others": others}
        assert counts["paper7", split] == emotions
    assert counts["paper3", "test_a"] == dict(negative=310, positive=63, surprise=101)
    assert counts["paper5", "test_a"]["others"] == 237
    assert {(one.split, one.subjects) for one in found.comparisons} == set(PEOPLE.items())


def test_one_split_can_be_asked_for(full_tree):
    found = audit("dfme", full_tree("dfme"), "paper7", Options(split="test_b"))
    assert [(one.split, one.clips, one.agrees) for one in found.comparisons] == [("test_b", 299, True)]
    table = load_dataset("dfme", full_tree("dfme"), "paper7", split="test_a")
    assert {clip.split for clip in table} == {"test_a"}
    assert len(table) == 474
    assert {clip.fps for clip in table} == {200.0, 300.0, 500.0}
    with pytest.raises(DatasetError, match="DFME has no split 'dev'; there are train, test_a, test_b"):
        load_set("dfme", full_tree("dfme"), Options(split="dev"))


def test_a_split_that_is_not_there_is_said(small_copy):
    tree = small_copy("dfme")
    shutil.rmtree(tree.root / "test_data_B")
    found, text = tree.audit()
    assert "there is no folder test_data_B, so nothing of test_b" in text
    assert "megc3 test_b: 0 clips of 0 subjects, DIFFERS" in text
    assert {clip.split for clip in load_set("dfme", tree.root, Options()).clips} == {"train", "test_a"}
    with pytest.raises(DatasetError, match="holds no frames of DFME test_b"):
        load_set("dfme", tree.root, Options(split="test_b"))
    assert not found.agrees


def test_workbooks_and_folders_that_are_not_nested(full_tree, small_copy):
    tree = small_copy("dfme")
    before = relative(tree.before, tree.root)
    inner = tree.root / "train_data" / "train_data"
    inner.rename(tree.root / "x")
    (tree.root / "train_data").rmdir()
    (tree.root / "x").rename(tree.root / "train_data")
    after = load_set("dfme", tree.root, Options())
    assert [clip.clip_id for clip in after.clips] == [clip.clip_id for clip in before]
    assert load_set("dfme", full_tree("dfme", "xlsx"), Options(split="test_a")).sheet.suffix == ".xlsx"


def test_emotions_by_number_and_conflicts(small_copy):
    tree = small_copy("dfme")
    number = tree.rows[0].index("EmotionId")
    first, second = tree.rows[1], tree.rows[2]
    conflict = "0" if second[number] != "0" else "1"
    first[tree.at[6]], second[number] = first[number], conflict
    tree.save()
    text = tree.audit()[1]
    assert load_set("dfme", tree.root, Options()).clips == tree.before.clips
    assert f"whose EmotionId {conflict} means" in text
    assert f"; {second[tree.at[6]]} is taken" in text


def test_people_in_two_splits_are_a_leak_that_is_named(small_copy):
    tree = small_copy("dfme")
    other = next(clip for clip in tree.before.clips if clip.split == "test_a")
    for row in tree.rows[1:]:
        if row[tree.at[0]] == tree.before.clips[0].subject:
            row[tree.at[0]] = other.subject
    tree.save()
    assert f"1 people are in more than one split, first {other.subject}; results would leak" in tree.audit()[1]


def test_a_rate_that_is_no_rate(small_copy):
    tree = small_copy("dfme")
    place = tree.rows[0].index("Fps")
    tree.rows[1][place], tree.rows[2][place] = "fast", "200 fps"
    tree.save()
    found, text = tree.audit()
    assert [clip.clip_id for clip in found.skipped] == [tree.rows[1][tree.at[1]]]
    assert "row incomplete, train_data.csv row 2 gives no frame rate" in text


@pytest.mark.parametrize("fault", [f for f in SHEET_FAULTS if f is not no_preamble], ids=lambda f: f.__name__)
def test_planted_faults(small_copy, fault):
    tree = small_copy("dfme")
    assert_verdict(tree, fault(tree))


def test_nothing_of_dfme(tmp_path, small_trees):
    with pytest.raises(DatasetError, match="holds no frames of DFME; expected the folders train_data"):
        load_set("dfme", tmp_path, Options())
    link_tree(small_trees("dfme"), tmp_path / "d")
    put(tmp_path / "d" / "train_data.csv", "Subject,Filename\nsub0001,sub0001_01\n".encode("utf-16")[:-1])
    with pytest.raises(DatasetError, match="cannot be read as a table"):
        load_set("dfme", tmp_path / "d", Options())
