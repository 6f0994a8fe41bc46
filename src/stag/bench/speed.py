"""Measure the speed of each part beside a reference, in one run on one machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from stag.bench.extraction import stage_rows
from stag.bench.growth import SIZES, growth_rows
from stag.bench.learning import prediction_speed, training_speed
from stag.bench.processes import memory_peaks, startup_speed
from stag.bench.rows import Row, markdown
from stag.doctor import findings
from stag.errors import ConfigError

PARTS: dict[str, Callable[[bool, int], list[Row]]] = {
    "extract": lambda quick, jobs: stage_rows(0.5 if quick else 3.0),
    "train": lambda quick, jobs: training_speed(jobs=jobs, quick=quick),
    "predict": lambda quick, jobs: prediction_speed(0.5 if quick else 3.0),
    "start": lambda quick, jobs: startup_speed(0.5 if quick else 2.0),
    "memory": lambda quick, jobs: memory_peaks(),
    "growth": lambda quick, jobs: growth_rows(SIZES[:1] if quick else SIZES),
}
"""Name of a part -> how it is measured, from ``quick`` and ``jobs``."""


@dataclass(frozen=True)
class Speed:
    """Result of a speed benchmark.

    Attributes:
        parts: Rows of each part: ``what``, ``value``, ``against``, ``reference``, ``ratio`` (above 1: faster than the
            reference; for ``start`` and ``memory``: larger), ``share`` of the whole.
        machine: ``(what, finding)``: versions, cores, device.
    """

    parts: dict[str, list[Row]]
    machine: list[tuple[str, str]]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for a JSON file."""
        return asdict(self)


def measure(
    only: tuple[str, ...] = (),
    *,
    quick: bool = False,
    jobs: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Speed:
    """Measure the parts ``only`` of :data:`PARTS`, or all; ``progress`` is called with (done, total) after each.

    Raises:
        ConfigError: There is no such part.
    """
    chosen = only or tuple(PARTS)
    for name in chosen:
        if name not in PARTS:
            raise ConfigError(f"`only={name}`: there is no such part; expected some of {', '.join(PARTS)}")
    parts: dict[str, list[Row]] = {}
    for done, name in enumerate(chosen, start=1):
        parts[name] = PARTS[name](quick, jobs)
        if progress is not None:
            progress(done, len(chosen))
    machine = [(what, finding) for what, finding in findings()[0] if not what.startswith("landmarks")]
    return Speed(parts, machine)


def speed_table(speed: Speed) -> str:
    """Return all parts and the machine as Markdown."""
    keys = ("what", "value", "share", "against", "reference", "ratio")
    columns = [(key, "measured" if key == "value" else key) for key in keys]
    tables = [f"### {name}\n\n{markdown(rows, columns)}" for name, rows in speed.parts.items()]
    machine = ", ".join(f"{what} {finding}" for what, finding in speed.machine if "not installed" not in finding)
    return "\n\n".join([*tables, f"Measured on: {machine}."]) + "\n"
