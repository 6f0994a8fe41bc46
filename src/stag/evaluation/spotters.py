"""Evaluate a spotter that is trained on a set: leave one subject out, the threshold set on training subjects alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stag.errors import DatasetError
from stag.evaluation.intervals import LEAST_OVERLAP
from stag.spotting.fit import fit_spotter, lesson
from stag.spotting.score import Spotter, calibrated
from stag.types import Interval, RecordingMotion
from stag.utils.values import ArrayValue

_EPOCHS = 6  # assumed; training starts from the shipped spotter
_LEARNING_RATE = 3e-4  # assumed


@dataclass(frozen=True, eq=False, repr=False)
class CodedMotion(ArrayValue):
    """Motion of one recording with its annotated expressions."""

    name: str
    subject: str
    motion: RecordingMotion
    expressions: tuple[Interval, ...]


def leave_one_subject_out(
    recordings: Sequence[CodedMotion],
    spotter: Spotter,
    *,
    false_alarms: float,
    epochs: int = _EPOCHS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Interval]:
    """Return the intervals of every recording by a spotter that has not seen its subject.

    Each fold goes on training from a given spotter on the recordings of the other subjects; the scores of the false
    alarms in those recordings set the threshold.

    Args:
        recordings: All recordings of the set.
        spotter: Where training starts.
        false_alarms: False alarms per minute that set the threshold.
        epochs: Passes over the training recordings.
        seed: Seed of the training.
        progress: Called with (subjects done, subjects).

    Raises:
        DatasetError: There are fewer than two subjects, or no annotated expression to learn from.
    """
    subjects = sorted({one.subject for one in recordings})
    if len(subjects) < 2:
        raise DatasetError(f"{len(subjects)} subject(s): leaving one out needs at least two; give more recordings")
    generator = np.random.default_rng(seed)
    lessons = {one.name: lesson(one.motion, one.expressions, (), generator) for one in recordings}
    found: list[Interval] = []
    for done, subject in enumerate(subjects, start=1):
        training = [one for one in recordings if one.subject != subject]
        if not any(one.expressions for one in training):
            raise DatasetError(f"without {subject} there is no annotated expression to learn from; give more subjects")
        net = fit_spotter(
            [lessons[one.name] for one in training],
            epochs=epochs, learning_rate=_LEARNING_RATE, seed=seed, start=spotter.net,
        )  # fmt: skip
        tuned = Spotter(net, _alarms(Spotter(net, spotter.alarms, {}), training) or spotter.alarms, {})
        for one in recordings:
            if one.subject == subject:
                found += tuned.spot(one.motion, one.name, false_alarms=false_alarms).expressions
        if progress is not None:
            progress(done, len(subjects))
    return found


def _alarms(spotter: Spotter, training: Sequence[CodedMotion]) -> list[tuple[float, float]]:
    """Return rates and thresholds from the answers in training recordings that match no annotated expression."""
    scores: list[float] = []
    minutes = 0.0
    for one in training:
        minutes += one.motion.measured_s / 60
        answers = spotter.all_answers(one.motion)[0]
        scores += [a.score for a in answers if all(a.overlap(e) < LEAST_OVERLAP for e in one.expressions)]
    return calibrated(scores, minutes)
