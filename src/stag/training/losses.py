"""The training objective: smoothed class-aware focal loss (Eq. 34-35), and the loss of the AU head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from stag.errors import ConfigError
from stag.utils.text import did_you_mean


def smooth_labels(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """Soften targets: ``(1 - eps) [c = y] + eps / C`` (Eq. 34).

    Args:
        labels: ``(B,)`` class ids, or ``(B, C)`` soft targets such as those of MixUp, rows sum to 1.
        classes: ``C``.
        smoothing: ``eps`` in [0, 1).

    Returns:
        ``(B, C)`` floating point, rows sum to 1.
    """
    if not labels.is_floating_point():
        # Not one_hot: this form also runs under vmap.
        labels = (labels.unsqueeze(-1) == torch.arange(classes, device=labels.device)).to(torch.get_default_dtype())
    return (1 - smoothing) * labels + smoothing / classes


def class_weights(counts: Tensor, power: float = 1.0) -> Tensor:
    """``alpha`` of Eq. 35: a power of the inverse class frequency, with mean 1 over the classes that occur.

    Args:
        counts: ``(C,)`` number of training clips of each class.
        power: 1 weighs by the inverse frequency, 0 weighs all classes alike.

    Returns:
        ``(C,)`` floating point; a class without clips gets 0, as nothing can be learnt about it.
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


def focal_loss(
    logits: Tensor,
    targets: Tensor,
    alpha: Tensor | None = None,
    gamma: Tensor | float = 2.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Class-aware focal loss: ``-(1/B) sum_b sum_c alpha_c y_bc (1 - p_bc)^gamma_c log p_bc`` (Eq. 35).

    Args:
        logits: ``(B, C)``.
        targets: ``(B, C)`` soft targets, from :func:`smooth_labels`.
        alpha: ``(C,)`` class weights; 1 where not given.
        gamma: Focusing power, one for all or ``(C,)``, not negative.
        weight: ``(B,)`` clip weights, 0 for padding; the mean is over their sum.

    Returns:
        Scalar, not negative.
    """
    log_p = functional.log_softmax(logits, dim=-1)
    # A power below 1 has no slope at 0, where 1 - p arrives for a sure answer.
    focus = (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).eps).pow(gamma)
    terms = targets * focus * log_p
    losses = -(terms if alpha is None else alpha * terms).sum(-1)
    return losses.mean() if weight is None else _weighted_mean(losses, weight)


def au_bce(au_logits: Tensor, au: Tensor, weight: Tensor | None = None) -> Tensor:
    """Binary cross entropy of the AU head over the codes that exist.

    Args:
        au_logits: ``(B, A)``, of clips whose action units the model did not read.
        au: ``(B, A)`` in [0, 1]; nan where there is no code.
        weight: ``(B,)`` clip weights, 0 for clips that do not count.

    Returns:
        Scalar: the mean over codes, 0 where there is none. Gradients are finite in any case.
    """
    coded = ~torch.isnan(au)
    target = torch.where(coded, au, torch.zeros_like(au)).to(au_logits.dtype)
    losses = functional.binary_cross_entropy_with_logits(au_logits, target, reduction="none")
    share = coded.to(losses.dtype)
    return _weighted_mean(losses, share if weight is None else share * weight.unsqueeze(-1))


def _weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    total = weight.sum()
    return (values * weight).sum() / torch.where(total > 0, total, torch.ones_like(total))
