"""The audit as a value, the composite of several sets, and the verb."""

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from stag.cli import app
from stag.datasets.check import audit
from stag.datasets.clips import load_dataset
from stag.datasets.published_counts import COMPOSITE_MEGC3
from stag.errors import DatasetError
from stag.motion_set import MotionSet


def unmoved(table):
    """A motion file of a clip table in which nothing moves."""
    n = len(table)
    return MotionSet(
        motion=np.zeros((n, 2, 18, 2), np.float32),
        label=np.array(table.classes),
        subject=np.array([clip.subject for clip in table]),
        dataset=np.array([clip.dataset for clip in table]),
        action_units=np.full((n, 24), np.nan, np.float32),
        clip_id=np.array([clip.clip_id for clip in table]),
        time_s=np.tile(np.arange(2, dtype=np.float32), (n, 1)),
        flags=np.full(n, ""),
        meta={"classes": list(table.scheme.classes), "simulated": table.simulated},
    )


def test_the_composite_of_meg_c_2019(full_tree):
    sets = [unmoved(load_dataset(name, full_tree(name), "megc3")) for name in ("casme2", "samm", "smic")]
    both = MotionSet.concatenate(sets)
    names, counts = np.unique(both.label, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == dict(positive=109, negative=250, surprise=83)
    assert (len(both), len(set(both.group))) == (COMPOSITE_MEGC3.clips, COMPOSITE_MEGC3.subjects) == (442, 68)
    assert both.simulated
    assert both.classes == ("negative", "positive", "surprise")


def test_an_audit_is_json(full_tree):
    found = audit("samm", full_tree("samm"), "megc3")
    read = json.loads(json.dumps(found.as_dict()))
    assert (read["agrees"], read["simulated"], read["clips"]) == (True, True, 159)
    (only,) = read["comparisons"]
    assert (only["clips"], only["agrees"], only["counts"]) == (133, True, dict(negative=92, positive=26, surprise=15))
    assert {remark["clip_id"] for remark in read["remarks"] if remark["kind"] == "repair"} >= {"013_1_9"}
    with pytest.raises(AttributeError):
        found.clips = 0


def test_progress_is_told(small_trees):
    seen = []
    found = audit("samm", small_trees("samm"), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, found.clips) for i in range(found.clips)]


@pytest.mark.parametrize(
    ("name", "scheme", "says"),
    [
        ("casm2", None, "did you mean 'casme2'"),
        ("smic", "paper7", "paper7 is not defined for smic; there are megc3, paper3"),
        ("smic", "megc4", "did you mean 'megc3'"),
        ("samm", None, "holds no frames of SAMM; expected the folder SAMM"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(full_tree, name, scheme, says):
    with pytest.raises(DatasetError, match=says):
        audit(name, full_tree("smic"), scheme)


def run(*words):
    return CliRunner().invoke(app, ["check", *map(str, words), "--quiet"])


def test_the_verb(full_tree, small_trees, tmp_path):
    good = run("smic", "--root", full_tree("smic"), "--json", tmp_path / "audit.json")
    assert good.exit_code == 0
    assert "simulated smic: 164 usable clips of 16 subjects" in good.stdout
    assert re.search(r"megc3: 164 clips of 16 subjects, as published\n  negative 70, positive 51", good.stdout)
    assert json.loads((tmp_path / "audit.json").read_text())["agrees"] is True
    bad = run("casme2", "--root", small_trees("casme2"), "--scheme", "megc3")
    assert bad.exit_code == 1
    assert "clips fewer annotated than published" in bad.stdout
    assert "paper3" not in bad.stdout
    one = run("dfme", "--root", full_tree("dfme"), "--split", "test_a", "--scheme", "paper7")
    assert (one.exit_code, "test_b" in one.stdout) == (0, False)


def test_a_set_of_which_nothing_is_published(tmp_path):
    (tmp_path / "clip").mkdir()
    for i in range(3):
        (tmp_path / "clip" / f"{i}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "none").mkdir()
    (tmp_path / "manifest.csv").write_text("clip_id,subject,frames,emotion\na,1,clip,happiness\nb,1,none,happiness\n")
    found = run("manifest", "--root", tmp_path)
    assert found.exit_code == 0
    assert "b: frames missing, folder none holds no image" in found.stdout
    assert "nothing is published about this set" in found.stdout


def test_no_usable_clip_is_no_success(tmp_path):
    (tmp_path / "manifest.csv").write_text("clip_id;subject;frames;emotion;fps\na;1;gone;happiness;59,94\n")
    found = run("manifest", "--root", tmp_path)
    assert found.exit_code == 1
    assert "no clip is usable" in found.stdout
