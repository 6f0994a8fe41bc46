"""Fixtures that every room uses, and one thread for each test process."""

import os
import signal
import sys

# Before NumPy and torch are loaded, and for the processes that tests start; `OMP_NUM_THREADS=2 pytest` still holds.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import pytest
from hypothesis import settings

from stag import cli

cv2.setNumThreads(1)
# A shell that starts the suite in the background has it ignore Ctrl-C, and the programs that tests start would too.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The same cases every time, and no verdict on how busy the machine is.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def face_points():
    """A plausible upright face on the 256 crop: inner eye corners 64 px apart at row 96."""
    angle = np.linspace(np.pi, 0, 17)
    jaw = np.stack([128 + 105 * np.cos(angle), 100 + 130 * np.sin(angle)], axis=1)
    brow = np.array([[32, 72], [45, 62], [60, 58], [76, 60], [92, 66]], float)
    bridge = np.array([[128, 92], [128, 108], [128, 124], [128, 140]], float)
    nostrils = np.array([[104, 152], [116, 156], [128, 159], [140, 156], [152, 152]], float)
    eye = np.array([[48, 97], [62, 88], [80, 88], [96, 96], [80, 103], [62, 104]], float)
    outer = np.array([[88, 186], [103, 180], [119, 177], [128, 179], [137, 177], [153, 180], [168, 186]], float)
    lower = np.array([[153, 199], [140, 205], [128, 206], [116, 205], [103, 199]], float)
    inner = np.array(
        [[94, 187], [119, 185], [128, 186], [137, 185], [162, 187], [137, 191], [128, 192], [119, 191]], float
    )
    mirror = lambda points: np.stack([256 - points[::-1, 0], points[::-1, 1]], axis=1)
    right_eye = np.array([[160, 96], [176, 88], [194, 88], [208, 97], [194, 104], [176, 103]], float)
    return np.concatenate([jaw, brow, mirror(brow), bridge, nostrils, eye, right_eye, outer, lower, inner])


@pytest.fixture
def stag(monkeypatch, capsys):
    """Run a command line; returns exit code, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["stag", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return stop.value.code or 0, out, err

    return run
