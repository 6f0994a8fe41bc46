"""One fold in training: the order of its clips, its random numbers, its schedule, and when it stops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from stag.config import TrainConfig
from stag.model.stag import STAG
from stag.training.augment import Draws, draw

Cost = Callable[[STAG], float]
"""Criterion that chooses the epoch; lower is better."""


class Change(NamedTuple):
    """What the end of an epoch does to the weights of a fold."""

    share: float = 0.0  # share of the weights in their new average; 0: no averaging
    better: bool = False  # they are the best so far
    restart: bool = False  # training goes on from the best ones


class Fold:
    """State of one fold beside its weights; all random numbers come from its own generator, on the CPU.

    Args:
        training: ``(m,)`` positions of the training clips.
        validation: ``(k,)`` positions of the clips that choose the epoch; may be empty.
        labels: ``(n,)`` class ids of all clips.
        settings: Settings of training.
        seed: Seed of the random numbers.
        cost: Criterion of the kept epoch in place of the validation loss; training then runs to the end.

    Attributes:
        history: One row an epoch: ``epoch``, ``lr``, ``train_loss``, and ``val_loss`` where there is one.
        best_loss: Lowest of the validation losses.
        averaged: Number of epochs in the average of the weights.
        done: Whether training has ended.
    """

    def __init__(
        self,
        training: Tensor,
        validation: Tensor,
        labels: Tensor,
        settings: TrainConfig,
        seed: int,
        *,
        cost: Cost | None = None,
    ) -> None:
        self.training, self.validation, self.labels, self.cost = training, validation, labels, cost
        self.history: list[dict[str, float]] = []
        self.best_loss, self.averaged, self.done = math.inf, 0, False
        self._settings = settings
        self._generator = torch.Generator().manual_seed(seed)
        self._batches = 0
        self._best_epoch = 0
        self._averages = False
        self._last_epoch = settings.epochs

    def draw(self, steps: int, regions: int) -> Draws:
        """Order the clips of the next epoch and draw its random numbers."""
        settings, generator = self._settings, self._generator
        order = epoch_order(self.labels[self.training], settings.batch_size, generator, oversample=settings.oversample)
        self._batches = len(order)
        return draw(self.training[order], steps, regions, settings, generator)

    def rates(self) -> list[float]:
        """Return the learning rate of each batch of the epoch; none once training has ended."""
        if self.done:
            return []
        return [self._rate(len(self.history) + number / self._batches) for number in range(self._batches)]

    def end_epoch(self, loss: float, validation: float | None) -> Change:
        """Add a row to the history; decide what to keep, when to average, and whether to stop.

        Args:
            loss: Sum of the losses of the batches.
            validation: Validation loss, or ``cost``, of the weights.
        """
        settings, epoch = self._settings, len(self.history)
        row = {"epoch": float(epoch), "lr": self._rate(epoch), "train_loss": loss / self._batches}
        self.averaged += self._averages
        share = 1 / self.averaged if self._averages else 0.0
        better = restart = False
        if validation is not None:
            row["val_loss"] = validation
            if better := validation < self.best_loss:
                self.best_loss, self._best_epoch = validation, epoch
        self.history.append(row)
        waited = self.cost is None and validation is not None and epoch - self._best_epoch >= settings.patience
        ended = len(self.history)
        if self._averages:
            self.done = ended >= self._last_epoch
        elif settings.swa and (waited or ended >= round(settings.swa_start * settings.epochs)):
            self._averages, restart = True, waited and self.best_loss < math.inf
            self._last_epoch = ended + max(1, round((1 - settings.swa_start) * settings.epochs))
        else:
            self.done = waited or ended >= settings.epochs
        return Change(share, better, restart)

    def _rate(self, epoch: float) -> float:
        settings = self._settings
        return min(settings.swa_lr, settings.lr) if self._averages else learning_rate(epoch, settings)


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
