"""Extraction of whole sets: the same bytes however it was run, interrupted or not, and nothing dropped in silence."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor

from stag.config import Config
from stag.datasets import clip_motion as clip_room
from stag.datasets import extract as extraction
from stag.datasets.clips import load_dataset
from stag.datasets.extract import extract_files, extract_motion, flag_kind, summary
from stag.errors import DatasetError, StagError
from stag.motion.transforms import apex_step
from stag.motion_set import MotionSet
from stag.simulate.corpus import simulate_corpus
from stag.video import read_frames

FAST = ["motion.steps=5", "motion.flow=dis"]
CONFIG = Config().override(FAST)
CLIPS = 6


@pytest.fixture(scope="module", autouse=True)
def no_workers_left():
    yield
    get_reusable_executor().shutdown(wait=True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Three people, two clips each; one clip has no apex, one an apex outside, one lies in a folder of images."""
    root = simulate_corpus(tmp_path_factory.mktemp("extraction") / "corpus", subjects=3, clips=2, seed=5, fps=50)
    table = pd.read_csv(root / "manifest.csv", dtype=str)
    table.loc[0, "apex"] = None
    table.loc[1, ["onset", "apex", "offset"]] = None
    folder = root / "clips" / "folder"
    folder.mkdir()
    for i, frame in enumerate(read_frames(root / table["frames"][2])):
        cv2.imwrite(str(folder / f"img{i}.png"), frame.image)
    table.loc[2, "frames"] = "clips/folder"
    table.to_csv(root / "manifest.csv", index=False)
    return root


@pytest.fixture(scope="module")
def clips(corpus):
    return load_dataset("manifest", corpus)


@pytest.fixture(scope="module")
def finished(clips, tmp_path_factory):
    """Motion file and cache of a run on two processes."""
    folder = tmp_path_factory.mktemp("finished")
    extract_motion(clips, CONFIG, jobs=2, cache=folder / "cache").save(folder / "m.npz")
    return folder


@pytest.fixture(scope="module")
def undisturbed(clips, tmp_path_factory):
    """Bytes of a run on one process, without a cache."""
    path = tmp_path_factory.mktemp("plain") / "m.npz"
    extract_motion(clips, CONFIG).save(path)
    return path.read_bytes()


def one_of(clips, position, **changes):
    """A table of a single clip, changed."""
    changed = replace(clips.clips[position], **changes)
    return replace(clips, clips=(changed,), classes=clips.classes[position : position + 1])


def saved(motion, tmp_path):
    motion.save(tmp_path / "again.npz")
    return (tmp_path / "again.npz").read_bytes()


def test_bytes_depend_neither_on_jobs_nor_on_the_cache(clips, undisturbed, finished, tmp_path):
    assert (finished / "m.npz").read_bytes() == undisturbed
    cache = shutil.copytree(finished / "cache", tmp_path / "cache")
    entries = sorted(cache.iterdir())
    assert len(entries) == CLIPS
    entries[0].unlink()
    entries[1].write_bytes(entries[1].read_bytes()[:-100])
    entries[2].write_bytes(b"")
    assert saved(extract_motion(clips, CONFIG, cache=cache), tmp_path) == undisturbed
    assert {p.name: p.read_bytes() for p in cache.iterdir()} == {
        p.name: p.read_bytes() for p in (finished / "cache").iterdir()
    }


def test_what_is_in_the_cache_is_not_computed_again(clips, undisturbed, finished, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "clip_motion", lambda *_: pytest.fail("computed again"))
    assert saved(extract_motion(clips, CONFIG, cache=finished / "cache"), tmp_path) == undisturbed
    monkeypatch.undo()
    cache = shutil.copytree(finished / "cache", tmp_path / "cache")
    other = CONFIG.override(["motion.layout='roi14'"])
    assert extract_motion(one_of(clips, 4), other, cache=cache).layout == "roi14"
    assert len(list(cache.iterdir())) == CLIPS + 1


def test_a_cluster_of_two_processes_gives_the_same_bytes(clips, undisturbed, tmp_path):
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        how = {"backend": "dask", "scheduler": cluster.scheduler_address}
        assert saved(extract_motion(clips, CONFIG, cache=tmp_path / "cache", **how), tmp_path) == undisturbed
        assert len(list((tmp_path / "cache").iterdir())) == CLIPS


