"""The training loss of one model, or of many stacked ones (Eq. 34-35)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from stag.config import Config
from stag.model.dropout import seeded
from stag.model.stag import STAG
from stag.training.losses import au_bce, focal_loss, focusing, smooth_labels


class Batch(NamedTuple):
    """Input of one training step of one model; stacked models have one more axis in front.

    Attributes:
        motion: ``(B, T, R, 2)``, augmented and mixed.
        target: ``(B, C)`` class shares.
        au: ``(B, A)``, nan where there is no code.
        hidden: ``(B, 1)`` bool, whether the codes are hidden from the classifier.
        own_codes: ``(B, 1)`` bool, whether the AU head's prediction replaces annotated codes.
        alpha: ``(C,)`` class weights.
        seed: ``()`` int32, seed of dropout.
    """

    motion: Tensor
    target: Tensor
    au: Tensor
    hidden: Tensor
    own_codes: Tensor
    alpha: Tensor
    seed: Tensor


class Objective(nn.Module):
    """Focal loss of the classes plus the loss of the AU head, as a module so that its parameters can be replaced.

    The AU head always predicts without reading codes. The classifier reads codes by ``config.au``:
    none at all; the head's own answer, which the classes' loss does not reach; or the annotated ones, with the head's
    answer for some clips and none for others, so that one trained model serves all three sources.
    """

    gamma: Tensor

    def __init__(self, model: STAG, config: Config) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.register_buffer("gamma", focusing(config.train.gamma, model.classes), persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss of one batch, a scalar."""
        settings = self.config.train
        with seeded(self.model, batch.seed):
            encoded = self.model.encode(batch.motion)
            blind = self.model.classify(encoded)
            logits = blind.logits
            if self.config.au != "none":
                source = torch.sigmoid(blind.au_logits).detach()
                if self.config.au == "annotated":
                    source = torch.where(batch.own_codes, source, batch.au)
                logits = self.model.classify(encoded, torch.where(batch.hidden, torch.nan, source)).logits
        target = smooth_labels(batch.target, batch.target.shape[-1], settings.smoothing)
        loss = focal_loss(logits, target, batch.alpha, self.gamma)
        return loss + settings.au_weight * au_bce(blind.au_logits, batch.au)


def put_gradients(objectives: Sequence[Objective], batches: Sequence[Batch]) -> list[float]:
    """Compute the gradients of each model on its own batch into its parameters; several models compute as one.

    Args:
        objectives: Models of one shape.
        batches: One each, of one size.

    Returns:
        The losses.
    """
    if len(objectives) == 1:
        objective = objectives[0]
        objective.model.zero_grad(set_to_none=True)
        loss = objective(batches[0])
        loss.backward()
        return [float(loss.detach())]
    first = objectives[0]
    named = [dict(objective.named_parameters()) for objective in objectives]
    stacked = {name: torch.stack([own[name].detach() for own in named]) for name in named[0]}
    together = Batch(*(torch.stack(parts) for parts in zip(*batches, strict=True)))

    def loss_of(parameters: dict[str, Tensor], batch: Batch) -> Tensor:
        result: Tensor = functional_call(first, parameters, (batch,))
        return result

    gradients, losses = vmap(grad_and_value(loss_of))(stacked, together)
    for row, own in enumerate(named):
        for name, parameter in own.items():
            parameter.grad = gradients[name][row]
    return [float(loss) for loss in losses.cpu()]
