"""One fold in training: the order of its clips, its random numbers, its schedule, and the weights that it keeps."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from stag.config import Config, TrainConfig
from stag.model.stag import STAG
from stag.training.augment import augment, draw, mix
from stag.training.losses import Batch, Objective, class_weights
from stag.utils.values import ArrayValue

Cost = Callable[[STAG], float]
"""Criterion that chooses the epoch; lower is better."""


@dataclass(frozen=True, eq=False, repr=False)
class Clips(ArrayValue):
    """Motion, labels and codes of all clips on one device; folds hold positions into it, never copies."""

    motion: Tensor  # (n, T, R, 2)
    label: Tensor  # (n,) class ids
    au: Tensor  # (n, A), nan rows where there are no codes
    cumulative: bool  # whether motion counts from the first step


class TrainingFold:
    """State of one fold; all its random numbers come from its own generator, so other folds do not affect it.

    Args:
        model: Model with its initial weights.
        clips: All clips.
        training: ``(m,)`` positions of the training clips.
        validation: ``(k,)`` positions of the clips that choose the epoch; may be empty.
        config: Settings.
        seed: Seed of the random numbers.
        cost: Criterion of the kept epoch in place of the validation loss; training then runs to the end.

    Attributes:
        history: One row an epoch: ``epoch``, ``lr``, ``train_loss``, ``val_loss``.
        done: Whether training has ended.
    """

    def __init__(
        self,
        model: STAG,
        clips: Clips,
        training: Tensor,
        validation: Tensor,
        config: Config,
        seed: int,
        *,
        cost: Cost | None = None,
    ) -> None:
        device = clips.motion.device
        self.model = model.to(device)
        self.objective = Objective(self.model, config)
        self.history: list[dict[str, float]] = []
        self.done = False
        self.order = torch.empty(0, 0, dtype=torch.long)
        self._clips, self._config = clips, config
        self._cost = cost or (self.validation_loss if len(validation) else None)
        self._selects = cost is not None
        self._training, self._validation = training.to(device), validation.to(device)
        self._labels = clips.label[self._training].cpu()
        self._generator = torch.Generator().manual_seed(seed)
        settings = config.train
        counts = torch.bincount(self._labels, minlength=len(model.classes))
        self._balance = class_weights(counts).to(device)
        self._alpha = class_weights(counts, settings.class_weights).to(device)
        self._optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True
        )
        self._averaged: AveragedModel | None = None
        self._last_epoch = settings.epochs
        self._best_loss, self._best_epoch = math.inf, 0
        self._best_state: dict[str, Tensor] | None = None
        self._total = 0.0

    def begin_epoch(self) -> int:
        """Order the batches of the next epoch and return their number."""
        self.model.train()
        self._total = 0.0
        settings = self._config.train
        self.order = epoch_order(self._labels, settings.batch_size, self._generator, oversample=settings.oversample)
        return len(self.order)

    def batch(self, number: int) -> Batch:
        """Return batch ``number`` of the epoch, augmented and mixed."""
        settings, clips = self._config.train, self._clips
        index = self._training[self.order[number].to(self._training.device)]
        motion = clips.motion[index]
        drawn = draw(len(motion), *self.model.shape[:2], settings, self._generator)
        seed = torch.randint(-(2**31), 2**31, (), generator=self._generator).to(torch.int32)
        drawn = type(drawn)(*(value.to(motion.device) for value in drawn))
        motion = augment(motion, drawn, self.model.info.layout, cumulative=clips.cumulative)
        classes = torch.arange(len(self.model.classes), device=motion.device)
        target = (clips.label[index][:, None] == classes).to(motion.dtype)
        motion, target, au = mix(motion, target, clips.au[index], drawn)
        return Batch(motion, target, au, drawn.hidden, drawn.own_codes, self._alpha, seed.to(motion.device))

    def step(self, loss: float, number: int) -> None:
        """Update the weights by the gradients of batch ``number``."""
        self._total += loss
        for group in self._optimiser.param_groups:
            group["lr"] = self._learning_rate(len(self.history) + number / len(self.order))
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimiser.step()

    def end_epoch(self) -> None:
        """Validate, keep the best weights so far, average late epochs, and decide whether to stop."""
        settings, epoch = self._config.train, len(self.history)
        rate = self._learning_rate(epoch)
        row = {"epoch": float(epoch), "lr": rate, "train_loss": self._total / len(self.order)}
        if self._averaged is not None:
            self._averaged.update_parameters(self.model)
        if self._cost is not None:
            row["val_loss"] = loss = self._cost(self.model)
            if loss < self._best_loss:
                self._best_loss, self._best_epoch = loss, epoch
                self._best_state = copy.deepcopy(self.model.state_dict())
        self.history.append(row)
        out_of_patience = not self._selects and self._cost is not None and epoch - self._best_epoch >= settings.patience
        if self._averaged is not None:
            self.done = len(self.history) >= self._last_epoch
        elif settings.swa and (out_of_patience or len(self.history) >= round(settings.swa_start * settings.epochs)):
            self._begin_averaging(from_best=out_of_patience)
        else:
            self.done = out_of_patience or len(self.history) >= settings.epochs
        if self.done:
            self._settle()

    def _begin_averaging(self, *, from_best: bool) -> None:
        """Average the weights from the next epoch on; after patience ran out, from the best weights."""
        settings = self._config.train
        if from_best and self._best_state is not None:
            self.model.load_state_dict(self._best_state)
        self._averaged = AveragedModel(self.model)
        self._last_epoch = len(self.history) + max(1, round((1 - settings.swa_start) * settings.epochs))

    def _learning_rate(self, epoch: float) -> float:
        settings = self._config.train
        return learning_rate(epoch, settings) if self._averaged is None else min(settings.swa_lr, settings.lr)

    @torch.no_grad()
    def validation_loss(self, model: STAG) -> float:
        """Return the class-weighted cross entropy, which is smoother than a score on few validation clips."""
        model.eval()
        clips = self._clips
        total = weight = 0.0
        for index in torch.tensor_split(self._validation, math.ceil(len(self._validation) / 1024)):
            logits = model.forward_from(clips.motion[index], self._config.au, clips.au[index]).logits
            label = clips.label[index]
            loss = torch.nn.functional.cross_entropy(logits, label, weight=self._balance, reduction="sum")
            total += float(loss)
            weight += float(self._balance[label].sum())
        return total / weight if weight else total

    def _settle(self) -> None:
        """Load the average where there is one, else the best weights; a given ``cost`` chooses between the two."""
        kept = self._best_state
        if self._averaged is not None:
            average = cast(STAG, self._averaged.module)
            if kept is None or not self._selects or self._cost is None or self._cost(average) <= self._best_loss:
                kept = average.state_dict()
        if kept is not None:
            self.model.load_state_dict(kept)
        self.model.eval()


def learning_rate(epoch: float, settings: TrainConfig) -> float:
    """Return the rate after ``epoch`` epochs: linear warm-up, then half a cosine to zero, or to ``swa_lr``."""
    if epoch < settings.warmup_epochs:
        return settings.lr * (epoch + 1e-3) / settings.warmup_epochs
    last = settings.swa_start * settings.epochs if settings.swa else float(settings.epochs)
    low = min(settings.swa_lr, settings.lr) if settings.swa else 0.0
    rest = max(last - settings.warmup_epochs, 1.0)
    share = min((epoch - settings.warmup_epochs) / rest, 1.0)
    return low + (settings.lr - low) * 0.5 * (1 + math.cos(math.pi * share))


def epoch_order(labels: Tensor, batch_size: int, generator: torch.Generator, *, oversample: float) -> Tensor:
    """Return full batches of clip positions for one epoch, ``(batches, B)``.

    Of a class of ``n`` clips, the largest having ``m``, ``n (m / n) ** oversample`` are shown: every clip equally often
    but for a random remainder. The number of clips is rounded to whole batches by leaving out, or repeating, some at
    random, so all batches have one size, whatever the size of the fold. The generator is on the CPU.
    """
    if oversample:
        members = [torch.nonzero(labels == name).squeeze(1) for name in sorted(set(labels.tolist()))]
        largest = max(len(some) for some in members)
        sizes = [round(len(some) * (largest / len(some)) ** oversample) for some in members]
        shown = torch.cat([_repeated(some, size, generator) for some, size in zip(members, sizes, strict=True)])
    else:
        shown = torch.arange(len(labels))
    batches = max(1, round(len(shown) / batch_size))
    return _repeated(shown, batches * batch_size, generator).view(batches, batch_size)


def _repeated(values: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Return ``size`` of ``values`` in random order; how often each occurs differs by at most one."""
    rounds = [values[torch.randperm(len(values), generator=generator)] for _ in range(-(-size // len(values)))]
    kept = torch.cat(rounds)[:size]
    return kept[torch.randperm(size, generator=generator)]
