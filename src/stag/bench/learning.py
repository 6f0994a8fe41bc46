"""Time training (an epoch and all folds, beside a plain loop) and classification (beside torch)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from stag.bench.rows import Row, compared, fastest
from stag.config import Config
from stag.evaluation.baselines import motion_svm
from stag.evaluation.evaluate import evaluate
from stag.model.onnx import onnx_session
from stag.model.shipped import DEFAULT_MODEL
from stag.model.stag import STAG
from stag.motion.transforms import is_cumulative
from stag.motion_set import MotionSet
from stag.simulate.motion import simulate_motion
from stag.training.augment import augment, draw, mix
from stag.training.device import pick_device
from stag.training.fit import Part, fit_many, inner_validation, make_stack
from stag.training.fold import epoch_order
from stag.training.losses import Batch, Objective, Validation, class_weights
from stag.utils.parallel import one_thread

SUBJECTS, CLIPS = 8, 12
EPOCHS, QUICK_EPOCHS = 20, 2
BATCHES = (1, 64)
PLAIN = "a plain loop, one thread"
FLOOR = "its matrix products at the peak of one core"


def training_speed(*, jobs: int = 2, quick: bool = False) -> list[Row]:
    """Time training on simulated motion: an epoch of one fold, and all folds of one LOSO protocol, every way once.

    Args:
        jobs: Processes of the way that uses several; their start is part of the time.
        quick: Two epochs of all folds in place of twenty.

    Returns:
        Rows: seconds, seconds of a plain loop or of the floor, and the ratio.
    """
    epochs = QUICK_EPOCHS if quick else EPOCHS
    motion = simulate_motion(SUBJECTS, CLIPS, seed=7)
    config = Config().override([f"train.epochs={epochs}", f"train.patience={epochs}"])
    place = pick_device("auto").type
    folds = [np.flatnonzero(motion.subject != subject) for subject in np.unique(motion.subject)]

    def processes() -> None:
        with tempfile.TemporaryDirectory() as out:
            evaluate(motion, config, out=Path(out) / "run", jobs=jobs, baselines=False, device="cpu")

    def plain() -> None:
        for index in folds:
            one_epoch = plain_training(motion, index, config)
            for _ in range(epochs):
                one_epoch()

    ways: dict[str, Callable[[], object]] = {
        PLAIN: plain,
        f"stacked, {place}": lambda: fit_many(motion, [Part(index, 0) for index in folds], config, device=place),
        f"evaluate in {jobs} processes": processes,
        "motion + SVM, the baseline": lambda: [motion_svm(motion.subset(index), motion) for index in folds],
    }
    with one_thread():
        rows = _epoch_rows(0.5 if quick else 5.0)
        seconds = fastest(ways, 0.0)
    reference = seconds.pop(PLAIN)
    title = f"{SUBJECTS} folds of {SUBJECTS * CLIPS} clips, {epochs} epochs"
    return rows + [compared(f"{title}: {name}, s", took, PLAIN, reference) for name, took in seconds.items()]


def _epoch_rows(seconds: float) -> list[Row]:
    """Time an epoch of one fold of 400 clips beside a plain loop, and beside the floor that its arithmetic sets."""
    motion, config = simulate_motion(20, 20, seed=7), Config().override(["train.epochs=10000", "train.patience=10000"])
    index = np.flatnonzero(motion.subject != motion.subject[0])
    stack = make_stack(motion, [Part(index, 0)], config, torch.device("cpu"))
    plain = plain_training(motion, index, config)
    square = torch.rand(512, 512)
    ways = {PLAIN: plain, "": stack.run_epoch, FLOOR: lambda: square @ square}
    best = fastest(ways, seconds)
    with FlopCounterMode(display=False) as counter:
        plain()
    best[FLOOR] *= counter.get_total_flops() / (2 * len(square) ** 3)
    took = best.pop("")
    what = f"an epoch of one fold of {len(index)} clips with its validation, ms"
    return [compared(what, 1e3 * took, against, 1e3 * reference) for against, reference in best.items()]


def plain_training(motion: MotionSet, index: NDArray[np.intp], config: Config) -> Callable[[], None]:
    """Return a function that trains an epoch of one fold as anyone would write it: batch by batch, by torch's AdamW."""
    settings, cumulative = config.train, is_cumulative(motion.reference)
    inner, held = (
        index[rows] for rows in inner_validation(motion.group[index], motion.label[index], settings.validation_share, 0)
    )
    model = STAG(config.model, layout=motion.layout, steps=motion.steps, classes=motion.classes)
    objective, validation = Objective(model, config), Validation(model, config.au)
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    clips, codes = torch.from_numpy(motion.motion), torch.from_numpy(motion.action_units)
    labels = torch.tensor([model.classes.index(name) for name in motion.label])
    targets = torch.eye(len(model.classes))[labels]
    alpha = class_weights(targets[inner].sum(0), settings.class_weights)
    generator = torch.Generator().manual_seed(0)

    def epoch() -> None:
        model.train()
        order = epoch_order(labels[inner], settings.batch_size, generator, oversample=settings.oversample)
        for batch in torch.from_numpy(inner)[order]:
            drawn = draw(batch.unsqueeze(0), *model.shape[:2], settings, generator)
            moved = augment(clips[batch], drawn, motion.layout, cumulative=cumulative)
            mixed = mix(moved, targets[batch], codes[batch], drawn)
            optimiser.zero_grad()
            loss = objective(Batch(*mixed, alpha, drawn.seed[0]))
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
        model.eval()
        with torch.no_grad():
            validation(clips[held], codes[held], targets[held])

    return epoch


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
