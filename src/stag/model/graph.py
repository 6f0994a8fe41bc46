"""The graph branch: ROI embedding, evolving graph attention, temporal pooling (Eq. 12-21)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from stag.model.dropout import Dropout

LEAKY_SLOPE = 0.2  # assumed; the slope of the published GAT


class RoiEmbedding(nn.Module):
    """Two-layer embedding of each regional motion vector (Eq. 12).

    ``E0[t, r] = W2 gelu(W1 X[t, r] + b1) + b2``, with ``first = (W1, b1)`` and ``second = (W2, b2)``.

    Args:
        hidden: Width between the two layers.
        dim: Embedding width ``D``.
    """

    def __init__(self, hidden: int, dim: int) -> None:
        super().__init__()
        self.first = nn.Linear(2, hidden)
        self.second = nn.Linear(hidden, dim)

    def forward(self, motion: Tensor) -> Tensor:
        """Embed ``motion (B, T, R, 2)`` as ``(B, T, R, D)``."""
        embedded: Tensor = self.second(functional.gelu(self.first(motion)))
        return embedded


def initial_graph(embedded: Tensor, frames: int, temperature: float) -> Tensor:
    """Return the reference graph: cosine similarity of regions over the first steps (Eq. 13).

    ``A0[i, j] = softmax_j( cos(h_i, h_j) / temperature )`` with ``h_r = mean_{t < K} E0[t, r]``.

    Args:
        embedded: ``(B, T, R, D)`` ROI embedding.
        frames: ``K``, number of first steps that are averaged; all steps where there are fewer.
        temperature: Sharpening temperature, positive.

    Returns:
        ``(B, R, R)``, rows sum to 1.
    """
    direction = functional.normalize(embedded[:, :frames].mean(1), dim=-1)
    return torch.softmax(direction @ direction.transpose(-1, -2) / temperature, dim=-1)


class EGAT(nn.Module):
    """One evolving graph attention layer (Eq. 14-17), with AU-driven connectivity.

    For head ``k``, step ``t`` and regions ``i, j``, with ``q = W_Q h_i`` and ``k = W_K h_j``::

        e[t,k,i,j] = (1 . (q * k)) / sqrt(d) + LeakyReLU(a_src . q + a_dst . k) + b[k,i,j] + g[k] delta(i,j)   Eq. 14
        E[t]       = mean_k e[t,k]                                                                             Eq. 15
        A[t]       = softmax_row( lam A[t-1] + (1 - lam) E[t] ),  lam = sigmoid(s),  A[-1] = A0                Eq. 16
        H'[t]      = LayerNorm( H[t] + dropout( gelu( A[t] W_V H[t] ) ) )                                      Eq. 17

    With ``au_edges`` the bias becomes ``b[k,i,j] + sum_u a_u U[u,i,j]``: an action unit that is known to be present
    ties the regions it moves.

    Only ``E``, the mean over heads, enters Eq. 16, and a positive factor passes through LeakyReLU. So the mean, the
    ``1/sqrt(d)`` and ``(1 - lam)`` are folded into small weight matrices; the result is the same equation.

    Args:
        dim: Node width ``D``.
        heads: Number of heads ``H``; divides ``dim``.
        regions: Number of regions ``R``.
        dropout: Dropout share of Eq. 17, see :class:`~stag.model.dropout.Dropout`, one mask for all steps.
        au_edges: Initial ``U (A, R, R)``, or ``None`` for a layer without AU edges.
        evolving: Whether the adjacency evolves; without, Eq. 16 is taken once, from the mean over steps of ``E[t]``.

    Attributes:
        query, key, value: ``W_Q``, ``W_K``, ``W_V``, each ``(D, D)``; rows are grouped by head.
        source, target: ``a_src``, ``a_dst``, each ``(H, D/H)``.
        bias: ``b (H, R, R)``.
        self_loop: ``g (H,)``.
        smoothing: ``s ()``, the logit of ``lam``.
        au_edges: ``U (A, R, R)`` or ``None``.
        norm: LayerNorm of Eq. 17.
    """

    def __init__(
        self, dim: int, heads: int, regions: int, dropout: float, au_edges: Tensor | None, *, evolving: bool = True
    ) -> None:
        super().__init__()
        self.evolving = evolving
        self.query = nn.Parameter(_xavier(dim, dim))
        self.key = nn.Parameter(_xavier(dim, dim))
        self.value = nn.Parameter(_xavier(dim, dim))
        self.source = nn.Parameter(_xavier(heads, dim // heads))
        self.target = nn.Parameter(_xavier(heads, dim // heads))
        self.bias = nn.Parameter(torch.zeros(heads, regions, regions))
        self.self_loop = nn.Parameter(torch.zeros(heads))
        self.smoothing = nn.Parameter(torch.zeros(()))
        self.au_edges = None if au_edges is None else nn.Parameter(au_edges.clone())
        self.norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout, step_locked=True)

    def forward(self, nodes: Tensor, initial: Tensor, au: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Apply the layer.

        Args:
            nodes: ``H (B, T, R, D)``.
            initial: ``A0 (B, R, R)``.
            au: ``(B, A)`` presence of each action unit in [0, 1]; a row of zeros modulates nothing.

        Returns:
            New nodes ``(B, T, R, D)``, and the adjacency ``A (B, T, R, R)``; row ``i``: where region ``i`` attends.
        """
        lam = torch.sigmoid(self.smoothing)
        drive = self._scores(nodes, 1 - lam) + (1 - lam) * self._structure(au)
        if not self.evolving:
            drive = drive.mean(1, keepdim=True)

        # Eq. 16 is the one recursion in time; everything around it runs over all steps at once.
        adjacency, step = [], initial
        for driven in drive.unbind(1):
            step = torch.softmax(torch.addcmul(driven, step, lam), dim=-1)
            adjacency.append(step)
        smoothed = torch.stack(adjacency, dim=1).expand(-1, nodes.shape[1], -1, -1)
        # A (H W_V) = (A H) W_V; this side of the equation needs no second copy of the values.
        update = self.dropout(functional.gelu(functional.linear(smoothed @ nodes, self.value)))
        refined: Tensor = self.norm(nodes + update)
        return refined, smoothed

    def _scores(self, nodes: Tensor, share: Tensor) -> Tensor:
        """``share`` times the mean over heads of the first two terms of Eq. 14: ``(B, T, R, R)``."""
        heads, width = self.source.shape
        dim, scaled = heads * width, share / heads
        # sum_k q_k . k_k = h_i W_Q' W_K h_j, one bilinear form for all heads.
        bilinear = self.key.mT @ self.query * (scaled * width**-0.5)
        source = torch.einsum("hd,hdi->hi", self.source, self.query.view(heads, width, dim)) * scaled
        target = torch.einsum("hd,hdi->hi", self.target, self.key.view(heads, width, dim)) * scaled
        projected = functional.linear(nodes, torch.cat([bilinear, source, target]))
        asked, from_i, to_j = torch.split_with_sizes(projected, [dim, heads, heads], dim=-1)
        paired = from_i.mT.contiguous().unsqueeze(-1) + to_j.mT.contiguous().unsqueeze(-2)
        return asked @ nodes.mT + functional.leaky_relu(paired, LEAKY_SLOPE).sum(2)

    def _structure(self, au: Tensor | None) -> Tensor:
        """Mean over heads of ``b + sum_u a_u U[u] + g delta``: ``(R, R)``, or ``(B, 1, R, R)`` with action units."""
        structure = self.bias.mean(0) + torch.diag_embed(self.self_loop.mean().expand(self.bias.shape[-1]))
        if au is None or self.au_edges is None:
            return structure
        return structure + torch.einsum("bu,uij->bij", au, self.au_edges).unsqueeze(1)


