"""Networks to compare STAG with: each small, after a published idea, on the same regional motion.

A network maps motion ``(B, T, R, 2)`` to a feature ``(B, M)``. :func:`build_network` puts it in the place of STAG's two
branches; normalisation, action-unit input, heads, loss and training stay those of STAG; AU curves read the motion
itself. All of them work under :func:`torch.func.vmap` over stacked parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from stag.config import ModelConfig
from stag.facs import AU_REGIONS
from stag.model.action_units import StepUnits
from stag.model.dropout import Dropout
from stag.model.onset_apex import OnsetApexMaps
from stag.model.stag import STAG
from stag.model.temporal import TemporalTransformer
from stag.motion.regions import LAYOUTS
from stag.utils.choices import NetworkName

_DILATIONS = (1, 2, 4)


class GraphConvolution(nn.Module):
    """Convolution over a fixed graph of regions, the steps of a region being its features.

    ``H = X W_i``; twice ``H' = H + dropout( relu( A H W ) )``; then ``vec(H) W_o``. The residual keeps regions apart
    that have the same neighbours.

    Args:
        adjacency: ``A (R, R)``, see :func:`region_graph`.
        steps: ``T``.
        width: ``M``.
        dropout: Dropout share.

    Source: Kipf and Welling, Semi-supervised classification with graph convolutional networks, ICLR 2017; idea of a
    static graph of facial regions: Lei et al., Micro-expression recognition based on facial graph representation
    learning and facial action unit fusion, CVPRW 2021.
    """

    adjacency: Tensor

    def __init__(self, adjacency: Tensor, steps: int, width: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.project = nn.Linear(steps * 2, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.out = nn.Linear(len(adjacency) * width, width)
        self.dropout = Dropout(dropout)

    def forward(self, motion: Tensor) -> Tensor:
        """``(B, T, R, 2) -> (B, M)``."""
        nodes = self.project(motion.transpose(1, 2).flatten(2))  # (B, R, M)
        for layer in self.layers:
            nodes = nodes + self.dropout(functional.relu(layer(self.adjacency @ nodes)))
        feature: Tensor = self.out(nodes.flatten(1))
        return feature


class SpatioTemporalBlock(nn.Module):
    """Graph convolution within each step, then convolution over the steps of each region.

    ``G[t] = relu( (A E) H[t] W )``, ``H'[:, r] = LN( H[:, r] + dropout( relu( G[:, r] * K ) ) )``, with a learnable
    weight ``E (R, R)`` for each edge and a kernel ``K`` of 5 steps. Layer normalisation replaces the published batch
    normalisation, so that a clip does not depend on the others of its batch.

    Args:
        adjacency: ``A (R, R)``, see :func:`region_graph`.
        width: ``M``.
        dropout: Dropout share.
    """

    adjacency: Tensor

    def __init__(self, adjacency: Tensor, width: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.edge = nn.Parameter(torch.ones_like(adjacency))
        self.mix = nn.Linear(width, width)
        self.over_time = nn.Conv1d(width, width, 5, padding=2)  # assumed; published: 9 steps, of 300
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, nodes: Tensor) -> Tensor:
        """``(B, T, R, M) -> (B, T, R, M)``."""
        b, t, r, m = nodes.shape
        mixed = functional.relu(self.mix((self.adjacency * self.edge) @ nodes))
        rows = mixed.permute(0, 2, 3, 1).reshape(b * r, m, t)
        update = functional.relu(self.over_time(rows)).view(b, r, m, t).permute(0, 3, 1, 2)
        refined: Tensor = self.norm(nodes + self.dropout(update))
        return refined


class SpatioTemporalGraph(nn.Module):
    """Two blocks of convolution over regions and steps; the mean over steps of each region, ``vec(.) W_o``.

    Args:
        adjacency: ``A (R, R)``, see :func:`region_graph`.
        width: ``M``.
        dropout: Dropout share.

    Source: Yan et al., Spatial temporal graph convolutional networks for skeleton-based action recognition, AAAI 2018;
    idea for micro-expressions: Zhao et al., STA-GCN: Spatio-temporal AU graph convolution network for facial
    micro-expression recognition, PRCV 2021.
    """

    def __init__(self, adjacency: Tensor, width: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(2, width)
        self.blocks = nn.Sequential(*(SpatioTemporalBlock(adjacency, width, dropout) for _ in range(2)))
        self.out = nn.Linear(len(adjacency) * width, width)

    def forward(self, motion: Tensor) -> Tensor:
        """``(B, T, R, 2) -> (B, M)``."""
        nodes = self.blocks(self.project(motion))  # (B, T, R, M)
        feature: Tensor = self.out(nodes.mean(1).flatten(1))
        return feature


class GatedRecurrence(nn.Module):
    """A gated recurrent unit over steps; the feature is the last state.

    ``r, z = sigmoid(W x[t] + U h + c)``, ``n = tanh(W_n x[t] + b_n + r (U_n h + c_n))``, ``h = (1 - z) n + z h``: the
    equations and weights of ``nn.GRU``, written out because that one does not run under vmap on a GPU.

    Args:
        inputs: ``R * 2``.
        width: ``M``.

    Source: Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.given = nn.Linear(inputs, 3 * width)
        self.state = nn.Linear(width, 3 * width)

    def forward(self, motion: Tensor) -> Tensor:
        """``(B, T, R, 2) -> (B, M)``."""
        state = motion.new_zeros(motion.shape[0], self.state.in_features)
        for given in self.given(motion.flatten(2)).unbind(1):
            r_given, z_given, n_given = given.chunk(3, dim=-1)
            r_state, z_state, n_state = self.state(state).chunk(3, dim=-1)
            reset, kept = torch.sigmoid(r_given + r_state), torch.sigmoid(z_given + z_state)
            state = (1 - kept) * torch.tanh(n_given + reset * n_state) + kept * state
        return state


