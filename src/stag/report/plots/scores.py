"""Figures of scores: of one or several evaluations, of a study, and of the methods of explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch, Rectangle

from stag.report.theme import ACCENT, INK, MUTED, RULE, SERIES, STYLE, new_figure, unit_ticks
from stag.report.wording import share, signed
from stag.types import FloatArray

_DARKEST = 0.55
_DASHES = ((0, (4, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))


@mpl.rc_context(STYLE)
def confusion_figure(confusion: FloatArray, classes: Sequence[str]) -> Figure:
    """Draw counts and row shares of a confusion matrix ``(C, C)``: rows are the truth, columns the prediction."""
    cell = _cell_in(len(classes))
    figure = new_figure(cell * len(classes) + 1.7, cell * len(classes) + 0.9, layout="constrained")
    _draw_confusion(figure.add_subplot(), confusion, classes)
    return figure


@mpl.rc_context(STYLE)
def confusions_figure(matrices: Mapping[str, FloatArray], classes: Sequence[str]) -> Figure:
    """Draw confusion matrices of several sets or protocols side by side, on one scale of row shares (Fig. 8).

    ``matrices`` maps a title to counts ``(C, C)``: rows are the truth, columns the prediction.
    """
    columns = len(matrices) if len(matrices) < 4 else 2 if len(matrices) == 4 else 3
    rows = -(-len(matrices) // columns)
    side = _cell_in(len(classes)) * len(classes)
    foot = 1.15 if len(classes) <= 4 else 1.55
    engine = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    figure = new_figure(columns * (side + 0.3) + 1.3, rows * (side + foot) + 0.2, layout=engine)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axis in grid.flat[len(matrices) :]:
        axis.set_axis_off()
    for number, (axis, (title, confusion)) in enumerate(zip(grid.flat, matrices.items(), strict=False)):
        _draw_confusion(axis, confusion, classes)
        axis.set_title(title)
        if number % columns:
            axis.set_yticks([])
            axis.set_ylabel("")
    return figure


@mpl.rc_context(STYLE)
def baseline_figure(scores: Sequence[tuple[str, float, float]], ci95: tuple[float, float] | None = None) -> Figure:
    """Draw UF1 (disc) and UAR (ring) of each method on one scale, best UF1 first.

    Args:
        scores: ``(name, UF1, UAR)``; the first is the model under test, in the accent colour.
        ci95: Interval of the model's UF1.
    """
    ordered = sorted(scores, key=lambda score: -score[1])
    own = ordered.index(scores[0])
    figure = new_figure(6.4, 0.34 * len(scores) + 0.75, layout="constrained")
    axis = figure.add_subplot()
    for row, (_, uf1, uar) in enumerate(ordered):
        colour = ACCENT if row == own else MUTED
        axis.axhline(row, color=RULE, linewidth=0.6, zorder=0)
        if row == own and ci95 is not None:
            axis.plot(ci95, [row, row], color=ACCENT, alpha=0.3, linewidth=6, solid_capstyle="butt", zorder=1)
        axis.scatter([uar], [row], s=34, facecolor="none", edgecolor=colour, linewidths=1.3, zorder=3)
        axis.scatter([uf1], [row], s=38, color=colour, linewidths=0, zorder=4)
        axis.text(1.02, row, share(uf1), va="center_baseline", fontsize=8.5, color=INK if row == own else MUTED)
    _name_rows(axis, [name for name, _, _ in ordered])
    axis.get_yticklabels()[own].set_fontweight("bold")
    axis.set_xlim(0, 1)
    unit_ticks(axis, "x")
    axis.set_xlabel("● UF1   ○ UAR   ▬ 95 % interval of UF1")
    return figure


@mpl.rc_context(STYLE)
def subject_figure(accuracy: FloatArray, clips: FloatArray, overall: float) -> Figure:
    """Draw the accuracy of each person ``(n,)`` as a disc, larger with more ``clips (n,)``, and ``overall`` as a line.

    Discs of equal accuracy are stacked.
    """
    bins = np.round(accuracy * 40).astype(int)
    height = np.zeros(len(bins))
    for value in np.unique(bins):
        members = np.flatnonzero(bins == value)
        members = members[np.argsort(-clips[members], kind="stable")]
        height[members] = np.arange(len(members))
    tallest = max(float(height.max(initial=0.0)), 2.0)
    height_in = min(0.12 * tallest, 2.4)
    figure = new_figure(6.4, 0.9 + height_in, layout="constrained")
    widest = min(8.0, 1.1 * height_in * 72 / tallest)  # points; discs of a stack may touch but not overlap
    axis = figure.add_subplot()
    largest = max(float(np.max(clips, initial=1)), 1.0)
    axis.axvline(overall, color=SERIES[1], linewidth=1.2, zorder=1)
    axis.text(
        overall, tallest + 1.1, f"  all clips {share(overall)}  ", fontsize=8, color=INK, va="center",
        ha="left" if overall < 0.75 else "right",
    )  # fmt: skip
    areas = widest**2 * (0.25 + 0.75 * clips / largest)
    axis.scatter(bins / 40, height, s=areas, color=ACCENT, alpha=0.6, linewidths=0)
    axis.set_xlim(-0.03, 1.03)
    axis.set_ylim(-0.8, tallest + 1.5)
    axis.set_yticks([])
    unit_ticks(axis, "x")
    axis.set_xlabel("accuracy of one person")
    axis.spines["left"].set_visible(False)
    return figure


@mpl.rc_context(STYLE)
def differences_figure(rows: Sequence[tuple[str, float, tuple[float, float] | None]]) -> Figure:
    """Draw rows of (name, difference, 95 % interval or ``None``); orange where the interval excludes zero."""
    figure = new_figure(7.2, 0.3 * len(rows) + 0.8, layout="constrained")
    axis = figure.add_subplot()
    axis.axvline(0, color=MUTED, linewidth=1, zorder=1)
    reach = 0.02
    for at, (_, value, interval) in enumerate(rows):
        clear = interval is not None and (interval[0] > 0 or interval[1] < 0)
        colour = SERIES[1] if clear else ACCENT
        axis.axhline(at, color=RULE, linewidth=0.6, zorder=0)
        if interval is not None:
            axis.plot(interval, [at, at], color=colour, alpha=0.45, linewidth=4, solid_capstyle="butt", zorder=2)
            reach = max(reach, *map(abs, interval))
        axis.scatter([value], [at], s=34, color=colour, linewidths=0, zorder=3)
        axis.text(
            1.02, at, signed(value), transform=axis.get_yaxis_transform(), va="center_baseline", fontsize=8.5, color=INK
        )
        reach = max(reach, abs(value))
    _name_rows(axis, [name for name, _, _ in rows])
    axis.set_xlim(-1.08 * reach, 1.08 * reach)
    axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5, symmetric=True))
    axis.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda x, _: signed(float(x), 2)))
    axis.set_xlabel("difference of UF1")
    return figure


class Bar(NamedTuple):
    """Score of one data set under one protocol, in [0, 1], and its interval."""

    dataset: str
    protocol: str
    value: float
    low: float | None = None
    high: float | None = None


@mpl.rc_context(STYLE)
def protocol_figure(bars: Sequence[Bar], metric: str, subject_dependent: Sequence[str] = ()) -> Figure:
    """Draw one score of every set under every protocol, from 0 to 1 (Fig. 7).

    Args:
        bars: Sets and protocols keep the order in which they first occur; a missing pair leaves a gap.
        metric: Name of the score, for example ``"UF1"``.
        subject_dependent: Protocols that test on people they trained on; their bars are hatched, because such a score
            does not apply to a new person.
    """
    sets = list(dict.fromkeys(bar.dataset for bar in bars))
    protocols = list(dict.fromkeys(bar.protocol for bar in bars))
    wide = 0.8 / len(protocols)
    figure = new_figure(max(4.2, 0.9 + len(sets) * (0.36 * len(protocols) + 0.35)), 3.3, layout="constrained")
    axis = figure.add_subplot()
    for bar in bars:
        place = sets.index(bar.dataset) + (protocols.index(bar.protocol) - (len(protocols) - 1) / 2) * wide
        colour = SERIES[protocols.index(bar.protocol) % len(SERIES)]
        dependent = bar.protocol in subject_dependent
        axis.bar(place, bar.value, width=0.86 * wide, color=colour, alpha=0.28 if dependent else 0.85, linewidth=0)
        if dependent:
            axis.bar(place, bar.value, width=0.86 * wide, facecolor="none", edgecolor=colour, hatch="////", linewidth=0)
        top = bar.value
        if bar.low is not None and bar.high is not None:
            axis.plot([place, place], [bar.low, bar.high], color=INK, linewidth=0.9, solid_capstyle="butt")
            top = max(top, bar.high)
        axis.text(place, top + 0.015, share(bar.value), ha="center", va="bottom", fontsize=8, color=INK)
    axis.set_xticks(range(len(sets)), labels=sets)
    axis.tick_params(axis="x", length=0, labelcolor=INK)
    axis.set_xlim(-0.55, len(sets) - 0.45)
    axis.set_ylim(0, 1.06)
    unit_ticks(axis, "y")
    axis.grid(axis="y", color=RULE, linewidth=0.5)
    axis.set_axisbelow(True)
    axis.spines["left"].set_visible(False)
    axis.set_ylabel(metric)
    handles = [_key(i, name, name in subject_dependent) for i, name in enumerate(protocols)]
    axis.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(protocols), frameon=False, fontsize=8,
        labelcolor=INK, handlelength=1.1, handleheight=0.9, borderpad=0, columnspacing=1.4,
    )  # fmt: skip
    return figure


def _key(number: int, name: str, dependent: bool) -> Patch:
    colour = SERIES[number % len(SERIES)]
    if dependent:
        return Patch(facecolor="none", edgecolor=colour, hatch="////", linewidth=0.6, label=f"{name}, same people")
    return Patch(facecolor=colour, alpha=0.85, linewidth=0, label=name)


@mpl.rc_context(STYLE)
def faithfulness_figure(
    shares: Mapping[str, tuple[float, float, float]],
    shuffled: Mapping[str, float],
    chance: float,
    deletion: Mapping[str, FloatArray],
    insertion: Mapping[str, FloatArray],
) -> Figure:
    """Draw how faithful methods are on simulated clips.

    Args:
        shares: Title -> share of the attribution on truly moving cells, and its 95 % interval.
        shuffled: Title -> the share for shuffled weights, if it applies.
        chance: Share of the cells that move.
        deletion: Title -> ``(K,)`` probability of the class over the share of cells held still.
        insertion: Title -> ``(K,)`` probability of the class over the share of cells that move.
    """
    order = sorted(shares, key=lambda name: -shares[name][0])
    figure = new_figure(12.4, 0.3 * len(order) + 1.6, layout="constrained")
    where, off, on, key = figure.subplots(1, 4, width_ratios=(1.35, 1, 1, 0.7))
    for row, name in enumerate(order):
        mean, low, high = shares[name]
        where.axhline(row, color=RULE, linewidth=0.6, zorder=0)
        where.plot([low, high], [row, row], color=SERIES[0], alpha=0.35, linewidth=6, solid_capstyle="butt", zorder=1)
        where.scatter([mean], [row], s=34, color=SERIES[0], linewidths=0, zorder=4)
        if name in shuffled:
            where.scatter(
                [shuffled[name]], [row], s=32, facecolor="none", edgecolor=SERIES[1], linewidths=1.3, zorder=3
            )
        where.text(1.03, row, share(mean), transform=where.get_yaxis_transform(), va="center_baseline", fontsize=8)
    where.axvline(chance, color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)), zorder=0)
    where.text(chance, -0.75, "chance", ha="center", va="bottom", fontsize=8, color=MUTED)
    _name_rows(where, order)
    where.set_ylim(len(order) - 0.5, -0.7)
    ends = [chance, *(value for name in order for value in shares[name]), *shuffled.values()]
    right = np.ceil(max(ends) * 10 + 0.3) / 10
    where.set_xlim(0, min(right, 1.02))
    where.set_title("Attribution on what truly moves (simulated)", pad=20)
    where.set_xlabel("share of the mass   ● model   ○ shuffled weights   ▬ 95 %")
    best = [name for name in order if name in deletion]
    looks = {name: (SERIES[i], "-") if i < len(SERIES) else (MUTED, _DASHES[i % 3]) for i, name in enumerate(best)}
    for axis, curves, title in (
        (off, deletion, "strongest cells held still"),
        (on, insertion, "strongest cells alone"),
    ):
        for name in reversed(best):
            colour, dash = looks[name]
            at = np.linspace(0, 1, len(curves[name]))
            axis.plot(at, curves[name], color=colour, linestyle=dash, linewidth=1.7 if dash == "-" else 1.1)
        axis.set(xlim=(0, 1), ylim=(0, 1))
        unit_ticks(axis, "x", "y")
        axis.grid(axis="y", color=RULE, linewidth=0.5)
        axis.spines["left"].set_visible(False)
        axis.set_title(f"Probability, {title}", pad=20)
        axis.set_xlabel("share of the cells")
    for i, name in enumerate(best):
        place = 1 - (i + 0.5) / len(best)
        colour, dash = looks[name]
        key.plot([0, 0.12], [place, place], color=colour, linestyle=dash, linewidth=2.0 if dash == "-" else 1.2)
        key.text(0.16, place, name, fontsize=8, va="center_baseline", color=INK)
    key.set_axis_off()
    key.set(xlim=(0, 1), ylim=(0, 1))
    return figure


def _name_rows(axis: Axes, names: Sequence[str]) -> None:
    axis.set_yticks(range(len(names)), labels=names)
    axis.tick_params(axis="y", labelcolor=INK)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.spines["left"].set_visible(False)


def _cell_in(size: int) -> float:
    return 0.88 if size <= 4 else 0.66  # inches


def _draw_confusion(axis: Axes, confusion: FloatArray, classes: Sequence[str]) -> None:
    counts = np.asarray(confusion, dtype=float)
    size = len(classes)
    row_sum = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, row_sum, out=np.full_like(counts, np.nan), where=row_sum > 0)
    for i in range(size):
        for j in range(size):
            # Pale enough for dark text on light paper and for light text on a dark screen.
            strength = _DARKEST * float(np.nan_to_num(shares[i, j]))
            axis.add_patch(
                Rectangle((j + 0.025, i + 0.025), 0.95, 0.95, facecolor=ACCENT, alpha=0.03 + strength, linewidth=0)
            )
            axis.text(
                j + 0.5, i + 0.44, f"{counts[i, j]:.0f}", ha="center", va="center", fontsize=11, color=INK,
                fontweight="bold" if i == j else "normal",
            )  # fmt: skip
            axis.text(j + 0.5, i + 0.76, share(float(shares[i, j])), ha="center", va="center", fontsize=8, color=INK)
    axis.set(xlim=(0, size), ylim=(size, 0), aspect="equal")
    axis.spines[:].set_visible(False)
    centres = np.arange(size) + 0.5
    axis.set_xticks(centres, labels=list(classes))
    if size > 4:
        for label in axis.get_xticklabels():
            label.set(rotation=35, ha="right", rotation_mode="anchor")
    axis.set_yticks(centres, labels=list(classes))
    axis.tick_params(length=0, labelcolor=INK)
    axis.set(xlabel="predicted", ylabel="truth")
