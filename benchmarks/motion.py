"""Compare extracted motion with the true motion of the simulator.

Correlation, gain and error cover all *moving* values: each component of each channel and step with a true size of at
least .05 px. Gain is the slope, through the origin, of measured on true. Steps are those that extraction chose, without
the first, which is zero by definition; the apex is the step nearest to the true apex. False motion is the root mean
square of both components of channels with less than .05 px of true motion (on a still face, all channels).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from benchmarks.variants import CANDIDATE_FLOWS, DEFAULTS, Measured, Variant, measure_clip
from stag import __version__
from stag.bench.clips import ClipSpec
from stag.bench.extraction import extraction_speed
from stag.facs import AU_VOCABULARY
from stag.motion.regions import CHANNELS, USUAL
from stag.types import FloatArray
from stag.utils.parallel import spread

MOVING_PX = 0.05
UNIT_SETS = ((1, 2), (4, 7), (6, 12), (9, 25), (10, 17), (15, 20), (5, 26), (14, 23))
"""Action units of the clips of the grid, two for each person."""

STRENGTHS, NOISES, FRAME_RATES = (0.3, 0.5, 1.0, 2.0), (0.0, 1.0, 2.0), (30.0, 200.0)
DEFAULT = Variant("default")
SOURCE = Variant("source scheme", tracker="source")
REDETECTED = Variant("landmarks anew in every frame", tracker="redetected")
VARIANTS = (
    Variant("fixed crop, nose subtracted", tracker="fixed", nose=True),
    Variant("tracked, nose subtracted", nose=True),
    Variant("reference: previous", reference="previous"),
    Variant("sampling: uniform", sampling="uniform"),
    Variant("smoothing: none", smooth_s=0.0),
    Variant("kept: half", kept=0.5),
    Variant("kept: all", kept=1.0),
    *(Variant(f"flow: {name}", flow=name) for name in CANDIDATE_FLOWS if name != DEFAULTS.flow),
)
BUDGET = (
    Variant("true landmarks", true_face=True),
    Variant("true landmarks and head motion", tracker="truth", true_face=True),
)

Row = dict[str, Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class MotionBenchmark:
    """Results as plain rows; :mod:`benchmarks.motion` explains the numbers.

    Attributes:
        grid: Strength x noise x head motion x frame rate, with the defaults.
        variants: Other trackers, flows, references, samplings and shares, and the source scheme.
        units: Each action unit alone.
        channels: Each channel, over all action units.
        faces: Each person.
        disturbances: A blink, a flickering lamp.
        speed: Milliseconds a frame and the share of each stage.
        targets: Each target and its measured value.
        meta: Program version, size of the run, settings.
    """

    grid: list[Row]
    variants: list[Row]
    units: list[Row]
    channels: list[Row]
    faces: list[Row]
    disturbances: list[Row]
    speed: list[Row]
    targets: list[Row]
    meta: Row

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for a JSON file, with ``None`` for undefined values."""
        plain: dict[str, Any] = _without_nan(asdict(self))
        return plain


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def motion_benchmark(*, quick: bool = False, jobs: int = 1, progress: Progress | None = None) -> MotionBenchmark:
    """Measure extraction on rendered clips of *simulated* faces; ``quick`` takes under a minute in two processes."""
    plan = _plan(quick)
    measured: dict[str, list[Measured]] = {part: [] for part, *_ in plan}
    calls = [(spec, noises, variants) for _, spec, noises, variants in plan]
    for index, results in enumerate(spread(measure_clip, calls, jobs)):
        measured[plan[index][0]] += results
        if progress is not None:
            progress(index + 1, len(plan))
    grid = _rows(measured["grid"], ("strength_px", "noise_grey", "sway", "fps"), DEFAULT.name)
    ways = _rows(measured["grid"], ("strength_px", "noise_grey", "sway", "fps", "variant"))
    variants = [row for row in ways if row["variant"] != DEFAULT.name or _central(row)]
    alone = _rows(measured["units"], ("units",))
    speed = extraction_speed(seconds=0.5 if quick else 2.0)
    return MotionBenchmark(
        grid=grid,
        variants=variants,
        units=alone,
        channels=_channel_rows(measured["units"]),
        faces=_rows([m for m in measured["grid"] if _central_clip(m)], ("face", "inter_ocular_px"), DEFAULT.name),
        disturbances=_rows(measured["disturbed"], ("blink", "lamp")),
        speed=speed,
        targets=_targets(grid, variants, alone, speed),
        meta={"version": __version__, "quick": quick, "clips": len(plan), "simulated": True, **DEFAULTS.model_dump()},
    )


