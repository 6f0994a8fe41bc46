"""The project's own speed: each part beside a reference, in one run on one machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from stag.bench.table import markdown
from stag.doctor import findings
from stag.errors import ConfigError

Rows = list[dict[str, Any]]
Progress = Callable[[int, int], None]


def _extract(quick: bool, jobs: int) -> Rows:
    from stag.bench.extraction import extraction_speed

    ours, source = extraction_speed(seconds=0.5 if quick else 3.0)
    reference = source["ms_per_frame"]
    row = {"against": source["way"], "reference": reference}
    whole = {"what": "640 x 480 JPEG frames to motion, ms a frame", "value": ours["ms_per_frame"]}
    stages = [name for name in ours if name not in ("way", "ms_per_frame")]
    return [
        {**whole, **row, "ratio": reference / ours["ms_per_frame"]},
        *(
            {"what": f"of it {name}, ms a frame", "value": ours[name] * ours["ms_per_frame"], "share": ours[name]}
            for name in stages
        ),
        {
            "what": "against decoding alone",
            "value": ours["ms_per_frame"],
            "against": "decode",
            "reference": ours["decode"] * ours["ms_per_frame"],
            "ratio": ours["decode"],
        },
    ]


def _train(quick: bool, jobs: int) -> Rows:
    from stag.bench.training import training_speed

    return training_speed(jobs=jobs, quick=quick)


def _predict(quick: bool, jobs: int) -> Rows:
    from stag.bench.prediction import prediction_speed

    return prediction_speed(seconds=0.5 if quick else 3.0)


def _start(quick: bool, jobs: int) -> Rows:
    from stag.bench.startup import startup_speed

    return startup_speed(seconds=0.5 if quick else 2.0)


def _memory(quick: bool, jobs: int) -> Rows:
    from stag.bench.memory import memory_peaks

    return memory_peaks()


PARTS: dict[str, Callable[[bool, int], Rows]] = {
    "extract": _extract,
    "train": _train,
    "predict": _predict,
    "start": _start,
    "memory": _memory,
}


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Attributes:
        parts: Rows of each part: ``what``, ``value``, ``against``, ``reference``, ``ratio`` (above 1 is quicker, for
            ``start`` and ``memory`` larger, than the reference), ``share`` of the whole.
        machine: ``(what, finding)``: versions, cores, device.
    """

    parts: dict[str, Rows]
    machine: list[tuple[str, str]]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a JSON file."""
        return asdict(self)


def measure(
    only: tuple[str, ...] = (), *, quick: bool = False, jobs: int = 2, progress: Progress | None = None
) -> Speed:
    """Measure some parts, or all.

    Args:
        only: Names of :data:`PARTS`; all where empty.
        quick: A few seconds a part.
        jobs: Processes of the ways that use several.
        progress: Called with (done, total) after each part.

    Raises:
        ConfigError: There is no such part.
    """
    chosen = only or tuple(PARTS)
    for name in chosen:
        if name not in PARTS:
            raise ConfigError(f"`only={name}`: there is no such part; expected some of {', '.join(PARTS)}")
    parts: dict[str, Rows] = {}
    for done, name in enumerate(chosen, start=1):
        parts[name] = PARTS[name](quick, jobs)
        if progress is not None:
            progress(done, len(chosen))
    machine = [(what, found) for what, found in findings()[0] if not what.startswith("landmarks")]
    return Speed(parts, machine)


_COLUMNS = (
    ("what", "what"),
    ("value", "measured"),
    ("share", "share"),
    ("against", "against"),
    ("reference", "reference"),
    ("ratio", "ratio"),
)


def speed_table(found: Speed) -> str:
    """All parts and the machine as Markdown."""
    tables = [f"### {name}\n\n{markdown(rows, _COLUMNS)}" for name, rows in found.parts.items()]
    machine = ", ".join(f"{what} {finding}" for what, finding in found.machine if "not installed" not in finding)
    return "\n\n".join([*tables, f"Measured on: {machine}."]) + "\n"
