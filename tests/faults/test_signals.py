"""Ctrl-C at any moment: one sentence, exit code 130, and the same command ends in the same bytes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from stag.simulate.corpus import simulate_corpus
from stag.simulate.motion import simulate_motion
from synthetic import contents
from tiny import TINY

SMALL = [part for change in (*TINY, "train.epochs=2") for part in ("--set", change)]

FAST = ("--set", "motion.flow=dis", "--set", "motion.steps=6")


def start(*arguments):
    command = [sys.executable, "-c", "from stag.cli import main; main()", *map(str, arguments)]
    return subprocess.Popen(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def interrupted(arguments, begun):
    """Stop the program once ``begun`` says that work is under way; returns its exit code and stderr."""
    running = start(*arguments)
    for _ in range(6000):
        if begun() or running.poll() is not None:
            break
        time.sleep(0.01)
    assert running.poll() is None, running.communicate()[1]
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=120)
    return running.returncode, err


def extraction(root, out, jobs=1):
    return ("extract", "manifest", "--root", root, "--out", out, "--quiet", "--jobs", jobs, *FAST)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A corpus and the bytes of an extraction that nobody stopped."""
    folder = tmp_path_factory.mktemp("whole")
    root = simulate_corpus(folder / "corpus", subjects=3, clips=4, seed=3, fps=50)
    running = start(*extraction(root, folder / "motion.npz"))
    assert running.communicate(timeout=300)[1] == ""
    return root, (folder / "motion.npz").read_bytes()


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_extraction_stops_and_goes_on(corpus, tmp_path, stag, jobs):
    root, undisturbed = corpus
    out, cache = tmp_path / "a.npz", tmp_path / "a.npz.cache"
    arguments = extraction(root, out, jobs)
    code, err = interrupted(arguments, lambda: cache.is_dir() and any(cache.rglob("*.npz")))
    assert code == 130
    assert err.count("\n") == 1
    assert "interrupted" in err
    assert not out.exists()
    assert stag(*arguments)[0] == 0
    assert out.read_bytes() == undisturbed


def test_an_evaluation_stops_and_goes_on(tmp_path, stag):
    simulate_motion(8, 4, seed=1).save(tmp_path / "motion.npz")

    def arguments(name):
        return ("evaluate", tmp_path / "motion.npz", "--preset", "quick", "--quiet", "--out", tmp_path / name, *SMALL)

    units = tmp_path / "a" / "units"
    code, err = interrupted(arguments("a"), lambda: units.is_dir() and any(units.iterdir()))
    assert code == 130
    assert "Traceback" not in err
    assert err.count("\n") == 1
    for name in "ab":
        assert stag(*arguments(name))[0] == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