class CausalConvolution(nn.Module):
    """Three residual blocks of two dilated causal convolutions each; the feature is the last step.

    A block with dilation ``d``: ``Z' = relu( Z + f(f(Z)) )`` with ``f(Z) = dropout( relu( Z * K ) )`` and a kernel over
    the steps ``t - 2d, t - d, t``. With ``d = 1, 2, 4`` the last step sees the 28 before it. The published weight
    normalisation is left out.

    Args:
        inputs: ``R * 2``.
        width: ``M``.
        dropout: Dropout share.

    Source: Bai et al., An empirical evaluation of generic convolutional and recurrent networks for sequence modeling,
    arXiv 1803.01271, 2018.
    """

    def __init__(self, inputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Conv1d(inputs, width, 1)
        self.first = nn.ModuleList(nn.Conv1d(width, width, 3, dilation=d) for d in _DILATIONS)
        self.second = nn.ModuleList(nn.Conv1d(width, width, 3, dilation=d) for d in _DILATIONS)
        self.dropout = Dropout(dropout)

    def forward(self, motion: Tensor) -> Tensor:
        """``(B, T, R, 2) -> (B, M)``."""
        values = self.project(motion.flatten(2).mT)  # (B, M, T)
        for dilation, *pair in zip(_DILATIONS, self.first, self.second, strict=True):
            update = values
            for layer in pair:
                update = self.dropout(functional.relu(layer(functional.pad(update, (2 * dilation, 0)))))
            values = functional.relu(values + update)
        last: Tensor = values[..., -1]
        return last


class StepTransformer(nn.Module):
    """STAG's temporal branch alone, on the motion of each step as it is.

    Args:
        regions: ``R``.
        steps: ``T``.
        config: Width ``M``, heads, blocks and dropout.

    Source: Vaswani et al., Attention is all you need, NeurIPS 2017.
    """

    def __init__(self, regions: int, steps: int, config: ModelConfig) -> None:
        super().__init__()
        layers, heads = config.transformer_layers, config.heads
        self.branch = TemporalTransformer(
            regions * 2, config.transformer_dim, steps=steps, heads=heads, layers=layers, dropout=config.dropout
        )

    def forward(self, motion: Tensor) -> Tensor:
        """``(B, T, R, 2) -> (B, M)``."""
        feature: Tensor = self.branch(motion)[0]
        return feature


class NetworkInput(NamedTuple):
    """What a network is built for: region layout, steps ``T``, widths and depths, and what motion counts from."""

    layout: str
    steps: int
    config: ModelConfig
    cumulative: bool = True

    @property
    def regions(self) -> int:
        """``R``."""
        return len(LAYOUTS[self.layout])

    @property
    def graph(self) -> Tensor:
        """``A (R, R)``."""
        return region_graph(self.layout)


NETWORKS: dict[NetworkName, Callable[[NetworkInput, int, float], nn.Module]] = {
    "gcn": lambda given, width, dropout: GraphConvolution(given.graph, given.steps, width, dropout),
    "st-gcn": lambda given, width, dropout: SpatioTemporalGraph(given.graph, width, dropout),
    "gru": lambda given, width, dropout: GatedRecurrence(given.regions * 2, width),
    "tcn": lambda given, width, dropout: CausalConvolution(given.regions * 2, width, dropout),
    "transformer": lambda given, width, dropout: StepTransformer(given.regions, given.steps, given.config),
    "stst-net": lambda given, width, dropout: OnsetApexMaps(given.layout, width, dropout, cumulative=given.cumulative),
}
"""Name -> maker of a network for an input, a width ``M`` and a dropout share."""


class Branch(nn.Module):
    """A network in the place of STAG's temporal branch; without a graph nothing reads its frame tokens."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, motion: Tensor) -> tuple[Tensor, Tensor]:
        """Return the feature ``(B, M)``, and as the one frame token ``(B, 1, M)``."""
        feature = self.network(motion)
        return feature, feature.unsqueeze(1)


def build_network(name: NetworkName, given: NetworkInput, *, classes: Sequence[str], seed: int = 0) -> STAG:
    """Return an untrained model of a method: STAG, or STAG with another network in the place of its branches.

    The width ``M`` of every network is ``transformer_dim``. Such a model trains and answers like any other, but cannot
    be saved: a model folder describes STAG itself.

    Args:
        name: ``stag``, or a key of :data:`NETWORKS`.
        given: What it is built for.
        classes: Class names, ``C`` of them.
        seed: Seed of the initial weights; the global generator is left alone.

    Raises:
        ConfigError: A width that attention splits is not a multiple of ``heads``.
        ModelError: The layout is unknown, or there are fewer than two classes.
    """
    config = given.config
    if name != "stag":
        # The heads keep a place for the graph feature, which is 0 without a graph; 1 is its least width.
        config = config.model_copy(update={"graph": False, "temporal": True, "graph_dim": 1})
    model = STAG(config, layout=given.layout, steps=given.steps, classes=classes, seed=seed)
    if name == "stag":
        return model
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model.add_module("temporal", Branch(NETWORKS[name](given, config.transformer_dim, config.dropout)))
        model.step_units = StepUnits(given.regions * 2, len(model.info.au_vocabulary))
    model.add_module("embedding", nn.Identity())
    for unused in ("spatial", "fusion"):
        delattr(model, unused)
    return model


def region_graph(layout: str) -> Tensor:
    """Return the fixed graph of a layout, ``A = D^-1/2 S D^-1/2 (R, R)``.

    ``S[i, j]`` is the number of action units that move both regions over that of those that move either, and 1 on the
    diagonal; ``D`` is the sum of its rows.
    """
    units = [{unit for unit, regions in AU_REGIONS.items() if channel in regions} for channel in LAYOUTS[layout]]
    shared = torch.tensor([[len(one & other) / max(len(one | other), 1) for other in units] for one in units])
    shared = shared.fill_diagonal_(1.0)
    scale = shared.sum(1).rsqrt()
    return scale[:, None] * shared * scale
