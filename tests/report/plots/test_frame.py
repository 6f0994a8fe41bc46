"""The frame of a figure: the drawing keeps its size, long notes wrap, the mark appears only where asked for."""

import numpy as np
import pytest

from stag.report.plots.frame import SIMULATED, framed
from stag.report.theme import new_figure


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_the_drawing_keeps_its_size_below_the_heading(layout):
    figure = new_figure(8, 3, layout=layout)
    axis = figure.add_axes((0.1, 0.2, 0.5, 0.6)) if layout is None else figure.add_subplot()
    axis.plot([0, 1])
    figure.draw_without_rendering()
    before = axis.get_position().bounds * np.array([8, 3, 8, 3])
    framed(figure, "Figure 9. Something", "A note. " * 40, simulated=True)
    width, height = figure.get_size_inches()
    assert (width, height > 3) == (8, True)
    after = axis.get_position().bounds * np.array([8, height, 8, height])
    assert after[[1, 3]] == pytest.approx(before[[1, 3]], abs=0.02)
    # A drawing that lays itself out is moved a little away from the edge.
    assert after[[0, 2]] == pytest.approx(before[[0, 2]], abs=0.02 if layout is None else 0.3)
    figure.draw_without_rendering()
    lines = [text for text in figure.texts if text.get_text().startswith(("A note", "note"))]
    assert len(lines) > 1
    assert all(text.get_window_extent().x1 <= figure.bbox.width for text in lines)
    assert min(text.get_window_extent().y0 for text in lines) >= axis.get_window_extent().y1


@pytest.mark.parametrize("simulated", [True, False])
def test_the_mark_is_there_where_the_data_is_simulated(simulated):
    figure = framed(new_figure(5, 2), "Title", "Note", simulated=simulated)
    assert ([text.get_text() for text in figure.texts].count(SIMULATED)) == int(simulated)