class TemporalPooling(nn.Module):
    """Attention pooling over steps (Eq. 18-19).

    ``w[t] = softmax_t( v . tanh( W_a mean_r H[t, r] + b_a ) )`` and ``G = sum_t w[t] H[t]``, with
    ``score = (W_a, b_a)`` and ``context = v``.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.score = nn.Linear(dim, dim)
        self.context = nn.Parameter(_xavier(1, dim).squeeze(0))

    def forward(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Pool ``nodes (B, T, R, D)`` to graph tokens ``(B, R, D)``; also the weights ``(B, T)``, which sum to 1."""
        weights = torch.softmax(torch.tanh(self.score(nodes.mean(2))) @ self.context, dim=-1)
        return torch.einsum("bt,btrd->brd", weights, nodes), weights


class GraphView(NamedTuple):
    """Output of the graph branch: feature ``(B, G)``, tokens ``(B, R, D)``, step weights, one adjacency a layer."""

    feature: Tensor
    tokens: Tensor
    temporal_attention: Tensor
    adjacency: tuple[Tensor, ...]


class GraphBranch(nn.Module):
    """Stacked E-GAT layers, temporal pooling, and the graph feature (Eq. 13-21).

    ``z_g = W_g vec(sum_t w[t] H[t]) + b_g`` (Eq. 20-21) with ``project = (W_g, b_g)``. Every layer starts its
    recursion from the same ``A0``.

    Args:
        regions: ``R``.
        dim: Node width ``D``.
        out_dim: Width ``G`` of the graph feature.
        heads: ``H``.
        layers: Number of E-GAT layers; 0 pools the embedding as it is.
        init_frames: ``K`` of Eq. 13.
        temperature: Temperature of Eq. 13.
        dropout: Dropout share.
        au_edges: Initial ``U (A, R, R)`` of each layer, or ``None``.
        evolving: Whether the adjacency of each layer evolves over the steps.
    """

    def __init__(
        self,
        regions: int,
        dim: int,
        out_dim: int,
        *,
        heads: int,
        layers: int,
        init_frames: int,
        temperature: float,
        dropout: float,
        au_edges: Tensor | None = None,
        evolving: bool = True,
    ) -> None:
        super().__init__()
        self.init_frames = init_frames
        self.temperature = temperature
        self.layers = nn.ModuleList(
            EGAT(dim, heads, regions, dropout, au_edges, evolving=evolving) for _ in range(layers)
        )
        self.pooling = TemporalPooling(dim)
        self.project = nn.Linear(regions * dim, out_dim)

    def forward(self, embedded: Tensor, au: Tensor | None = None) -> GraphView:
        """Apply the branch to ``embedded (B, T, R, D)``; ``au (B, A)`` as in :class:`EGAT`."""
        initial = initial_graph(embedded, self.init_frames, self.temperature)
        nodes, adjacency = embedded, []
        for layer in self.layers:
            nodes, smoothed = layer(nodes, initial, au)
            adjacency.append(smoothed)
        tokens, weights = self.pooling(nodes)
        return GraphView(self.project(tokens.flatten(1)), tokens, weights, tuple(adjacency))


def _xavier(rows: int, columns: int) -> Tensor:
    return nn.init.xavier_uniform_(torch.empty(rows, columns))