def start(corpus, out, *more):
    """The program as a user starts it, in a process group of its own, as a terminal would."""
    arguments = ["extract", "manifest", "--root", corpus, "--out", out, "--jobs", 2, *more]
    settings = [word for setting in FAST for word in ("--set", setting)]
    return subprocess.Popen(
        [sys.executable, "-c", "from stag.cli import main; main()", *map(str, arguments), *settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def entries_of(folder):
    return [path for path in folder.glob("*.npz") if not path.name.startswith(".")]


def stop(corpus, out, cache, how):
    """Start a run and end it by a signal once a clip is finished; returns exit code, stderr, finished clips."""
    process = start(corpus, out)
    until = time.monotonic() + 60
    while not entries_of(cache) and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(process.pid, how)
    printed, err = process.communicate(timeout=30)
    assert not out.exists()
    assert printed == ""
    kept = len(entries_of(cache))
    assert 1 <= kept < CLIPS
    return process.returncode, err, kept


def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(corpus, clips, undisturbed, tmp_path):
    cache = tmp_path / "m.npz.cache"
    stop(corpus, tmp_path / "m.npz", cache, signal.SIGKILL)
    assert saved(extract_motion(clips, CONFIG, cache=cache), tmp_path) == undisturbed
    assert len(entries_of(cache)) == CLIPS


def test_an_interrupted_run_says_how_to_go_on_and_does(corpus, undisturbed, tmp_path):
    out, cache = tmp_path / "m.npz", tmp_path / "m.npz.cache"
    code, err, kept = stop(corpus, out, cache, signal.SIGINT)
    assert code == 130
    assert f"interrupted; {kept} finished clips are kept in {cache}" in err
    assert "Traceback" not in err
    printed, err = (process := start(corpus, out, "--jobs", 1)).communicate(timeout=60)
    assert process.returncode == 0, err
    assert f"{kept} finished clips are in" in err
    assert f"extract {CLIPS} of {CLIPS}" in err
    assert "clips/s" in err
    assert f"{CLIPS} clips, 0 skipped" in printed
    assert "apex estimated 2" in printed
    assert out.read_bytes() == undisturbed
    assert [path.name for path in tmp_path.iterdir()] == ["m.npz"]


def test_a_named_cache_is_kept(corpus, undisturbed, finished, tmp_path):
    cache = shutil.copytree(finished / "cache", tmp_path / "mine")
    process = start(corpus, tmp_path / "m.npz", "--cache", cache, "--quiet", "--jobs", 1)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert (tmp_path / "m.npz").read_bytes() == undisturbed
    assert len(entries_of(cache)) == CLIPS


def test_annotated_apexes_are_kept_and_the_others_are_estimated_and_flagged(clips, finished):
    motion = MotionSet.load(finished / "m.npz")
    for i, clip in enumerate(clips):
        estimated = clip.apex is None
        assert ("apex estimated" in motion.flags[i]) == estimated
        if estimated:
            assert motion.time_s[i][0] < motion.apex_s[i] < motion.time_s[i][-1]
            assert motion.apex_s[i] == motion.time_s[i][apex_step(motion.motion[i])]
        else:
            assert motion.apex_s[i] == pytest.approx((clip.apex - clip.onset) / 50, abs=2e-3)
    counts = dict(summary(motion))
    assert dict(counts["flags"])["apex estimated"] == 2
    assert sum(count for _, count in counts["classes"]) == CLIPS


def test_an_apex_outside_the_clip_is_said_and_estimated(clips):
    motion = extract_motion(one_of(clips, 4, apex=4000), CONFIG)
    assert "annotated apex outside the clip; apex estimated" in motion.flags[0]
    assert motion.apex_s[0] < motion.time_s[0][-1]


def test_times_count_from_the_first_frame_of_the_clip_even_if_the_face_comes_late(clips, tmp_path):
    folder = tmp_path / "late"
    folder.mkdir()
    frames = [frame.image for frame in read_frames(clips.clips[3].frames)]
    for i, image in enumerate([np.full_like(frames[0], 128)] * 6 + frames):
        cv2.imwrite(str(folder / f"{i}.png"), image)
    motion = extract_motion(one_of(clips, 3, frames=folder, onset=0, apex=8, offset=None, fps=25.0), CONFIG)
    assert "face found at 0.24 s" in motion.flags[0]
    assert motion.time_s[0][0] == pytest.approx(0.24)
    assert motion.apex_s[0] == pytest.approx(0.32)


def test_what_comes_back_is_small_whatever_the_picture(clips, monkeypatch):
    """Memory does not grow with the pictures: an answer is its motion and little more."""
    sent = []

    def watched(function, calls, jobs, **_):
        for arguments in calls:
            answer = function(*arguments)
            sent.append((len(pickle.dumps(arguments)), len(pickle.dumps(answer))))
            yield answer

    monkeypatch.setattr(extraction, "spread", watched)
    motion = extract_motion(clips.subset(np.array([0, 4])), CONFIG)
    assert len(sent) == 2
    assert max(size for size, _ in sent) < 4000
    assert max(size for _, size in sent) < motion.motion[0].nbytes + 2000


def test_one_clip_that_trips_the_program_does_not_cost_the_others(clips, monkeypatch, tmp_path):
    real, first = clip_room.clip_motion, clips.clips[0].clip_id

    def trips(clip, settings):
        if clip.clip_id == first:
            raise IndexError("no such thing")
        return real(clip, settings)

    monkeypatch.setattr(extraction, "clip_motion", trips)
    motion = extract_motion(clips.subset(np.array([0, 4])), CONFIG, cache=tmp_path / "cache")
    assert list(motion.clip_id) == [clips.clips[4].clip_id]
    ((name, reason),) = motion.meta["skipped"]
    assert name == first
    assert "IndexError: no such thing" in reason
    assert "report" in reason
    assert len(entries_of(tmp_path / "cache")) == 1


def test_failures_are_tried_again(clips, corpus, tmp_path):
    own = tmp_path / "own.mkv"
    own.write_bytes(b"still being copied")
    good = clips.clips[4].frames
    first = extract_files([own, good], CONFIG, cache=tmp_path / "cache")
    assert [name for name, _ in first.meta["skipped"]] == [str(own)]
    shutil.copy(clips.clips[5].frames, own)
    assert len(extract_files([own, good], CONFIG, cache=tmp_path / "cache")) == 2
    own.unlink()
    with pytest.raises(DatasetError, match=f"no clip gave motion; first reason: {own}: no such file"):
        extract_files([own], CONFIG, cache=tmp_path / "cache")


def test_reasons_name_the_clip_as_the_user_did(clips, tmp_path, monkeypatch):
    (tmp_path / "bad.mkv").write_bytes(b"")
    shutil.copy(clips.clips[4].frames, tmp_path / "good.mkv")
    monkeypatch.chdir(tmp_path)
    motion = extract_files([Path("bad.mkv"), Path("good.mkv")], CONFIG)
    assert motion.meta["skipped"][0][1].startswith("bad.mkv: the file is empty")
    assert list(motion.clip_id) == ["good.mkv"]


def test_a_worker_with_another_program_must_not_answer(clips, monkeypatch):
    answers = iter(["asked", "other"])
    monkeypatch.setattr(extraction, "program_fingerprint", lambda: next(answers))
    with pytest.raises(StagError, match="another version of stag"):
        extract_motion(clips, CONFIG)


def test_a_cache_that_cannot_be_written_stops_at_once(clips, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        extract_motion(clips, CONFIG, cache=tmp_path / "file" / "cache")


def test_flags_are_counted_by_kind():
    assert flag_kind("face found at 0.30 s") == flag_kind("face found at 12 s") == "face found at N s"
    assert flag_kind("outside the picture: left cheek, chin") == "outside the picture"
    assert flag_kind("no clear movement") == "no clear movement"


def test_a_video_that_ends_before_the_offset_is_flagged_and_below_half_refused(clips, tmp_path):
    position = next(i for i, clip in enumerate(clips) if clip.frames.is_file() and clip.offset)
    n = sum(1 for _ in read_frames(clips.clips[position].frames))
    longer = one_of(clips, position, onset=0, offset=n + 4)
    assert f"{n} of {n + 5} frames from onset to offset in the video" in extract_motion(longer, CONFIG).flags[0]
    with pytest.raises(DatasetError, match=f"{n} of {2 * n + 1} frames from onset to offset in the video; correct"):
        extract_motion(one_of(clips, position, onset=0, offset=2 * n), CONFIG)
