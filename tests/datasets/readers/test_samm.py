"""SAMM: preambles, key frames known to be wrong, and action units in every notation."""

import pytest

from planted import SHEET_FAULTS, assert_verdict, images, put
from stag.datasets.check import audit, audit_lines
from stag.datasets.clips import load_dataset, load_set
from stag.datasets.readers.entries import IMPOSSIBLE, Repair, repaired
from stag.datasets.readers.published_set import SAMM
from stag.datasets.readers.result import Options
from stag.errors import DatasetError


@pytest.mark.parametrize("variants", [(), ("stripped",)])
def test_every_scheme_gives_the_published_counts(full_tree, variants):
    found = audit("samm", full_tree("samm", *variants))
    assert found.agrees
    assert (found.clips, found.subjects) == (159, 29)
    assert {one.scheme: dict(one.counts) for one in found.comparisons} == {
        "megc3": dict(negative=92, positive=26, surprise=15),
        "paper3": dict(negative=92, positive=26, surprise=15),
        "paper5": dict(anger=57, contempt=12, happiness=26, others=49, surprise=15),
        "common5": dict(anger=57, contempt=12, happiness=26, others=26, surprise=15),
    }
    assert [one.subjects for one in found.comparisons] == [28, 28, 29, 29]
    assert "26 clips are not part of megc3: other 26" in "\n".join(audit_lines(found))


def test_known_wrong_key_frames_are_repaired_and_reported(full_tree):
    table = load_dataset("samm", full_tree("samm"), "paper5")
    said = {remark.clip_id: remark.text for remark in table.remarks if remark.kind == "repair"}
    assert set(said) == {"013_1_9", "028_4_1", "032_3_1", "032_3_2"}
    assert said["028_4_1"].startswith("apex '-1' -> 1105")
    assert said["032_3_2"].startswith("apex 'blank' -> 5130")
    clips = {clip.clip_id: clip for clip in table}
    for name, field, number in [("013_1_9", "offset", 5739), ("028_4_1", "apex", 1105), ("032_3_1", "apex", 4945)]:
        file = images(clips[name])[getattr(clips[name], field)]
        assert int(file.stem.split("_")[1]) == number
    assert not [remark for remark in table.remarks if remark.kind == "apex estimated"]


def test_a_repair_is_applied_only_where_the_old_value_is_there():
    values = {"onset": "10", "apex": "12", "offset": "14"}
    assert repaired("a", values, range(10, 15), [Repair("a", "apex", IMPOSSIBLE, "13", "x")]) == (values, [])
    assert repaired("a", values, range(10, 15), [Repair("a", "apex", "11", "13", "x")]) == (values, [])
    assert repaired("a", values, range(10, 15), [Repair("b", "apex", "12", "13", "x")]) == (values, [])
    assert repaired("a", values, range(10, 15), [Repair("a", "apex", "12", "99", "x")]) == (values, [])
    fixed, said = repaired("a", values, range(10, 15), [Repair("a", "apex", "12", "13", "seen")])
    assert fixed == {**values, "apex": "13"}
    assert said == ["apex '12' -> 13: seen"]
    assert all(repair.clip_id.count("_") == 2 for repair in SAMM.repairs)


def test_a_corrected_sheet_is_left_alone(full_copy):
    tree = full_copy("samm")
    clip = next(clip for clip in tree.before.clips if clip.clip_id == "028_4_1")
    tree.set(clip, 3, 1105)
    found = load_set("samm", tree.root, Options())
    assert "028_4_1" not in {remark.clip_id for remark in found.remarks}
    assert next(c for c in found.clips if c.clip_id == clip.clip_id) == clip


def test_numbers_are_padded_as_they_like_and_subjects_stay_text(full_tree):
    found = load_set("samm", full_tree("samm"), Options())
    assert {len(clip.subject) for clip in found.clips} == {3}
    widths = {len(path.stem.split("_")[1]) for clip in found.clips for path in images(clip)}
    assert widths == {4, 5}
    assert sum(clip.action_units is None for clip in found.clips) == 1  # "B#"
    unread = {remark.text.split(" in ")[0] for remark in found.remarks if remark.kind == "action units"}
    assert unread == {"'B#'", "'soft focus'", "61"}  # no model knows AU 61, eyes to the left
    assert sum("ref(" in str(clip.action_units or "") for clip in found.clips) == 3
    assert sum(str(clip.action_units or "").startswith("A") for clip in found.clips) == 4


def test_a_subject_that_lost_its_zeros_is_found(small_copy):
    tree = small_copy("samm")
    for row in tree.rows[tree.header + 1 :]:
        row[tree.at[0]] = int(row[tree.at[0]])
    tree.save()
    assert load_set("samm", tree.root, Options()).clips == tree.before.clips


@pytest.mark.parametrize("fault", SHEET_FAULTS, ids=lambda f: f.__name__)
def test_planted_faults(small_copy, fault):
    tree = small_copy("samm")
    assert_verdict(tree, fault(tree))


def test_a_semicolon_table_serves_as_well(small_copy):
    tree = small_copy("samm")
    lines = [";".join("" if cell is None else str(cell) for cell in row) for row in tree.rows]
    tree.sheet.unlink()
    put(tree.sheet.with_suffix(".csv"), "\n".join(lines).encode())
    assert load_set("samm", tree.root, Options()).clips == tree.before.clips


def test_options_that_samm_does_not_know_are_refused(full_tree):
    with pytest.raises(DatasetError, match=r"SAMM has no split to choose"):
        load_set("samm", full_tree("samm"), Options(split="train"))
    with pytest.raises(DatasetError, match=r"no annotation '2014' of this set; there are SAMM_Micro"):
        load_set("samm", full_tree("samm"), Options(annotation="2014"))
    with pytest.raises(DatasetError, match="no layout 'wide'"):
        Options(layout="wide")
    with pytest.raises(DatasetError, match="common5 is not defined for smic"):
        load_dataset("smic", full_tree("smic"), "common5")
