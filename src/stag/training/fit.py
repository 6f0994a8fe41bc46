"""The training loop: folds side by side, each -> one model (the recipe is in docs/method/training.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from stag.config import Config
from stag.errors import ConfigError, ModelError
from stag.model.stag import STAG
from stag.motion.transforms import is_cumulative
from stag.motion_set import MotionSet
from stag.training.fold import Clips, Cost, TrainingFold
from stag.training.losses import put_gradients
from stag.training.validation import inner_validation
from stag.utils.parallel import one_thread
from stag.utils.values import ArrayValue


def pick_device(name: str) -> torch.device:
    """Return the device of that name; ``auto`` takes a GPU where there is one.

    Raises:
        ConfigError: ``cuda`` is asked for and there is none, or the name is unknown.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise ConfigError(f"`device={name}`: expected auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("`device=cuda`: no GPU is visible to torch here; use `device=cpu`")
    return torch.device(name)


EpochProgress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False, repr=False)
class Part(ArrayValue):
    """Training clips and seed of one model among several.

    Attributes:
        index: ``(m,)`` positions of its training clips.
        seed: Seed of weights, random numbers and inner validation split.
        cost: Criterion of the kept epoch in place of the loss on the inner validation clips, which stay out of
            training as before; no epoch is then the last but by number.
    """

    index: NDArray[np.intp]
    seed: int
    cost: Cost | None = None


def train(
    motion: MotionSet,
    config: Config | None = None,
    *,
    seed: int | None = None,
    init: STAG | None = None,
    device: str = "auto",
    progress: EpochProgress | None = None,
) -> STAG:
    """Train STAG on a motion set.

    Epochs are chosen on an inner validation split of the given subjects; nothing outside ``motion`` is ever seen.

    Args:
        motion: The training clips, and only those.
        config: Settings; the defaults where omitted.
        seed: Overrides ``config.train.seed``.
        init: A model to start from; its widths and depths then replace ``config.model``.
        device: ``auto``, ``cpu`` or ``cuda``.
        progress: Called with (epoch, epochs) after each epoch.

    Returns:
        The model in evaluation mode, with its training in ``history`` and ``info``.

    Raises:
        ModelError: ``init`` is for another layout or number of steps.
        DatasetError: There are fewer than two clips.

    Example:
        >>> motion = stag.simulate_motion(4, 3, seed=1)
        >>> model = stag.train(motion, stag.Config.preset("quick").override(["train.epochs=1"]))
        >>> model.classes
        ('negative', 'positive', 'surprise')
        >>> list(model.history[0])
        ['epoch', 'lr', 'train_loss', 'val_loss']
    """
    config = config or Config()
    part = Part(np.arange(len(motion)), config.train.seed if seed is None else seed)
    return fit_many(motion, [part], config, init=init, device=device, progress=progress)[0]


def fit_many(
    motion: MotionSet,
    parts: Sequence[Part],
    config: Config,
    *,
    init: STAG | None = None,
    device: str = "auto",
    progress: EpochProgress | None = None,
) -> list[STAG]:
    """Train one model for each part of a motion set, all in step as one stacked model.

    Each has its own data order, augmentation, dropout, class weights, early stopping and averaging, from its own
    generator; so what trains beside it changes nothing but the rounding of sums.

    Args:
        motion: All clips; no copy is made for a part.
        parts: What each model learns from, and its seed.
        config: Settings of all.
        init: A model that all start from; its widths and depths then replace ``config.model``.
        device: ``auto``, ``cpu`` or ``cuda``.
        progress: Called with (epoch, epochs) after each epoch of all.

    Returns:
        One model a part, on the CPU and in evaluation mode.
    """
    where = pick_device(device)
    if init is not None:
        config = config.model_copy(update={"model": init.info.model})
    with one_thread():
        clips = _on_device(motion, where)
        folds = [_fold(motion, clips, part, config, init) for part in parts]
        for epoch in range(config.train.epochs):
            _epoch([fold for fold in folds if not fold.done])
            if progress is not None:
                progress(epoch + 1, config.train.epochs)
            if all(fold.done for fold in folds):
                break
    return [_fitted(fold, motion, part, config) for fold, part in zip(folds, parts, strict=True)]


def _epoch(folds: Sequence[TrainingFold]) -> None:
    """Run one epoch of every fold that is not done; one with fewer batches waits for the others."""
    batches = [fold.begin_epoch() for fold in folds]
    for number in range(max(batches, default=0)):
        now = [fold for fold, count in zip(folds, batches, strict=True) if number < count]
        losses = put_gradients([fold.objective for fold in now], [fold.batch(number) for fold in now])
        for fold, loss in zip(now, losses, strict=True):
            fold.step(loss, number)
    for fold in folds:
        fold.end_epoch()


def _fold(motion: MotionSet, clips: Clips, part: Part, config: Config, init: STAG | None) -> TrainingFold:
    training, validation = part.index, part.index[:0]
    if config.train.validation_share > 0:
        inner, held = inner_validation(
            motion.group[part.index], motion.label[part.index], config.train.validation_share, part.seed
        )
        training, validation = part.index[inner], part.index[held]
    model = STAG(config.model, layout=motion.layout, steps=motion.steps, classes=motion.classes, seed=part.seed)
    if init is not None:
        _start_from(model, init)
    indices = torch.from_numpy(training), torch.from_numpy(validation)
    return TrainingFold(model, clips, *indices, config, part.seed, cost=part.cost)


def _start_from(model: STAG, init: STAG) -> None:
    """Copy the weights of a trained model; where the classes differ, the classifier keeps its own."""
    here, there = (model.info.layout, model.info.steps), (init.info.layout, init.info.steps)
    if here != there:
        raise ModelError(
            f"the model to start from is for layout {there[0]} and {there[1]} steps, the clips have {here[0]} and "
            f"{here[1]}; extract them with `motion.layout={there[0]}` and `motion.steps={there[1]}`"
        )
    weights = init.state_dict()
    if model.classes != init.classes:
        weights = {name: value for name, value in weights.items() if not name.startswith("classifier.")}
    model.load_state_dict(weights, strict=False)


def _fitted(fold: TrainingFold, motion: MotionSet, part: Part, config: Config) -> STAG:
    model, clips = fold.model.cpu(), motion.subset(part.index)
    training = {
        "datasets": sorted({str(name) for name in clips.dataset}),
        "n_clips": len(clips),
        "n_subjects": len(set(clips.group)),
        "class_counts": dict(sorted(Counter(clips.label.tolist()).items())),
        "simulated": clips.simulated,
        "au_source": config.au,
        "seed": part.seed,
        "epochs_run": len(fold.history),
        "train": config.train.model_dump(),
    }
    model.info = replace(model.info, motion=motion.settings, training=training)
    model.history = fold.history
    return model


def _on_device(motion: MotionSet, device: torch.device) -> Clips:
    position = {name: i for i, name in enumerate(motion.classes)}
    label = [position.get(str(name), -1) for name in motion.label]
    return Clips(
        torch.from_numpy(motion.motion).to(device),
        torch.tensor(label, device=device),
        torch.from_numpy(motion.action_units).to(device),
        is_cumulative(motion.reference),
    )
