"""Train a spotter on recordings whose expressions are known, and calibrate its false alarms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from stag.simulate.recording_motion import simulate_recording
from stag.spotting.describe import FEATURES, describe, mirrored
from stag.spotting.peaks import candidates, courses
from stag.spotting.score import EVENTS, KINDS, Spotter, SpotterNet, calibrated
from stag.types import EXPRESSIONS, Interval, RecordingMotion
from stag.utils.values import ArrayValue

_RIGHT, _WRONG = 0.4, 0.25  # overlap from which a candidate is an expression, and below which it is none
_KEPT = 0.4  # share of the candidates without an expression that training sees
_RECORDING_S = 90.0
_CALIBRATION_PEOPLE = 10_000  # number of the first person who is used for calibration
_OTHER = KINDS.index("other")


@dataclass(frozen=True, eq=False, repr=False)
class Lesson(ArrayValue):
    """Candidates for training: features ``(n, F)`` float16, kind ``(n,)``, shifts ``(n, 3)`` with nan for none."""

    features: NDArray[np.float16]
    kind: NDArray[np.int64]
    shift: NDArray[np.float32]


def lesson(
    recording: RecordingMotion,
    expressions: Sequence[Interval],
    events: Sequence[Interval],
    generator: np.random.Generator,
) -> Lesson:
    """Return the candidates of one recording with the right answers."""
    parts = [np.zeros((0, FEATURES), np.float16)]
    kinds: list[int] = []
    shifts: list[list[float]] = []
    for course in courses(recording):
        found = candidates(course)
        chosen = []
        for one in found:
            onset, apex, offset = (float(course.time_s(row)) for row in (one.onset, one.apex, one.offset))
            here = Interval(file="", onset_s=onset, offset_s=offset)
            truth = max(expressions, key=here.overlap, default=None)
            shared = 0.0 if truth is None else here.overlap(truth)
            shift = [float("nan")] * 3
            if truth is not None and shared >= _RIGHT:
                kind = EXPRESSIONS.index(truth.kind)
                length = offset - onset
                shift = [(truth.onset_s - onset) / length, (truth.apex_s - apex) / length]
                shift.append((truth.offset_s - offset) / length)
            elif shared >= _WRONG or generator.random() > _KEPT:
                continue
            else:
                kind = _event(here, events)
            chosen.append(one)
            kinds.append(kind)
            shifts.append(shift)
        parts.append(describe(course, chosen).astype(np.float16))
    return Lesson(np.concatenate(parts), np.array(kinds, np.int64), np.array(shifts, np.float32).reshape(-1, 3))


def _event(here: Interval, events: Sequence[Interval]) -> int:
    """Return which event a candidate shows: one of about its place, or the one that it is a part of."""
    length = here.offset_s - here.onset_s
    for kind in EVENTS:
        for one in events:
            if one.kind != kind:
                continue
            shared = min(here.offset_s, one.offset_s) - max(here.onset_s, one.onset_s)
            inside = shared > 0.6 * length
            if here.overlap(one) > 0.35 or (inside and kind in ("speech", "turn")):
                return KINDS.index(kind)
    return _OTHER


def fit_spotter(
    lessons: Iterable[Lesson],
    *,
    epochs: int = 12,
    batch: int = 256,
    learning_rate: float = 1e-3,
    seed: int = 0,
    start: SpotterNet | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SpotterNet:
    """Train a network by cross-entropy on kinds and a robust loss on shifts; every batch is mirrored by half."""
    all_of = list(lessons)
    features = np.concatenate([one.features for one in all_of])
    kind = torch.from_numpy(np.concatenate([one.kind for one in all_of]))
    shift = torch.from_numpy(np.concatenate([one.shift for one in all_of]))
    torch.manual_seed(seed)
    net = SpotterNet()
    if start is None:
        part = features[:: max(1, len(features) // 20_000)].astype(np.float32)
        net.mean.copy_(torch.from_numpy(part.mean(axis=0)))
        net.spread.copy_(torch.from_numpy(part.std(axis=0) + 0.05))
    else:
        net.load_state_dict(start.state_dict())
    generator = np.random.default_rng(seed)
    steps = -(-len(features) // batch)
    optimiser = torch.optim.AdamW(net.parameters(), lr=learning_rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=epochs * steps)
    for epoch in range(epochs):
        net.train()
        order = generator.permutation(len(features))
        for begin in range(0, len(order), batch):
            rows = order[begin : begin + batch]
            some = features[rows].astype(np.float32)
            flipped = generator.random(len(rows)) < 0.5
            some[flipped] = mirrored(some[flipped])
            logits, moved = net(torch.from_numpy(some))
            wanted = shift[rows]
            known = torch.isfinite(wanted).all(dim=1)
            loss = functional.cross_entropy(logits, kind[rows])
            if known.any():
                loss = loss + functional.smooth_l1_loss(moved[known], wanted[known], beta=0.1)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        if progress is not None:
            progress(epoch + 1, epochs)
    return net.eval()


def train_simulated(
    people: int, *, seed: int = 0, epochs: int = 12, progress: Callable[[int, int], None] | None = None
) -> Spotter:
    """Train on one simulated recording of each of so many people, and calibrate on a quarter as many others.

    Args:
        people: Number of people.
        seed: Seed of everything.
        epochs: Passes over the candidates.
        progress: Called with (done, total) steps of work.
    """
    others = max(people // 4, 1)
    total = people + epochs + others

    def report(done: int) -> None:
        if progress is not None:
            progress(done, total)

    lessons = []
    for person in range(people):
        made = simulate_recording(person, seed=seed, duration_s=_RECORDING_S)
        generator = np.random.default_rng([seed, person])
        lessons.append(lesson(made.motion, made.script.expressions, made.script.events, generator))
        report(person + 1)
    net = fit_spotter(lessons, epochs=epochs, seed=seed, progress=lambda done, _: report(people + done))
    quiet = []
    for person in range(others):
        who = _CALIBRATION_PEOPLE + person
        quiet.append(simulate_recording(who, seed=seed, duration_s=_RECORDING_S, expressions=False).motion)
        report(people + epochs + person + 1)
    card: dict[str, object] = {"simulated": True, "people": people, "minutes": people * _RECORDING_S / 60, "seed": seed}
    return Spotter(net, false_alarm_table(net, quiet), card)


def false_alarm_table(net: SpotterNet, recordings: Iterable[RecordingMotion]) -> list[tuple[float, float]]:
    """Return false alarms per minute and thresholds, from recordings of people who show no expression."""
    spotter = Spotter(net, [(1.0, 0.5)], {})
    scores: list[float] = []
    minutes = 0.0
    for motion in recordings:
        minutes += motion.measured_s / 60
        scores += [one.score for one in spotter.all_answers(motion)[0]]
    return calibrated(scores, minutes)
