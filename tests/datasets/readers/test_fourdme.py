"""4DME: joined emotions, static action units, and two rows that were changed over."""

import openpyxl
import pytest

from planted import SHEET_FAULTS, assert_verdict
from stag.datasets.check import audit, audit_lines
from stag.datasets.clips import load_dataset, load_set
from stag.datasets.readers.result import Options
from stag.errors import DatasetError

PAPER3 = dict(negative=138, positive=48, surprise=29)
PAPER5 = dict(negative=142, others=31, positive=56, repression=9, surprise=29)


@pytest.mark.parametrize("variants", [(), ("cropped",)])
def test_every_scheme_gives_the_published_counts(full_tree, variants):
    found = audit("fourdme", full_tree("fourdme", *variants))
    assert found.agrees
    assert found.clips == 267
    counts = {one.scheme: dict(one.counts) for one in found.comparisons}
    assert (counts["paper3"], counts["paper5"]) == (PAPER3, PAPER5)
    megc3 = found.comparisons[0]
    assert (megc3.scheme, megc3.expected) == ("megc3", None)
    text = "\n".join(audit_lines(found))
    assert "megc3: 193 clips of" in text
    assert "no published counts" in text
    assert "joined emotions: 1\n  positive+surprise 14" in text


def test_the_rule_for_joined_emotions_is_configurable_and_reported(full_tree):
    root = full_tree("fourdme")
    skip = load_dataset("fourdme", root, "paper5", joined="skip")
    assert not [clip for clip in skip if "+" in clip.emotion]
    assert len(skip) == 267 - 37
    reasons = dict(skip.skipped)
    assert sum("has the joined emotion" in reason for reason in reasons.values()) == 37
    first = load_dataset("fourdme", root, "paper5", joined="first")
    assert len(first) == 267
    joined = {clip.emotion: label for clip, label in zip(first, first.classes, strict=True) if "+" in clip.emotion}
    assert joined["surprise+positive"] == "surprise"
    said = load_dataset("fourdme", root, "paper5")
    joined = {clip.emotion: label for clip, label in zip(said, said.classes, strict=True) if "+" in clip.emotion}
    assert joined["surprise+positive"] == "positive"
    found = audit("fourdme", root, "paper5", Options(joined="skip"))
    assert not found.agrees
    assert "clips are not part of paper5" in "\n".join(audit_lines(found))
    with pytest.raises(DatasetError, match="no rule 'both' for joined emotions"):
        Options(joined="both")


def sheet_codes(root):
    (path,) = root.glob("*.xlsx")
    rows = list(openpyxl.load_workbook(path).active.iter_rows(values_only=True))
    at = rows[0].index("AUs")
    return [row[at] for row in rows[1:]]


def test_two_rows_get_their_action_units_back(full_tree, small_trees):
    found = load_set("fourdme", full_tree("fourdme"), Options())
    codes = sheet_codes(full_tree("fourdme"))
    read = [str(clip.action_units) for clip in found.clips]
    assert (read[144], read[145]) == (codes[145], codes[144])
    assert read[:144] + read[146:] == codes[:144] + codes[146:]
    assert [remark.text for remark in found.remarks if remark.kind == "repair"] == [
        "action units of row 146 and row 147 exchanged: known mistake of release v1"
    ]
    small = load_set("fourdme", small_trees("fourdme"), Options())
    assert [str(clip.action_units) for clip in small.clips] == sheet_codes(small_trees("fourdme"))
    assert any("instead of 267, so no action units were changed over" in remark.text for remark in small.remarks)


def test_static_action_units_do_not_count(full_tree):
    codes = [clip.action_units for clip in load_set("fourdme", full_tree("fourdme"), Options()).clips]
    static = [unit for code in codes for unit in code.units if unit.static]
    assert len(static) > 5
    assert all(unit.unit not in code.numbers for code in codes for unit in code.units if unit.static)
    assert not [piece for code in codes for piece in code.unread]


@pytest.mark.parametrize("fault", SHEET_FAULTS, ids=lambda f: f.__name__)
def test_planted_faults(small_copy, fault):
    tree = small_copy("fourdme")
    assert_verdict(tree, fault(tree))
