"""The training objective: smoothed class-aware focal loss (Eq. 34-35) plus the AU losses; the validation loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from stag.config import Config
from stag.errors import ConfigError
from stag.model.action_units import peak_logits
from stag.model.dropout import seeded
from stag.model.stag import STAG, Encoded
from stag.utils.choices import did_you_mean


def smooth_labels(targets: Tensor, smoothing: float) -> Tensor:
    """Soften class shares ``(B, C)``, whose rows sum to 1: ``(1 - eps) y_c + eps / C`` (Eq. 34)."""
    return (1 - smoothing) * targets + smoothing / targets.shape[-1]


def class_weights(counts: Tensor, power: float = 1.0) -> Tensor:
    """Return ``alpha (C,)`` of Eq. 35: a power of the inverse class frequency, with mean 1 over the classes that occur.

    ``counts (C,)`` are the training clips of each class; a class without clips gets 0.
    """
    counts = counts.to(torch.get_default_dtype()) if not counts.is_floating_point() else counts
    present = counts > 0
    inverse = torch.where(present, counts.clamp_min(1e-12) ** -power, torch.zeros_like(counts))
    return inverse * present.sum() / inverse.sum().clamp_min(torch.finfo(counts.dtype).tiny)


def focusing(gamma: float | Mapping[str, float], classes: Sequence[str]) -> Tensor:
    """Return ``gamma`` of Eq. 35 for each class ``(C,)``; a class without a value of its own has 2.

    Raises:
        ConfigError: ``gamma`` names a class that there is not.
    """
    if not isinstance(gamma, Mapping):
        return torch.full((len(classes),), float(gamma))
    for name in gamma:
        if name not in classes:
            raise ConfigError(
                f"setting train.gamma: no class {name!r}{did_you_mean(name, classes)}; there are {', '.join(classes)}"
            )
    return torch.tensor([float(gamma.get(name, 2.0)) for name in classes])


def focal_loss(logits: Tensor, targets: Tensor, alpha: Tensor | None = None, gamma: Tensor | float = 2.0) -> Tensor:
    """Class-aware focal loss: ``-(1/B) sum_b sum_c alpha_c y_bc (1 - p_bc)^gamma_c log p_bc`` (Eq. 35).

    Args:
        logits: ``(B, C)``.
        targets: ``(B, C)`` soft targets, from :func:`smooth_labels`.
        alpha: ``(C,)`` class weights; 1 where omitted.
        gamma: Focusing power, one for all or ``(C,)``, not negative.
    """
    log_p = functional.log_softmax(logits, dim=-1)
    # The slope of a power below 1 is infinite at 0, which 1 - p reaches for a certain answer.
    focus = (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).eps).pow(gamma)
    terms = targets * focus * log_p
    return -(terms if alpha is None else alpha * terms).sum(-1).mean()


def au_bce(au_logits: Tensor, au: Tensor) -> Tensor:
    """Binary cross entropy of the AU head: the mean over the codes that exist, 0 where there is none.

    Args:
        au_logits: ``(B, A)``, of clips whose action units the model did not read.
        au: ``(B, A)`` in [0, 1]; nan where there is no code.
    """
    coded = ~torch.isnan(au)
    target = torch.where(coded, au, torch.zeros_like(au)).to(au_logits.dtype)
    losses = functional.binary_cross_entropy_with_logits(au_logits, target, reduction="none")
    share = coded.to(losses.dtype)
    return (losses * share).sum() / share.sum().clamp_min(1)


class Batch(NamedTuple):
    """Input of one training step of one model; stacked models have one more axis in front."""

    motion: Tensor  # (B, T, R, 2), augmented and mixed
    target: Tensor  # (B, C) class shares
    au: Tensor  # (B, A), nan where there is no code
    alpha: Tensor  # (C,) class weights
    seed: Tensor  # () int32, seed of dropout


class Objective(nn.Module):
    """Focal loss of the classes plus the AU losses, as a module so that its parameters can be replaced.

    The AU head, and the estimates of each step, whose peak over the steps is compared with the codes, never read codes.
    The classifier reads codes by ``config.au``: none; the head's own answer, detached from the loss of the classes; or
    the annotated ones, with the head's answer for some clips of a batch and none for others, so that one trained model
    serves all three sources. Annotated codes that the classifier reads drive the edges of the graph as well; only for
    those clips is the graph computed twice.
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
            blind = self.model.fuse(encoded)
            read = blind
            # The order of a batch is random, so its first clips are as good as any.
            place = torch.arange(len(batch.motion), device=batch.motion.device).unsqueeze(1)
            shown = len(place) - round(settings.au_dropout * len(place))
            codes = torch.where(place < shown, torch.sigmoid(blind.au_logits).detach(), torch.nan)
            if self.config.au == "annotated":
                coded = shown - round(settings.au_own * shown)
                informed = self.model.fuse(Encoded(*(part[:coded] for part in encoded)), batch.au[:coded])
                feature = torch.cat([informed.view.feature, blind.view.feature[coded:]])
                read = blind._replace(view=blind.view._replace(feature=feature))
                codes = torch.cat([batch.au[:coded], codes[coded:]])
            logits = self.model.classify(read, None if self.config.au == "none" else codes).logits
        loss = focal_loss(logits, smooth_labels(batch.target, settings.smoothing), batch.alpha, self.gamma)
        steps = au_bce(peak_logits(encoded.au_step_logits), batch.au)
        return loss + settings.au_weight * (au_bce(blind.au_logits, batch.au) + steps)


class Validation(nn.Module):
    """Class-weighted cross entropy of clips, a sum: smoother than a score on few validation clips."""

    def __init__(self, model: STAG, au_source: str) -> None:
        super().__init__()
        self.model = model
        self.au_source = au_source

    def forward(self, motion: Tensor, au: Tensor, target: Tensor) -> Tensor:
        """Return the loss of ``motion (B, T, R, 2)`` with codes ``(B, A)`` and weighted class shares ``(B, C)``."""
        logits = self.model.forward_from(motion, self.au_source, au).logits
        return -(target * functional.log_softmax(logits, dim=-1)).sum()
