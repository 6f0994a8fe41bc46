"""Train many models as one: the weights, the batches and the optimiser of all folds are tensors with a fold axis."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.nn.utils.rnn import pad_sequence

from stag.config import Config
from stag.model.stag import STAG
from stag.training.augment import Draws, augment, mix
from stag.training.device import captured
from stag.training.fold import Change, Fold
from stag.training.losses import Batch, Objective, Validation, class_weights
from stag.utils.values import ArrayValue

_BETAS, _EPSILON = (0.9, 0.999), 1e-8  # those of torch.optim.AdamW
_MOST_NORM = 1.0  # assumed; longer gradients are clipped to it
_CHUNK = 256  # validation clips that are classified at once
_EPOCHS_KEPT = 8  # an epoch of batches, the next one, its random numbers, and what augmentation needs in between


@dataclass(frozen=True, eq=False, repr=False)
class Clips(ArrayValue):
    """Motion, labels and codes of all clips on one device; folds hold positions into it, never copies."""

    motion: Tensor  # (n, T, R, 2)
    label: Tensor  # (n,) class ids
    au: Tensor  # (n, A), nan rows where there are no codes
    cumulative: bool  # whether motion counts from the first step


class Stack:
    """``F`` models in training, each on its own clips.

    The weights of a model are one row of ``P`` numbers, so that clipping, AdamW, averaging and the choice of an epoch
    are a few operations on ``(F, P)`` tensors. A step is the same sequence of operations whatever the folds do: one
    that has fewer batches, or has ended, has the rate 0, which changes nothing. So a GPU can replay it.

    Args:
        models: Models of one kind with their initial weights, on the CPU.
        folds: The state of each beside its weights.
        clips: All clips, on the device that trains.
        config: Settings.

    Attributes:
        models: The models; :meth:`settle` gives them their trained weights.
        weights: ``(F, P)``.
    """

    def __init__(self, models: Sequence[STAG], folds: Sequence[Fold], clips: Clips, config: Config) -> None:
        self.models, self.folds = list(models), list(folds)
        self._clips, self._config = clips, config
        device, size = clips.motion.device, len(folds)
        model = copy.deepcopy(models[0]).to(device)
        self._objective, self._check = Objective(model, config).to(device), Validation(model, config.au)
        self._shapes = {name: value.shape for name, value in self._objective.named_parameters()}
        self.weights = torch.stack([parameters_to_vector(one.parameters()).detach() for one in models]).to(device)
        self._best, self._average = self.weights.clone(), self.weights.clone()
        self._mean, self._square = torch.zeros_like(self.weights), torch.zeros_like(self.weights)
        self._steps = self.weights.new_zeros(size, 1)
        self._losses = self.weights.new_zeros(2, size)  # of the batches, and of validation
        self._number = torch.zeros(1, dtype=torch.long, device=device)
        several = size > 1
        self._gradients = vmap(grad_and_value(self._loss_of(self._objective))) if several else self._gradient_of_one
        self._validations = vmap(self._loss_of(self._check))
        self._weigh_classes(len(model.classes))
        self._drawn: list[Draws] = []
        self._draw()
        self._rates, self._batches = self._epoch()
        changed = [self.weights, self._mean, self._square, self._steps, self._losses, self._number]
        model.train()
        self._take_step = captured(self._step, changed)
        model.eval()
        self._validate = captured(self._validation, changed)

    def run_epoch(self) -> None:
        """Train an epoch of every fold that has not ended, validate, and decide for each what to keep."""
        model = self._objective.model
        model.train()
        for _ in range(self._rates.shape[1]):
            self._take_step()
        model.eval()
        self._validate()
        self._draw()  # a GPU is still busy with the steps meanwhile
        trained, validated = self._losses.tolist()
        self._keep([self._ended(row, *losses) for row, losses in enumerate(zip(trained, validated, strict=True))])
        if self.done:
            return
        rates, batches = self._epoch()
        for place, value in zip((self._rates, *self._batches), (rates, *batches), strict=True):
            place.copy_(value)
        self._losses.zero_()

    @property
    def done(self) -> bool:
        """Whether every fold has ended."""
        return all(fold.done for fold in self.folds)

    def bytes_per_fold(self) -> int:
        """Return about how much memory a fold takes: what a gradient keeps, twice, and an epoch of batches."""
        kept: list[int] = []

        def keep(value: Tensor) -> Tensor:
            kept.append(value.nbytes)
            return value

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
            self._objective.train()(Batch(*(part[0, 0] for part in self._batches)))
        return 2 * sum(kept) + _EPOCHS_KEPT * sum(part[0].nbytes for part in self._batches)

    def settle(self) -> None:
        """Load into each model its average where there is one, else its best weights; a ``cost`` chooses of the two."""
        for row, fold in enumerate(self.folds):
            kept = self._best if fold.best_loss < math.inf else self.weights
            if fold.averaged:
                chosen = fold.cost and fold.cost(self._loaded(self._average, row)) > fold.best_loss
                kept = kept if chosen else self._average
            self._loaded(kept, row)

    def _loaded(self, weights: Tensor, row: int) -> STAG:
        model = self.models[row].eval()
        vector_to_parameters(weights[row].cpu(), model.parameters())
        return model

    def _ended(self, row: int, trained: float, validated: float) -> Change:
        fold = self.folds[row]
        if fold.done:
            return Change()
        if fold.cost:
            return fold.end_epoch(trained, fold.cost(self._loaded(self.weights, row)))
        return fold.end_epoch(trained, validated if len(fold.validation) else None)

    def _keep(self, changes: Sequence[Change]) -> None:
        table = torch.tensor(changes, dtype=self.weights.dtype).to(self.weights.device)
        share, better, restart = table.unsqueeze(-1).unbind(1)
        self._average.lerp_(self.weights, share)
        self._best.copy_(torch.where(better > 0, self.weights, self._best))
        self.weights.copy_(torch.where(restart > 0, self._best, self.weights))

    def _weigh_classes(self, classes: int) -> None:
        """Set the class weights of each fold, and the weighted classes of its validation clips."""
        folds, device = self.folds, self.weights.device
        counts = [torch.bincount(fold.labels[fold.training], minlength=classes) for fold in folds]
        power = self._config.train.class_weights
        self._alpha = torch.stack([class_weights(count, power) for count in counts]).to(device)
        balanced = [torch.diag(class_weights(count)) for count in counts]
        self._held = _padded(fold.validation for fold in folds).to(device)
        target = _padded(rows[fold.labels[fold.validation]] for rows, fold in zip(balanced, folds, strict=True))
        total = target.sum(dim=(1, 2), keepdim=True).clamp_min(torch.finfo(target.dtype).tiny)
        self._target = (target / total).to(device)  # 0 for the clips that fill up a fold

    def _draw(self) -> None:
        """Draw the numbers of the next epoch of each fold; one that has ended keeps its last ones."""
        shape = self._objective.model.shape
        self._drawn = [self._drawn[row] if fold.done else fold.draw(*shape[:2]) for row, fold in enumerate(self.folds)]
        self._stacked = Draws(*(_padded(parts) for parts in zip(*self._drawn, strict=True)))

    def _epoch(self) -> tuple[Tensor, Batch]:
        """Return the rates ``(F, N)`` and the augmented batches ``(F, N, ...)`` of an epoch, from what was drawn."""
        clips, settings, device = self._clips, self._config.train, self.weights.device
        drawn = Draws(*(values.to(device) for values in self._stacked))
        folds, shown = drawn.clip.shape
        shape = folds, shown // settings.batch_size, settings.batch_size
        rates = torch.zeros(shape[:2])
        for row, fold in zip(rates, self.folds, strict=True):
            own = fold.rates()
            row[: len(own)] = torch.tensor(own)
        first = shown * torch.arange(folds, device=device).unsqueeze(1)
        flat = Draws(*(value.flatten(0, 1) for value in drawn._replace(partner=drawn.partner + first)))
        layout = self._objective.model.info.layout
        motion = augment(clips.motion[flat.clip], flat, layout, cumulative=clips.cumulative)
        target = torch.eye(self._alpha.shape[1], device=device)[clips.label[flat.clip]]
        parts = mix(motion, target, clips.au[flat.clip], flat)
        alpha = self._alpha[:, None].repeat(1, shape[1], 1)
        return rates.to(device), Batch(*[*(part.view(*shape, *part.shape[1:]) for part in parts), alpha, drawn.seed])

    def _step(self) -> None:
        """Take one step of every fold: gradients, clipped by their norm, and AdamW."""
        batch = Batch(*(part.index_select(1, self._number).squeeze(1) for part in self._batches))
        rate = self._rates.index_select(1, self._number)
        gradients, losses = self._gradients(self.weights, batch)
        gradients = gradients * (_MOST_NORM / (gradients.norm(dim=1, keepdim=True) + 1e-6)).clamp_max(1)
        moves = (rate > 0).to(rate.dtype)
        self._losses[0] += losses * moves[:, 0]
        self._steps += moves
        self._mean.lerp_(gradients, (1 - _BETAS[0]) * moves)
        self._square.lerp_(gradients.square(), (1 - _BETAS[1]) * moves)
        # 1 - beta ^ steps: both moments began at 0.
        grown, squared = (-torch.expm1(self._steps * math.log(beta)) for beta in _BETAS)
        direction = self._mean / grown / ((self._square / squared).sqrt() + _EPSILON)
        self.weights -= rate * (direction + self._config.train.weight_decay * self.weights)
        # Recording takes a few steps more than there may be batches.
        self._number.add_(1).remainder_(self._rates.shape[1])

    @torch.no_grad()
    def _validation(self) -> None:
        clips = self._clips
        if self._held.shape[1]:
            for index, target in zip(
                *(torch.split(value, _CHUNK, 1) for value in (self._held, self._target)), strict=True
            ):
                self._losses[1] += self._validations(self.weights, clips.motion[index], clips.au[index], target)

    def _gradient_of_one(self, weights: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the gradients and the losses of a single fold, a fifth faster than by torch.func."""
        weights = weights.detach().requires_grad_()
        loss = self._loss_of(self._objective)(weights[0], Batch(*(part[0] for part in batch)))
        return torch.autograd.grad(loss, weights)[0], loss.detach().unsqueeze(0)

    def _loss_of(self, module: nn.Module) -> Callable[..., Tensor]:
        """Return the loss that ``module`` gives, as a function of a row of weights ``(P,)`` and of its input."""

        def loss(weights: Tensor, *given: Any) -> Tensor:
            parts = torch.split_with_sizes(weights, [shape.numel() for shape in self._shapes.values()])
            named = {name: part.view(shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)}
            result: Tensor = functional_call(module, named, given)
            return result

        return loss


def _padded(parts: Iterable[Tensor]) -> Tensor:
    """Stack tensors of several lengths, filled up with 0."""
    return pad_sequence(list(parts), batch_first=True)
