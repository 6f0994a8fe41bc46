"""The style of every figure, and its output as an SVG or PNG file, or as SVG inside a page.

Inside a page the named colours become CSS variables, so that one drawing suits light and dark screens and print.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any, Literal
from xml.sax.saxutils import escape

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from scipy.optimize import isotonic_regression

from stag.report.wording import share
from stag.types import FloatArray

INK, MUTED, RULE, PAPER = "#1c1f24", "#5b626d", "#dedbd5", "#fdfcfa"
ACCENT = "#1a66a8"
SERIES = (ACCENT, "#c2500a", "#00795a", "#9a4a8c", "#8a6500")
"""Line colours after Okabe and Ito, darkened to a contrast of at least 3:1 against paper."""

STYLE: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": 8.5,
    "axes.facecolor": "none",
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "figure.facecolor": PAPER,
    "savefig.facecolor": "auto",
    "svg.fonttype": "none",
    "svg.hashsalt": "stag",
    "svg.image_inline": True,
    "path.simplify": False,
}
"""Matplotlib settings of all figures; ``Any`` because matplotlib types the names as one long literal."""

INTENSITY = LinearSegmentedColormap.from_list("intensity", [to_rgba(ACCENT, 0.02), to_rgba(ACCENT, 1.0)])
"""From transparent to the accent colour, so that it suits every background."""

_VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", PAPER: "--paper"} | {
    colour: f"--series-{i}" for i, colour in enumerate(SERIES)
}
FULL_PX = 0.25
"""Smallest span of motion maps and curves, crop pixels, so that the noise of a still face looks small."""

_FILE_DPI = 160
_PAGE_DPI = 110  # above the 96 of CSS, so that names are 12 px high


class NotebookFigure(Figure):
    """A figure that a notebook shows without pyplot."""

    def _repr_png_(self) -> bytes:
        return figure_png(self)


def new_figure(width_in: float, height_in: float, **options: Any) -> Figure:
    """Return an empty figure on an Agg canvas; call it inside ``rc_context(STYLE)``."""
    figure = NotebookFigure(figsize=(width_in, height_in), **options)
    FigureCanvasAgg(figure)
    return figure


def figure_png(figure: Figure) -> bytes:
    """Return the figure as PNG on its paper-coloured background; equal figures give equal bytes."""
    stream = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="png", dpi=_FILE_DPI, metadata={"Software": None})
    return stream.getvalue()


def figure_svg(figure: Figure) -> str:
    """Return the figure as an SVG file on its paper-coloured background; equal figures give equal text."""
    return _svg(figure, "auto")


def figure_inline(figure: Figure, prefix: str, alternative: str) -> str:
    """Return the figure as an ``<svg>`` element for a page that defines the colour variables.

    Args:
        figure: The figure.
        prefix: Prefix of every id, so that ids stay unique on the page.
        alternative: Text for readers who cannot see the figure.
    """
    text = _svg(figure, "none")
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>\s*|<style.*?</style>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<g id=\"[a-zA-Z_]+\d*\">", "<g>", text)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(url\(|href=")#', rf"\g<1>#{prefix}-", text)
    text = re.sub(r"font(?:-family)?: (?:(\d+ )?([\d.]+px) )?'DejaVu Sans'[^;\"]*;?", _font_without_family, text)
    text = text.replace("image-rendering:crisp-edges;image-rendering:pixelated", "")
    text = re.sub(r"(\d\.\d{3})\d+", r"\1", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    width_in, height_in = figure.get_size_inches()
    width = width_in * _PAGE_DPI
    head = (
        f'<svg class="plot" role="img" aria-label="{escape(alternative, {chr(34): "&quot;"})}" '
        f'viewBox="0 0 {width_in * 72:g} {height_in * 72:g}" style="width:{width:g}px;min-width:{0.7 * width:g}px">'
    )
    return head + re.sub(r"\n\s*", "\n", text[text.index(">") + 1 :])


def spread(targets: Sequence[float] | FloatArray, gap: float, low: float, high: float) -> FloatArray:
    """Return positions in ``[low, high]`` at least ``gap`` apart, in the order of ``targets`` and nearest to them.

    Least squares by isotonic regression; if the span is too short for all, the gap shrinks.
    """
    places = np.asarray(targets, dtype=float)
    if places.size < 2:
        return np.asarray(np.clip(places, low, high))
    gap = min(gap, (high - low) / (places.size - 1))
    order = np.argsort(places, kind="stable")
    steps = gap * np.arange(places.size)
    placed = np.empty_like(places)
    placed[order] = np.clip(isotonic_regression(places[order] - steps).x, low, high - steps[-1]) + steps
    return placed


def colour_scale(axis: Axes, colours: FloatArray, low: str, high: str, colour: str = MUTED) -> None:
    """Draw the legend of a colour map on empty axes: swatches ``(n, 4)`` between two texts."""
    axis.set_axis_off()
    axis.set_xlim(0, len(colours))
    axis.set_ylim(0, 1)
    for i, swatch in enumerate(colours):
        axis.add_patch(mpl.patches.Rectangle((i, 0), 0.92, 1, facecolor=swatch, linewidth=0))
    axis.text(-0.25, 0.5, low, ha="right", va="center_baseline", fontsize=8, color=MUTED)
    axis.text(len(colours) + 0.2, 0.5, high, ha="left", va="center_baseline", fontsize=8, color=colour)


def intensity_scale(axis: Axes, top: float, unit: str) -> None:
    """Draw the legend of :data:`INTENSITY` on empty axes, from 0 to ``top``."""
    colour_scale(axis, INTENSITY((np.arange(5) + 0.5) / 5), "0", f"{share(top)}  {unit}")


def unit_ticks(axis: Axes, *directions: Literal["x", "y"]) -> None:
    """Set ticks at 0, .2 ... 1 in these directions."""
    ticks = np.linspace(0, 1, 6)
    for direction in directions:
        axis.set(**{f"{direction}ticks": ticks, f"{direction}ticklabels": [share(tick, 1) for tick in ticks]})


def time_axis(time_s: FloatArray) -> tuple[FloatArray, FloatArray, str]:
    """Return the positions of the steps ``(T,)``, the edges between them ``(T + 1,)``, and the label of the axis.

    Positions are seconds if time increases at every step, else numbers of steps.
    """
    moves = len(time_s) > 1 and bool((np.diff(time_s) > 0).all())
    # Rounded, so that a tick at the end of float32 time is inside.
    at = np.round(np.asarray(time_s, dtype=float), 6) if moves else np.arange(float(len(time_s)))
    middle = (at[1:] + at[:-1]) / 2
    first, last = (at[0], at[-1]) if middle.size else (at[0] - 0.5, at[0] + 0.5)
    return at, np.r_[first, middle, last], "time, s" if moves else "step"


def _svg(figure: Figure, facecolor: str) -> str:
    stream = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="svg", facecolor=facecolor, metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def _font_without_family(match: re.Match[str]) -> str:
    weight, size = match.group(1), match.group(2)
    if size is None:
        return ""
    return (f"font-weight: {weight.strip()};" if weight else "") + f"font-size: {size};"
