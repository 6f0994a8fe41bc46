"""The clips of an epoch, and their order."""

from __future__ import annotations

import torch
from torch import Tensor


def epoch_order(labels: Tensor, batch_size: int, generator: torch.Generator, *, oversample: float) -> Tensor:
    """Return full batches of clip positions for one epoch.

    Of a class of ``n`` clips, the largest having ``m``, ``n (m / n) ** oversample`` are shown: every clip equally often
    but for a random remainder. The number of clips is rounded to whole batches by leaving out, or repeating, some at
    random; so all batches have one size, whatever the size of the fold.

    Args:
        labels: ``(n,)`` class ids.
        batch_size: ``B``.
        generator: Source of random numbers, on the CPU.
        oversample: How far every class is brought to the size of the largest, from 0 (not) to 1 (wholly).

    Returns:
        ``(batches, B)`` positions into ``labels``.
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
    """Return ``size`` of ``values`` in random order, each as often as the others but for one."""
    rounds = [values[torch.randperm(len(values), generator=generator)] for _ in range(-(-size // len(values)))]
    kept = torch.cat(rounds)[:size]
    return kept[torch.randperm(size, generator=generator)]
