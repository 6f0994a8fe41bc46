import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb

from readable import overlaps, texts
from stag.motion.regions import CHANNELS, LAYOUTS, channel_names, channel_window
from stag.report.plots.attribution import (
    AGAINST,
    FOR,
    SIGNED,
    attention_maps_figure,
    attribution_figure,
    heat_field,
    lit_face_figure,
)
from stag.report.theme import figure_inline, figure_png


@pytest.fixture
def crop():
    return (np.add.outer(np.arange(256), np.arange(256)) // 2).astype(np.uint8)


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_a_region_lights_up_where_it_is_and_nowhere_else(face_points, layout):
    for i, channel_id in enumerate(LAYOUTS[layout]):
        values = np.zeros(len(LAYOUTS[layout]))
        values[i] = -2.0
        field = heat_field(values, face_points, layout)
        top, bottom, left, right = channel_window(CHANNELS[channel_id], face_points)
        row, column = np.unravel_index(np.abs(field).argmax(), field.shape)
        assert field.min() == pytest.approx(-2, abs=0.05)
        assert field.max() <= 0
        assert top <= row < bottom
        assert left <= column < right
        far = np.ones_like(field, bool)
        tall, wide = bottom - top, right - left
        far[max(0, top - tall) : bottom + tall, max(0, left - wide) : right + wide] = False
        assert np.abs(field[far]).max(initial=0) < 0.02


def test_where_regions_overlap_the_stronger_counts(face_points, rng):
    values = rng.normal(size=18)
    field = heat_field(values, face_points, "roi18")
    alone = np.stack([heat_field(values * (np.arange(18) == i), face_points, "roi18") for i in range(18)])
    strongest = np.take_along_axis(alone, np.abs(alone).argmax(axis=0)[None], axis=0)[0]
    np.testing.assert_allclose(field, strongest)


def test_colours_tell_for_from_against_and_fade_to_nothing():
    assert SIGNED(1.0)[:3] == pytest.approx(to_rgb(FOR))
    assert SIGNED(0.0)[:3] == pytest.approx(to_rgb(AGAINST))
    assert SIGNED(0.5)[3] < 0.05
    strength = [SIGNED(x)[3] for x in np.linspace(0.5, 1, 20)]
    assert np.all(np.diff(strength) >= 0)
    assert strength[10] == pytest.approx(0.53, abs=0.05)


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("count", [1, 3, 4, 7])
def test_maps_side_by_side_name_their_strongest_regions(crop, face_points, layout, count, rng):
    names = channel_names(layout)
    maps = {f"Method {i}": rng.normal(size=len(names)) for i in range(count)}
    figure = attention_maps_figure(crop, face_points, maps, layout)
    assert overlaps(figure) == ([], [])
    for title, values in maps.items():
        (axis,) = [a for a in figure.axes if a.get_title(loc="left") == title]
        (told,) = [t.get_text().split("\n") for t in axis.texts]
        order = np.argsort(-np.abs(values))[:3]
        assert told == [names[i] + (" −" if values[i] < 0 else "") for i in order]


def test_an_empty_map_says_so(crop, face_points):
    figure = attention_maps_figure(crop, face_points, {"Grad-CAM": np.zeros(18)})
    assert "nothing" in [t.get_text() for t in texts(figure)]
    lit = figure.axes[0].images[1].get_array()
    assert lit[..., 3].max() == 0


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("signed", [True, False])
def test_one_attribution_in_full(crop, face_points, layout, signed, rng):
    names = channel_names(layout)
    values = rng.normal(size=(8, len(names)))
    values = values if signed else np.abs(values)
    time_s = np.linspace(0, 0.4, 8)
    figure = attribution_figure(
        values, time_s, crop, face_points, layout, title="Why surprise (.71)?  Integrated Gradients", signed=signed
    )
    assert overlaps(figure) == ([], [])
    shown = [t.get_text() for t in texts(figure)]
    assert set(names) <= set(shown)
    (mesh,) = figure.findobj(QuadMesh)
    drawn = np.asarray(mesh.get_array()).reshape(len(names), 8)
    np.testing.assert_allclose(drawn, values.T / np.abs(values).max())
    bars = [patch.get_width() for patch in figure.axes[3].patches]
    np.testing.assert_allclose(bars, values.sum(axis=0))
    (line,) = [line for line in figure.axes[2].lines if len(line.get_ydata()) == 8]
    np.testing.assert_allclose(line.get_ydata(), values.sum(axis=1))


def test_an_attribution_of_zeros_and_time_that_stands_still(crop, face_points):
    figure = attribution_figure(np.zeros((4, 18)), np.zeros(4), crop, face_points, title="nothing")
    assert figure_png(figure)[:4] == b"\x89PNG"
    assert figure.axes[1].get_xlabel() == "step"


def test_pictures_of_one_clip_can_share_a_scale(crop, face_points):
    weak, strong = np.zeros(18), np.zeros(18)
    weak[3], strong[3] = 0.1, 1.0
    light = [
        lit_face_figure(crop, face_points, values, top=1.0).axes[0].images[1].get_array()[..., 3].max()
        for values in (weak, strong)
    ]
    assert light[0] == pytest.approx(light[1] / 10, rel=0.05)


def test_on_a_page_the_colours_are_the_pages(crop, face_points):
    figure = attribution_figure(np.eye(4, 18), np.arange(4.0), crop, face_points, title="a")
    text = figure_inline(figure, "x", "why")
    assert FOR not in text
    assert "var(--series-1)" in text
