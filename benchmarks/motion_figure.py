"""Draw the figure of the motion benchmark."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.motion import DEFAULT, SOURCE, MotionBenchmark
from stag.report.theme import INK, MUTED, RULE, SERIES, STYLE, new_figure

_LIMIT_PX = 0.12


def motion_figure(result: MotionBenchmark) -> Figure:
    """Draw error over strength for extraction and the source scheme, and the error of each action unit."""
    with mpl.rc_context(STYLE):
        figure = new_figure(9.0, 3.4, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.7))
        _over_strength(left, result)
        _over_units(right, result)
    return figure


def _over_strength(axis: Any, result: MotionBenchmark) -> None:
    fast = [row for row in result.grid if row["noise_grey"] == 1 and row["fps"] == 200 and row["strength_px"] > 0]
    source = [row for row in result.variants if row["variant"] == SOURCE.name and row["strength_px"] > 0]
    lines = (
        ("source scheme, sway", [row for row in source if row["sway"]], SERIES[1], "-"),
        ("source scheme, head still", [row for row in source if not row["sway"]], SERIES[1], "--"),
        ("stag, sway", [row for row in fast if row["sway"]], SERIES[0], "-"),
        ("stag, head still", [row for row in fast if not row["sway"]], SERIES[0], "--"),
    )
    for label, rows, colour, dash in lines:
        strength = [row["strength_px"] for row in rows]
        axis.plot(strength, [row["apex_rmse_px"] for row in rows], dash, color=colour, marker="o", ms=3, label=label)
    axis.set_yscale("log")
    ticks = (0.05, 0.1, 0.2, 0.5, 1.0)
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xlabel("peak displacement of the skin, crop pixels")
    axis.set_ylabel("RMSE at the apex, crop pixels")
    axis.set_title("Error over strength (simulated)")
    axis.legend(frameon=False, fontsize=7, loc="center right", bbox_to_anchor=(1.0, 0.72))


def _over_units(axis: Any, result: MotionBenchmark) -> None:
    names = [f"{row['units'][0]}" for row in result.units]
    places = range(len(names))
    axis.bar(places, [row["apex_rmse_px"] for row in result.units], color=SERIES[0], width=0.7)
    axis.axhline(_LIMIT_PX, color=RULE, linewidth=1)
    axis.text(len(names) - 0.5, _LIMIT_PX, "target", color=MUTED, ha="right", va="bottom", fontsize=7.5)
    for place, row in zip(places, result.units, strict=True):
        axis.text(place, row["apex_rmse_px"] + 0.002, f"{row['apex_gain']:.2f}", ha="center", fontsize=5.5, color=INK)
    axis.set_xticks(list(places), names)
    axis.set_xlabel("action unit alone, 1 px, noise 1, swaying head; the number is the gain")
    axis.set_ylabel("RMSE at the apex, crop pixels")
    axis.set_title(f"Error of each action unit ({DEFAULT.name} settings, simulated)")
