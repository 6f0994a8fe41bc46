"""Spotters on simulated recordings of people whom training has not seen, and on people who show no expression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from stag.datasets.readers.intervals import in_classes
from stag.evaluation.intervals import RULES, SpottingScores, score_intervals
from stag.inference.predictor import Predictor
from stag.simulate.recording_motion import SimulatedRecording, simulate_recording
from stag.spotting.recognise import recognise
from stag.spotting.rules import CASME, SAMM, spot_by_rules, spot_by_threshold
from stag.spotting.score import Spotter
from stag.spotting.sensitivity import Planted, half_point
from stag.types import Interval, RecordingMotion

Spot = Callable[[RecordingMotion, str], list[Interval]]

_FIRST_PERSON = 500_000
_SEED = 99  # training has seed 0
_STRENGTHS_PX = (0.3, 0.5, 0.7, 0.9, 1.2, 1.6, 2.5)
_RATES = (0.5, 1.0, 2.0)


def spotting_tables(people: int, quiet_people: int, progress: Callable[[int, int], None] | None = None) -> str:
    """Return tables in Markdown: scores, detection against strength, false alarms without expressions."""
    spotter, predictor = Spotter.load(), Predictor()
    methods: dict[str, Spot] = {
        "rules, thresholds of SAMM-LV": lambda m, f: spot_by_rules(m, f, SAMM),
        "rules, thresholds of CAS(ME)^2": lambda m, f: spot_by_rules(m, f, CASME),
        "fixed threshold of 1 px": spot_by_threshold,
    }
    for rate in _RATES:
        methods[f"shipped spotter, {rate:g} false alarms a minute"] = _at(spotter, rate)
    spotted: dict[str, list[Interval]] = {name: [] for name in methods}
    truth: list[Interval] = []
    strengths: list[float] = []
    recordings: dict[str, str] = {}
    talking: dict[str, bool] = {}
    minutes = 0.0
    for i in range(people):
        made = simulate_recording(_FIRST_PERSON + i, seed=_SEED)
        file = f"p{i}"
        recordings[file] = file
        talking[file] = _talks(made)
        minutes += made.motion.measured_s / 60
        for one, px in made.seen:
            truth.append(replace(one, file=file))
            strengths.append(px)
        for name, spot in methods.items():
            spotted[name] += [
                replace(one, emotion=recognise(made.motion, one, predictor).prediction.predicted)
                for one in spot(made.motion, file)
            ]
        if progress is not None:
            progress(i + 1, people + quiet_people)
    truth = list(in_classes(truth))
    told = {name: in_classes(found) for name, found in spotted.items()}
    scores = {name: score_intervals(truth, found, recordings, minutes=minutes) for name, found in told.items()}
    parts = [
        f"{people} simulated people, {minutes:.1f} minutes, {sum(t.kind == 'micro' for t in truth)} micro- and "
        f"{sum(t.kind == 'macro' for t in truth)} macro-expressions; {sum(talking.values())} of them talk.",
        _score_table(scores),
        _setting_table(truth, spotted, recordings, talking),
        _strength_table(truth, strengths, spotted[f"shipped spotter, {_RATES[1]:g} false alarms a minute"]),
        _quiet_table(spotter, people, quiet_people, progress),
    ]
    return "\n\n".join(parts) + "\n"


def _at(spotter: Spotter, rate: float) -> Spot:
    return lambda motion, file: spotter.spot(motion, file, false_alarms=rate).expressions


def _talks(made: SimulatedRecording) -> bool:
    return made.script.habit.speech > 1


def _score_table(scores: dict[str, SpottingScores]) -> str:
    lines = [
        "| spotter | rule | F1 micro | macro | all | 95 % (people) | false alarms / min | error of the times (s) "
        "| UF1 of matches | STRS |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, one in scores.items():
        ends = {row["rule"]: row for row in one.table.to_dict("records") if row["kind"] == "all"}
        for rule in RULES:
            f1 = " | ".join(f"{one.f1(kind, rule):.3f}" for kind in ("micro", "macro", "all"))
            low, high = (float(ends[rule][end]) for end in ("f1_low", "f1_high"))
            errors = ", ".join(f"{value:.3f}" for value in one.error_s.values())
            rest = f"{one.false_alarms_per_min:.2f} | {errors} | {one.uf1 or 0:.3f} | {one.strs or 0:.3f}"
            rest = rest if rule == "strict" else "| | |"
            lines.append(f"| {name} | {rule} | {f1} | {low:.3f}-{high:.3f} | {rest} |")
    return "\n".join(lines)


def _setting_table(
    truth: list[Interval], spotted: dict[str, list[Interval]], recordings: dict[str, str], talking: dict[str, bool]
) -> str:
    lines = ["| strict F1 micro / macro | laboratory | talk and look around |", "|---|---|---|"]
    for name, found in spotted.items():
        cells = []
        for talks in (False, True):
            files = {f: s for f, s in recordings.items() if talking[f] == talks}
            if not files:
                cells.append("-")
                continue
            one = score_intervals([t for t in truth if t.file in files], [t for t in found if t.file in files], files)
            cells.append(f"{one.f1('micro'):.3f} / {one.f1('macro'):.3f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _strength_table(truth: list[Interval], strengths: list[float], found: list[Interval]) -> str:
    hits = [any(f.file == t.file and t.overlap(f) >= 0.5 for f in found) for t in truth]
    micro = [(px, hit) for t, px, hit in zip(truth, strengths, hits, strict=True) if t.kind == "micro"]
    lines = ["| micro-expressions, peak in px | detected | of |", "|---|---|---|"]
    for low, high in zip((0.0, *_STRENGTHS_PX), (*_STRENGTHS_PX, 99.0), strict=True):
        some = [hit for px, hit in micro if low < px <= high]
        if some:
            lines.append(f"| {low:g} to {high:g} | {np.mean(some):.2f} | {len(some)} |")
    tried = [Planted(0.0, (), px, hit) for px, hit in micro]
    half, least, most = half_point(tried, np.random.default_rng(0))
    lines += [
        "",
        f"Strength of half detection at 1 false alarm a minute: {half:.2f} px (95 % {least:.2f} to {most:.2f}).",
    ]
    return "\n".join(lines)


def _quiet_table(spotter: Spotter, begun: int, people: int, progress: Callable[[int, int], None] | None) -> str:
    alarms: dict[float, int] = dict.fromkeys(_RATES, 0)
    minutes: dict[Any, float] = {"all": 0.0, True: 0.0, False: 0.0}
    of_setting = {True: 0, False: 0}
    for i in range(people):
        made = simulate_recording(2 * _FIRST_PERSON + i, seed=_SEED, expressions=False)
        talks = _talks(made)
        for key in ("all", talks):
            minutes[key] += made.motion.measured_s / 60
        scores = [one.score for one in spotter.all_answers(made.motion)[0]]
        for rate in _RATES:
            alarms[rate] += sum(score >= spotter.threshold(rate) for score in scores)
        of_setting[talks] += sum(score >= spotter.threshold(1.0) for score in scores)
        if progress is not None:
            progress(begun + i + 1, begun + people)
    lines = [f"Without expressions: {people} other people, {minutes['all']:.1f} minutes.", ""]
    lines += ["| set rate of false alarms a minute | measured |", "|---|---|"]
    lines += [f"| {rate:g} | {count / minutes['all']:.2f} |" for rate, count in alarms.items()]
    for talks, name in ((False, "1, in the laboratory"), (True, "1, talk and look around")):
        if minutes[talks]:
            lines.append(f"| {name} | {of_setting[talks] / minutes[talks]:.2f} |")
    return "\n".join(lines)
