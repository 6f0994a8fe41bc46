"""Measure new processes: the time to start, and the peak memory of each kind of work."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from stag.bench.rows import Row, compared, fastest

_HELP = "import sys; sys.argv = ['stag', '--help']; from stag.cli import main; main()"
STARTS = {"import stag": "import stag", "stag --help": _HELP}

# On Linux, ru_maxrss of a new process starts at the peak of its parent.
PEAK = """
import pathlib, resource, sys
status = pathlib.Path("/proc/self/status")
if status.exists():
    peak = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 ** (2 if sys.platform == "darwin" else 1)
print(peak)
"""
_FILMED = """
from stag.bench.clips import ClipSpec, found_face, render
from stag.bench.extraction import Known
from stag.config import MotionConfig
from stag.motion.clip import track_motion
from stag.motion.follow import follow_faces
from stag.types import Frame
clip = render(ClipSpec(0, 64.0, (4, 12), 1.0, size=(640, 480)))
frames = clip.filmed(1.0)
known = Known(found_face(clip, 1.0))
one_by_one = (Frame(frames[i % len(frames)].image, i / 200) for i in range({frames}))
track_motion(follow_faces(one_by_one, known, "clip")[0], MotionConfig())
"""
_TRAINED = """
from stag.config import Config
from stag.simulate.motion import simulate_motion
from stag.training.fit import train
train(simulate_motion({subjects}, 20, seed=1), Config().override(["train.epochs=1"]), device="cpu")
"""
_CLASSIFIED = """
from stag.model.shipped import DEFAULT_MODEL
from stag.model.stag import STAG
from stag.simulate.motion import simulate_motion
from stag.inference.probabilities import predict_probabilities
predict_probabilities(STAG.from_pretrained(DEFAULT_MODEL), simulate_motion(20, 20, seed=1), "none")
"""
VISION, LEARNING = "import cv2, scipy.signal, stag.motion.clip", "import torch, stag.training.fit"
WORKS = (
    ("a clip of 100 frames to motion", _FILMED.format(frames=100), VISION),
    ("a clip of 2,000 frames to motion", _FILMED.format(frames=2000), VISION),
    ("an epoch of 100 clips", _TRAINED.format(subjects=5), LEARNING),
    ("an epoch of 400 clips", _TRAINED.format(subjects=20), LEARNING),
    ("400 clips classified", _CLASSIFIED, LEARNING),
)


def startup_speed(seconds: float = 2.0) -> list[Row]:
    """Time the start of new processes, each repeated for ``seconds`` on average.

    Returns:
        Rows: milliseconds beyond an empty Python program, milliseconds of that program, and the total as a multiple.
    """
    runs = {name: partial(run_code, code) for name, code in {"python": "pass", **STARTS}.items()}
    best = {name: 1e3 * took for name, took in fastest(runs, seconds, at_least=3).items()}
    bare = best.pop("python")
    return [
        compared(f"{name}, ms beyond python", took - bare, "python -c pass", bare, ratio=took / bare)
        for name, took in best.items()
    ]


def memory_peaks() -> list[Row]:
    """Measure the peak memory of a new process for each kind of work.

    Returns:
        Rows: MiB, MiB of a process with the same imports only, and the ratio.
    """
    bare = {libraries: _peak(libraries) for libraries in (VISION, LEARNING)}
    peaks = [(what, _peak(work), bare[libraries]) for what, work, libraries in WORKS]
    return [compared(f"{what}, MiB", peak, "imports alone", least, ratio=peak / least) for what, peak, least in peaks]


def _peak(work: str) -> float:
    return float(run_code(work + PEAK))


def run_code(code: str) -> str:
    """Run Python code in a new process and return what it prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
