"""How the attention graph of every layer changes over time; takes plain data."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stag.faces.crop import CROP_PX
from stag.motion.regions import channel_names
from stag.report.plots.attribution import SIGNED, signed_scale
from stag.report.plots.face import draw_contours, draw_links, node_positions, strongest_edges
from stag.report.theme import ACCENT, INK, MUTED, STYLE, new_figure, time_axis
from stag.report.wording import share
from stag.types import FloatArray

MOMENTS = 4
_SIDE, _GAP, _HEAD, _FOOT, _NAMES, _MAP = 1.95, 0.12, 0.5, 0.6, 1.3, 3.1


@mpl.rc_context(STYLE)
def graph_evolution_figure(
    adjacency: FloatArray, points: FloatArray, time_s: FloatArray, layout: str = "roi18"
) -> Figure:
    """Draw the graph of each layer at four moments, and how the attention that each region receives changes (Fig. 6).

    Links are on one scale over all layers and moments. The map shows attention received from the other regions less
    its mean over time: orange is more than the mean, blue less.

    Args:
        adjacency: ``(L, T, R, R)``, rows sum to 1; row ``i`` tells where region ``i`` looks.
        points: ``(68, 2)`` landmarks on the crop.
        time_s: ``(T,)`` seconds.
        layout: Region layout.
    """
    layers, steps, regions, _ = adjacency.shape
    names = channel_names(layout)
    at, edges, label = time_axis(time_s)
    chosen = np.unique(np.linspace(0, steps - 1, MOMENTS).round().astype(int))
    side_by_side = len(chosen) * (_SIDE + _GAP)
    width = _GAP + side_by_side + _NAMES + _MAP + 0.35
    height = _HEAD + layers * (_SIDE + _FOOT) + 0.12
    figure = new_figure(width, height)
    even = 1 / regions
    heaviest = max(float(adjacency.max(initial=0.0)), 2 * even)
    nodes = node_positions(points, layout)
    looked_at = adjacency.sum(axis=2) - np.diagonal(adjacency, axis1=2, axis2=3)  # (L, T, R)
    change = looked_at - looked_at.mean(axis=1, keepdims=True)
    most = max(float(np.abs(change).max(initial=0.0)), 1e-9)
    for layer in range(layers):
        bottom = 1 - (_HEAD + layer * (_SIDE + _FOOT) + _SIDE) / height
        for column, step in enumerate(chosen):
            left = (_GAP + column * (_SIDE + _GAP)) / width
            axis = figure.add_axes((left, bottom, _SIDE / width, _SIDE / height))
            _graph(axis, adjacency[layer, step], nodes, points, heaviest)
            moment = f"{at[step]:.2f} s" if label.endswith("s") else f"step {step + 1}"
            axis.text(0.97, 1.005, moment, transform=axis.transAxes, fontsize=8, color=MUTED, ha="right")
            if column == 0:
                axis.text(0, 1.005, f"Layer {layer + 1}", transform=axis.transAxes, fontweight="bold", fontsize=9.5)
                largest = float(np.ptp(adjacency[layer], axis=0).max())
                text = f"largest change of one link over time {share(largest, 3)}; an even share is {share(even, 3)}"
                axis.text(0, -0.03, text, transform=axis.transAxes, va="top", fontsize=8, color=MUTED)
        heat = figure.add_axes(((_GAP + side_by_side + _NAMES) / width, bottom, _MAP / width, _SIDE / height))
        heat.pcolormesh(
            edges, np.arange(regions + 1.0), change[layer].T / most, cmap=SIGNED, vmin=-1, vmax=1, linewidth=0,
            antialiased=False,
        )  # fmt: skip
        heat.spines[:].set_visible(False)
        heat.set_ylim(regions, 0)
        heat.set_xlim(edges[0], edges[-1])
        heat.set_yticks(np.arange(regions) + 0.5, labels=list(names), fontsize=6.8)
        heat.set_xlabel(label if layer == layers - 1 else "")
        for step in chosen:
            heat.plot([at[step]], [1.015], marker="v", markersize=4, color=INK, clip_on=False,
                      transform=heat.get_xaxis_transform(), linewidth=0)  # fmt: skip
        if layer == 0:
            title = "Attention received, less its mean over time"
            heat.text(0, 1.0 + 0.3 / _SIDE, title, transform=heat.transAxes, fontsize=8.5, color=INK, fontweight="bold")
            scale = heat.inset_axes((0.16, 1.0 + 0.12 / _SIDE, 0.4, 0.1 / _SIDE))
            signed_scale(scale, f"−{share(most, 3)}", f"+{share(most, 3)}", signed=True)
    return figure


def _graph(axis: Axes, adjacency: FloatArray, nodes: FloatArray, points: FloatArray, heaviest: float) -> None:
    """Draw the strongest links of one graph between small nodes."""
    axis.set_axis_off()
    axis.set_aspect("equal")
    axis.set_xlim(0, CROP_PX)
    axis.set_ylim(CROP_PX, 0)
    draw_contours(axis, points)
    even = 1 / len(adjacency)
    links = strongest_edges(adjacency)
    draw_links(axis, nodes, links, [(weight - even) / (heaviest - even) for _, _, weight in links], node_pt=4)
    received = adjacency.sum(axis=0) - np.diag(adjacency)
    axis.scatter(nodes[:, 0], nodes[:, 1], s=5 + 11 * received, color=ACCENT, linewidths=0, zorder=5)
