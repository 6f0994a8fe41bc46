"""The training loop: one fold, one seed -> one model (METHOD 2.8 and 3)."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stag.config import Config, TrainConfig
from stag.datasets.motion_file import MotionSet
from stag.model.stag import STAG
from stag.parallel import one_thread
from stag.training.augment import mirror, mirror_some
from stag.training.losses import au_bce, class_weights, focal_loss, smooth_labels
from stag.training.validation import inner_validation

EpochProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Fitted:
    """A trained model and how it came about.

    Attributes:
        model: The weights of the best epoch on the inner validation subjects, in evaluation mode; its ``info`` says
            what it was trained on.
        history: One row an epoch: ``epoch``, ``lr``, ``train_loss``, ``val_loss``.
    """

    model: STAG
    history: list[dict[str, float]]


@dataclass(frozen=True)
class _Data:
    motion: Tensor  # (n, T, R, 2)
    label: Tensor  # (n,)
    au: Tensor  # (n, A), nan rows where there are no codes

    def at(self, index: Tensor) -> _Data:
        return _Data(self.motion[index], self.label[index], self.au[index])


def train(
    motion: MotionSet, config: Config | None = None, *, seed: int | None = None, progress: EpochProgress | None = None
) -> STAG:
    """Train STAG on a motion set; see :func:`fit`.

    Example:
        >>> model = stag.train(motion)  # doctest: +SKIP
    """
    return fit(motion, config, seed=seed, progress=progress).model


def fit(
    motion: MotionSet, config: Config | None = None, *, seed: int | None = None, progress: EpochProgress | None = None
) -> Fitted:
    """Train STAG on a motion set.

    Epochs are chosen on an inner validation split of the given subjects; nothing outside ``motion`` is ever seen.

    Args:
        motion: The training clips, and only those.
        config: Settings; the defaults where omitted.
        seed: Overrides ``config.train.seed``.
        progress: Called with (epoch, epochs) after each epoch.
    """
    config = config or Config()
    settings = config.train
    seed = settings.seed if seed is None else seed
    data = _tensors(motion)
    inner, validation = inner_validation(motion.group, motion.label, settings.validation_share, seed)
    training, held_out = data.at(torch.from_numpy(inner)), data.at(torch.from_numpy(validation))
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = STAG(config.model, layout=motion.layout, steps=motion.steps, classes=motion.classes, seed=seed)
        history = _loop(model, training, held_out, config, torch.Generator().manual_seed(seed), progress)
    model.info = replace(model.info, motion=motion.settings, training=_summary(motion, config, seed, history))
    return Fitted(model.eval(), history)


@torch.no_grad()
def predict_probabilities(
    model: STAG, motion: MotionSet, au_source: str, *, mirror_tta: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Class and AU probabilities of every clip.

    Args:
        model: A trained model.
        motion: ``n`` clips; their labels are not read, and their AU codes only if ``au_source`` is ``annotated``.
        au_source: ``none``, ``annotated`` or ``predicted``.
        mirror_tta: Average over the clip and its mirror image.

    Returns:
        ``(n, C)`` class probabilities and ``(n, A)`` AU probabilities, the latter always free of AU input.
    """
    model.eval()
    data = _tensors(motion)
    views = [data.motion, mirror(data.motion, model.info.layout)] if mirror_tta else [data.motion]
    classes, units = [], []
    for view in views:
        logits, au_logits = _forward(model, view, data.au, au_source)
        classes.append(torch.softmax(logits.double(), dim=-1))
        units.append(torch.sigmoid(au_logits.double()))
    return torch.stack(classes).mean(dim=0).numpy(), torch.stack(units).mean(dim=0).numpy()


def _forward(model: STAG, motion: Tensor, au: Tensor, au_source: str) -> tuple[Tensor, Tensor]:
    """Logits under an AU source, and AU logits that have seen no AU input."""
    if au_source == "predicted":
        out = model.forward_with_predicted_aus(motion)
        return out.logits, out.au_logits
    seen = model.see(motion)
    blind = model.judge(seen)
    if au_source == "none":
        return blind.logits, blind.au_logits
    return model.judge(seen, au).logits, blind.au_logits


