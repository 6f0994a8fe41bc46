"""CASME II: both layouts, both editions, and whatever may be wrong with a copy."""

import pytest

from planted import SHEET_FAULTS, assert_verdict, link_tree, put, relative
from stag.datasets.check import audit, audit_lines
from stag.datasets.clips import load_dataset, load_set
from stag.datasets.readers.result import Options
from stag.errors import DatasetError

MEGC3 = dict(negative=88, positive=32, surprise=25)


def counts(found):
    return {one.scheme: dict(one.counts) for one in found.comparisons}


def test_every_scheme_gives_the_published_counts(full_tree):
    found = audit("casme2", full_tree("casme2"))
    assert found.agrees
    assert (found.clips, found.subjects) == (255, 26)
    assert counts(found) == {
        "megc3": MEGC3,
        "paper3": dict(negative=198, positive=32, surprise=25),
        "paper5": dict(negative=63, others=108, positive=32, repression=27, surprise=25),
        "common5": dict(disgust=63, happiness=32, others=99, repression=27, surprise=25),
    }
    megc3 = found.comparisons[0]
    assert (megc3.clips, megc3.subjects) == (145, 24)
    text = "\n".join(audit_lines(found))
    assert "108 clips are not part of megc3: others 99, sadness 7, fear 2" in text
    assert "left out by megc3: sub04/EP12_01f" in text
    assert "Table 2 swaps two names" in text
    assert "simulated casme2" in text


def test_the_apex_is_unknown_where_the_sheet_has_none(full_tree):
    table = load_dataset("casme2", full_tree("casme2"), "paper3")
    clips = {clip.clip_id: clip for clip in table}
    assert clips["sub04/EP12_01f"].apex is None
    assert clips["sub05/EP09_05f"].apex is None
    assert sum(clip.apex is None for clip in clips.values()) == 3
    said = {remark.clip_id: remark.text for remark in table.remarks if remark.kind == "apex estimated"}
    assert said["sub04/EP12_01f"] == "apex '/' is no frame number"
    assert said["sub05/EP09_05f"].endswith("is the onset")
    assert sum("is the offset" in remark.text for remark in table.remarks) == 4
    assert all(0 <= clip.onset < clip.offset < len(list(clip.frames.iterdir())) for clip in table)
    assert {clip.fps for clip in table} == {200.0}
    assert sum(clip.action_units is None for clip in table) == 2  # "?"


def test_the_later_edition_and_the_copy_without_blank_columns(full_tree):
    root = full_tree("casme2", "2019", "no-blanks")
    found = audit("casme2", root)
    assert (found.agrees, found.edition) == (True, "2019")
    assert counts(found)["megc3"] == dict(negative=88, positive=32, surprise=28)
    with pytest.raises(DatasetError, match="holds no annotation sheet of 2014"):
        load_set("casme2", root, Options(annotation="2014"))
    with pytest.raises(DatasetError, match="is no folder"):
        load_set("casme2", root / "nowhere", Options())


def test_the_edition_is_chosen_where_a_root_holds_both(full_tree, tmp_path):
    root = link_tree(full_tree("casme2"), tmp_path / "both")
    name = "CASME2-coding-20190701.xlsx"
    put(root / name, (full_tree("casme2", "2019", "no-blanks") / name).read_bytes())
    found = audit("casme2", root)
    assert (found.edition, counts(found)["megc3"]) == ("2014", MEGC3)
    assert any(name in remark.text and "is read, and not" in remark.text for remark in found.remarks)
    later = load_set("casme2", root, Options(annotation="2019"))
    assert later.sheet.name == name
    with pytest.raises(DatasetError, match="no annotation '2020'"):
        load_set("casme2", root, Options(annotation="2020"))


def test_the_copy_with_256_rows_is_known(full_copy):
    tree = full_copy("casme2")
    disgust = next(clip for clip in tree.before.clips if clip.emotion == "disgust" and clip.apex)
    twin = list(tree.row(disgust))
    twin[tree.at[1]] = "EP77_77"
    tree.rows.append(twin)
    tree.save()
    target = disgust.frames.with_name("EP77_77")
    link_tree(disgust.frames, target)
    found, text = tree.audit()
    assert found.agrees
    assert found.edition == "2014 with 256 rows"
    assert "counted as in the edition 2014 with 256 rows" in text


def test_cropped_frames_and_the_clip_that_misses_some(full_tree):
    cropped = load_set("casme2", full_tree("casme2", "cropped"), Options())
    assert (cropped.layout, len(cropped.clips)) == ("cropped", 255)
    said = [remark for remark in cropped.remarks if remark.kind == "frames missing"]
    assert [remark.clip_id for remark in said] == ["sub16/EP01_08"]
    assert audit("casme2", full_tree("casme2", "cropped")).agrees
    with pytest.raises(DatasetError, match="holds no frames of CASME II; expected the folder CASME2_RAW_selected"):
        load_set("casme2", full_tree("casme2", "cropped"), Options(layout="raw"))


def test_raw_comes_before_cropped_and_either_can_be_asked_for(full_tree, tmp_path):
    root = link_tree(full_tree("casme2"), tmp_path / "both")
    link_tree(full_tree("casme2", "cropped") / "Cropped", root / "Cropped")
    assert load_set("casme2", root, Options()).layout == "raw"
    assert "Cropped" in load_set("casme2", root, Options(layout="cropped")).clips[0].frames.parts


def test_the_root_may_be_a_parent_or_the_folder_of_frames(full_tree, tmp_path):
    root = link_tree(full_tree("casme2"), tmp_path / "sets" / "CASME2")
    usual = relative(load_set("casme2", root, Options()), root)
    for other in (tmp_path / "sets", root / "CASME2_RAW_selected"):
        found = load_set("casme2", other, Options())
        assert relative(found, root) == usual
        assert found.simulated
    inner = root / "CASME2_RAW_selected"
    inner.rename(root / "x")
    inner.mkdir()
    (root / "x").rename(inner / "CASME2_RAW_selected")
    assert len(load_set("casme2", root, Options()).clips) == 255


@pytest.mark.parametrize("fault", SHEET_FAULTS, ids=lambda f: f.__name__)
def test_planted_faults(small_copy, fault):
    tree = small_copy("casme2")
    assert_verdict(tree, fault(tree))


def test_a_difference_is_explained_in_words(full_copy):
    tree = full_copy("casme2")
    lost = [clip for clip in tree.before.clips if clip.emotion == "disgust" and clip.subject == "sub07"]
    surprise = next(clip for clip in tree.before.clips if clip.emotion == "surprise")
    for clip in lost:
        clip.frames.rename(clip.frames.with_name(f"{clip.frames.name} old"))
    tree.rows.remove(tree.row(surprise))
    tree.save()
    found, text = tree.audit()
    assert not found.agrees
    n = len(lost)
    assert n
    assert (
        f"negative {88 - n} instead of 88: {n} clip{'s' * (n > 1)} skipped: folder missing ({lost[0].clip_id}" in text
    )
    assert "surprise 24 instead of 25: 1 clip fewer annotated than published" in text
    assert "comparisons differ from what is published" in text
    assert f"skipped: {n}" in text
