"""Drawings on a face: windows and arrows of motion, and the attention graph, with names in the margins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from stag.faces.crop import CROP_PX
from stag.motion.regions import CHANNELS, LAYOUTS, channel_names, channel_window
from stag.report.theme import ACCENT, FULL_PX, INK, MUTED, PAPER, RULE, spread
from stag.report.wording import octant, share
from stag.types import FloatArray, GreyImage

FACE_INCHES = (7.6, 3.6)
"""Size at which 18 names fit beside the face."""

MAX_EDGES = 24
_SCALES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)
_ARROW_PX = 34.0
_MARGIN_PX = 142
_LABEL_GAP_PX = 14.0
_ON_PHOTO, _ARROW, _SHADE = "#ffffff", "#ffb224", "#14110a"
_CONTOURS: tuple[tuple[int, int, bool], ...] = (
    (0, 16, False),
    (17, 21, False),
    (22, 26, False),
    (27, 30, False),
    (31, 35, False),
    (36, 41, True),
    (42, 47, True),
    (48, 59, True),
    (60, 67, True),
)
_BROWS_END = 8
_GLYPHS = "→↘↓↙←↖↑↗"


def arrow_scale(vectors: FloatArray) -> int:
    """Return by how much arrows are lengthened so that the longest is easy to see; never beyond 50 times.

    The cap keeps the noise of a still face from looking like a movement.
    """
    longest = float(np.hypot(vectors[:, 0], vectors[:, 1]).max(initial=0.0))
    fitting = [scale for scale in _SCALES if scale * longest <= _ARROW_PX]
    return fitting[-1] if fitting else 1


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
        whole = len(CHANNELS[channel_id].points) > 1 and not CHANNELS[channel_id].below_eye
        axis.add_patch(
            Rectangle(
                (left, top),
                right - left,
                bottom - top,
                facecolor="none",
                edgecolor=_ON_PHOTO,
                linewidth=0.7,
                alpha=0.8 if not whole else 0.6,
                linestyle=(0, (2.5, 2)) if whole else "solid",
                zorder=3,
            )
        )
        centre = np.array([(left + right) / 2, (top + bottom) / 2])
        side = left if centre[0] < CROP_PX / 2 else right
        # Brow windows touch each other, so their lines arrive from above instead of through a neighbour.
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
    """Return at most :data:`MAX_EDGES` pairs (from, to, weight) above an even share ``1/R``, self-loops left out."""
    size = len(adjacency)
    pairs = [(i, j, float(adjacency[i, j])) for i in range(size) for j in range(size) if i != j]
    above = [pair for pair in pairs if pair[2] > 1 / size]
    return sorted(above, key=lambda pair: -pair[2])[:MAX_EDGES]


def draw_graph(
    axis: Axes, adjacency: FloatArray, points: FloatArray, layout: str, crop: GreyImage | None = None
) -> None:
    """Draw the strongest links of the attention graph between channels at their place on the face.

    Args:
        axis: Where to draw.
        adjacency: ``(R, R)``, row ``i`` tells where channel ``i`` looks.
        points: ``(68, 2)`` landmarks on the crop.
        layout: Region layout.
        crop: A photograph to draw on; without it the face is a line drawing.
    """
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
    axis.scatter(
        nodes[:, 0],
        nodes[:, 1],
        s=12 + 62 * share_of_top**2,
        facecolor=ACCENT,
        edgecolor=PAPER,
        linewidths=1.0,
        zorder=5,
    )
    inner = RULE if crop is None else _ON_PHOTO
    _callouts(axis, nodes, channel_names(layout), strong=share_of_top >= 0.8, inner=inner)


def draw_links(
    axis: Axes,
    nodes: FloatArray,
    edges: Sequence[tuple[int, int, float]],
    strengths: Sequence[float],
    *,
    node_pt: float,
) -> None:
    """Draw bent arrows between nodes ``(R, 2)``, each as thick and dark as its strength in [0, 1] says."""
    for (start, end, _), strength in reversed(list(zip(edges, strengths, strict=True))):
        axis.add_patch(
            FancyArrowPatch(
                tuple(nodes[start]), tuple(nodes[end]), arrowstyle="-|>,head_length=2.6,head_width=1.5",
                connectionstyle="arc3,rad=0.22", shrinkA=node_pt / 2, shrinkB=node_pt / 2 + 1, mutation_scale=1.6,
                linewidth=0.5 + 1.7 * strength, color=ACCENT, alpha=0.25 + 0.7 * strength, zorder=4,
            )
        )  # fmt: skip


def node_positions(points: FloatArray, layout: str, apart_px: float = 19.0) -> FloatArray:
    """Return where the channels stand in the graph: window centres, pushed apart until none hides another ``(R, 2)``.

    A whole brow starts at the upper edge of its window and the whole mouth at the lower one, outside their parts.
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


