"""Whole corpora on disk."""

import json

import numpy as np
import pandas as pd
import pytest

from stag.datasets.readers import manifest
from stag.datasets.schemes import SCHEMES
from stag.errors import ConfigError, DatasetError
from stag.facs import AU_VOCABULARY
from stag.simulate.corpus import COLUMNS, simulate_corpus
from stag.simulate.settings import SimulationSettings
from stag.video import read_frames

# Short clips of small faces: the corpus is what is tested here, not the faces.
SMALL = SimulationSettings(width=128, height=128, inter_ocular_px=(24, 26), duration_s=0.2, lead_s=0.01)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    reports = []
    out = tmp_path_factory.mktemp("simulated") / "corpus"
    out.mkdir()  # an empty folder may be filled
    result = simulate_corpus(
        out, subjects=2, clips=3, seed=5, fps=100, settings=SMALL, progress=lambda *done: reports.append(done)
    )
    assert result == out
    assert reports == [(3, 6), (6, 6)]
    return out


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_seed_gives_the_same_bytes_whatever_the_number_of_workers(corpus, tmp_path):
    again = simulate_corpus(tmp_path / "again", subjects=2, clips=3, seed=5, fps=100, settings=SMALL, jobs=2)
    assert contents(again) == contents(corpus)
    other = simulate_corpus(tmp_path / "other", subjects=1, clips=1, seed=6, fps=100, settings=SMALL)
    assert contents(other)["clips/s01_c01.mkv"] != contents(corpus)["clips/s01_c01.mkv"]


def test_the_manifest_adapter_reads_it(corpus):
    loaded = manifest.load(corpus)
    clips = loaded.clips
    assert (len(clips), loaded.skipped, loaded.remarks, loaded.simulated) == (6, (), (), True)
    table = pd.read_csv(corpus / "manifest.csv", dtype=str)
    assert tuple(table.columns) == COLUMNS
    assert {clip.dataset for clip in clips} == {"simulated"}
    for subject in ("s01", "s02"):
        classes = [SCHEMES["megc3"].class_of(c.emotion) for c in clips if c.subject == subject]
        assert sorted(classes) == ["negative", "positive", "surprise"]
    for clip in clips:
        n_frames = sum(1 for _ in read_frames(clip.frames))
        assert 0 < clip.onset < clip.apex < clip.offset < n_frames
        assert clip.fps == 100
        assert clip.action_units.unread == ()


def test_truth_belongs_to_the_clips(corpus):
    clips = {clip.clip_id: clip for clip in manifest.load(corpus).clips}
    with np.load(corpus / "truth.npz", allow_pickle=False) as truth:
        first = truth["first"]
        assert sorted(truth["clip_id"]) == sorted(clips)
        assert tuple(truth["au_vocabulary"]) == AU_VOCABULARY
        assert truth["motion"].shape == (first[-1], 18, 2)
        assert truth["upper_lids"].shape == (first[-1], 2, 2)
        assert truth["landmarks"].shape == (first[-1], 68, 2)
        assert truth["head_pose"].shape == (first[-1], 6)
        for i, name in enumerate(truth["clip_id"]):
            clip, frames = clips[str(name)], slice(first[i], first[i + 1])
            assert first[i + 1] - first[i] == sum(1 for _ in read_frames(clip.frames))
            units = truth["action_units"][frames].max(axis=(0, 2))
            active = {unit for unit, amount in zip(AU_VOCABULARY, units, strict=True) if amount > 0}
            assert active - {45} == clip.action_units.numbers - {45}
            motion = truth["motion"][frames]
            assert np.abs(motion[: clip.onset + 1]).max() == 0
            assert np.abs(motion[clip.apex]).max() > 0.1


def test_it_says_that_it_is_simulated(corpus):
    note = json.loads((corpus / "simulation.json").read_text())
    assert note["simulated"] is True
    assert note["seed"] == 5
    assert note["settings"]["duration_s"] == 0.2


def test_what_is_there_is_never_overwritten(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(DatasetError, match="mine"):
        simulate_corpus(tmp_path / "mine")
    with pytest.raises(DatasetError, match="already exists"):
        simulate_corpus(tmp_path / "mine" / "thesis.txt")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_failed_run_leaves_nothing(tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_corpus(tmp_path / "new", subjects=1, clips=1, settings=SMALL, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong", [{"subjects": 0}, {"clips": 0}, {"fps": 5000}, {"fps": float("nan")}, {"seed": -1}, {"jobs": 0}]
)
def test_numbers_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        simulate_corpus(tmp_path / "new", **wrong)
    assert list(tmp_path.iterdir()) == []
