"""The training loop: train one model for each fold, side by side (the recipe is in docs/method/training.md)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from stag.config import Config
from stag.errors import ConfigError, DatasetError, ModelError, reason
from stag.model.comparators import NetworkInput, build_network
from stag.model.stag import STAG
from stag.motion.transforms import is_cumulative
from stag.motion_set import MotionSet
from stag.training.fold import Clips, Cost, TrainingFold
from stag.training.losses import put_gradients
from stag.utils.choices import NetworkName
from stag.utils.parallel import one_thread
from stag.utils.values import ArrayValue

_LOG = logging.getLogger(__name__)


def pick_device(name: str) -> torch.device:
    """Return the device; ``auto`` takes a GPU where one computes, with a warning where one is seen that does not."""
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"`device={name}`: expected auto, cpu or cuda")
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ConfigError("`device=cuda`: no GPU is visible to torch here; use `device=cpu`")
    if problem := gpu_problem():
        if name == "cuda":
            raise ConfigError(f"`device=cuda`: the GPU cannot be used ({problem}); use `device=cpu`")
        _LOG.warning("the GPU cannot be used (%s); the processor is", problem)
        return torch.device("cpu")
    return torch.device("cuda")


def gpu_problem() -> str:
    """Return why a GPU that torch sees does not compute: too old, full, used by others; empty where it does."""
    try:
        # Compiled for other GPUs, it fails at its first operation and not before.
        (torch.ones(2, 2, device="cuda") @ torch.ones(2, 2, device="cuda")).sum().item()
    except Exception as error:  # torch reports it as RuntimeError, AssertionError, NotImplementedError and more
        return reason(error)
    return ""


EpochProgress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False, repr=False)
class Part(ArrayValue):
    """Training clips and seed of one model among several."""

    index: NDArray[np.intp]  # (m,) positions of its training clips
    seed: int  # seed of weights, random numbers and inner validation split
    cost: Cost | None = None  # criterion of the kept epoch in place of the validation loss; training runs to the end


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

    Epochs are chosen on an inner validation split of its subjects; nothing outside ``motion`` is read.

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
    network: NetworkName = "stag",
    device: str = "auto",
    progress: EpochProgress | None = None,
) -> list[STAG]:
    """Train one model for each part of a motion set, all in step as one stacked model; they return on the CPU.

    Each has its own data order, augmentation, dropout, class weights, early stopping and averaging, from its own
    generator; the other parts change nothing but the rounding of sums. ``network`` is what trains: STAG, or another
    network of :mod:`stag.model.comparators`. Further arguments are those of :func:`train`.
    """
    where = pick_device(device)
    if init is not None:
        config = config.model_copy(update={"model": init.info.model})
    with one_thread():
        clips = _on_device(motion, where)
        folds = [_fold(motion, clips, part, config, init, network) for part in parts]
        for epoch in range(config.train.epochs):
            _epoch([fold for fold in folds if not fold.done])
            if progress is not None:
                progress(epoch + 1, config.train.epochs)
            if all(fold.done for fold in folds):
                break
    return [_fitted(fold, motion, part, config) for fold, part in zip(folds, parts, strict=True)]


def _epoch(folds: Sequence[TrainingFold]) -> None:
    """Run one epoch of every fold; one with fewer batches waits for the others."""
    batches = [fold.begin_epoch() for fold in folds]
    for number in range(max(batches, default=0)):
        now = [fold for fold, count in zip(folds, batches, strict=True) if number < count]
        losses = put_gradients([fold.objective for fold in now], [fold.batch(number) for fold in now])
        for fold, loss in zip(now, losses, strict=True):
            fold.step(loss, number)
    for fold in folds:
        fold.end_epoch()


def _fold(
    motion: MotionSet, clips: Clips, part: Part, config: Config, init: STAG | None, network: NetworkName
) -> TrainingFold:
    training, validation = part.index, part.index[:0]
    if (share := config.train.validation_share) > 0:
        inner, held_out = inner_validation(motion.group[part.index], motion.label[part.index], share, part.seed)
        training, validation = part.index[inner], part.index[held_out]
    given = NetworkInput(motion.layout, motion.steps, config.model, clips.cumulative)
    model = build_network(network, given, classes=motion.classes, seed=part.seed)
    # A criterion that classifies during training needs the views and the reference of the finished model.
    model.info = replace(model.info, motion=motion.settings, training={"train": config.train.model_dump()})
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
    }
    model.info = replace(model.info, training={**training, **model.info.training})
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


def inner_validation(
    groups: ArrayLike, labels: ArrayLike, share: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split training clips by subject into a fitting part and a validation part: sorted indices, neither part empty.

    Of 64 seeded draws the one is taken whose validation part misses the fewest classes and is nearest to ``share``
    of every class. Every class stays in the fitting part unless each subject is the only one of some class; the
    validation part has every class where a draw allows it within twice the share. The clips of a single subject are
    split by class instead: that validation score is subject-dependent, but still excludes the test subjects.

    ``groups (n,)`` are subject keys, ``labels (n,)`` class names.
    """
    # StratifiedGroupKFold guarantees no class to either part: on 200 random corpora of 5 subjects the validation part
    # of its first fold lacked a class 117 times, this one 12 times.
    subjects, subject_of = np.unique(np.asarray(groups), return_inverse=True)
    classes, class_of = np.unique(np.asarray(labels), return_inverse=True)
    if len(subject_of) < 2:
        raise DatasetError("training has 1 clip to learn and to validate from; it needs at least 2, so add clips")
    generator = np.random.default_rng(seed)
    if len(subjects) == 1:
        held_out = _clips_of_each_class(class_of, len(classes), share, generator)
    else:
        counts = np.zeros((len(subjects), len(classes)), dtype=np.int64)
        np.add.at(counts, (subject_of, class_of), 1)
        held_out = _best_draw(counts, share, generator)[subject_of]
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _best_draw(counts: NDArray[np.int64], share: float, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Return the subjects to hold out. counts (subjects, C) -> (subjects,)."""
    total = counts.sum(axis=0)

    def cost(chosen: NDArray[np.bool_]) -> tuple[int, float]:
        held = counts[chosen].sum(axis=0)
        return int((held == 0).sum()), float(np.abs(held / total - share).sum())

    draws = [_draw(counts, share, generator.permutation(len(counts))) for _ in range(64)]
    return min(draws, key=cost)


def _draw(counts: NDArray[np.int64], share: float, order: NDArray[np.int64]) -> NDArray[np.bool_]:
    total = counts.sum(axis=0)
    intended, most = share * total.sum(), min(2 * share, 0.5) * total.sum()
    chosen = np.zeros(len(counts), dtype=bool)
    held = np.zeros_like(total)

    def take(subject: np.int64) -> None:
        chosen[subject] = True
        held[:] += counts[subject]

    keeps_classes = [s for s in order if (counts[s] < total).all()]
    take((keeps_classes or list(order))[0])
    # Beyond the intended share, up to twice (assumed), only subjects of missing classes are added.
    for limit, needed in ((intended, False), (most, True)):
        for subject in order:
            after = held + counts[subject]
            useful = not needed or bool((counts[subject][held == 0] > 0).any())
            if not chosen[subject] and useful and (after < total).all() and after.sum() <= limit:
                take(subject)
    return chosen


def _clips_of_each_class(
    class_of: NDArray[np.intp], n_classes: int, share: float, generator: np.random.Generator
) -> NDArray[np.bool_]:
    held_out = np.zeros(len(class_of), dtype=bool)
    for number in range(n_classes):
        members = generator.permutation(np.flatnonzero(class_of == number))
        size = round(share * len(members))
        held_out[members[: min(max(size, 1), len(members) - 1)]] = True
    if not held_out.any():
        held_out[generator.integers(len(held_out))] = True
    return held_out
