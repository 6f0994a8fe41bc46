"""What a model says of several clips beside what really happened; takes plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.patheffects import withStroke

from stag.motion.regions import CHANNELS, LAYOUTS, channel_window
from stag.report.plots.attribution import draw_face_heat
from stag.report.plots.face import arrow_scale
from stag.report.theme import ACCENT, INK, MUTED, RULE, SERIES, STYLE, new_figure
from stag.report.wording import share
from stag.types import FloatArray, GreyImage

_SIDE, _GAP, _HEAD, _FOOT, _WORDS = 1.78, 0.16, 0.36, 0.5, 1.85
_SHORTEST_PX = 6.0  # an arrow this short is all head


class ComparedClip(NamedTuple):
    """One row of the comparison.

    Attributes:
        crop: ``(256, 256)`` uint8.
        points: ``(68, 2)`` landmarks on the crop.
        truth: Name of the true class.
        about: A line about the clip, such as its action units.
        probabilities: ``(C,)`` of the model.
        true_motion: ``(R, 2)`` true motion at the apex, crop pixels.
        measured: ``(R, 2)`` measured motion at the same step.
        maps: Title -> weight of each channel ``(R,)``.
        hits: Title -> share of the weights on what truly moves; also of the measured motion, under ``measured``.
    """

    crop: GreyImage
    points: FloatArray
    truth: str
    about: str
    probabilities: FloatArray
    true_motion: FloatArray
    measured: FloatArray
    maps: Mapping[str, FloatArray]
    hits: Mapping[str, float]


@mpl.rc_context(STYLE)
def comparison_figure(clips: Sequence[ComparedClip], classes: Sequence[str], layout: str = "roi18") -> Figure:
    """Draw predicted beside true class, measured beside true motion, and maps of the model, one row a clip (Fig. 3).

    Args:
        clips: The rows; all have the same maps.
        classes: Class names, in the order of the probabilities.
        layout: Region layout.
    """
    titles = list(clips[0].maps)
    columns = 2 + len(titles)
    width = _GAP + _WORDS + columns * (_SIDE + _GAP) + _GAP
    height = _HEAD + len(clips) * (_SIDE + _FOOT) + 0.06
    figure = new_figure(width, height)
    for row, clip in enumerate(clips):
        top = _HEAD + row * (_SIDE + _FOOT)

        def place(column: int, top: float = top) -> tuple[float, float, float, float]:
            left = _GAP + _WORDS + column * (_SIDE + _GAP)
            return left / width, 1 - (top + _SIDE) / height, _SIDE / width, _SIDE / height

        words = (_GAP / width, 1 - (top + _SIDE) / height, (_WORDS - 0.2) / width, _SIDE / height)
        _answer(figure.add_axes(words), clip, classes)
        scale = min(arrow_scale(clip.true_motion), arrow_scale(clip.measured))
        for column, (title, vectors) in enumerate(
            (("True motion", clip.true_motion), ("Measured motion", clip.measured))
        ):
            axis = figure.add_axes(place(column))
            size = np.hypot(vectors[:, 0], vectors[:, 1])
            draw_face_heat(axis, clip.crop, clip.points, size, layout)
            _arrows(axis, clip.points, vectors * scale, layout)
            foot = f"up to {share(float(size.max()))} px; arrows {scale}×"
            if column:
                foot += f"\n{_hits(clip.hits['measured'])}"
            _named(axis, title if row == 0 else "", foot)
        for column, title in enumerate(titles, start=2):
            axis = figure.add_axes(place(column))
            draw_face_heat(axis, clip.crop, clip.points, clip.maps[title], layout)
            _named(axis, title if row == 0 else "", _hits(clip.hits[title]))
    return figure


def _answer(axis: Axes, clip: ComparedClip, classes: Sequence[str]) -> None:
    """Write the true and the predicted class, and draw the probabilities."""
    axis.set_axis_off()
    axis.set_xlim(0, 1)
    axis.set_ylim(1, 0)
    best = int(np.argmax(clip.probabilities))
    right = classes[best] == clip.truth
    verdict = SERIES[2] if right else SERIES[1]
    axis.text(0, 0.06, "truth", fontsize=8, color=MUTED, va="center_baseline")
    axis.text(0.36, 0.06, clip.truth, fontsize=10, fontweight="bold", color=INK, va="center_baseline")
    axis.text(0, 0.18, "predicted", fontsize=8, color=MUTED, va="center_baseline")
    axis.text(0.36, 0.18, classes[best], fontsize=10, fontweight="bold", color=verdict, va="center_baseline")
    axis.text(0, 0.30, clip.about, fontsize=8, color=MUTED, va="center_baseline")
    rows = np.linspace(0.53, 0.95, len(classes))
    thick = 0.05
    for row, name, value in zip(rows, classes, clip.probabilities, strict=True):
        axis.text(0, row - 0.085, name, fontsize=8, color=INK, va="center_baseline")
        axis.barh(row, 0.8, height=thick, color=RULE, linewidth=0)
        axis.barh(row, 0.8 * value, height=thick, color=verdict if name == classes[best] else ACCENT, linewidth=0)
        axis.text(0.83, row, share(float(value)), fontsize=8, color=INK, va="center")


def _hits(value: float) -> str:
    return f"{share(value)} on what truly moves"


def _named(axis: Axes, title: str, foot: str) -> None:
    axis.set_title(title, pad=6)
    axis.text(0, -0.035, foot, transform=axis.transAxes, va="top", fontsize=8, color=MUTED, linespacing=1.3)


def _arrows(axis: Axes, points: FloatArray, vectors: FloatArray, layout: str) -> None:
    for channel_id, vector in zip(LAYOUTS[layout], vectors, strict=True):
        if float(np.hypot(*vector)) < _SHORTEST_PX:
            continue
        top, bottom, left, right = channel_window(CHANNELS[channel_id], points)
        start = np.array([(left + right) / 2, (top + bottom) / 2])
        axis.add_patch(
            FancyArrowPatch(
                tuple(start), tuple(start + vector), arrowstyle="-|>,head_length=2.2,head_width=1.2", shrinkA=0,
                shrinkB=0, linewidth=1.1, color="#ffffff", mutation_scale=1.4, zorder=4,
                path_effects=[withStroke(linewidth=2.4, foreground="#14110a", alpha=0.75)],
            )
        )  # fmt: skip
