"""Figures of several layers, clips, sets and methods."""

import re
import sys

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch

from readable import overlaps, texts
from stag.errors import MissingDependency
from stag.motion.regions import channel_names
from stag.report.plots.embedding import embedding_figure, embedding_page
from stag.report.plots.face import layer_graphs_figure, strongest_edges
from stag.report.plots.scores import Bar, confusions_figure, faithfulness_figure, protocol_figure
from stag.report.theme import SERIES, figure_png
from stag.utils.extras import install_hint

CLASSES = ("negative", "positive", "surprise")


@pytest.mark.parametrize(("layers", "layout"), [(1, "roi14"), (2, "roi18"), (3, "roi14"), (4, "roi18")])
def test_every_layer_shows_its_links_and_every_channel_its_number(face_points, layout, layers, rng):
    names = channel_names(layout)
    adjacency = rng.dirichlet(np.full(len(names), 0.5), size=(layers, len(names)))
    figure = layer_graphs_figure(adjacency, face_points, layout)
    assert overlaps(figure) == ([], [])
    shown = [t.get_text() for t in texts(figure)]
    assert set(names) <= set(shown)
    for i, axis in enumerate(figure.axes):
        links = [p for p in axis.patches if isinstance(p, FancyArrowPatch)]
        assert len(links) == len(strongest_edges(adjacency[i]))
        assert axis.get_title(loc="left") == f"Layer {i + 1}"
        numbers = {t.get_text() for t in axis.texts}
        assert {str(n + 1) for n in range(len(names))} <= numbers


def test_a_graph_that_prefers_nothing_looks_like_it(face_points):
    size = 18
    even = np.full((1, size, size), 1 / size)
    (axis,) = layer_graphs_figure(even, face_points).axes
    assert not [p for p in axis.patches if isinstance(p, FancyArrowPatch)]
    hardly = even.copy()
    hardly[0, 0, 1] += 0.004
    hardly[0, 0, 2] -= 0.004
    (axis,) = layer_graphs_figure(hardly, face_points).axes
    (link,) = [p for p in axis.patches if isinstance(p, FancyArrowPatch)]
    assert link.get_alpha() < 0.35


@pytest.fixture
def clips(rng):
    labels = np.array(CLASSES)[rng.integers(0, 3, 90)]
    return rng.normal(size=(90, 3)) + 4 * (labels[:, None] == np.array(CLASSES)), labels


def test_every_clip_is_on_the_map_from_both_sides(clips):
    points, labels = clips
    figure = embedding_figure(points, labels, CLASSES, "Features of 90 simulated clips, t-SNE")
    assert overlaps(figure) == ([], [])
    for axis in figure.axes:
        assert [len(c.get_offsets()) for c in axis.collections] == [int((labels == name).sum()) for name in CLASSES]
        seen = np.vstack([np.ma.getdata(c._offsets3d).T for c in axis.collections])
        np.testing.assert_allclose(seen, np.vstack([points[labels == name] for name in CLASSES]))
    shown = [t.get_text() for legend in figure.legends for t in legend.get_texts()]
    assert shown == [f"{name} ({(labels == name).sum()})" for name in CLASSES]
    assert figure_png(figure) == figure_png(embedding_figure(points, labels, CLASSES, figure.texts[0].get_text()))


def test_the_turning_map_stands_alone(clips):
    points, labels = clips
    names = [f"clip<{i}>" for i in range(90)]
    page = embedding_page(points, labels, CLASSES, names=names, title="a <b> & c")
    assert page.startswith("<!doctype html>")
    assert len(page) < 5_000_000
    assert 'src="http' not in page
    assert "<script src" not in page
    assert "<h1>a &lt;b&gt; &amp; c</h1>" in page
    assert "clip<0>" not in page
    assert all(colour in page for colour in SERIES[:3])
    assert page == embedding_page(points, labels, CLASSES, names=names, title="a <b> & c")


def test_plotly_is_an_extra(clips, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(MissingDependency, match=re.escape(install_hint("explain"))):
        embedding_page(*clips, CLASSES)


def test_bars_are_as_high_as_the_scores_and_say_when_people_are_shared(rng):
    bars = [
        Bar(dataset, protocol, float(v), float(v) - 0.05, float(v) + 0.05)
        for dataset in ("CASME II", "SAMM", "SMIC", "4DME", "DFME")
        for protocol, v in zip(("LOSO", "GKF", "SKF"), rng.uniform(0.3, 0.9, 3), strict=True)
    ]
    figure = protocol_figure(bars, "UF1", ("SKF",))
    assert overlaps(figure) == ([], [])
    (axis,) = figure.axes
    heights = [patch.get_height() for patch in axis.patches if not patch.get_hatch()]
    np.testing.assert_allclose(heights, [bar.value for bar in bars])
    assert len([patch for patch in axis.patches if patch.get_hatch()]) == 5
    assert [t.get_text() for t in axis.get_legend().get_texts()] == ["LOSO", "GKF", "SKF, same people"]
    assert axis.get_ylim()[0] == 0
    whiskers = [list(line.get_ydata()) for line in axis.lines]
    np.testing.assert_allclose(whiskers, [[bar.low, bar.high] for bar in bars])


def test_a_single_bar_without_an_interval():
    figure = protocol_figure([Bar("SAMM", "LOSO", 0.5)], "UAR")
    assert overlaps(figure) == ([], [])
    assert not figure.axes[0].lines


@pytest.mark.parametrize(
    "classes", [CLASSES, ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "others")]
)
@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_matrices_beside_each_other(classes, count, rng):
    size = len(classes)
    matrices = {f"Set {i}": rng.integers(0, 1000, (size, size)) for i in range(count)}
    figure = confusions_figure(matrices, classes)
    assert overlaps(figure) == ([], [])
    for title, counts in matrices.items():
        (axis,) = [a for a in figure.axes if a.get_title(loc="left") == title]
        told = np.array([int(t.get_text()) for t in axis.texts[::2]]).reshape(size, size)
        np.testing.assert_array_equal(told, counts)


def test_faithfulness_ranks_the_methods(rng):
    titles = ["Integrated Gradients", "Occlusion", "Grad-CAM", "HiResCAM", "Graph attention", "Size of the motion"]
    shares = {title: (0.1 * i + 0.1, 0.1 * i + 0.05, 0.1 * i + 0.15) for i, title in enumerate(titles)}
    curve = {title: rng.random(17) for title in titles}
    figure = faithfulness_figure(shares, {"Occlusion": 0.15}, 0.18, curve, curve)
    assert overlaps(figure) == ([], [])
    where, off, on, key = figure.axes
    assert [t.get_text() for t in where.get_yticklabels()] == titles[::-1]
    assert [t.get_text() for t in key.texts] == titles[::-1]
    for axis in (off, on):
        drawn = {tuple(line.get_ydata()) for line in axis.lines}
        assert drawn == {tuple(values) for values in curve.values()}
