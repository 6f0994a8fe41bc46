"""Multi-head attention, written out so that its weights are an output and many models can be stacked."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention of one token sequence over another, as in Eq. 23, 27 and 28.

    ``MHA(q, kv) = concat_k( softmax(Q_k K_k^T / sqrt(d)) V_k ) W_o + b_o``. The three input projections carry no
    bias: that of the keys cannot change a softmax over keys, and the others are absorbed by the layers around it.

    Args:
        dim: Width of both sequences.
        heads: Number of heads; divides ``dim``.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim, bias=False)
        self.key_value = nn.Linear(dim, 2 * dim, bias=False)
        self.out = nn.Linear(dim, dim)

    def forward(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Attend from ``queries (B, n, dim)`` to ``keys (B, m, dim)``.

        Returns:
            The attended values ``(B, n, dim)``, and the weights ``(B, H, n, m)`` whose rows sum to 1.
        """
        batch, n, dim = queries.shape
        m, heads, width = keys.shape[1], self.heads, dim // self.heads
        q = functional.linear(queries, self.query.weight * width**-0.5).view(batch, n, heads, width).transpose(1, 2)
        k, v = self.key_value(keys).view(batch, m, 2, heads, width).permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax(q @ k.mT, dim=-1)
        attended = (weights @ v).transpose(1, 2).flatten(-2)
        out: Tensor = self.out(attended)
        return out, weights
