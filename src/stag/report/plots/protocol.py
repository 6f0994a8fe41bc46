"""Scores of many evaluations beside each other; takes plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from stag.report.theme import INK, MUTED, RULE, SERIES, STYLE, new_figure, unit_ticks
from stag.report.wording import share
from stag.types import FloatArray

_DASHES = ((0, (4, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))


class Bar(NamedTuple):
    """One bar: the score of a set under a protocol.

    Attributes:
        dataset: Name of the set.
        protocol: Name of the protocol.
        value: The score, in [0, 1].
        low: Lower end of its interval, or ``None``.
        high: Upper end.
    """

    dataset: str
    protocol: str
    value: float
    low: float | None = None
    high: float | None = None


@mpl.rc_context(STYLE)
def protocol_figure(bars: Sequence[Bar], metric: str, subject_dependent: Sequence[str] = ()) -> Figure:
    """Draw one score of every set under every protocol, from 0 to 1 (Fig. 7).

    Args:
        bars: Sets and protocols keep the order in which they first occur; a pair that is missing leaves a gap.
        metric: What the score is, for example ``"UF1"``.
        subject_dependent: Protocols that test on people they trained on; their bars are hatched, because such a score
            does not speak of a new person.
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
    """Draw how faithful methods are on simulated clips: mass on what moves, and removal curves.

    Args:
        shares: Title -> share of the attribution on truly moving cells, and its 95 % interval.
        shuffled: Title -> the same for shuffled weights, where it applies.
        chance: Share of the cells that move.
        deletion: Title -> ``(K,)`` probability of the class over the share of cells held still.
        insertion: Title -> ``(K,)`` over the share of cells that move.
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
    where.set_ylim(len(order) - 0.5, -0.7)
    where.set_yticks(range(len(order)), labels=order)
    where.tick_params(axis="y", labelcolor=INK)
    ends = [chance, *(value for name in order for value in shares[name]), *shuffled.values()]
    right = np.ceil(max(ends) * 10 + 0.3) / 10
    where.set_xlim(0, min(right, 1.02))
    where.spines["left"].set_visible(False)
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
        axis.set_ylim(0, 1)
        axis.set_xlim(0, 1)
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
    key.set_xlim(0, 1)
    key.set_ylim(0, 1)
    return figure
