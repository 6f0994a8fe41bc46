"""The temporal branch: a Pre-LN transformer over motion steps (Eq. 22-25)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from stag.model.attention import MultiHeadAttention
from stag.model.dropout import Dropout

FEED_FORWARD_RATIO = 4  # assumed; the standard encoder's
_POSITION_STD = 0.02


class TransformerBlock(nn.Module):
    """A Pre-LN block (Eq. 23-24): ``Z' = Z + MSA(LN Z)``, ``Z'' = Z' + FFN(LN Z')``.

    Dropout acts on what each half adds.

    Args:
        dim: Token width ``M``.
        heads: ``H``; divides ``dim``.
        dropout: Dropout share.
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(dim)
        self.attention = MultiHeadAttention(dim, heads)
        self.norm_feed_forward = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, FEED_FORWARD_RATIO * dim)
        self.narrow = nn.Linear(FEED_FORWARD_RATIO * dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """``(B, n, M) -> (B, n, M)``."""
        normed = self.norm_attention(tokens)
        attended, _ = self.attention(normed, normed)
        tokens = tokens + self.dropout(attended)
        forwarded = self.narrow(functional.gelu(self.widen(self.norm_feed_forward(tokens))))
        dropped: Tensor = self.dropout(forwarded)
        return tokens + dropped


class TemporalTransformer(nn.Module):
    """Transformer over the steps of a clip (Eq. 22-25).

    ``Z = [cls ; vec(E0[t]) W_p] + P`` (Eq. 22), blocks (Eq. 23-24), ``z_t = LN(Z[0])`` (Eq. 25), with
    ``project = W_p``, ``cls`` and ``position = P``.

    Args:
        token_dim: Width of one flattened step, ``R * D``.
        dim: Token width ``M``.
        steps: ``T``.
        heads: ``H``; divides ``dim``.
        layers: Number of blocks; with 0 the frame tokens are the projected steps.
        dropout: Dropout share.
    """

    def __init__(self, token_dim: int, dim: int, *, steps: int, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(token_dim, dim, bias=False)
        self.cls = nn.Parameter(nn.init.normal_(torch.empty(dim), std=_POSITION_STD))
        self.position = nn.Parameter(nn.init.normal_(torch.empty(steps + 1, dim), std=_POSITION_STD))
        self.blocks = nn.ModuleList(TransformerBlock(dim, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the branch to ``embedded (B, T, R, D)``.

        Returns:
            Temporal feature ``z_t (B, M)``, and frame tokens ``(B, T, M)`` for the fusion.
        """
        frames = self.project(embedded.flatten(2))
        tokens = torch.cat([self.cls.expand(frames.shape[0], 1, -1), frames], dim=1) + self.position
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens[:, 0]), tokens[:, 1:]
