import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from readable import overlaps, texts
from stag.motion.regions import LAYOUTS, channel_names
from stag.motion.transforms import strongest_step
from stag.report.plots import motion as figures
from stag.report.plots import scores as scores_plots
from stag.report.plots.face import MAX_EDGES, arrow_scale, graph_figure, node_positions, strongest_edges
from stag.report.theme import RULE, figure_svg


def every_figure(p):
    names, motion = channel_names(p.layout), p.motion
    adjacency = p.adjacency[-1].mean(axis=0)
    return {
        "face": figures.face_motion_figure(motion.crop, motion.points, motion.motion[3], p.layout),
        "heat": figures.motion_heatmap_figure(motion.motion, motion.time_s, names),
        "curves": figures.motion_curves_figure(motion.motion, motion.time_s, names),
        "graph": graph_figure(adjacency, motion.points, None, p.layout),
        "graph on photo": graph_figure(adjacency, motion.points, motion.crop, p.layout),
        "matrix": figures.adjacency_figure(adjacency, names),
        "combined": figures.motion_figure(motion, p.layout),
    }


@pytest.mark.parametrize("layout", ["roi20", "roi18", "roi14"])
def test_every_name_is_shown_and_no_label_covers_another(make_prediction, layout):
    p = make_prediction(layout=layout, seed=5)
    for what, figure in every_figure(p).items():
        assert isinstance(figure, Figure)
        assert overlaps(figure) == ([], []), what
        if what != "curves":
            shown = [t.get_text() for t in texts(figure)]
            assert all(any(t.startswith(name) for t in shown) for name in channel_names(layout)), what


def test_arrows_are_as_long_as_the_caption_says(make_prediction):
    p = make_prediction(motion=np.tile(np.linspace(0.1, 0.8, 18)[None, :, None], (4, 1, 2)))
    vectors = p.motion.motion[0].astype(float)
    scale = arrow_scale(vectors)
    assert scale * np.hypot(*vectors[-1]) <= 34 < (scale + 10) * np.hypot(*vectors[-1])
    axis = figures.face_motion_figure(p.motion.crop, p.motion.points, vectors, "roi18").axes[0]
    arrows = [a for a in axis.patches if isinstance(a, FancyArrowPatch)]
    windows = [a for a in axis.patches if isinstance(a, Rectangle)]
    assert len(arrows) == len(windows) == 18
    for arrow, vector in zip(arrows, vectors, strict=True):
        start, end = arrow._posA_posB
        assert np.allclose(np.subtract(end, start), vector * scale)


def test_the_four_panels_show_mean_vectors(make_prediction):
    p = make_prediction(
        motion=np.tile(np.linspace(0.1, 0.8, 18)[None, :, None], (4, 1, 2)) * np.array([1, 2, 3, 0]).reshape(4, 1, 1)
    )
    face = figures.motion_figure(p.motion, p.layout).axes[0]
    mean = p.motion.motion.astype(float).mean(axis=0)
    arrows = [a for a in face.patches if isinstance(a, FancyArrowPatch)]
    for arrow, vector in zip(arrows, mean, strict=True):
        start, end = arrow._posA_posB
        assert np.allclose(np.subtract(end, start), vector * arrow_scale(mean))


def test_noise_is_never_blown_up_to_a_movement():
    assert arrow_scale(np.full((18, 2), 1e-4)) == 50
    assert arrow_scale(np.zeros((18, 2))) == 50
    assert arrow_scale(np.array([[200.0, 0.0]])) == 1


def test_the_map_shows_magnitudes_over_time(make_prediction):
    p = make_prediction(seed=2)
    figure = figures.motion_heatmap_figure(p.motion.motion, p.motion.time_s, channel_names("roi18"))
    (mesh,) = figure.findobj(QuadMesh)
    size = np.sqrt((p.motion.motion.astype(float) ** 2).sum(axis=-1))
    assert np.allclose(np.asarray(mesh.get_array()).reshape(18, -1), size.T / size.max())
    edges = mesh.get_coordinates()[0, :, 0]
    time_s = p.motion.time_s
    assert ((edges[:-1] <= time_s) & (time_s <= edges[1:])).all()


def test_the_map_of_a_still_face_stays_pale(make_prediction):
    p = make_prediction(motion=np.full((4, 18, 2), 0.01))
    (mesh,) = figures.motion_heatmap_figure(p.motion.motion, p.motion.time_s, channel_names("roi18")).findobj(QuadMesh)
    assert np.asarray(mesh.get_array()).max() < 0.1


def test_the_five_curves_are_those_of_the_highest_peak(make_prediction):
    motion = np.zeros((6, 18, 2))
    for rank, channel in enumerate((7, 2, 16, 11, 0)):
        motion[2 + rank % 3, channel, 1] = 2.0 - 0.3 * rank
    motion[:, 13, 0] = 0.3
    p = make_prediction(motion=motion)
    figure = figures.motion_curves_figure(p.motion.motion, p.motion.time_s, channel_names("roi18"))
    named = [t.get_text() for t in figure.axes[0].texts]
    assert named == [channel_names("roi18")[i] for i in (7, 2, 16, 11, 0)]
    at_apex = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "--"]
    assert [line.get_xdata()[0] for line in at_apex] == pytest.approx([p.motion.time_s[strongest_step(motion)]])
    grey = [line for line in figure.axes[0].lines if line.get_color() == RULE]
    assert len(grey) == 13


