"""The architecture of a model with its real shapes, and what its parts gave for one clip; takes plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from stag.report.theme import ACCENT, FULL_PX, INK, INTENSITY, MUTED, RULE, SERIES, STYLE, new_figure
from stag.report.wording import share
from stag.types import FloatArray

if TYPE_CHECKING:
    from stag.model.summary import ModelSummary, Shape

WIDTH, HEIGHT = 14.0, 6.2
_GRAPH, _TEMPORAL, _FUSION, _UNITS = SERIES[0], SERIES[1], SERIES[2], SERIES[3]
_UNITS_SHOWN = 6


class ArchitectureSample(NamedTuple):
    """What the model gave for one clip, to be drawn into its parts.

    Attributes:
        motion: ``(T, R, 2)`` crop pixels.
        adjacency: ``(L, T, R, R)`` graph attention.
        temporal: ``(T,)`` weights of the steps.
        region_to_step: ``(R, T)`` cross-attention, mean over heads.
        step_to_region: ``(T, R)`` the other way.
        probabilities: ``(C,)``.
        au_probabilities: ``(A,)``.
        classes: Class names.
        au_vocabulary: Numbers of the action units.
        transformer_layers: Number of transformer blocks.
        heads: Number of attention heads.
        au_width: Width of the embedded action units.
        au_source: Source of the AU input.
    """

    motion: FloatArray
    adjacency: FloatArray
    temporal: FloatArray
    region_to_step: FloatArray
    step_to_region: FloatArray
    probabilities: FloatArray
    au_probabilities: FloatArray
    classes: Sequence[str]
    au_vocabulary: Sequence[int]
    transformer_layers: int
    heads: int
    au_width: int
    au_source: str


@mpl.rc_context(STYLE)
def architecture_figure(summary: ModelSummary, sample: ArchitectureSample) -> Figure:
    """Draw the parts of a model from left to right with shapes, parameters and what they gave for one clip (Fig. 1).

    Args:
        summary: Sizes of the model, from :func:`stag.model.summary.summarise_model`.
        sample: What it gave for one clip.
    """
    figure = new_figure(WIDTH, HEIGHT)
    ground = figure.add_axes((0, 0, 1, 1))
    ground.set_axis_off()
    ground.set_xlim(0, WIDTH)
    ground.set_ylim(HEIGHT, 0)
    _motion_box(figure, ground, summary, sample)
    _plain_box(ground, summary, "embedding", (2.75, 2.6, 1.6, 1.1), "Region\nembedding", "Eq. 12", INK)
    _graph_box(figure, ground, summary, sample)
    _temporal_box(ground, summary, sample)
    _fusion_box(figure, ground, summary, sample)
    _unit_boxes(figure, ground, summary, sample)
    _class_box(figure, ground, summary, sample)
    for start, end, bend in (
        ((2.35, 3.15), (2.75, 3.15), 0.0),
        ((4.35, 2.9), (4.85, 2.0), -0.15),
        ((4.35, 3.4), (4.85, 4.6), 0.15),
        ((9.0, 1.75), (9.4, 2.4), -0.15),
        ((9.0, 4.7), (9.4, 3.9), 0.15),
        ((11.35, 2.45), (11.75, 1.45), -0.15),
        ((11.35, 3.6), (11.75, 4.85), 0.15),
        ((12.75, 3.66), (12.75, 4.05), 0.0),
        *([((13.3, 2.5), (13.3, 2.79), 0.0)] if sample.au_source == "predicted" else []),
    ):
        _arrow(ground, start, end, bend)
    return figure


def shape_text(shape: Shape) -> str:
    """Return a shape as it is written on the figure: ``16 × 18 × 2``."""
    return " × ".join(str(size) for size in shape)


def _frame(
    ground: Axes, box: tuple[float, float, float, float], title: str, where: str, colour: str, off: str = ""
) -> None:
    """Draw the outline of a part, its name, its equations, and ``off`` where it does not run."""
    left, top, width, height = box
    on = not off
    ground.add_patch(
        FancyBboxPatch(
            (left, top), width, height, boxstyle="round,pad=0,rounding_size=0.1", facecolor=mpl.colors.to_rgba(
                colour, 0.05 if on else 0.0), edgecolor=colour if on else RULE, linewidth=1.3,
            linestyle="solid" if on else (0, (3, 2)),
        )
    )  # fmt: skip
    ink = INK if on else MUTED
    ground.text(left + 0.12, top + 0.12, title, fontsize=10, fontweight="bold", color=ink, va="top", linespacing=1.15)
    ground.text(left + width - 0.12, top + 0.14, where, fontsize=8, color=MUTED, va="top", ha="right")
    ground.text(left + 0.12, top + 0.45, off, fontsize=8, color=MUTED)


def _size(summary: ModelSummary, *keys: str) -> str:
    """Return parameters and operations of parts in words."""
    parts = [part for key in keys if (part := summary.part(key)) is not None]
    flops = sum(part.flops for part in parts)
    text = f"{sum(part.parameters for part in parts):,} parameters"
    return text if flops < 5e5 else f"{text} · {flops / 1e6:.1f} MFLOP"


def _lines(ground: Axes, x: float, bottom: float, *lines: str) -> None:
    """Write lines upwards from the bottom of a box; the last one, the size, is grey."""
    for number, line in enumerate(reversed(lines)):
        colour = MUTED if number == 0 else INK
        ground.text(x, bottom - 0.14 - 0.19 * number, line, fontsize=8, color=colour, va="center_baseline")


def _off(summary: ModelSummary, key: str, words: str = "switched off") -> str:
    """Return what to write into a part that does not run; nothing for one that does."""
    part = summary.part(key)
    return "" if part is not None and part.outputs else words


def _output(summary: ModelSummary, key: str, number: int = 0) -> str:
    part = summary.part(key)
    return shape_text(part.outputs[number]) if part is not None and len(part.outputs) > number else "–"


def _plain_box(
    ground: Axes,
    summary: ModelSummary,
    key: str,
    box: tuple[float, float, float, float],
    title: str,
    where: str,
    colour: str,
) -> None:
    _frame(ground, box, title, where, colour)
    part = summary.part(key)
    parameters = "" if part is None else f"{part.parameters:,} parameters"
    _lines(ground, box[0] + 0.12, box[1] + box[3], f"→ {_output(summary, key)}", parameters)


def _motion_box(figure: Figure, ground: Axes, summary: ModelSummary, sample: ArchitectureSample) -> None:
    _frame(ground, (0.2, 1.75, 2.15, 2.8), "Motion", "Eq. 2-11", INK)
    size = np.hypot(sample.motion[..., 0], sample.motion[..., 1])
    _picture(figure, (0.47, 2.18, 1.7, 1.6), size.T / max(float(size.max(initial=0.0)), FULL_PX))
    ground.text(0.4, 2.98, "regions", fontsize=7, color=MUTED, rotation=90, ha="center", va="center")
    ground.text(1.32, 3.85, "steps", fontsize=7, color=MUTED, ha="center", va="center")
    _lines(ground, 0.32, 4.55, shape_text(summary.shape), f"largest {share(float(size.max(initial=0.0)))} px")


def _graph_box(figure: Figure, ground: Axes, summary: ModelSummary, sample: ArchitectureSample) -> None:
    off = _off(summary, "spatial")
    _frame(ground, (4.85, 0.15, 4.15, 2.85), "Graph branch", "Eq. 13-21", _GRAPH, off)
    if off:
        return
    layers = len(sample.adjacency)
    at = int(np.argmax(np.square(sample.motion).sum(axis=(1, 2))))
    shown = min(layers, 3)
    side = 1.34 if shown < 3 else 1.0
    for layer in range(shown):
        left = 4.97 + layer * (side + 0.12)
        graph = sample.adjacency[layer, at]
        _picture(figure, (left, 0.72, side, side), graph / max(float(graph.max(initial=0.0)), 1e-9))
        ground.text(left, 0.61, f"E-GAT layer {layer + 1}", fontsize=7.5, color=MUTED, va="center_baseline")
    left = 4.97 + shown * (side + 0.12) + (0.1 if shown else 0)
    wide = 8.88 - left
    bars = figure.add_axes(_box(left, 0.72, wide, side))
    bars.bar(np.arange(len(sample.temporal)), sample.temporal, color=_GRAPH, width=0.8, alpha=0.8)
    bars.set_axis_off()
    bars.set_xlim(-0.6, len(sample.temporal) - 0.4)
    ground.text(left, 0.61, "step weights", fontsize=7.5, color=MUTED, va="center_baseline")
    more = f"first {shown} of {layers} layers" if shown < layers else f"{layers} layer{'s' * (layers != 1)}"
    _lines(
        ground, 4.97, 3.0,
        f"{more}, {sample.heads} heads, adjacency {shape_text(summary.outputs['adjacency'][1:])} (steps × regions²)",
        f"→ region tokens {_output(summary, 'spatial', 1)}, feature {_output(summary, 'spatial', 0)}",
        _size(summary, "spatial"),
    )  # fmt: skip


def _temporal_box(ground: Axes, summary: ModelSummary, sample: ArchitectureSample) -> None:
    off = _off(summary, "temporal")
    _frame(ground, (4.85, 3.3, 4.15, 2.6), "Temporal branch", "Eq. 22-25", _TEMPORAL, off)
    if off:
        return
    steps, blocks = summary.shape[0], sample.transformer_layers
    shown = min(blocks, 5)
    room, wide = 3.9, min(0.2, 3.9 / (steps + 1) - 0.03)
    gap = room / (steps + 1)
    for row in range(shown + 1):
        y = 4.7 - row * 0.9 / max(shown, 1)
        for token in range(steps + 1):
            colour = _TEMPORAL if token == 0 else mpl.colors.to_rgba(_TEMPORAL, 0.25 + 0.45 * row / max(shown, 1))
            ground.add_patch(Rectangle((4.97 + token * gap, y), wide, 0.1, facecolor=colour, edgecolor="none"))
    ground.text(4.97, 4.93, "[CLS]", fontsize=7.5, color=MUTED, va="center_baseline")
    ground.text(4.97 + 2.6 * gap, 4.93, f"{steps} steps", fontsize=7.5, color=MUTED, va="center_baseline")
    ground.text(8.87, 4.93, f"{blocks} transformer block{'s' * (blocks != 1)}", fontsize=7.5, color=MUTED, ha="right",
                va="center_baseline")  # fmt: skip
    tokens = summary.part("temporal")
    assert tokens is not None
    width = tokens.outputs[1][-1] if len(tokens.outputs) > 1 else 0
    _lines(
        ground, 4.97, 5.9,
        f"{blocks} blocks, {sample.heads} heads, {steps + 1} tokens × {width}",
        f"→ step tokens {_output(summary, 'temporal', 1)}, feature {_output(summary, 'temporal', 0)}",
        _size(summary, "temporal"),
    )  # fmt: skip


def _fusion_box(figure: Figure, ground: Axes, summary: ModelSummary, sample: ArchitectureSample) -> None:
    off = _off(summary, "fusion", "both features side by side")
    _frame(ground, (9.4, 1.5, 1.95, 3.2), "Fusion", "Eq. 26-31", _FUSION, off)
    if off:
        return
    for top, name, values in (
        (2.08, "regions ask steps", sample.region_to_step),
        (3.06, "steps ask regions", sample.step_to_region.T),
    ):
        ground.text(9.52, top - 0.1, name, fontsize=7.5, color=MUTED, va="center_baseline")
        _picture(figure, (9.52, top, 1.7, 0.72), values / max(float(values.max(initial=0.0)), 1e-9))
    feature = _output(summary, "fusion", 0)
    _lines(ground, 9.52, 4.7, f"cross-attention, {sample.heads} heads", f"→ z {feature}", _size(summary, "fusion"))


def _unit_boxes(figure: Figure, ground: Axes, summary: ModelSummary, sample: ArchitectureSample) -> None:
    _frame(ground, (11.75, 0.15, 2.05, 2.35), "AU head", "", _UNITS)
    order = np.argsort(-sample.au_probabilities, kind="stable")[:_UNITS_SHOWN]
    names = [f"AU {sample.au_vocabulary[i]}" for i in order]
    _bars(figure, (11.87, 0.47, 1.8, 1.4), names, sample.au_probabilities[order], _UNITS)
    count = len(sample.au_vocabulary)
    _lines(ground, 11.87, 2.5, f"→ {count} action units", _size(summary, "au_head"))
    _frame(ground, (11.75, 2.79, 2.05, 0.87), "AU embedding", "Eq. 32", _UNITS)
    _lines(ground, 11.87, 3.66, f"AU source {sample.au_source} → {sample.au_width}", _size(summary, "au_embedding"))


def _class_box(figure: Figure, ground: Axes, summary: ModelSummary, sample: ArchitectureSample) -> None:
    _frame(ground, (11.75, 4.05, 2.05, 1.85), "Classifier", "Eq. 33", INK)
    most = np.argsort(-sample.probabilities, kind="stable")[:5]
    names = [sample.classes[i] for i in most]
    _bars(figure, (11.87, 4.4, 1.8, 0.9), names, sample.probabilities[most], ACCENT)
    features = shape_text(summary.outputs["features"])
    _lines(ground, 11.87, 5.9, f"{features} → {len(sample.classes)} classes", _size(summary, "classifier"))


def _bars(
    figure: Figure, box: tuple[float, float, float, float], names: Sequence[str], values: FloatArray, colour: str
) -> None:
    """Draw named bars of probabilities."""
    axis = figure.add_axes(_box(*box))
    axis.set_axis_off()
    axis.set_xlim(0, box[2])
    axis.set_ylim(len(names) - 0.45, -0.55)
    start, room = 0.78, box[2] - 0.78 - 0.28
    for row, (name, value) in enumerate(zip(names, values, strict=True)):
        axis.text(0, row, name, fontsize=8, color=INK, va="center_baseline")
        axis.barh(row, room, left=start, height=0.42, color=RULE, linewidth=0)
        axis.barh(row, room * float(value), left=start, height=0.42, color=colour, linewidth=0)
        axis.text(box[2], row, share(float(value)), fontsize=7.5, color=MUTED, va="center_baseline", ha="right")


def _picture(figure: Figure, box: tuple[float, float, float, float], relative: FloatArray) -> None:
    """Draw a small map of values in [0, 1]."""
    axis = figure.add_axes(_box(*box))
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(True)
    axis.spines[:].set_color(RULE)
    axis.imshow(relative, cmap=INTENSITY, vmin=0, vmax=1, aspect="auto", interpolation="nearest")


def _box(left: float, top: float, width: float, height: float) -> tuple[float, float, float, float]:
    return left / WIDTH, 1 - (top + height) / HEIGHT, width / WIDTH, height / HEIGHT


def _arrow(ground: Axes, start: tuple[float, float], end: tuple[float, float], bend: float) -> None:
    ground.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>,head_length=3.2,head_width=1.8", connectionstyle=f"arc3,rad={bend}",
            mutation_scale=1.8, linewidth=1.3, color=MUTED, shrinkA=2, shrinkB=2,
        )
    )  # fmt: skip
