"""Drawings on a face: windows and arrows of motion, and attention graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from stag.faces.crop import CROP_PX
from stag.motion.regions import CHANNELS, LAYOUTS, channel_names, channel_window
from stag.report.theme import ACCENT, FULL_PX, INK, MUTED, PAPER, RULE, STYLE, new_figure, spread
from stag.report.wording import octant, share
from stag.types import FloatArray, GreyImage

FACE_INCHES = (7.6, 3.6)  # 18 names fit beside the face

MAX_EDGES = 24
_SCALES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)
_ARROW_PX = 34.0
_MARGIN_PX = 142
_LABEL_GAP_PX = 14.0
_ON_PHOTO, _ARROW, _SHADE = "#ffffff", "#ffb224", "#14110a"
_OPEN, _CLOSED = ((0, 16), (17, 21), (22, 26), (27, 30), (31, 35)), ((36, 41), (42, 47), (48, 59), (60, 67))
"""First and last landmark of each line of the face: jaw, brows and nose; eyes and lips."""
_BROWS_END = 8
_GLYPHS = "→↘↓↙←↖↑↗"
_NODE_PT = 13.0
_KEY_COLUMNS = 6


def arrow_scale(vectors: FloatArray) -> int:
    """Return the factor that makes the longest arrow easy to see; at most 50, because noise is not motion."""
    longest = float(np.hypot(vectors[:, 0], vectors[:, 1]).max(initial=0.0))
    return max((scale for scale in _SCALES if scale * longest <= _ARROW_PX), default=1)


def draw_face_motion(axis: Axes, crop: GreyImage, points: FloatArray, vectors: FloatArray, layout: str) -> None:
    """Draw the crop with the window of every channel, its motion as an arrow, and its name and length beside it."""
    _frame(axis)
    draw_photo(axis, crop)
    axis.scatter(points[:, 0], points[:, 1], s=1.6, color=_ON_PHOTO, alpha=0.55, linewidths=0, zorder=2)
    magnitude = np.hypot(vectors[:, 0], vectors[:, 1])
    relative = magnitude / max(float(magnitude.max(initial=0.0)), FULL_PX)
    scale = arrow_scale(vectors)
    anchors = np.zeros_like(vectors, dtype=float)
    for position, (channel_id, vector) in enumerate(zip(LAYOUTS[layout], vectors, strict=True)):
        top, bottom, left, right = channel_window(CHANNELS[channel_id], points)
        whole = len(CHANNELS[channel_id].points) > 1 and CHANNELS[channel_id].rows is None
        dash, alpha = ((0, (2.5, 2)), 0.6) if whole else ("solid", 0.8)
        look: Any = {"facecolor": "none", "edgecolor": _ON_PHOTO, "linewidth": 0.7, "linestyle": dash, "alpha": alpha}
        axis.add_patch(Rectangle((left, top), right - left, bottom - top, zorder=3, **look))
        centre = np.array([(left + right) / 2, (top + bottom) / 2])
        side = left if centre[0] < CROP_PX / 2 else right
        # Brow windows touch each other, so their lines come from above instead of through a neighbour.
        anchors[position] = (centre[0], top) if channel_id < _BROWS_END and not whole else (side, centre[1])
        if whole:
            anchors[position, 1] = top
        if magnitude[position] * scale >= 1:
            _arrow(axis, centre, vector * scale, faint=whole)
    texts = [
        f"{name}  {share(float(size))} {_GLYPHS[octant(u, v)] if size > 0 else '·'}"
        for name, size, (u, v) in zip(channel_names(layout), magnitude, vectors, strict=True)
    ]
    _callouts(axis, anchors, texts, strong=relative >= 0.6, inner=_ON_PHOTO)


def strongest_edges(adjacency: FloatArray) -> list[tuple[int, int, float]]:
    """Return at most :data:`MAX_EDGES` pairs (from, to, weight) above an even share ``1/R``, without self-loops."""
    pairs = [(i, j, float(weight)) for (i, j), weight in np.ndenumerate(adjacency) if i != j]
    return sorted((pair for pair in pairs if pair[2] > 1 / len(adjacency)), key=lambda pair: -pair[2])[:MAX_EDGES]


@mpl.rc_context(STYLE)
def graph_figure(
    adjacency: FloatArray, points: FloatArray, crop: GreyImage | None = None, layout: str = "roi18"
) -> Figure:
    """Draw the strongest links of the attention graph between channels at their place on the face.

    Args:
        adjacency: ``(R, R)``, rows sum to 1; row ``i`` contains the weights of all channels for channel ``i``.
        points: ``(68, 2)`` landmarks on the crop.
        crop: A photograph as background; default is a line drawing of the face.
        layout: Region layout.
    """
    figure = new_figure(*FACE_INCHES)
    axis = figure.add_axes((0, 0, 1, 1))
    _frame(axis)
    if crop is None:
        draw_contours(axis, points)
    else:
        draw_photo(axis, crop)
    nodes = node_positions(points, layout)
    edges = strongest_edges(adjacency)
    heaviest = edges[0][2] if edges else 1.0
    draw_links(axis, nodes, edges, [(weight / heaviest) ** 2 for _, _, weight in edges], node_pt=8)
    received = adjacency.sum(axis=0) - np.diag(adjacency)
    share_of_top = received / max(float(received.max(initial=0.0)), 1e-9)
    areas = 12 + 62 * share_of_top**2
    axis.scatter(nodes[:, 0], nodes[:, 1], s=areas, facecolor=ACCENT, edgecolor=PAPER, linewidths=1.0, zorder=5)
    inner = RULE if crop is None else _ON_PHOTO
    _callouts(axis, nodes, channel_names(layout), strong=share_of_top >= 0.8, inner=inner)
    return figure


def draw_links(
    axis: Axes, nodes: FloatArray, edges: Sequence[tuple[int, int, float]], strengths: Sequence[float], node_pt: float
) -> None:
    """Draw bent arrows between nodes ``(R, 2)``; thickness and opacity show the strength in [0, 1]."""
    for (start, end, _), strength in reversed(list(zip(edges, strengths, strict=True))):
        axis.add_patch(
            FancyArrowPatch(
                tuple(nodes[start]), tuple(nodes[end]), arrowstyle="-|>,head_length=2.6,head_width=1.5",
                connectionstyle="arc3,rad=0.22", shrinkA=node_pt / 2, shrinkB=node_pt / 2 + 1, mutation_scale=1.6,
                linewidth=0.5 + 1.7 * strength, color=ACCENT, alpha=0.25 + 0.7 * strength, zorder=4,
            )
        )  # fmt: skip


def node_positions(points: FloatArray, layout: str, apart_px: float = 19.0) -> FloatArray:
    """Return the places of the channels in the graph: window centres, pushed apart until none overlap ``(R, 2)``.

    A whole brow starts above its window and the whole mouth below it, outside their parts.
    """
    places = []
    for channel_id in LAYOUTS[layout]:
        top, bottom, left, right = channel_window(CHANNELS[channel_id], points)
        row = {0: top - 10.0, 4: top - 10.0, 8: bottom + 14.0}.get(channel_id, (top + bottom) / 2)
        places.append(((left + right) / 2, row))
    nodes = np.array(places, dtype=float)
    upper, lower = np.triu_indices(len(nodes), 1)
    for _ in range(400):
        apart = nodes[lower] - nodes[upper]
        distance = np.hypot(apart[:, 0], apart[:, 1])
        lacking = np.clip(apart_px - distance, 0, None)
        if not lacking.any():
            break
        unit = np.where(distance[:, None] > 1e-6, apart / np.maximum(distance, 1e-6)[:, None], (0.0, 1.0))
        push = unit * (lacking / 2 + 1e-3 * (lacking > 0))[:, None]
        np.add.at(nodes, upper, -push)
        np.add.at(nodes, lower, push)
    return nodes


@mpl.rc_context(STYLE)
def layer_graphs_figure(adjacency: FloatArray, points: FloatArray, layout: str = "roi18") -> Figure:
    """Draw the strongest links of each layer on one scale (Fig. 6); the fuller a node, the more others look at it.

    Args:
        adjacency: ``(L, R, R)``, rows sum to 1; row ``i`` contains the weights of all channels for channel ``i``.
        points: ``(68, 2)`` landmarks on the crop.
        layout: Region layout.
    """
    layers, names = len(adjacency), channel_names(layout)
    columns = _KEY_COLUMNS if layers > 2 else 2 * layers
    key_rows = -(-len(names) // columns)
    side, gap, head, foot, line = 3.1, 0.2, 0.36, 0.34, 0.17
    width = layers * (side + gap) + gap
    height = head + side + foot + key_rows * line + 0.2
    figure = new_figure(width, height)
    received = adjacency.sum(axis=1) - np.diagonal(adjacency, axis1=1, axis2=2)
    edges = [strongest_edges(layer) for layer in adjacency]
    # Full strength is at least twice an even share, so that a graph that is nearly even looks so.
    even = 1 / len(names)
    heaviest = max([links[0][2] for links in edges if links] + [2 * even])
    most = max(float(received.max(initial=0.0)), 2.0)
    nodes = node_positions(points, layout)
    for i in range(layers):
        box = ((gap + i * (side + gap)) / width, (height - head - side) / height, side / width, side / height)
        axis = figure.add_axes(box)
        _frame(axis, margin_px=0)
        draw_contours(axis, points)
        strengths = [(weight - even) / (heaviest - even) for _, _, weight in edges[i]]
        draw_links(axis, nodes, edges[i], strengths, node_pt=_NODE_PT)
        _numbers(axis, nodes, received[i] / most)
        axis.set_title(f"Layer {i + 1}", pad=4)
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
    # Pale enough to read the number on light paper and on a dark screen.
    shades = [to_rgba(ACCENT, 0.55 * float(share_of_top)) for share_of_top in filled]
    axis.scatter(nodes[:, 0], nodes[:, 1], s=size, color=shades, linewidths=0, zorder=6)
    for number, (x, y) in enumerate(nodes):
        axis.text(x, y, f"{number + 1}", fontsize=7, ha="center", va="center", color=INK, zorder=7)


def _frame(axis: Axes, margin_px: float = _MARGIN_PX) -> None:
    axis.set_axis_off()
    axis.set_xlim(-margin_px, CROP_PX + margin_px)
    axis.set_ylim(CROP_PX, 0)
    axis.set_aspect("equal")


def draw_photo(axis: Axes, crop: GreyImage, margin_px: float = _MARGIN_PX) -> None:
    """Draw the crop ``(256, 256)`` with rounded corners, and a margin for names on both sides."""
    picture = axis.imshow(
        crop, cmap="gray", vmin=0, vmax=255, extent=(0, CROP_PX, CROP_PX, 0), interpolation="none", zorder=0
    )
    rounded = FancyBboxPatch(
        (8, 8), CROP_PX - 16, CROP_PX - 16, boxstyle="round,pad=8", facecolor="none", edgecolor="none"
    )
    axis.add_patch(rounded)
    picture.set_clip_path(rounded)
    axis.set_xlim(-margin_px, CROP_PX + margin_px)
    axis.set_ylim(CROP_PX, 0)


def draw_contours(axis: Axes, points: FloatArray) -> None:
    """Draw the face as a line drawing through its landmarks ``(68, 2)``."""
    for first, last in _OPEN + _CLOSED:
        closed = (first, last) in _CLOSED
        line = points[[*range(first, last + 1), *([first] if closed else [])]]
        curve = CubicSpline(np.arange(len(line)), line, bc_type="periodic" if closed else "not-a-knot")
        smooth = curve(np.linspace(0, len(line) - 1, 8 * len(line)))
        axis.plot(smooth[:, 0], smooth[:, 1], color=RULE, linewidth=1.6, solid_capstyle="round", zorder=1)


def _arrow(axis: Axes, start: FloatArray, vector: FloatArray, *, faint: bool) -> None:
    head = min(1.0, 0.25 + float(np.hypot(*vector)) / 16)
    style = f"-|>,head_length={2.6 * head:.3f},head_width={1.4 * head:.3f}"
    width, halo, zorder = (0.9, 2.2, 4) if faint else (1.7, 3.2, 5)
    axis.add_patch(
        FancyArrowPatch(
            tuple(start), tuple(start + vector), arrowstyle=style, shrinkA=0, shrinkB=0, mutation_scale=1.5,
            linewidth=width * (0.5 + head / 2), color=_ARROW, zorder=zorder,
            path_effects=[withStroke(linewidth=halo, foreground=_SHADE, alpha=0.7)],
        )
    )  # fmt: skip


def _callouts(axis: Axes, anchors: FloatArray, texts: Sequence[str], *, strong: NDArray[np.bool_], inner: str) -> None:
    """Draw names in the two margins, each joined to its anchor ``(R, 2)`` by a thin line."""
    middle = CROP_PX / 2
    central = np.abs(anchors[:, 0] - middle) < 24
    sides = {left: np.flatnonzero(~central & ((anchors[:, 0] < middle) == left)).tolist() for left in (True, False)}
    for i in sorted(np.flatnonzero(central).tolist(), key=lambda i: anchors[i, 1]):
        sides[len(sides[True]) <= len(sides[False])].append(i)
    for on_left, members in sides.items():
        # Of anchors at one height the inner one gets the higher name, so that lines do not cross.
        inward = anchors[members, 0] if on_left else CROP_PX - anchors[members, 0]
        rows = spread(anchors[members, 1] - 0.2 * inward, _LABEL_GAP_PX, 8, CROP_PX - 8)
        edge, outer, text_x, ha = (
            (-4, -12, -15, "right") if on_left else (CROP_PX + 4, CROP_PX + 12, CROP_PX + 15, "left")
        )
        for i, row in zip(members, rows, strict=True):
            axis.plot([outer, edge], [row, row], color=MUTED, linewidth=0.6, alpha=0.8, zorder=2.5)
            axis.plot([edge, anchors[i, 0]], [row, anchors[i, 1]], color=inner, linewidth=0.6, alpha=0.8, zorder=2.5)
            colour, weight = (INK, "bold") if strong[i] else (MUTED, "normal")
            axis.text(text_x, row, texts[i], ha=ha, va="center_baseline", fontsize=8, color=colour, fontweight=weight)
