"""Figures of attributions: maps of several methods on one face, and one attribution in full."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb, to_rgba
from matplotlib.figure import Figure

from stag.faces.crop import CROP_PX
from stag.motion.regions import CHANNELS, LAYOUTS, channel_names, channel_window
from stag.report.plots.face import draw_photo
from stag.report.theme import ACCENT, INK, MUTED, RULE, SERIES, STYLE, colour_scale, new_figure, time_axis
from stag.report.wording import share
from stag.types import FloatArray, GreyImage

FOR, AGAINST = SERIES[1], ACCENT
SIGNED = LinearSegmentedColormap.from_list(
    "signed",
    [(0.0, to_rgba(AGAINST, 1.0)), (0.5, to_rgba(AGAINST, 0.02)), (0.5, to_rgba(FOR, 0.02)), (1.0, to_rgba(FOR, 1.0))],
)
"""From blue, against the class, over transparent to orange, for it."""

_GLOW_FOR, _GLOW_AGAINST = "#ff9a1f", "#4db8ff"  # the same two hues, bright enough for a photograph
_SHARPNESS = 0.42
_STRONGEST = 0.82
_NAMED = 3


@mpl.rc_context(STYLE)
def attention_maps_figure(
    crop: GreyImage, points: FloatArray, maps: Mapping[str, FloatArray], layout: str = "roi18", columns: int = 4
) -> Figure:
    """Draw maps of several methods on one face, each relative to its own largest value (Fig. 2 and 3).

    Args:
        crop: ``(256, 256)`` uint8.
        points: ``(68, 2)`` landmarks on the crop.
        maps: Title -> weight of each channel ``(R,)``.
        layout: Region layout.
        columns: Pictures in a row.
    """
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    side, gap, head, foot, key = 1.95, 0.16, 0.34, 0.62, 0.4
    width, height = max(columns * (side + gap) + gap, 3.4), rows * (head + side + foot) + key
    figure = new_figure(width, height)
    names = channel_names(layout)
    for number, (title, values) in enumerate(maps.items()):
        row, column = divmod(number, columns)
        left, top = gap + column * (side + gap), row * (head + side + foot) + head
        axis = figure.add_axes((left / width, 1 - (top + side) / height, side / width, side / height))
        draw_face_heat(axis, crop, points, values, layout)
        axis.set_title(title, pad=6)
        order = np.argsort(-np.abs(values), kind="stable")[:_NAMED]
        lines = [names[i] + (" −" if values[i] < 0 else "") for i in order if values[i] != 0] or ["nothing"]
        axis.text(
            0, -0.04, "\n".join(lines), transform=axis.transAxes, va="top", fontsize=8, color=MUTED, linespacing=1.25
        )
    signed = any((values < 0).any() for values in maps.values())
    scale = figure.add_axes(((gap + (0.95 if signed else 0.2)) / width, 0.14 / height, 1.1 / width, 0.12 / height))
    high = "speaks for the class" if signed else "largest value of each map"
    high += "; each map against its own largest value" if signed and columns > 2 else ""
    signed_scale(scale, "speaks against" if signed else "0", high, signed=signed)
    return figure


@mpl.rc_context(STYLE)
def lit_face_figure(
    crop: GreyImage, points: FloatArray, values: FloatArray, layout: str = "roi18", top: float | None = None
) -> Figure:
    """Draw the crop with its regions lit by ``values (R,)``: orange for the class, blue against it.

    ``top`` is the value of full light, to give several pictures one scale; default is the largest of ``values``.
    """
    figure = new_figure(3.2, 3.2)
    draw_face_heat(figure.add_axes((0, 0, 1, 1)), crop, points, values, layout, top)
    return figure


@mpl.rc_context(STYLE)
def attribution_figure(
    values: FloatArray,
    time_s: FloatArray,
    crop: GreyImage,
    points: FloatArray,
    layout: str = "roi18",
    *,
    title: str = "",
    signed: bool = True,
) -> Figure:
    """Draw one attribution in full: the regions on the face, every channel over time, and the sums of both.

    Args:
        values: ``(T, R)``; positive speaks for the class.
        time_s: ``(T,)`` seconds.
        crop: ``(256, 256)`` uint8.
        points: ``(68, 2)`` landmarks on the crop.
        layout: Region layout.
        title: For example ``"surprise .71, Integrated Gradients"``.
        signed: Whether values can be negative.
    """
    names = channel_names(layout)
    figure = new_figure(10.6, 0.19 * len(names) + 1.75)
    figure.text(0.02, 0.965, title, fontsize=10.5, fontweight="bold", color=INK, va="top")
    left, low, wide, high = 0.5, 0.115, 0.325, 0.625
    face = figure.add_axes((0.02, low, 0.355, high + 0.115))
    draw_face_heat(face, crop, points, values.sum(axis=0), layout)
    face.set_anchor("SW")
    heat = figure.add_axes((left, low, wide, high))
    at, edges, label = time_axis(time_s)
    top = float(np.abs(values).max(initial=0.0)) or 1.0
    heat.pcolormesh(
        edges, np.arange(len(names) + 1.0), values.T / top, cmap=SIGNED, vmin=-1, vmax=1, linewidth=0,
        antialiased=False, clip_on=False,
    )  # fmt: skip
    heat.spines[:].set_visible(False)
    heat.set_ylim(len(names), 0)
    heat.set_yticks(np.arange(len(names)) + 0.5, labels=list(names))
    heat.set_xlabel(label)
    over = figure.add_axes((left, low + high + 0.015, wide, 0.1), sharex=heat)
    _signed_area(over, at, values.sum(axis=1))
    beside = figure.add_axes((left + wide + 0.012, low, 0.13, high), sharey=heat)
    _signed_bars(beside, values.sum(axis=0))
    heat.set_xlim(edges[0], edges[-1])
    scale = figure.add_axes((left + (0.085 if signed else 0.02), 0.915, 0.1, 0.028))
    signed_scale(scale, "speaks against" if signed else "0", "speaks for it" if signed else "most", signed=signed)
    return figure


def heat_field(values: FloatArray, points: FloatArray, layout: str) -> FloatArray:
    """Return a map ``(256, 256)`` with a soft spot in the window of each channel ``(R,)``; the stronger spot counts."""
    y, x = np.mgrid[:CROP_PX, :CROP_PX] + 0.5
    field = np.zeros((CROP_PX, CROP_PX))
    for channel_id, value in zip(LAYOUTS[layout], values, strict=True):
        top, bottom, left, right = channel_window(CHANNELS[channel_id], points)
        if bottom <= top or right <= left:
            continue
        across = (x - (left + right) / 2) / (_SHARPNESS * (right - left))
        along = (y - (top + bottom) / 2) / (_SHARPNESS * (bottom - top))
        spot = value * np.exp(-0.5 * (across**2 + along**2) ** 1.5)
        field = np.where(np.abs(spot) > np.abs(field), spot, field)
    return field


def draw_face_heat(
    axis: Axes, crop: GreyImage, points: FloatArray, values: FloatArray, layout: str, top: float | None = None
) -> None:
    """Draw the crop with its regions lit, as :func:`lit_face_figure` does."""
    axis.set_axis_off()
    axis.set_aspect("equal")
    draw_photo(axis, crop, margin_px=0)
    top = float(np.abs(values).max(initial=0.0)) if top is None else top
    relative = np.clip(heat_field(values, points, layout) / (top if top > 0 else 1.0), -1, 1)
    light = np.where(relative[..., None] > 0, to_rgb(_GLOW_FOR), to_rgb(_GLOW_AGAINST))
    glow = np.dstack([light, _STRONGEST * np.abs(relative)])
    picture = axis.imshow(glow, extent=(0, CROP_PX, CROP_PX, 0), interpolation="none", zorder=2)
    picture.set_clip_path(axis.images[0].get_clip_path())


def signed_scale(axis: Axes, low: str, high: str, *, signed: bool) -> None:
    """Draw the legend of a map of attributions on empty axes, from blue or, if unsigned, from transparent."""
    shades = np.linspace(-1 if signed else 0, 1, 7)
    colour_scale(axis, SIGNED((shades + 1) / 2), low, high, INK)


def _signed_area(axis: Axes, at: FloatArray, total: FloatArray) -> None:
    for part, colour in ((np.clip(total, 0, None), FOR), (np.clip(total, None, 0), AGAINST)):
        axis.fill_between(at, 0, part, color=colour, alpha=0.45, linewidth=0)
    axis.plot(at, total, color=INK, linewidth=0.9, solid_capstyle="round", solid_joinstyle="round")
    axis.axhline(0, color=RULE, linewidth=0.8, zorder=0)
    axis.spines[:].set_visible(False)
    axis.set_yticks([])
    axis.tick_params(labelbottom=False, length=0)
    axis.text(1.03, 0.5, "sum of each step", transform=axis.transAxes, va="center_baseline", fontsize=8, color=MUTED)


def _signed_bars(axis: Axes, total: FloatArray) -> None:
    rows = np.arange(len(total)) + 0.5
    axis.barh(rows, total, height=0.62, color=[FOR if value > 0 else AGAINST for value in total], alpha=0.85)
    low, high = min(float(total.min()), 0.0), max(float(total.max()), 0.0)
    span = (high - low) or 1.0
    for row, value in zip(rows, total, strict=True):
        text = share(float(value)).replace("-", "−") if abs(value) >= 0.005 else "0"
        side = "left" if value >= 0 else "right"
        axis.text(value, row, f" {text} ", ha=side, va="center_baseline", fontsize=7, color=MUTED)
    axis.set_xlim(low - (0.3 * span if low < 0 else 0), high + 0.3 * span)
    axis.axvline(0, color=RULE, linewidth=0.8, zorder=0)
    axis.spines[:].set_visible(False)
    axis.tick_params(labelleft=False, length=0)
    axis.set(xticks=[], xlabel="sum of each channel")
