"""Augmentation of motion tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from stag.motion.regions import mirror_order


def mirror(motion: Tensor, layout: str) -> Tensor:
    """Motion of the clip seen in a mirror: paired channels change places, ``u`` changes sign.

    Args:
        motion: ``(B, T, R, 2)``.
        layout: Region layout of the ``R`` axis.

    Returns:
        ``(B, T, R, 2)``; mirroring twice gives the input back, exactly.
    """
    order = torch.tensor(mirror_order(layout), device=motion.device)
    return motion.index_select(-2, order) * motion.new_tensor([-1.0, 1.0])


def mirror_some(motion: Tensor, share: float, layout: str, generator: torch.Generator) -> Tensor:
    """Mirror each clip of ``motion (B, T, R, 2)`` with probability ``share``.

    Args:
        motion: ``(B, T, R, 2)``.
        share: Probability in [0, 1].
        layout: Region layout.
        generator: Source of chance; on the CPU, so that a seed means the same on every device.
    """
    chosen = torch.rand(motion.shape[0], generator=generator).to(motion.device) < share
    return torch.where(chosen[:, None, None, None], mirror(motion, layout), motion)
