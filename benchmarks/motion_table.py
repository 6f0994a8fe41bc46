"""The motion benchmark as Markdown tables, for the terminal and for the documentation."""

from __future__ import annotations

from typing import Any

from benchmarks.motion import MotionBenchmark
from stag.bench.rows import markdown

_NUMBERS = (
    ("apex_correlation", "apex corr."),
    ("apex_gain", "apex gain"),
    ("apex_rmse_px", "apex RMSE"),
    ("correlation", "corr."),
    ("gain", "gain"),
    ("rmse_px", "RMSE"),
    ("relative", "RMSE / signal"),
    ("false_px", "false motion"),
    ("ms_per_frame", "ms a frame"),
)
_SHARES = ("decode", "track", "flow", "pool", "other")


def motion_table(result: MotionBenchmark) -> str:
    """All tables of the benchmark, Markdown; lengths are crop pixels, every number is simulated."""
    grid = [
        {"clip": f"{row['strength_px']:g} px, noise {row['noise_grey']:g}, {_head(row)}, {row['fps']:g} fps", **row}
        for row in result.grid
    ]
    ways = [{"way": f"{row['variant']} ({row['strength_px']:g} px, {_head(row)})", **row} for row in result.variants]
    units = [{"unit": f"AU {row['units'][0]}", **row} for row in result.units]
    people = [{"person": f"{row['face']} ({row['inter_ocular_px']:g} px eyes)", **row} for row in result.faces]
    disturbed = [{"clip": "blink" if row["blink"] else "flickering lamp", **row} for row in result.disturbances]
    speed = [
        {"way": row["way"], "ms_per_frame": row["ms_per_frame"], **{s: row[s] for s in _SHARES if s in row}}
        for row in result.speed
    ]
    goals = [{**row, "met": "yes" if row["met"] else "no"} for row in result.targets]
    parts = (
        (
            "Targets",
            markdown(goals, (("target", "target"), ("wanted", "wanted"), ("measured", "measured"), ("met", "met"))),
        ),
        ("Other ways", markdown(ways, (("way", "way"), *_NUMBERS))),
        ("Each action unit alone", markdown(units, (("unit", "unit"), *_NUMBERS[:-1]))),
        ("Each channel", markdown(result.channels, (("channel", "channel"), *_NUMBERS[3:-1]))),
        ("Each person", markdown(people, (("person", "person"), *_NUMBERS))),
        ("Disturbances", markdown(disturbed, (("clip", "clip"), *_NUMBERS[:-1]))),
        ("Speed", markdown(speed, (("way", "way"), ("ms_per_frame", "ms a frame"), *((s, s) for s in _SHARES)))),
        ("Grid", markdown(grid, (("clip", "clip"), *_NUMBERS))),
    )
    return "\n\n".join(f"### {title} (simulated)\n\n{table}" for title, table in parts) + "\n"


def _head(row: dict[str, Any]) -> str:
    return "sway" if row["sway"] else "head still"
