"""The most memory that a process needs for each kind of work, beside that of its libraries."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

# Not ru_maxrss where there is a choice: on Linux a new process takes over the peak of the one that started it.
_PEAK = """
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
from stag.motion.clip import follow_faces, track_motion
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
_JUDGED = """
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
    ("400 clips judged", _JUDGED, LEARNING),
)


def memory_peaks() -> list[dict[str, Any]]:
    """Peak memory of a new process for each kind of work.

    Returns:
        Rows ``what``, ``value`` in MiB, ``reference`` (the same process with nothing but its imports) and ``ratio``.
    """
    bare = {libraries: _peak(libraries) for libraries in (VISION, LEARNING)}
    rows = []
    for what, work, libraries in WORKS:
        peak = _peak(work)
        rows.append(
            {
                "what": f"{what}, MiB",
                "value": peak,
                "against": "imports alone",
                "reference": bare[libraries],
                "ratio": peak / bare[libraries],
            }
        )
    return rows


def _peak(work: str) -> float:
    done = subprocess.run([sys.executable, "-c", work + _PEAK], check=True, capture_output=True, text=True)
    return float(done.stdout)
