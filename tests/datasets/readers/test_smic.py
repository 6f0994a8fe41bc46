"""SMIC-HS: the folders are the annotation."""

import re
import shutil

import pytest

from planted import (
    FOLDER_FAULTS,
    assert_verdict,
    images,
    keep,
    link_tree,
    relative,
    skip,
)
from stag.datasets.check import audit, audit_lines
from stag.datasets.clips import load_set
from stag.datasets.readers.result import Options
from stag.errors import DatasetError

COUNTS = dict(negative=70, positive=51, surprise=43)


@pytest.mark.parametrize("variants", [(), ("cropped",)])
def test_every_scheme_gives_the_published_counts(full_tree, variants):
    found = audit("smic", full_tree("smic", *variants))
    assert found.agrees
    assert {one.scheme: dict(one.counts) for one in found.comparisons} == {"megc3": COUNTS, "paper3": COUNTS}
    assert {one.subjects for one in found.comparisons} == {16}
    assert found.layout == (*variants, "raw")[0]


def test_each_folder_is_a_clip_and_the_apex_is_unknown(full_tree):
    found = load_set("smic", full_tree("smic"), Options())
    assert all((clip.onset, clip.apex, clip.offset) == (0, None, len(images(clip)) - 1) for clip in found.clips)
    assert {clip.action_units for clip in found.clips} == {None}
    assert sum(remark.kind == "apex estimated" for remark in found.remarks) == 164
    holes = {remark.clip_id for remark in found.remarks if remark.kind == "frames missing"}
    assert holes == {"s3_po_08", "s3_sur_01", "s3_sur_05", "s3_ne_16"}


def test_a_clip_without_frames_is_named_and_explained(full_tree):
    found = audit("smic", full_tree("smic", "empty-clip"))
    assert not found.agrees
    text = "\n".join(audit_lines(found))
    assert "surprise 42 instead of 43: 1 clip skipped: frames missing (s18_sur_03)" in text
    assert "s18_sur_03: frames missing, folder s18_sur_03 holds no image" in text


def test_the_layout_is_known_by_the_folder_above(full_tree, tmp_path):
    root = link_tree(full_tree("smic"), tmp_path / "SMIC")
    link_tree(full_tree("smic", "cropped") / "SMIC_all_cropped", root / "SMIC_all_cropped")
    for place, layout, wanted in [
        (root, None, "raw"), (root, "cropped", "cropped"), (tmp_path, None, "raw"), (root / "HS", None, "raw"),
        (root / "SMIC_all_cropped", None, "cropped"), (root / "SMIC_all_cropped" / "HS", None, "cropped"),
    ]:  # fmt: skip
        found = load_set("smic", place, Options(layout=layout))
        assert (found.layout, len(found.clips), found.simulated) == (wanted, 164, True), place
    usual = load_set("smic", root, Options())
    assert relative(usual, root) == relative(load_set("smic", tmp_path, Options()), root)


def subject_without_micro(tree):
    clip = tree.plain
    own = [other for other in tree.before.clips if other.subject == clip.subject]
    person = next(path for path in clip.frames.parents if path.name == clip.subject)
    (person / "micro").rename(person / "macro")
    verdict = keep(rf"1 folders hold no folder micro: {clip.subject}")
    return type(verdict)(verdict.says, gone=frozenset(other.clip_id for other in own))


def subject_gone(tree):
    clip = tree.plain
    own = [other for other in tree.before.clips if other.subject == clip.subject]
    shutil.rmtree(next(path for path in clip.frames.parents if path.name == clip.subject))
    verdict = keep(r"subjects instead of 16(.|\n)*fewer annotated than published")
    return type(verdict)(verdict.says, gone=frozenset(other.clip_id for other in own))


def misplaced(tree):
    clip = next(clip for clip in tree.before.clips if clip.emotion == "negative" and "_ne_" in clip.clip_id)
    target = clip.frames.parents[1] / "positive" / clip.frames.name
    target.parent.mkdir(exist_ok=True)
    clip.frames.rename(target)
    says = rf"{clip.clip_id}: lies in positive but is named as negative; the folder counts"
    return keep(says, clip, emotion="positive", frames=target)


def twice(tree):
    clip = next(clip for clip in tree.before.clips if clip.emotion == "negative")
    link_tree(clip.frames, clip.frames.parents[1] / "surprise" / clip.frames.name)
    verdict = skip("duplicate", rf"{clip.clip_id}: duplicate, stands in folder \S+ and again in folder \S+", clip)
    return verdict


def stranger(tree):
    clip = tree.plain
    link_tree(clip.frames, clip.frames.parents[1] / "boredom" / f"{clip.subject}_bo_01")
    return keep(rf"{clip.subject}_bo_01: 'boredom' is not known")


def loose_files(tree):
    (tree.plain.frames.parent / "readme.txt").write_text("notes")
    (tree.root / "HS" / ".DS_Store").write_bytes(b"\x00")
    return keep("usable clips")


def zero_padding_gone(tree):
    clip = tree.plain
    for path in images(clip):
        path.rename(path.with_name(f"image{int(re.findall(r'[0-9]+', path.stem)[-1])}.bmp"))
    return keep("usable clips")


FAULTS = [
    *FOLDER_FAULTS, subject_without_micro, subject_gone, misplaced, twice, stranger, loose_files,
    zero_padding_gone,
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_planted_faults(small_copy, fault):
    tree = small_copy("smic")
    assert_verdict(tree, fault(tree))


def test_a_tree_of_something_else_is_refused(full_tree, tmp_path):
    (tmp_path / "HS").mkdir()
    for root in (tmp_path, full_tree("samm")):
        with pytest.raises(DatasetError, match="holds no frames of SMIC-HS; expected the folder"):
            load_set("smic", root, Options())
