"""The attention graph of every E-GAT layer on the anatomical layout; takes plain data."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from stag.faces.crop import CROP_PX
from stag.motion.regions import channel_names
from stag.report.plots.face import draw_contours, draw_links, node_positions, strongest_edges
from stag.report.theme import ACCENT, INK, MUTED, PAPER, STYLE, new_figure
from stag.report.wording import share
from stag.types import FloatArray

_NODE_PT = 13.0
_KEY_COLUMNS = 6


@mpl.rc_context(STYLE)
def layer_graphs_figure(
    adjacency: FloatArray, points: FloatArray, layout: str = "roi18", titles: Sequence[str] | None = None
) -> Figure:
    """Draw where the channels look in each layer, on one scale (Fig. 6).

    Nodes are numbered and stand at their place on the face; the fuller a node, the more the others look at it. The
    strongest links above an even share are drawn, self-loops left out.

    Args:
        adjacency: ``(L, R, R)``, rows sum to 1; row ``i`` tells where channel ``i`` looks.
        points: ``(68, 2)`` landmarks on the crop.
        layout: Region layout.
        titles: One for each layer.

    Example:
        >>> figure = layer_graphs_figure(prediction.adjacency.mean(axis=1), points)  # doctest: +SKIP
    """
    layers, names = len(adjacency), channel_names(layout)
    titles = [f"Layer {i + 1}" for i in range(layers)] if titles is None else titles
    columns = _KEY_COLUMNS if layers > 2 else 2 * layers
    key_rows = -(-len(names) // columns)
    side, gap, head, foot, line = 3.1, 0.2, 0.36, 0.34, 0.17
    width = layers * (side + gap) + gap
    height = head + side + foot + key_rows * line + 0.2
    figure = new_figure(width, height)
    received = adjacency.sum(axis=1) - np.diagonal(adjacency, axis1=1, axis2=2)
    edges = [strongest_edges(layer) for layer in adjacency]
    # At least twice an even share is full strength, so that a graph that hardly prefers anything looks like one.
    even = 1 / len(names)
    heaviest = max([links[0][2] for links in edges if links] + [2 * even])
    most = max(float(received.max(initial=0.0)), 2.0)
    nodes = node_positions(points, layout)
    for i, title in enumerate(titles):
        box = ((gap + i * (side + gap)) / width, (height - head - side) / height, side / width, side / height)
        axis = figure.add_axes(box)
        axis.set_axis_off()
        axis.set_aspect("equal")
        axis.set_xlim(0, CROP_PX)
        axis.set_ylim(CROP_PX, 0)
        draw_contours(axis, points)
        strengths = [(weight - even) / (heaviest - even) for _, _, weight in edges[i]]
        draw_links(axis, nodes, edges[i], strengths, node_pt=_NODE_PT)
        _numbers(axis, nodes, received[i] / most)
        axis.set_title(title, pad=4)
        text = f"no link above an even share, {share(even, 3)}"
        if edges[i]:
            start, end, weight = edges[i][0]
            text = f"strongest {start + 1} → {end + 1}, {share(weight, 3)}; an even share is {share(even, 3)}"
        axis.text(0, -0.02, text, transform=axis.transAxes, va="top", fontsize=8, color=MUTED)
    for number, name in enumerate(names):
        column, row = divmod(number, key_rows)
        x = (gap + column * (width - 2 * gap) / columns) / width
        y = (key_rows - row) * line / height
        figure.text(x, y, f"{number + 1}", fontsize=8, fontweight="bold", color=INK, va="center_baseline")
        figure.text(x + 0.19 / width, y, name, fontsize=8, color=MUTED, va="center_baseline")
    return figure


def _numbers(axis: Axes, nodes: FloatArray, filled: FloatArray) -> None:
    size = _NODE_PT**2
    axis.scatter(nodes[:, 0], nodes[:, 1], s=size, facecolor=PAPER, edgecolor=ACCENT, linewidths=1.0, zorder=5)
    # Pale enough for the number to be read on light paper and on a dark screen.
    shades = [to_rgba(ACCENT, 0.55 * float(share_of_top)) for share_of_top in filled]
    axis.scatter(nodes[:, 0], nodes[:, 1], s=size, color=shades, linewidths=0, zorder=6)
    for number, (x, y) in enumerate(nodes):
        axis.text(x, y, f"{number + 1}", fontsize=7, ha="center", va="center", color=INK, zorder=7)
