"""Write the motion benchmark as Markdown tables."""

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
    """Return all tables of the benchmark; lengths are crop pixels, every number is simulated."""
    grid = [
        {"clip": f"{row['strength_px']:g} px, noise {row['noise_grey']:g}, {_head(row)}, {row['fps']:g} fps", **row}
        for row in result.grid
    ]
    ways = [{"way": f"{row['variant']} ({row['strength_px']:g} px, {_head(row)})", **row} for row in result.variants]
    units = [{"unit": f"AU {row['units'][0]}", **row} for row in result.units]
    people = [{"person": f"{row['face']} ({row['inter_ocular_px']:g} px eyes)", **row} for row in result.faces]
    disturbed = [{"clip": "blink" if row["blink"] else "flickering lamp", **row} for row in result.disturbances]
    targets = [{**row, "met": "yes" if row["met"] else "no"} for row in result.targets]
    same = [(name, name) for name in ("target", "wanted", "measured", "met")]
    times = [("way", "way"), ("ms_per_frame", "ms a frame"), *((share, share) for share in _SHARES)]
    parts = (
        ("Targets", targets, same),
        ("Other ways", ways, [("way", "way"), *_NUMBERS]),
        ("Each action unit alone", units, [("unit", "unit"), *_NUMBERS[:-1]]),
        ("Each channel", result.channels, [("channel", "channel"), *_NUMBERS[3:-1]]),
        ("Each person", people, [("person", "person"), *_NUMBERS]),
        ("Disturbances", disturbed, [("clip", "clip"), *_NUMBERS[:-1]]),
        ("Speed", result.speed, times),
        ("Grid", grid, [("clip", "clip"), *_NUMBERS]),
    )
    tables = (f"### {title} (simulated)\n\n{markdown(rows, columns)}" for title, rows, columns in parts)
    return "\n\n".join(tables) + "\n"


def _head(row: dict[str, Any]) -> str:
    return "sway" if row["sway"] else "head still"
