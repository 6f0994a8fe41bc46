"""The graph branch: ROI embedding, evolving graph attention, temporal pooling (Eq. 12-21)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from stag.config import ModelConfig
from stag.model.dropout import Dropout

LEAKY_SLOPE = 0.2  # assumed; the slope of the published GAT
MOVING_SHARE = 0.25  # assumed; a step that moves has more than this share of the clip's RMS
SMALLEST_NORM = 1e-4  # below it regions are alike, and the direction of what is left is rounding


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


def moving_steps(motion: Tensor) -> Tensor:
    """Return which steps of ``motion (B, T, R, 2)`` move: RMS above a quarter of the clip's; ``(B, T)`` bool.

    The first step of motion since the first frame is 0 by construction, and tells nothing about the regions.
    """
    energy = motion.square().mean(dim=(2, 3))
    return energy > MOVING_SHARE**2 * energy.mean(dim=1, keepdim=True)


def initial_graph(
    embedded: Tensor, moving: Tensor | None, frames: int, temperature: float, *, centred: bool = True
) -> Tensor:
    """Return the reference graph: cosine similarity of regions over the first steps that move (Eq. 13).

    ``A0[i, j] = softmax_j( cos(h_i, h_j) / temperature )`` with ``h_r = mean_t E0[t, r] - mean_{t, r} E0[t, r]`` over
    the first ``K`` steps that move. Without the second mean the cosine compares what all regions share.

    Args:
        embedded: ``(B, T, R, D)`` ROI embedding.
        moving: ``(B, T)`` bool, steps that count; all where ``None``. A clip without any gets even rows.
        frames: ``K``, number of steps that are averaged; all where there are fewer.
        temperature: Sharpening temperature, positive.
        centred: Whether the mean over regions is taken off.

    Returns:
        ``(B, R, R)``, rows sum to 1.
    """
    if moving is None:
        mean = embedded[:, :frames].mean(1)
    else:
        first = (moving & (moving.cumsum(1) <= frames)).to(embedded.dtype)
        mean = torch.einsum("bt,btrd->brd", first / first.sum(1, keepdim=True).clamp_min(1), embedded)
    if centred:
        mean = mean - mean.mean(1, keepdim=True)
    direction = functional.normalize(mean, dim=-1, eps=SMALLEST_NORM)
    return torch.softmax(direction @ direction.mT / temperature, dim=-1)


def memory(smoothing: Tensor, steps: int) -> Tensor:
    """Return Eq. 16 as one matrix: ``A = L [A0; S[0]; ...; S[T-1]]`` with ``lam = sigmoid(smoothing)``.

    ``L[t, 0] = lam^(t+1)`` and ``L[t, 1+s] = (1 - lam) lam^(t-s)`` for ``s <= t``; rows sum to 1.

    Returns:
        ``(T, T + 1)``.
    """
    place = torch.arange(steps + 1, device=smoothing.device)
    age = place[1:, None] - place
    share = torch.where(place == 0, torch.zeros_like(smoothing), functional.logsigmoid(-smoothing))
    powers = torch.exp(age.clamp_min(0) * functional.logsigmoid(smoothing) + share)
    return torch.where(age >= 0, powers, torch.zeros_like(powers))


class EGAT(nn.Module):
    """One evolving graph attention layer (Eq. 14-17).

    For head ``k``, step ``t`` and regions ``i, j``, with ``q = W_Q h_i`` and ``k = W_K h_j``::

        e[t,k,i,j] = (1 . (q * k)) / sqrt(d) + LeakyReLU(a_src . q + a_dst . k) + b[k,i,j] + g[k] delta(i,j)   Eq. 14
        E[t]       = scale * mean_k e[t,k]                                                                     Eq. 15
        S[t]       = softmax_row( E[t] ) * f[t],  rows normalised again
        A[t]       = lam A[t-1] + (1 - lam) S[t],  lam = sigmoid(s),  A[-1] = A0                               Eq. 16
        H'[t]      = LayerNorm( H[t] + dropout( gelu( A[t] W_V H[t] ) ) )                                      Eq. 17

    Active action units strengthen edges by ``f``, see :class:`GraphBranch`. ``A[t]`` is linear in ``S``, so all steps
    are computed at once: :func:`memory`. The mean over heads, ``1/sqrt(d)`` and ``scale`` are folded into small weight
    matrices; a positive factor passes through LeakyReLU.

    Args:
        dim: Node width ``D``.
        heads: Number of heads ``H``; divides ``dim``.
        regions: Number of regions ``R``.
        dropout: Dropout share of Eq. 17, see :class:`~stag.model.dropout.Dropout`, one mask for all steps.
        scale: Initial ``scale`` of Eq. 15; with 1 the rows of a fresh layer are even.
        adjacency: What ``A[t]`` is: ``evolving`` as above; ``memoryless``: ``S[t]``; ``static``: Eq. 16 once, from
            the mean scores over steps; ``uniform``: ``1/R``.

    Attributes:
        query, key, value: ``W_Q``, ``W_K``, ``W_V``, each ``(D, D)``; rows are grouped by head.
        source, target: ``a_src``, ``a_dst``, each ``(H, D/H)``.
        bias: ``b (H, R, R)``.
        self_loop: ``g (H,)``.
        log_scale: Logarithm of ``scale ()``.
        smoothing: ``s ()``, the logit of ``lam``.
        norm: LayerNorm of Eq. 17.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        regions: int,
        dropout: float,
        *,
        scale: float,
        adjacency: str = "evolving",
    ) -> None:
        super().__init__()
        self.adjacency = adjacency
        self.query = nn.Parameter(_xavier(dim, dim))
        self.key = nn.Parameter(_xavier(dim, dim))
        self.value = nn.Parameter(_xavier(dim, dim))
        self.source = nn.Parameter(_xavier(heads, dim // heads))
        self.target = nn.Parameter(_xavier(heads, dim // heads))
        self.bias = nn.Parameter(torch.zeros(heads, regions, regions))
        self.self_loop = nn.Parameter(torch.zeros(heads))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.smoothing = nn.Parameter(torch.zeros(()))
        self.norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout, step_locked=True)

    def forward(self, nodes: Tensor, initial: Tensor, log_factor: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Apply the layer.

        Args:
            nodes: ``H (B, T, R, D)``.
            initial: ``A0 (B, R, R)``.
            log_factor: ``log f (B, T, R, R)``, from :meth:`GraphBranch.log_factor`; 0 where ``None``.

        Returns:
            New nodes ``(B, T, R, D)``, and the adjacency ``A (B, T, R, R)``; row ``i``: where region ``i`` attends.
        """
        weights = self._adjacency(nodes, initial, log_factor)
        # A (H W_V) = (A H) W_V; this side of the equation needs no second copy of the values.
        update = self.dropout(functional.gelu(functional.linear(weights @ nodes, self.value)))
        refined: Tensor = self.norm(nodes + update)
        return refined, weights

    def _adjacency(self, nodes: Tensor, initial: Tensor, log_factor: Tensor | None) -> Tensor:
        b, t, r, _ = nodes.shape
        if self.adjacency == "uniform":
            return nodes.new_full((b, t, r, r), 1 / r)
        scores = self._scores(nodes)
        if log_factor is not None:
            # The softmax of E + log f is that of E times f, rows normalised again.
            scores = scores + log_factor
        if self.adjacency == "static":
            scores = scores.mean(1, keepdim=True)
        attention = torch.softmax(scores, dim=-1)
        if self.adjacency == "memoryless":
            return attention
        past = torch.cat([initial.unsqueeze(1), attention], dim=1).flatten(2)
        smoothed: Tensor = torch.bmm(memory(self.smoothing, attention.shape[1]).expand(b, -1, -1), past)  # Eq. 16
        return smoothed.view(b, -1, r, r).expand(b, t, r, r)

    def _scores(self, nodes: Tensor) -> Tensor:
        """Eq. 15, the scaled mean over heads of Eq. 14: ``(B, T, R, R)``."""
        heads, width = self.source.shape
        scale = self.log_scale.exp()
        dim, regions = heads * width, self.bias.shape[-1]
        # sum_k q_k . k_k = h_i W_Q' W_K h_j, one bilinear form for all heads.
        bilinear = self.key.mT @ self.query * (width**-0.5 / heads)
        source = torch.einsum("hd,hdi->hi", self.source, self.query.view(heads, width, dim)) / heads
        target = torch.einsum("hd,hdi->hi", self.target, self.key.view(heads, width, dim)) / heads
        projected = functional.linear(nodes, torch.cat([bilinear, source, target]) * scale)
        asked, from_i, to_j = torch.split_with_sizes(projected, [dim, heads, heads], dim=-1)
        # With the heads in front, which is the faster layout.
        from_i, to_j = (part.permute(3, 0, 1, 2).contiguous() for part in (from_i, to_j))
        paired = functional.leaky_relu(from_i.unsqueeze(-1) + to_j.unsqueeze(-2), LEAKY_SLOPE).sum(0)
        structure = self.bias.mean(0) + torch.diag_embed(self.self_loop.mean().expand(regions))
        return asked @ nodes.mT + paired + structure * scale


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
    """Stacked E-GAT layers with AU-driven connectivity, temporal pooling, and the graph feature (Eq. 13-21).

    ``z_g = W_g vec(sum_t w[t] H[t]) + b_g`` (Eq. 20-21) with ``project = (W_g, b_g)``. Every layer starts its
    recursion from the same ``A0``. An action unit that is active strengthens the edges between the regions that it
    moves, by ``f[t,i,j] = 1 + sum_u a[t,u] G[u,i,j]`` in every layer; ``G`` is the square of ``coupling (A, R, R)``.

    Args:
        config: Widths, depth and switches.
        regions: ``R``.
        au_edges: Initial ``G (A, R, R)``.
    """

    def __init__(self, config: ModelConfig, regions: int, au_edges: Tensor) -> None:
        super().__init__()
        self.config = config
        dim, heads, dropout = config.embed_dim, config.heads, config.dropout
        self.layers = nn.ModuleList(
            EGAT(dim, heads, regions, dropout, scale=config.score_scale, adjacency=config.adjacency)
            for _ in range(config.graph_layers)
        )
        self.coupling = nn.Parameter(au_edges.sqrt())
        self.pooling = TemporalPooling(dim)
        self.project = nn.Linear(regions * dim, config.graph_dim)

    def forward(self, embedded: Tensor, moving: Tensor, units: Tensor) -> GraphView:
        """Apply the branch.

        Args:
            embedded: ``(B, T, R, D)``.
            moving: ``(B, T)`` bool, from :func:`moving_steps`.
            units: ``a (B, T, A)``, activity of each action unit in [0, 1].
        """
        initial, log_factor = self.initial(embedded, moving), self.log_factor(units)
        nodes, adjacency = embedded, []
        for layer in self.layers:
            nodes, weights = layer(nodes, initial, log_factor)
            adjacency.append(weights)
        tokens, weights = self.pooling(nodes)
        return GraphView(self.project(tokens.flatten(1)), tokens, weights, tuple(adjacency))

    def log_factor(self, units: Tensor) -> Tensor | None:
        """Return ``log f (B, T, R, R)`` for ``units (B, T, A)``; ``None`` where these edges are switched off."""
        if not self.config.au_edges:
            return None
        return torch.log1p(torch.einsum("btu,uij->btij", units, self.coupling.square()))

    def initial(self, embedded: Tensor, moving: Tensor) -> Tensor:
        """Return ``A0 (B, R, R)``, as the switch ``initial_graph`` has it."""
        b, _, r, _ = embedded.shape
        kind = self.config.initial_graph
        if kind == "identity":
            return torch.eye(r, dtype=embedded.dtype, device=embedded.device).expand(b, r, r)
        new = kind == "similarity"
        return initial_graph(
            embedded, moving if new else None, self.config.init_frames, self.config.temperature, centred=new
        )


def _xavier(rows: int, columns: int) -> Tensor:
    return nn.init.xavier_uniform_(torch.empty(rows, columns))
