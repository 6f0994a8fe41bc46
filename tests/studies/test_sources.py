"""Trees that a reproduction extracts: once, and again exactly where a clip or a setting is another."""

import numpy as np
import pandas as pd
import pytest

from stag.config import Config
from stag.datasets import extract as extraction
from stag.errors import ConfigError
from stag.simulate.corpus import simulate_corpus
from stag.studies.sources import Sources

CONFIG = Config().override(["motion.steps=5", "motion.flow=dis"])


@pytest.fixture
def root(tmp_path):
    root = simulate_corpus(tmp_path / "name", subjects=2, clips=2, seed=3, fps=30)
    table = pd.read_csv(root / "manifest.csv", dtype=str)
    table.assign(emotion="surprise").to_csv(root / "manifest.csv", index=False)  # part of every scheme
    return root


@pytest.fixture
def extracted(monkeypatch):
    """The clips that were really extracted, in order."""
    done = []
    whole = extraction.clip_motion

    def counted(clip, *arguments, **options):
        done.append(clip.clip_id)
        return whole(clip, *arguments, **options)

    monkeypatch.setattr(extraction, "clip_motion", counted)
    return done


def test_a_tree_is_extracted_once_and_what_changed_again(root, extracted, tmp_path):
    def motion(config=CONFIG):
        return Sources({"name": root}, {}, tmp_path / "out", config).motion("name", "3")

    first = motion()
    assert len(extracted) == len(first) == 4
    np.testing.assert_array_equal(motion().motion, first.motion)
    assert len(extracted) == 4

    table = pd.read_csv(root / "manifest.csv", dtype=str)
    changed, other = root / table["frames"][0], root / table["frames"][3]
    changed.write_bytes(other.read_bytes())
    again = motion()
    assert extracted[4:] == [table["clip_id"][0]]
    same = first.clip_id != table["clip_id"][0]
    np.testing.assert_array_equal(again.motion[same], first.motion[same])
    assert np.abs(again.motion[~same] - first.motion[~same]).max() > 0.01

    assert motion(CONFIG.override(["motion.steps=6"])).steps == 6
    assert len(extracted) == 9


def test_one_reproduction_reads_a_tree_once_and_other_classes_share_its_clips(root, extracted, tmp_path):
    sources = Sources({"name": root}, {}, tmp_path / "out", CONFIG)
    three = sources.motion("name", "3")
    assert sources.motion("name", "3") is three
    six = sources.motion("name", "6")
    assert len(extracted) == len(three) == len(six) == 4
    assert sources.motion("samm", "3") is None


def test_a_name_that_no_table_has_is_refused(root, tmp_path):
    with pytest.raises(ConfigError, match=r"sam=.*casme2"):
        Sources({"sam": root}, {}, tmp_path, CONFIG)
