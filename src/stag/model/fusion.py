"""Bidirectional cross-attention between graph tokens and frame tokens (Eq. 26-31)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from stag.model.attention import MultiHeadAttention
from stag.model.dropout import Dropout


class FusedView(NamedTuple):
    """Fused feature ``z (B, G + M)``, and both attentions: of regions ``(B, H, R, T)``, of steps ``(B, H, T, R)``."""

    feature: Tensor
    region_to_step: Tensor
    step_to_region: Tensor


class CrossAttentionFusion(nn.Module):
    """Cross-attention of regions over steps and of steps over regions, before both are reduced (Eq. 26-31).

    ::

        G~ = G W_1,  Z~ = Z W_2                                                  Eq. 26
        G* = LN(G~ + MHA(q=G~, kv=Z~)),  Z* = LN(Z~ + MHA(q=Z~, kv=G~))          Eq. 27-28
        z  = [ z_g + W_3 mean(G*) ; z_t + W_4 mean(Z*) ]                         Eq. 29-31

    with ``project_regions = W_1``, ``project_steps = W_2``, ``restore_graph = W_3``, ``restore_temporal = W_4``. The
    residual form of Eq. 29-30 is assumed; the concatenation is the paper's.

    Args:
        node_dim: Width ``D`` of graph tokens.
        graph_dim: Width ``G`` of the graph feature.
        temporal_dim: Width ``M`` of frame tokens and of the temporal feature.
        width: Shared width ``F``.
        heads: ``H``; divides ``width``.
        dropout: Dropout share on the attended values.
    """

    def __init__(
        self, node_dim: int, graph_dim: int, temporal_dim: int, width: int, *, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.project_regions = nn.Linear(node_dim, width, bias=False)
        self.project_steps = nn.Linear(temporal_dim, width, bias=False)
        self.regions_ask = MultiHeadAttention(width, heads)
        self.steps_ask = MultiHeadAttention(width, heads)
        self.norm_regions = nn.LayerNorm(width)
        self.norm_steps = nn.LayerNorm(width)
        self.restore_graph = nn.Linear(width, graph_dim, bias=False)
        self.restore_temporal = nn.Linear(width, temporal_dim, bias=False)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, frames: Tensor, graph: Tensor, temporal: Tensor) -> FusedView:
        """Fuse graph tokens ``(B, R, D)``, frame tokens ``(B, T, M)`` and the features ``(B, G)``, ``(B, M)``."""
        regions, steps = self.project_regions(tokens), self.project_steps(frames)
        from_steps, region_to_step = self.regions_ask(regions, steps)
        from_regions, step_to_region = self.steps_ask(steps, regions)
        regions = self.norm_regions(regions + self.dropout(from_steps))
        steps = self.norm_steps(steps + self.dropout(from_regions))
        feature = torch.cat(
            [graph + self.restore_graph(regions.mean(1)), temporal + self.restore_temporal(steps.mean(1))], dim=-1
        )
        return FusedView(feature, region_to_step, step_to_region)
