"""The figures of the paper: every file in both formats, marked where simulated, texts inside the picture."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from stag.config import Config
from stag.errors import ConfigError
from stag.evaluation.evaluate import evaluate
from stag.model.stag import STAG
from stag.report.figures import material as source
from stag.report.figures.kinds import KINDS, chosen_kinds
from stag.report.figures.make import DRAW, make_figures, write_figures
from stag.report.figures.material import Material
from stag.report.figures.sets import neighbour_share
from stag.report.plots.frame import SIMULATED
from synthetic import synthetic_motion
from tiny import TINY

CLASSES = ("negative", "positive", "surprise")
FILES = {
    1: {"figure-1-architecture"}, 2: {"figure-2-maps"}, 3: {"figure-3-comparison"}, 4: {"figure-4-motion"},
    5: {"figure-5-embedding"}, 6: {"figure-6-graphs", "figure-6-graphs-over-time"}, 7: {"figure-7-protocols"},
    8: {"figure-8-confusions"},
}  # fmt: skip


def tiny_model(*changes, layout="roi18", reference="first"):
    model = STAG(Config().override([*TINY, *changes]).model, layout=layout, steps=6, classes=CLASSES)
    model.info = replace(model.info, motion={"reference": reference}, training={"simulated": True, "au_source": "none"})
    return model


@pytest.fixture(scope="module")
def small():
    """Make the simulated material small, once for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "MAP_PEOPLE", 5)
        patch.setattr(source, "STUDY_PEOPLE", 3)
        patch.setattr(source, "STUDY_CLIPS", 6)
        patch.setattr(source, "_STUDY_SETTINGS", (*TINY, "train.epochs=1", "train.validation_share=0"))
        yield Material(tiny_model(), "tiny")


@pytest.fixture(scope="module")
def made(small):
    return make_figures(small)


def texts(figure: Figure) -> list[Text]:
    found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    # Ticks beyond the ends of an axis, and labels of three-dimensional axes, are not drawn.
    ticks = {id(t) for axis in figure.axes for t in (*axis.get_xticklabels(which="both"), *axis.get_yticklabels())}
    return [text for text in found if id(text) not in ticks]


def test_every_kind_has_its_drawing_and_its_number():
    assert list(DRAW) == list(KINDS)
    assert [kind.number for kind in KINDS.values()] == list(range(1, 9))
    assert chosen_kinds(["8", "maps", "2"]) == ["maps", "confusions"]
    assert chosen_kinds() == list(KINDS)
    with pytest.raises(ConfigError, match="no figure 'grahps'"):
        chosen_kinds(["grahps"])


def test_all_eight_are_made_and_marked(made):
    assert {one.stem for one in made} == set().union(*FILES.values())
    assert all(one.simulated for one in made)
    assert all(one.title.startswith(f"Figure {one.stem.split('-')[1]}. ") for one in made)


def test_every_file_is_written_in_both_formats_and_says_that_it_is_simulated(made, tmp_path):
    paths = write_figures(tmp_path, made)
    names = {one.stem for one in made}
    assert {p.name for p in tmp_path.iterdir()} == {f"{n}.{e}" for n in names for e in ("png", "svg")} | {
        "figures.json"
    }
    assert len(paths) == 2 * len(made)
    for path in paths:
        content = path.read_bytes()
        assert len(content) > 5000
        assert content.startswith(b"\x89PNG" if path.suffix == ".png" else b"<?xml")
        assert path.suffix == ".png" or SIMULATED in content.decode()
    index = json.loads((tmp_path / "figures.json").read_text())
    assert [row["file"] for row in index["figures"]] == [one.stem for one in made]
    assert all(row["simulated"] and row["shows"] for row in index["figures"])


def test_no_text_leaves_the_picture(made):
    for one in made:
        figure = one.figure
        figure.draw_without_rendering()
        width, height = figure.bbox.width, figure.bbox.height
        for text in texts(figure):
            box = text.get_window_extent()
            inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
            assert inside, (one.stem, text.get_text(), box)


def test_headings_and_notes_do_not_touch_the_drawing(made):
    for one in made:
        figure = one.figure
        figure.draw_without_rendering()
        note = [text for text in figure.texts if len(text.get_text()) > 20 and text.get_text() in one.note]
        assert note, one.stem
        lowest = min(text.get_window_extent().y0 for text in note)
        title = next(text for text in figure.texts if text.get_text() == one.title).get_window_extent()
        mark = next(text for text in figure.texts if text.get_text() == SIMULATED).get_window_extent()
        assert title.x1 < mark.x0
        for axis in figure.axes:
            if axis.axison or axis.get_title(loc="left"):
                assert axis.get_window_extent().y1 <= lowest + 1, one.stem


