"""A full disk, a folder that cannot be written, a clock that jumps, two runs in one folder, names that are paths."""

import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from stag.config import Config
from stag.errors import RunError
from stag.evaluation.evaluate import evaluate
from stag.motion_set import MotionSet
from stag.simulate.corpus import simulate_corpus
from stag.simulate.motion import simulate_motion
from synthetic import contents, nearest_mean

CONFIG = Config.preset("quick")
OPTIONS = {"protocol": "gkf", "folds": 3, "learner": nearest_mean, "baselines": False}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return simulate_corpus(tmp_path_factory.mktemp("clips") / "corpus", subjects=2, clips=2, seed=3, fps=30)


def program(*arguments, most_bytes):
    """The command line in a process of its own, whose files cannot grow beyond so many bytes."""

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing fails instead, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    command = [sys.executable, "-c", "from stag.cli import main; main()", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command,
        env=environment,
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(corpus, tmp_path, stag):
    out = tmp_path / "motion.npz"
    arguments = ("extract", "manifest", "--root", corpus, "--out", out, "--quiet", "--set", "motion.flow=dis")
    assert stag(*arguments)[0] == 0
    before = out.read_bytes()
    full = program(*arguments, most_bytes=2048)
    assert full.returncode == 1
    assert full.stderr.count("\n") == 1
    assert "Traceback" not in full.stderr
    assert "space" in full.stderr
    assert out.read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".") or path.suffix == ".tmp"]
    assert stag(*arguments)[0] == 0
    assert out.read_bytes() == before


@pytest.mark.parametrize("where", ["{file}/motion.npz", "/proc/stag/motion.npz"])
def test_a_place_that_takes_no_file_is_one_sentence(corpus, tmp_path, stag, where):
    (tmp_path / "file").write_text("not a folder")
    out = where.format(file=tmp_path / "file")
    code, _, err = stag("extract", "manifest", "--root", corpus, "--out", out, "--quiet", "--set", "motion.flow=dis")
    assert code == 1
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_a_clock_that_jumps_changes_no_byte(tmp_path, monkeypatch):
    motion = simulate_motion(6, 4, seed=1)
    evaluate(motion, CONFIG, out=tmp_path / "now", **OPTIONS)
    clock = iter(np.random.default_rng(0).uniform(0, 4e9, 10_000).tolist())
    monkeypatch.setattr(time, "time", lambda: next(clock))
    evaluate(motion, CONFIG, out=tmp_path / "then", **OPTIONS)
    for path in (tmp_path / "then").rglob("*"):
        os.utime(path, (4e9, 4e9))
    evaluate(motion, CONFIG, out=tmp_path / "then", **OPTIONS)
    monkeypatch.undo()
    assert contents(tmp_path / "now") == contents(tmp_path / "then")
    motion.save(tmp_path / "a.npz")
    monkeypatch.setattr(time, "time", lambda: 3e9)
    motion.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_the_second_of_two_runs_in_one_folder_is_refused_and_damages_nothing(tmp_path):
    motion = simulate_motion(6, 4, seed=1)

    def second(train, test, config, seed):
        if seed == 0:
            with pytest.raises(RunError, match="another process is working"):
                evaluate(motion, CONFIG, out=tmp_path / "run", **{**OPTIONS, "learner": nearest_mean})
        return nearest_mean(train, test, config, seed)

    second.__name__ = nearest_mean.__name__  # a result names its method
    evaluate(motion, CONFIG, out=tmp_path / "run", **{**OPTIONS, "learner": second})
    evaluate(motion, CONFIG, out=tmp_path / "alone", **OPTIONS)
    assert contents(tmp_path / "run") == contents(tmp_path / "alone")


def test_names_that_are_paths_stay_in_their_folder(tmp_path):
    motion = simulate_motion(4, 4, seed=1)
    names = {"s1": "../../out", "s2": "/etc/x", "s3": "a\\b", "s4": "..", "": "."}
    odd = replace(
        motion,
        subject=np.array([names.get(str(name), str(name)) for name in motion.subject]),
        clip_id=np.array([f"../{name}" for name in motion.clip_id]),
    )
    odd.save(tmp_path / "odd.npz")
    result = evaluate(
        MotionSet.load(tmp_path / "odd.npz"), CONFIG, out=tmp_path / "in" / "run", **{**OPTIONS, "protocol": "loso"}
    )
    assert set(result.predictions["subject"]) == set(odd.subject)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "odd.npz"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["run"]