def _frame(axis: Axes) -> None:
    axis.set_axis_off()
    axis.set_xlim(-_MARGIN_PX, CROP_PX + _MARGIN_PX)
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
    for first, last, closed in _CONTOURS:
        line = points[first : last + 1]
        if closed:
            line = np.vstack([line, line[:1]])
        parameter = np.arange(len(line))
        curve = CubicSpline(parameter, line, bc_type="periodic" if closed else "not-a-knot")
        smooth = curve(np.linspace(0, len(line) - 1, 8 * len(line)))
        axis.plot(smooth[:, 0], smooth[:, 1], color=RULE, linewidth=1.6, solid_capstyle="round", zorder=1)


def _arrow(axis: Axes, start: FloatArray, vector: FloatArray, *, faint: bool) -> None:
    head = min(1.0, 0.25 + float(np.hypot(*vector)) / 16)
    axis.add_patch(
        FancyArrowPatch(
            tuple(start),
            tuple(start + vector),
            arrowstyle=f"-|>,head_length={2.6 * head:.3f},head_width={1.4 * head:.3f}",
            shrinkA=0,
            shrinkB=0,
            linewidth=(0.9 if faint else 1.7) * (0.5 + head / 2),
            color=_ARROW,
            mutation_scale=1.5,
            zorder=4 if faint else 5,
            path_effects=[withStroke(linewidth=2.2 if faint else 3.2, foreground=_SHADE, alpha=0.7)],
        )
    )


def _callouts(axis: Axes, anchors: FloatArray, texts: Sequence[str], *, strong: NDArray[np.bool_], inner: str) -> None:
    """Draw names in the two margins, evenly kept apart, each joined to its anchor by a thin line."""
    sides: dict[bool, list[int]] = {True: [], False: []}
    middle = CROP_PX / 2
    central = [i for i in range(len(anchors)) if abs(anchors[i, 0] - middle) < 24]
    for i in range(len(anchors)):
        if i not in central:
            sides[bool(anchors[i, 0] < middle)].append(i)
    for i in sorted(central, key=lambda i: anchors[i, 1]):
        sides[len(sides[True]) <= len(sides[False])].append(i)
    for on_left, members in sides.items():
        # Of anchors at one height the farther in goes higher, so that lines do not cross.
        inward = anchors[members, 0] if on_left else CROP_PX - anchors[members, 0]
        rows = spread(anchors[members, 1] - 0.2 * inward, _LABEL_GAP_PX, 8, CROP_PX - 8)
        edge, outer = (-4, -12) if on_left else (CROP_PX + 4, CROP_PX + 12)
        for i, row in zip(members, rows, strict=True):
            axis.plot([outer, edge], [row, row], color=MUTED, linewidth=0.6, alpha=0.8, zorder=2.5)
            axis.plot([edge, anchors[i, 0]], [row, anchors[i, 1]], color=inner, linewidth=0.6, alpha=0.8, zorder=2.5)
            axis.text(
                outer + (-3 if on_left else 3),
                row,
                texts[i],
                ha="right" if on_left else "left",
                va="center_baseline",
                fontsize=8,
                color=INK if strong[i] else MUTED,
                fontweight="bold" if strong[i] else "normal",
            )
