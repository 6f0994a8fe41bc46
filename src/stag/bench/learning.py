"""Time training (stacked and in processes, beside a plain loop) and classification (beside torch)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from stag.bench.rows import Row, compared, fastest
from stag.config import Config
from stag.evaluation.baselines import motion_svm
from stag.evaluation.evaluate import evaluate
from stag.model.onnx import onnx_session
from stag.model.shipped import DEFAULT_MODEL
from stag.model.stag import STAG
from stag.simulate.motion import simulate_motion
from stag.training.device import pick_device
from stag.training.fit import Part, fit_many, train
from stag.utils.parallel import one_thread

SUBJECTS, CLIPS = 8, 12
QUICK_EPOCHS = 2
BATCHES = (1, 64)
PLAIN = "a plain loop over folds, one thread"


def training_speed(*, jobs: int = 2, quick: bool = False) -> list[Row]:
    """Time the training of all folds of one LOSO protocol on simulated motion, every way once.

    Args:
        jobs: Processes of the way that uses several; their start is part of the time.
        quick: Two epochs in place of the whole default recipe.

    Returns:
        Rows: seconds for all folds, seconds of a plain loop over folds, and the ratio.
    """
    motion = simulate_motion(SUBJECTS, CLIPS, seed=7)
    config = Config().override([f"train.epochs={QUICK_EPOCHS}"] if quick else [])
    place = pick_device("auto").type
    folds = [np.flatnonzero(motion.subject != subject) for subject in np.unique(motion.subject)]

    def processes() -> None:
        with tempfile.TemporaryDirectory() as out:
            evaluate(motion, config, out=Path(out) / "run", jobs=jobs, baselines=False, device="cpu")

    ways: dict[str, Callable[[], object]] = {
        PLAIN: lambda: [train(motion.subset(index), config, seed=0, device="cpu") for index in folds],
        f"folds stacked, {place}": lambda: fit_many(motion, [Part(index, 0) for index in folds], config, device=place),
        f"evaluate in {jobs} processes": processes,
        "motion + SVM, the baseline": lambda: [motion_svm(motion.subset(index), motion) for index in folds],
    }
    seconds = fastest(ways, 0.0)
    reference = seconds.pop(PLAIN)
    title = f"{SUBJECTS} folds of {SUBJECTS * CLIPS} clips, {config.train.epochs} epochs"
    return [compared(f"{title}: {name}, s", took, PLAIN, reference) for name, took in seconds.items()]


def prediction_speed(seconds: float = 2.0) -> list[Row]:
    """Time the model that ships, attention included, in one thread.

    Args:
        seconds: How long each way is repeated on average; its fastest run counts.

    Returns:
        Rows: milliseconds a call with onnxruntime, milliseconds with eager torch, and the ratio.
    """
    model = STAG.from_pretrained(DEFAULT_MODEL).eval()
    session = onnx_session(model)
    rows = []
    for batch in BATCHES:
        motion = np.random.default_rng(0).normal(size=(batch, *model.shape)).astype(np.float32)

        def eager(clips: torch.Tensor = torch.from_numpy(motion)) -> object:
            with torch.inference_mode():
                return model(clips, return_attention=True)

        with one_thread():
            best = fastest({"torch": eager, "onnx": partial(session, motion)}, seconds)
        what = f"motion to probabilities with onnxruntime, batch {batch}, ms"
        rows.append(compared(what, 1e3 * best["onnx"], "torch", 1e3 * best["torch"]))
    return rows
