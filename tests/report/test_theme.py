import re
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest

from stag.report.theme import ACCENT, INK, SERIES, STYLE, figure_inline, figure_png, figure_svg, new_figure, spread


def drawing():
    with mpl.rc_context(STYLE):
        figure = new_figure(3, 2)
        axis = figure.add_subplot()
        axis.plot([0, 1], [0, 1], color=SERIES[1], marker="o")
        axis.imshow(np.zeros((4, 4)), interpolation="none")
        axis.set_title("a < b & c $x$")
    return figure


@pytest.mark.parametrize("seed", range(20))
def test_spread_keeps_order_gap_and_bounds(seed):
    rng = np.random.default_rng(seed)
    targets = rng.uniform(-20, 120, 7)
    placed = spread(targets, 10, 0, 100)
    assert placed.min() >= -1e-9
    assert placed.max() <= 100 + 1e-9
    ordered = placed[np.argsort(targets)]
    assert (np.diff(ordered) >= 10 - 1e-9).all()


def test_spread_is_the_nearest_allowed_placement(rng):
    targets = np.array([10.0, 12.0, 13.0, 60.0])
    best = np.sum((spread(targets, 8, 0, 100) - targets) ** 2)
    for _ in range(3000):
        other = np.sort(rng.uniform(0, 70, 4))
        if (np.diff(other) >= 8).all():
            assert np.sum((other - targets) ** 2) >= best - 1e-9
    assert np.array_equal(spread([5.0, 50.0], 8, 0, 100), [5.0, 50.0])


def test_spread_shrinks_the_gap_where_there_is_no_room():
    assert np.allclose(spread([50, 50, 50], 80, 0, 100), [0, 50, 100])


def test_equal_figures_give_equal_bytes():
    assert figure_png(drawing()) == figure_png(drawing())
    assert figure_svg(drawing()) == figure_svg(drawing())
    assert figure_inline(drawing(), "a", "x") == figure_inline(drawing(), "a", "x")
    assert figure_png(drawing()).startswith(b"\x89PNG")


def test_an_inline_figure_stands_alone_on_the_page():
    text = figure_inline(drawing(), "p1", 'arrow "up" & <b>')
    ids, references, labels = [], [], []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            values = dict(attrs)
            ids.extend([values["id"]] if "id" in values else [])
            references.extend(re.findall(r"url\(#([^)]+)\)", str(values)))
            references.extend(v[1:] for k, v in attrs if k == "xlink:href" and v.startswith("#"))
            labels.extend([values["aria-label"]] if tag == "svg" else [])
            assert tag != "style"

    Reader().feed(text)
    assert len(set(ids)) == len(ids) > 0
    assert all(name.startswith("p1-") for name in ids)
    assert references
    assert set(references) <= set(ids)
    assert labels == ['arrow "up" & <b>']
    assert "http" not in text
    assert "DejaVu" not in text
    assert not [colour for colour in (INK, ACCENT, *SERIES) if colour in text]
    assert "var(--series-1)" in text
    assert "var(--ink)" in text
    assert "a &lt; b &amp; c $x$" in text


def test_a_file_keeps_its_colours_and_ground():
    text = figure_svg(drawing())
    assert SERIES[1] in text
    assert "var(" not in text