def test_time_that_stands_still_falls_back_to_steps(make_prediction):
    p = make_prediction()
    for draw in (figures.motion_curves_figure, figures.motion_heatmap_figure):
        figure = draw(p.motion.motion, np.zeros(8, np.float32), channel_names("roi18"))
        assert figure.axes[0].get_xlabel() == "step"


def test_edges_are_the_strongest_above_an_even_share(rng):
    adjacency = rng.dirichlet(np.ones(18) * 0.5, size=18)
    edges = strongest_edges(adjacency)
    drawn = {(i, j) for i, j, _ in edges}
    assert len(edges) == MAX_EDGES
    weakest = min(w for *_, w in edges)
    for i in range(18):
        for j in range(18):
            expected = i != j and adjacency[i, j] >= weakest
            assert ((i, j) in drawn) == expected
    assert strongest_edges(np.full((18, 18), 1 / 18)) == []


def test_the_graph_draws_its_edges_and_nodes(make_prediction):
    p = make_prediction(seed=1)
    adjacency = p.adjacency[-1].mean(axis=0)
    axis = graph_figure(adjacency, p.motion.points, None, "roi18").axes[0]
    arrows = [a for a in axis.patches if isinstance(a, FancyArrowPatch)]
    nodes = node_positions(p.motion.points, "roi18")
    ends = {tuple(np.round([*a._posA_posB[0], *a._posA_posB[1]], 6)) for a in arrows}
    assert ends == {tuple(np.round([*nodes[i], *nodes[j]], 6)) for i, j, _ in strongest_edges(adjacency)}
    assert np.allclose(axis.collections[0].get_offsets(), nodes)


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_no_node_of_the_graph_hides_another(face_points, layout):
    nodes = node_positions(face_points, layout)
    distance = np.hypot(*np.moveaxis(nodes[:, None] - nodes[None], -1, 0))
    assert distance[np.triu_indices(len(nodes), 1)].min() > 18.5
    assert np.isfinite(nodes).all()


def test_a_confusion_matrix_shows_counts_and_row_shares():
    figure = scores_plots.confusion_figure(np.array([[30, 10, 0], [5, 15, 0], [0, 0, 0]]), ["a$b$", "c_d", "e"])
    shown = [t.get_text() for t in figure.axes[0].texts]
    assert shown == ["30", ".75", "10", ".25", "0", ".00", "5", ".25", "15", ".75", "0", ".00"] + ["0", "–"] * 3
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["a$b$", "c_d", "e"]
    assert overlaps(figure) == ([], [])


def test_seven_long_class_names_fit():
    names = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "others"]
    assert overlaps(scores_plots.confusion_figure(np.full((7, 7), 1234), names)) == ([], [])


def test_methods_are_ranked_and_the_interval_is_drawn():
    scores = [("STAG", 0.7, 0.72), ("majority", 0.2, 0.3), ("SVM", 0.8, 0.75)]
    axis = scores_plots.baseline_figure(scores, (0.6, 0.8)).axes[0]
    assert [t.get_text() for t in axis.get_yticklabels()] == ["SVM", "STAG", "majority"]
    assert [t.get_text() for t in axis.texts] == [".80", ".70", ".20"]
    intervals = [line for line in axis.lines if list(line.get_xdata()) == [0.6, 0.8]]
    assert [set(line.get_ydata()) for line in intervals] == [{1}]


def test_people_are_stacked_at_their_accuracy(rng):
    accuracy, clips = rng.integers(0, 5, 200) / 4, rng.integers(1, 20, 200)
    figure = scores_plots.subject_figure(accuracy, clips, 0.5)
    points = np.asarray(figure.axes[0].collections[0].get_offsets())
    assert np.allclose(points[:, 0], accuracy)
    assert len({tuple(p) for p in points.round(6)}) == 200
    assert figure.get_size_inches()[1] < 4


def test_nothing_touches_the_global_style(make_prediction):
    before = {name: value for name, value in dict.items(mpl.rcParams) if name != "backend"}
    p = make_prediction()
    figure_svg(figures.face_motion_figure(p.motion.crop, p.motion.points, p.motion.motion[0], "roi18"))
    assert {name: value for name, value in dict.items(mpl.rcParams) if name != "backend"} == before


def test_pyplot_is_never_imported():
    script = (
        "import sys, numpy; from stag.report.plots.scores import *; from stag.report.plots.motion import *;"
        "from stag.report.plots.embedding import *; from stag.report.theme import figure_png;"
        "figure_png(confusion_figure(numpy.eye(2), ['a', 'b']));"
        "figure_png(embedding_figure(numpy.random.rand(9, 3), ['a', 'b', 'c'] * 3, ['a', 'b', 'c']));"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
