"""Action units in the model: their embedding, known or not (Eq. 32-33), and the regions they tie together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from stag.facs import AU_REGIONS
from stag.motion.regions import LAYOUTS


class ActionUnitEmbedding(nn.Module):
    """Embedding of a clip's action units, known or unknown (Eq. 32-33).

    ``e_a = W_6 relu(W_5 a + b_5) + b_6`` where the units are known, a learned vector where they are not. The final
    feature ``[z ; e_a]`` so has one width, and one model serves both kinds of clip in one batch.

    Args:
        units: Size ``A`` of the vocabulary.
        dim: Embedding width ``E``, also that of the hidden layer.

    Attributes:
        hidden: ``(W_5, b_5)``.
        out: ``(W_6, b_6)``.
        unknown: ``(E,)``, stands in for ``e_a``.
    """

    def __init__(self, units: int, dim: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(units, dim)
        self.out = nn.Linear(dim, dim)
        self.unknown = nn.Parameter(torch.zeros(dim))

    def forward(self, au: Tensor, known: Tensor) -> Tensor:
        """Embed ``au (B, A)``, finite, where ``known (B, 1)`` is true: ``(B, E)``."""
        return torch.where(known, self.out(functional.relu(self.hidden(au))), self.unknown)


def separate_unknown(au: Tensor) -> tuple[Tensor, Tensor]:
    """Split ``au (B, A)`` into finite values, 0 throughout an unknown row, and ``known (B, 1)``.

    A row that contains nan is unknown as a whole.
    """
    known = ~torch.isnan(au).any(dim=-1, keepdim=True)
    return torch.where(known, au, torch.zeros_like(au)), known


def anatomical_edges(layout: str, au_vocabulary: Sequence[int]) -> Tensor:
    """Return the edges that each action unit adds before training: between regions that it moves together.

    Args:
        layout: Region layout.
        au_vocabulary: Numbers of the action units.

    Returns:
        ``U (A, R, R)`` of 0 and 1, symmetric, with empty diagonals: self-loops have a weight of their own.
    """
    ids = LAYOUTS[layout]
    moved = torch.tensor([[float(i in AU_REGIONS.get(unit, ())) for i in ids] for unit in au_vocabulary])
    joined = moved.unsqueeze(-1) * moved.unsqueeze(-2)
    return joined * (1 - torch.eye(len(ids)))