def _plan(quick: bool) -> list[tuple[str, ClipSpec, tuple[float, ...], tuple[Variant, ...]]]:
    """Return part of the benchmark, clip, noises and variants of every call."""
    people = [(number, (64.0, 40.0)[number % 2]) for number in range(1 if quick else 4)]
    units = [UNIT_SETS[1], UNIT_SETS[2]] if quick else list(UNIT_SETS)
    base = [ClipSpec(*people[i * len(people) // len(units)], those, 1.0) for i, those in enumerate(units)]
    plan: list[tuple[str, ClipSpec, tuple[float, ...], tuple[Variant, ...]]] = []
    strengths = (0.0, 0.5, 1.0) if quick else (0.0, *STRENGTHS)
    rates = FRAME_RATES[1:] if quick else FRAME_RATES
    noises = (1.0,) if quick else NOISES
    for strength_px, sway, fps, spec in product(strengths, (False, True), rates, base):
        clip = replace(spec, strength_px=strength_px, sway=sway, fps=fps)
        if fps != 200 or 1.0 not in noises:
            plan.append(("grid", clip, noises, (DEFAULT,)))
            continue
        others = tuple(noise for noise in noises if noise != 1)
        if others:
            plan.append(("grid", clip, others, (DEFAULT,)))
        central = strength_px == 1 and sway
        full = (*VARIANTS, *BUDGET, REDETECTED) if not quick else (VARIANTS[1], REDETECTED)
        some = () if quick else (VARIANTS[0], VARIANTS[4])
        plan.append(("grid", clip, (1.0,), (DEFAULT, SOURCE, *(full if central else some))))
    chosen = (4, 9, 12) if quick else AU_VOCABULARY
    two = people[:2]
    plan += [("units", ClipSpec(*who, (unit,), 1.0), (1.0,), (DEFAULT,)) for unit in chosen for who in two]
    some_clips = base[:: 1 if quick else 2]
    for disturbed in [replace(spec, blink=True) for spec in some_clips] + [replace(s, lamp=True) for s in some_clips]:
        plan.append(("disturbed", disturbed, (1.0,), (DEFAULT,)))
    return plan


def compare(motion: FloatArray, truth: FloatArray, prefix: str = "") -> Row:
    """Compare measured with true motion, both ``(..., 2)``.

    Returns:
        ``correlation``, ``gain``, ``rmse_px`` and ``relative`` (error over true RMS) of the moving values and
        ``false_px`` of the channels at rest, each with the prefix; ``nan`` if no value moves.
    """
    moving = np.abs(truth) >= MOVING_PX
    resting = np.hypot(truth[..., 0], truth[..., 1]) < MOVING_PX
    measured, true = motion[moving], truth[moving]
    row = dict.fromkeys(("correlation", "gain", "rmse_px", "relative", "false_px"), float("nan"))
    if len(true) > 2 and measured.std() > 0:
        row["correlation"] = float(np.corrcoef(measured, true)[0, 1])
    if len(true):
        row["gain"] = float((measured * true).sum() / np.square(true).sum())
        row["rmse_px"] = float(np.sqrt(np.square(measured - true).mean()))
        row["relative"] = float(row["rmse_px"] / np.sqrt(np.square(true).mean()))
    if resting.any():
        row["false_px"] = float(np.sqrt(np.square(motion[resting]).mean()))
    return {prefix + name: value for name, value in row.items()}


def _scores(clips: Sequence[Measured]) -> Row:
    motion = np.concatenate([clip.motion[1:] for clip in clips])
    truth = np.concatenate([clip.truth[1:] for clip in clips])
    at_apex = np.stack([clip.motion[clip.apex] for clip in clips])
    true_apex = np.stack([clip.truth[clip.apex] for clip in clips])
    return {
        "clips": len(clips),
        **compare(motion, truth),
        **compare(at_apex, true_apex, "apex_"),
        "ms_per_frame": 1e3 * sum(clip.seconds for clip in clips) / sum(clip.n_frames for clip in clips),
    }


def _rows(measured: Iterable[Measured], keys: Sequence[str], variant: str | None = None) -> list[Row]:
    """Return one row for each combination of the keys, in order of appearance."""
    groups: dict[tuple[Any, ...], list[Measured]] = {}
    for clip in measured:
        if variant is None or clip.variant == variant:
            known = {**asdict(clip.spec), "noise_grey": clip.noise_grey, "variant": clip.variant}
            groups.setdefault(tuple(known[key] for key in keys), []).append(clip)
    return [{**dict(zip(keys, group, strict=True)), **_scores(clips)} for group, clips in groups.items()]


def _channel_rows(measured: Sequence[Measured]) -> list[Row]:
    motion = np.concatenate([clip.motion[1:] for clip in measured])
    truth = np.concatenate([clip.truth[1:] for clip in measured])
    return [{"channel": c.name, **compare(motion[:, i], truth[:, i])} for i, c in enumerate(CHANNELS[:USUAL])]


def _central(row: Row) -> bool:
    return bool(row["strength_px"] == 1 and row["noise_grey"] == 1 and row["sway"] and row["fps"] == 200)


def _central_clip(clip: Measured) -> bool:
    return _central({**asdict(clip.spec), "noise_grey": clip.noise_grey})


def _find(rows: Iterable[Row], **wanted: Any) -> Row:
    return next(row for row in rows if all(row[key] == value for key, value in wanted.items()))


def _targets(grid: list[Row], variants: list[Row], units: list[Row], speed: list[Row]) -> list[Row]:
    """Return each target, the measured value and whether it is met."""
    centre = {"noise_grey": 1.0, "fps": 200.0}
    still = _find(grid, strength_px=0.0, sway=False, **centre)
    swayed = _find(grid, strength_px=0.0, sway=True, **centre)
    one = _find(grid, strength_px=1.0, sway=True, **centre)
    half = _find(grid, strength_px=0.5, sway=True, **centre)
    here = {"strength_px": 1.0, "sway": True, **centre}
    source = _find(variants, variant=SOURCE.name, **here)
    anew = _find(variants, variant=REDETECTED.name, **here)
    loose = min(units, key=lambda row: row["apex_correlation"])
    low = min(units, key=lambda row: row["apex_gain"])
    wrong = max(units, key=lambda row: row["apex_rmse_px"])
    times = {row["way"]: row["ms_per_frame"] for row in speed}
    inf = math.inf
    targets: list[tuple[str, str, float, float, float]] = [
        ("false motion, still face, px", "<= .06", still["false_px"], -inf, 0.06),
        ("false motion, 3 px sway, px", "<= .10", swayed["false_px"], -inf, 0.10),
        ("apex correlation, 1 px", ">= .95", one["apex_correlation"], 0.95, inf),
        ("apex RMSE, 1 px", "<= .12", one["apex_rmse_px"], -inf, 0.12),
        ("apex gain, 1 px", ".8 to 1.1", one["apex_gain"], 0.8, 1.1),
        ("apex correlation, .5 px", ">= .85", half["apex_correlation"], 0.85, inf),
        (f"worst unit's apex correlation (AU {loose['units'][0]})", ">= .95", loose["apex_correlation"], 0.95, inf),
        (f"worst unit's apex RMSE (AU {wrong['units'][0]})", "<= .12", wrong["apex_rmse_px"], -inf, 0.12),
        (f"lowest unit's apex gain (AU {low['units'][0]})", ">= .8", low["apex_gain"], 0.8, inf),
        ("RMSE of the source scheme over ours", ">= 2", source["apex_rmse_px"] / one["apex_rmse_px"], 2, inf),
        ("RMSE of landmarks anew over ours", ">= 5", anew["apex_rmse_px"] / one["apex_rmse_px"], 5, inf),
        ("time of the source scheme over ours", ">= 2", times["source scheme"] / times["stag"], 2, inf),
    ]
    return [
        {"target": name, "wanted": wanted, "measured": value, "met": least <= value <= most}
        for name, wanted, value, least, most in targets
    ]
