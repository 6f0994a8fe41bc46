"""Features of many clips in three dimensions: a still figure, and a page with a map that turns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib import import_module
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from stag.errors import MissingDependency
from stag.report.render import environment
from stag.report.theme import INK, MUTED, PAPER, RULE, SERIES, STYLE, new_figure
from stag.types import FloatArray
from stag.utils.extras import install_hint

_MARKERS = "os^DvPX*"
_SYMBOLS = ("circle", "square", "diamond", "cross", "x", "circle-open", "square-open", "diamond-open")
_VIEWS = ((20, -60), (20, 30))
_CAPTION = "Near is alike; distances between groups and their sizes mean nothing."


@mpl.rc_context(STYLE)
def embedding_figure(points: FloatArray, labels: Sequence[str], classes: Sequence[str], title: str = "") -> Figure:
    """Draw a three-dimensional map of clips from two sides (Fig. 5, for print).

    Args:
        points: ``(n, 3)`` from :func:`stag.explanation.embedding.tsne`.
        labels: Class of each clip.
        classes: Class names in order; colour and marker follow it.
        title: Title of the figure; names simulated clips as such.
    """
    figure = new_figure(8.2, 4.0)
    figure.text(0.03, 0.955, title, fontsize=9.5, fontweight="bold", color=INK, va="top")
    for number, view in enumerate(_VIEWS):
        _draw_map(figure, (0.01 + 0.5 * number, 0.13, 0.48, 0.76), points, labels, classes, view)
    _legend(figure, 0.055, len(classes))
    figure.text(0.03, 0.02, f"The same map from two sides. {_CAPTION}", fontsize=8, color=MUTED)
    return figure


@mpl.rc_context(STYLE)
def embeddings_figure(maps: Mapping[str, FloatArray], labels: Sequence[str], classes: Sequence[str]) -> Figure:
    """Draw several maps of the same clips side by side, such as before and after training (Fig. 5).

    Args:
        maps: Title -> ``(n, 3)``.
        labels: Class of each clip.
        classes: Class names in order; colour and marker follow it.
    """
    side = 4.1
    figure = new_figure(len(maps) * side, side)
    for number, (title, points) in enumerate(maps.items()):
        left = number / len(maps)
        box = (left + 0.03 / len(maps), 0.13, 0.91 / len(maps), 0.74)
        _draw_map(figure, box, points, labels, classes, _VIEWS[0])
        figure.text(left + 0.06 / len(maps), 0.955, title, fontsize=9.5, fontweight="bold", color=INK, va="top")
    _legend(figure, 0.065, len(classes))
    figure.text(0.03, 0.02, _CAPTION, fontsize=8, color=MUTED)
    return figure


def _draw_map(
    figure: Figure,
    box: tuple[float, float, float, float],
    points: FloatArray,
    labels: Sequence[str],
    classes: Sequence[str],
    view: tuple[int, int],
) -> None:
    """Draw one map ``(n, 3)`` from one side into a box of the figure."""
    import_module("mpl_toolkits.mplot3d")  # makes the projection known to matplotlib
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.04 * np.maximum(high - low, 1e-9)
    low, high = low - margin, high + margin
    axis: Any = figure.add_axes(box, projection="3d")
    axis.view_init(elev=view[0], azim=view[1])
    axis.set_box_aspect(high - low, zoom=1.32)
    for which, set_limits in enumerate((axis.set_xlim, axis.set_ylim, axis.set_zlim)):
        set_limits(low[which], high[which])
    for side in (axis.xaxis, axis.yaxis, axis.zaxis):
        side.set_ticklabels([])
        side.set_pane_color((0, 0, 0, 0))
        side.line.set_color(RULE)
        side._axinfo["grid"].update(color=RULE, linewidth=0.5)
        side._axinfo["tick"].update(inward_factor=0, outward_factor=0)
    member = np.asarray(labels)
    for i, name in enumerate(classes):
        some = points[member == name]
        axis.scatter(
            *some.T, s=17, marker=_MARKERS[i % len(_MARKERS)], color=SERIES[i % len(SERIES)], alpha=0.85,
            edgecolor=PAPER, linewidths=0.4, depthshade=False, label=f"{name} ({len(some)})",
        )  # fmt: skip


def _legend(figure: Figure, bottom: float, columns: int) -> None:
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="lower left", bbox_to_anchor=(0.02, bottom), ncols=columns, frameon=False,
        fontsize=8, labelcolor=INK, handletextpad=0.2, columnspacing=1.4, borderpad=0, borderaxespad=0,
    )  # fmt: skip


def embedding_page(
    points: FloatArray,
    labels: Sequence[str],
    classes: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    title: str = "",
) -> str:
    """Return the map as one HTML page that turns, offline too (Fig. 5).

    Args:
        points: ``(n, 3)``.
        labels: Class of each clip.
        classes: Class names in order.
        names: Label of each clip under the pointer; default is its number.
        title: Heading.

    Raises:
        MissingDependency: plotly is not installed.
    """
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise MissingDependency(f"the turning map needs plotly, which is missing: {install_hint('explain')}") from error
    member = np.asarray(labels)
    shown = np.array([str(i) for i in range(len(points))] if names is None else [escape(str(n)) for n in names])
    size = 6.0 if len(points) < 400 else max(3.0, 6.0 * math.sqrt(400 / len(points)))
    traces = [
        go.Scatter3d(
            **dict(zip("xyz", points[member == name].T.round(3).tolist(), strict=True)),
            text=shown[member == name].tolist(),
            name=f"{escape(name)} ({int((member == name).sum())})",
            mode="markers",
            marker={"size": size, "symbol": _SYMBOLS[i % len(_SYMBOLS)], "color": SERIES[i % len(SERIES)]},
            hovertemplate="%{text}<extra>%{fullData.name}</extra>",
        )
        for i, name in enumerate(classes)
    ]
    side = {"showticklabels": False, "title": {"text": ""}, "showbackground": False, "zeroline": False}
    side |= {"gridcolor": "#8a8f98", "showspikes": False}
    layout = {
        "scene": {"xaxis": side, "yaxis": side, "zaxis": side, "aspectmode": "cube"},
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "legend": {"x": 0.01, "y": 0.99, "itemsizing": "constant"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 14},
        "template": "none",
    }
    drawing = go.Figure(traces, layout).to_html(
        full_html=False, include_plotlyjs="inline", div_id="map", config={"displayModeBar": False, "responsive": True}
    )
    template = environment().get_template("embedding.html.j2")
    return template.render(title=title, caption=_CAPTION, drawing=Markup(drawing))
