"""Figures of one clip; none uses pyplot or global state, so that any thread can draw them."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from stag.motion.regions import channel_names
from stag.motion.transforms import strongest_step
from stag.report.plots.face import FACE_INCHES, arrow_scale, draw_face_motion
from stag.report.theme import (
    ACCENT,
    FULL_PX,
    INK,
    INTENSITY,
    MUTED,
    RULE,
    SERIES,
    STYLE,
    intensity_scale,
    new_figure,
    spread,
    time_axis,
)
from stag.report.wording import share
from stag.types import FloatArray, GreyImage, MotionTensor

TOP_CURVES = 5


@mpl.rc_context(STYLE)
def face_motion_figure(crop: GreyImage, points: FloatArray, vectors: FloatArray, layout: str) -> Figure:
    """Draw the crop ``(256, 256)`` with the channel windows and the motion of one step ``(R, 2)`` as arrows."""
    figure = new_figure(*FACE_INCHES)
    draw_face_motion(figure.add_axes((0, 0, 1, 1)), crop, points, vectors, layout)
    return figure


@mpl.rc_context(STYLE)
def motion_heatmap_figure(motion: FloatArray, time_s: FloatArray, names: Sequence[str]) -> Figure:
    """Draw the size of the motion ``(T, R, 2)`` of every channel over time ``(T,)``."""
    figure = new_figure(4.3, 0.19 * len(names) + 1.0, layout="constrained")
    _draw_heatmap(figure.add_subplot(), motion, time_s, names)
    return figure


@mpl.rc_context(STYLE)
def motion_curves_figure(motion: FloatArray, time_s: FloatArray, names: Sequence[str]) -> Figure:
    """Draw the size of the motion over time, the five strongest channels coloured and named, the others grey."""
    figure = new_figure(4.3, 3.2, layout="constrained")
    _draw_curves(figure.add_subplot(), motion, time_s, names)
    return figure


@mpl.rc_context(STYLE)
def adjacency_figure(adjacency: FloatArray, names: Sequence[str]) -> Figure:
    """Draw the attention graph as a matrix ``(R, R)``: rows look at columns."""
    size = len(names)
    figure = new_figure(0.19 * size + 1.7, 0.19 * size + 1.8, layout="constrained")
    axis = figure.add_subplot()
    top = max(float(adjacency.max(initial=0.0)), 1e-9)
    _mesh(axis, np.arange(size + 1.0), np.arange(size + 1.0), adjacency / top)
    axis.set_aspect("equal")
    axis.set_ylim(size, 0)
    centres = np.arange(size) + 0.5
    axis.set_yticks(centres, labels=list(names))
    axis.set_xticks(centres, labels=list(names), rotation=90, ha="right", va="center", rotation_mode="anchor")
    axis.tick_params(length=0)
    axis.set_ylabel("looks from")
    axis.set_xlabel("to")
    intensity_scale(axis.inset_axes((0.12, 1.03, 0.4, 0.03)), top, "of a row")
    return figure


@mpl.rc_context(STYLE)
def motion_figure(motion: MotionTensor, layout: str) -> Figure:
    """Draw one clip (Fig. 4): mean vectors on the face, channels over time, mean sizes, strongest curves.

    A mean vector can be shorter than the mean size, because a movement to and fro cancels.
    """
    names = channel_names(layout)
    vectors = motion.motion.astype(float).mean(axis=0)
    figure = new_figure(14.2, 8.4, layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15, wspace=0.03, hspace=0.05))
    (face, heat), (bars, curves) = figure.subplots(2, 2, width_ratios=(7.4, 6.6))
    draw_face_motion(face, motion.crop, motion.points, vectors, layout)
    face.set_title(f"Mean motion over the clip, px; arrows {arrow_scale(vectors)}×")
    _draw_heatmap(heat, motion.motion, motion.time_s, names)
    heat.set_title("Every channel over time", pad=22)
    _draw_bars(bars, motion.motion, names)
    _draw_curves(curves, motion.motion, motion.time_s, names)
    curves.set_title("The five strongest channels")
    return figure


def _magnitude(motion: FloatArray) -> FloatArray:
    size: FloatArray = np.hypot(motion[..., 0].astype(float), motion[..., 1].astype(float))
    return size


def _draw_heatmap(axis: Axes, motion: FloatArray, time_s: FloatArray, names: Sequence[str]) -> None:
    size = _magnitude(motion)
    top = max(float(size.max(initial=0.0)), FULL_PX)
    _, edges, label = time_axis(time_s)
    axis.set_xlabel(label)
    _mesh(axis, edges, np.arange(len(names) + 1.0), size.T / top)
    axis.set_ylim(len(names), 0)
    axis.set_yticks(np.arange(len(names)) + 0.5, labels=list(names))
    intensity_scale(axis.inset_axes((0.06, 1.025, 0.34, 0.03)), top, "px")


def _mesh(axis: Axes, x: FloatArray, y: FloatArray, relative: FloatArray) -> None:
    axis.pcolormesh(x, y, relative, cmap=INTENSITY, vmin=0, vmax=1, linewidth=0, antialiased=False, clip_on=False)
    axis.spines[:].set_visible(False)


def _draw_curves(axis: Axes, motion: FloatArray, time_s: FloatArray, names: Sequence[str]) -> None:
    size = _magnitude(motion)
    at, _, label = time_axis(time_s)
    axis.set_xlabel(label)
    order = np.argsort(-size.max(axis=0), kind="stable")
    for channel in order[TOP_CURVES:]:
        axis.plot(at, size[:, channel], color=RULE, linewidth=0.9, zorder=1)
    top = max(float(size.max(initial=0.0)), FULL_PX) * 1.06
    axis.set_ylim(0, top)
    axis.set_xlim(at[0], at[-1] if at[-1] > at[0] else at[0] + 1)
    axis.axvline(at[strongest_step(motion)], color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
    chosen = order[:TOP_CURVES]
    rows = spread(size[:, chosen].max(axis=0), 0.085 * top, 0.03 * top, 0.97 * top)
    beside = axis.get_yaxis_transform()
    for channel, row, colour in zip(chosen, rows, SERIES, strict=False):
        axis.plot(at, size[:, channel], color=colour, linewidth=1.9, solid_capstyle="round", zorder=3)
        axis.plot([1.02, 1.06], [row, row], color=colour, linewidth=2.4, transform=beside, clip_on=False)
        axis.text(1.075, row, names[channel], transform=beside, va="center_baseline", fontsize=8, color=INK)
    axis.set_ylabel("motion, px")
    axis.grid(axis="y", color=RULE, linewidth=0.5)
    axis.set_axisbelow(True)
    axis.spines["left"].set_visible(False)


def _draw_bars(axis: Axes, motion: FloatArray, names: Sequence[str]) -> None:
    mean = _magnitude(motion).mean(axis=0)
    rows = np.arange(float(len(names)))
    axis.barh(rows, mean, height=0.62, color=ACCENT, alpha=0.85)
    for row, value in zip(rows, mean, strict=True):
        axis.text(value, row, f" {share(float(value))}", va="center_baseline", fontsize=8, color=MUTED)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xlim(0, max(float(mean.max(initial=0.0)), 1e-3) * 1.12)
    axis.set_yticks(rows, labels=list(names))
    axis.set_xlabel("mean over time, px")
    axis.set_title("Mean motion of every channel")
    axis.spines["left"].set_visible(False)