def _loop(
    model: STAG,
    training: _Data,
    validation: _Data,
    config: Config,
    generator: torch.Generator,
    progress: EpochProgress | None,
) -> list[dict[str, float]]:
    """Train in place; leaves the weights of the best epoch in ``model``."""
    settings = config.train
    counts = torch.bincount(training.label, minlength=len(model.classes))
    alpha = class_weights(counts) if settings.class_weights else torch.ones(len(model.classes))
    n = len(training.label)
    batches = math.ceil(n / settings.batch_size)
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _lr_factor(step / batches, settings))
    history: list[dict[str, float]] = []
    best_loss, best_state, best_epoch = math.inf, copy.deepcopy(model.state_dict()), 0
    for epoch in range(settings.epochs):
        model.train()
        total = 0.0
        lr = float(optimiser.param_groups[0]["lr"])
        for index in torch.tensor_split(torch.randperm(n, generator=generator), batches):
            loss = _batch_loss(model, training.at(index), alpha, config, generator)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item() * len(index)
        val_loss = _validation_loss(model, validation, alpha, config.au)
        history.append({"epoch": epoch, "lr": lr, "train_loss": total / n, "val_loss": val_loss})
        if val_loss < best_loss:
            best_loss, best_state, best_epoch = val_loss, copy.deepcopy(model.state_dict()), epoch
        if progress is not None:
            progress(epoch + 1, settings.epochs)
        if epoch - best_epoch >= settings.patience:
            break
    model.load_state_dict(best_state)
    return history


def _batch_loss(model: STAG, batch: _Data, alpha: Tensor, config: Config, generator: torch.Generator) -> Tensor:
    """Focal loss of the classes plus the AU head's loss (Eq. 34-35)."""
    settings = config.train
    motion = mirror_some(batch.motion, settings.mirror, model.info.layout, generator)
    target = smooth_labels(batch.label, len(model.classes), settings.smoothing)
    hidden = torch.rand(len(target), 1, generator=generator) < settings.au_dropout
    seen = model.see(motion)
    blind = model.judge(seen)
    if config.au == "none":
        logits = blind.logits
    else:
        source = batch.au if config.au == "annotated" else torch.sigmoid(blind.au_logits).detach()
        logits = model.judge(seen, torch.where(hidden, torch.nan, source)).logits
    loss = focal_loss(logits, target, alpha, settings.gamma)
    return loss + settings.au_weight * au_bce(blind.au_logits, batch.au)


@torch.no_grad()
def _validation_loss(model: STAG, data: _Data, alpha: Tensor, au_source: str) -> float:
    """Class-weighted cross entropy: smoother than a score on the few clips of the validation subjects."""
    model.eval()
    logits, _ = _forward(model, data.motion, data.au, au_source)
    return float(torch.nn.functional.cross_entropy(logits, data.label, weight=alpha))


def _lr_factor(epoch: float, settings: TrainConfig) -> float:
    """Linear warm-up, then half a cosine down to zero."""
    if epoch < settings.warmup_epochs:
        return (epoch + 1e-3) / settings.warmup_epochs
    rest = max(settings.epochs - settings.warmup_epochs, 1)
    return 0.5 * (1 + math.cos(math.pi * min((epoch - settings.warmup_epochs) / rest, 1.0)))


def _tensors(motion: MotionSet) -> _Data:
    position = {name: i for i, name in enumerate(motion.classes)}
    label = [position.get(str(name), -1) for name in motion.label]
    return _Data(torch.from_numpy(motion.motion), torch.tensor(label), torch.from_numpy(motion.action_units))


def _summary(motion: MotionSet, config: Config, seed: int, history: list[dict[str, float]]) -> dict[str, Any]:
    return {
        "datasets": sorted({str(name) for name in motion.dataset}),
        "n_clips": len(motion),
        "n_subjects": len(set(motion.group)),
        "class_counts": {name: int(count) for name, count in sorted(Counter(motion.label.tolist()).items())},
        "simulated": motion.simulated,
        "au_source": config.au,
        "seed": seed,
        "epochs_run": len(history),
        "train": config.train.model_dump(),
    }
