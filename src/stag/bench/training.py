"""How long leave-one-subject-out takes: in a plain loop over folds, stacked, and in processes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from stag.bench.stopwatch import fastest
from stag.config import Config
from stag.evaluation.baselines import motion_svm
from stag.evaluation.evaluate import evaluate
from stag.simulate.motion import simulate_motion
from stag.training.device import pick_device
from stag.training.fit import Part, fit_many, train

SUBJECTS, CLIPS = 8, 12
QUICK_EPOCHS = 2
PLAIN = "a plain loop over folds, one thread"


def training_speed(*, jobs: int = 2, quick: bool = False, device: str = "auto") -> list[dict[str, Any]]:
    """Time the training of all folds of one LOSO protocol on simulated motion, every way once.

    Args:
        jobs: Processes of the way that uses several; their start is part of the time.
        quick: Two epochs in place of the whole default recipe; the start of processes then weighs more than in earnest.
        device: Where the stacked model trains; ``auto`` takes a GPU.

    Returns:
        Rows ``what``, ``value`` in seconds for all folds, ``reference`` (a plain loop over folds) and ``ratio``.
    """
    motion = simulate_motion(SUBJECTS, CLIPS, seed=7)
    config = Config().override([f"train.epochs={QUICK_EPOCHS}"] if quick else [])
    place = pick_device(device).type
    folds = [np.flatnonzero(motion.subject != subject) for subject in np.unique(motion.subject)]

    def plain() -> None:
        for index in folds:
            train(motion.subset(index), config, seed=0, device="cpu")

    def stacked() -> None:
        fit_many(motion, [Part(index, 0) for index in folds], config, device=place)

    def processes() -> None:
        with tempfile.TemporaryDirectory() as out:
            evaluate(motion, config, out=Path(out) / "run", jobs=jobs, baselines=False, device="cpu")

    def machines() -> None:
        for index in folds:
            motion_svm(motion.subset(index), motion)

    ways = {
        PLAIN: plain,
        f"folds stacked, {place}": stacked,
        f"evaluate --jobs {jobs}": processes,
        "motion + SVM, the baseline": machines,
    }
    taken = fastest(ways, 0.0)
    reference = taken.pop(PLAIN)
    return [
        {
            "what": f"{SUBJECTS} folds of {SUBJECTS * CLIPS} clips, {config.train.epochs} epochs: {name}, s",
            "value": took,
            "against": PLAIN,
            "reference": reference,
            "ratio": reference / took,
        }
        for name, took in taken.items()
    ]