def test_the_architecture_shows_the_real_shapes(made, small):
    words = " ".join(text.get_text() for text in texts(next(o for o in made if "architecture" in o.stem).figure))
    config, (steps, regions, _) = small.model.info.model, small.model.shape
    for shape in (
        (steps, regions, 2), (steps, regions, config.embed_dim), (steps, regions, regions),
        (regions, config.embed_dim), (steps, config.transformer_dim),
    ):  # fmt: skip
        assert " × ".join(map(str, shape)) in words
    assert f"{sum(p.numel() for p in small.model.classifier.parameters()):,} parameters" in words


@pytest.mark.parametrize(
    "changes",
    [
        ("model.graph=false",),
        ("model.temporal=false",),
        ("model.cross_attention=false",),
        ("model.graph_layers=0",),
        ("model.graph_layers=4", "model.transformer_layers=6"),
    ],
)
def test_any_model_can_be_drawn(small, changes):
    other = replace(small, model=tiny_model(*changes))
    figures = make_figures(other, ["architecture", "graphs"])
    assert figures[0].stem == "figure-1-architecture"
    drawn_graphs = "model.graph=false" not in changes and "model.graph_layers=0" not in changes
    assert len(figures) == (3 if drawn_graphs else 1)


def test_fourteen_regions_and_motion_between_steps(small):
    other = replace(small, model=tiny_model(layout="roi14", reference="previous"))
    assert len(make_figures(other, ["1", "3", "4", "6"])) == 5


def test_truth_is_that_of_the_simulated_clip(small):
    for shown in small.simulated_clips:
        moving = np.hypot(*np.moveaxis(shown.true_motion, -1, 0)) > 0.15
        assert np.corrcoef(shown.motion.motion[moving].ravel(), shown.true_motion[moving].ravel())[0, 1] > 0.8


def test_what_the_user_gives_is_drawn_and_not_marked(small, tmp_path):
    motion = replace(synthetic_motion(subjects=4, clips=4), meta={"classes": list(CLASSES), "simulated": False})
    settings = Config().override([*TINY, "train.epochs=1"])
    result = evaluate(motion, settings, protocol="gkf", folds=2, out=tmp_path / "run").content
    own = Material(
        small.model, "tiny", clip=small.shown.motion, clip_name="me.mp4", motion=motion, runs={tmp_path / "run": result}
    )
    figures = make_figures(own)
    marked = {one.stem for one in figures if one.simulated}
    assert marked == {"figure-3-comparison"}
    for one in figures:
        found = [text.get_text() for text in one.figure.texts]
        assert (SIMULATED in found) == one.simulated
    counts = next(one for one in figures if one.stem == "figure-8-confusions").figure
    numbers = [int(t.get_text()) for axis in counts.axes for t in axis.texts if re.fullmatch(r"\d+", t.get_text())]
    assert sum(numbers) == len(motion)


def test_runs_of_different_classes_get_a_figure_each(small, tmp_path):
    runs = {}
    for number, names in enumerate((CLASSES, ("a", "b"))):
        motion = synthetic_motion(subjects=3, clips=6, seed=number)
        labels = np.array([names[i % len(names)] for i in range(len(motion))])
        motion = replace(motion, label=labels, meta={"classes": list(names)})
        settings = Config().override([*TINY, "train.epochs=1"])
        runs[tmp_path / str(number)] = evaluate(motion, settings, protocol="gkf", folds=2).content
    figures = make_figures(Material(small.model, "tiny", runs=runs), ["8"])
    assert [one.stem for one in figures] == ["figure-8-confusions-3-classes", "figure-8-confusions-2-classes"]


def test_neighbours_of_one_class_are_counted():
    apart = np.repeat([[0.0, 0.0], [10.0, 10.0]], 8, axis=0) + np.random.default_rng(0).normal(0, 0.1, (16, 2))
    labels = np.repeat(["a", "b"], 8)
    assert neighbour_share(apart, labels) == 1
    assert neighbour_share(apart, np.array(["a", "b"] * 8)) < 0.8
