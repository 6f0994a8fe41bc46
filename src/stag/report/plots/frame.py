"""A frame around a finished figure: its title, what it shows, and the mark of simulated data."""

from __future__ import annotations

from textwrap import wrap

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from stag.report.theme import INK, MUTED, SERIES, STYLE

SIMULATED = "simulated data"
"""The mark, as it is written on a figure."""

_MARGIN_IN, _TITLE_IN, _LINE_IN, _GAP_IN = 0.17, 0.33, 0.19, 0.04
_NARROWEST_IN = 7.0
_CHARACTERS_PER_IN = 15.0  # of the note, in its size and font


@mpl.rc_context(STYLE)
def framed(figure: Figure, title: str, note: str, *, simulated: bool) -> Figure:
    """Put a title and a note above a figure, and mark it where its data is simulated; the drawing keeps its size.

    Args:
        figure: A finished drawing; it is changed and returned. A narrow one gets room on its right, or stretches.
        title: For example ``"Figure 4. Motion of one clip"``.
        note: What is shown, in a sentence or two; wrapped to the width.
        simulated: Whether to mark it as simulated.
    """
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0.015, 0, 0.97, 1))
        figure.set_figwidth(max(figure.get_figwidth(), _NARROWEST_IN))
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    narrow, height = (float(size) for size in figure.get_size_inches())
    width = max(narrow, _NARROWEST_IN)
    lines = wrap(note, int((width - 2 * _MARGIN_IN) * _CHARACTERS_PER_IN))
    head = _MARGIN_IN + _TITLE_IN + _LINE_IN * len(lines) + _GAP_IN
    taller = height + head
    figure.set_size_inches(width, taller)
    across, share = narrow / width, height / taller
    for axis in figure.axes:
        x, y, w, h = axis.get_position(original=True).bounds
        axis.set_position((x * across, y * share, w * across, h * share))
    for text in figure.texts:
        x, y = text.get_position()
        text.set_position((x * across, y * share))
    for legend in figure.legends:
        x, y, w, h = legend.get_bbox_to_anchor().transformed(figure.transFigure.inverted()).bounds
        legend.set_bbox_to_anchor((x * across, y * share, w * across, h * share))
    left, top = _MARGIN_IN / width, 1 - (_MARGIN_IN + 0.08) / taller
    figure.text(left, top, title, fontsize=12, fontweight="bold", color=INK, va="center_baseline")
    for number, line in enumerate(lines):
        y = 1 - (_MARGIN_IN + _TITLE_IN + _LINE_IN * number) / taller
        figure.text(left, y, line, fontsize=8.5, color=MUTED, va="center_baseline")
    if simulated:
        figure.text(
            1 - left - 0.06 / width, top, SIMULATED, fontsize=9, fontweight="bold", color=SERIES[1], ha="right",
            va="center_baseline",
            bbox={"boxstyle": "round,pad=0.35,rounding_size=0.7", "facecolor": "none", "edgecolor": SERIES[1]},
        )  # fmt: skip
    return figure
