"""Action units in the model: their embedding, known or not (Eq. 32-33), and the regions they tie together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from stag.facs import AU_REGIONS
from stag.motion.regions import LAYOUTS

RARE_LOGIT = -2.0  # assumed; most units are inactive at most steps
ELSEWHERE = 0.01  # assumed; share of the coupling on edges that a unit does not join


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


class StepUnits(nn.Linear):
    """Activity of each action unit at each step, from the regions alone: ``W_s vec(E0[t]) + b_s``, before sigmoid.

    Args:
        token_dim: Width of one flattened step, ``R * D``.
        units: Size ``A`` of the vocabulary.
    """

    def __init__(self, token_dim: int, units: int) -> None:
        super().__init__(token_dim, units)
        nn.init.constant_(self.bias, RARE_LOGIT)

    def forward(self, embedded: Tensor) -> Tensor:
        """``(B, T, R, D) -> (B, T, A)``."""
        return super().forward(embedded.flatten(2))


def peak_logits(steps: Tensor) -> Tensor:
    """Return one score a clip, comparable with its codes: a smooth maximum over the steps, ``(B, T, A) -> (B, A)``.

    A unit that is coded is active at some step, one that is not coded at none.
    """
    return torch.logsumexp(steps, dim=1) - math.log(steps.shape[1])


def driving_units(steps: Tensor, codes: Tensor | None) -> Tensor:
    """Return the activity that drives the edges of the graph, ``(B, T, A)`` in [0, 1].

    Args:
        steps: ``(B, T, A)``, from :class:`StepUnits`.
        codes: ``(B, A)`` annotated codes, which count at every step; a clip whose row has nan, and every clip where
            ``None``, is driven by the model's own estimate.
    """
    own = torch.sigmoid(steps)
    if codes is None:
        return own
    present, known = separate_unknown(codes)
    return torch.where(known.unsqueeze(1), present.unsqueeze(1), own)


def anatomical_edges(layout: str, au_vocabulary: Sequence[int], coupling: float) -> Tensor:
    """Return how each action unit strengthens edges before training: those between regions that it moves together.

    Args:
        layout: Region layout.
        au_vocabulary: Numbers of the action units.
        coupling: Value between regions that a unit moves together.

    Returns:
        ``G (A, R, R)``, symmetric: ``coupling`` or a little, from where other edges can be learned. The diagonals have
        that little too: self-loops have a weight of their own.
    """
    ids = LAYOUTS[layout]
    moved = torch.tensor([[float(i in AU_REGIONS.get(unit, ())) for i in ids] for unit in au_vocabulary])
    joined = moved.unsqueeze(-1) * moved.unsqueeze(-2) * (1 - torch.eye(len(ids)))
    return coupling * joined.clamp_min(ELSEWHERE)
