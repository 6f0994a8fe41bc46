"""What a reader of a figure can read, and what covers what."""

import itertools

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.text import Text

from stag.report.theme import STYLE


def texts(figure):
    """What a reader sees; matplotlib keeps, but does not draw, ticks outside the view or of an axis turned off."""
    hidden = set()
    for axis in (a for axes in figure.findobj(Axes) for a in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        shown = axis.axes.axison
        beyond = (tick for tick in axis.get_major_ticks() if not (shown and low <= tick.get_loc() <= high))
        hidden |= {label for tick in beyond for label in (tick.label1, tick.label2)}
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in hidden]


def overlaps(figure):
    """Pairs of texts whose boxes overlap, and texts that leave the figure."""
    with mpl.rc_context(STYLE):
        figure.canvas.draw()
        boxes = [(t.get_text(), t.get_window_extent()) for t in texts(figure)]
    pairs = [
        (a, b)
        for (a, x), (b, y) in itertools.combinations(boxes, 2)
        if min(x.x1, y.x1) - max(x.x0, y.x0) > 1 and min(x.y1, y.y1) - max(x.y0, y.y0) > 1
    ]
    page = figure.bbox
    outside = [a for a, x in boxes if x.x0 < page.x0 - 1 or x.x1 > page.x1 + 1 or x.y0 < -1 or x.y1 > page.y1 + 1]
    return pairs, outside
