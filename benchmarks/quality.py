"""Measure on simulated clips whether a probability of .8 is right in 80 of 100, also in badly filmed clips.

People and random numbers differ from those that the factors of :mod:`stag.motion.quality` were fitted on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.degrade import FILMS
from stag.bench.clips import ClipSpec, found_face, render
from stag.bench.extraction import Known
from stag.bench.rows import markdown
from stag.datasets.schemes import scheme
from stag.evaluation.reliability import calibration_error
from stag.inference.predictor import Predictor
from stag.inference.probabilities import soften
from stag.motion.clip import extract_clip
from stag.simulate.emotions import draw_emotions, draw_units, unit_odds
from stag.types import NO_MOVEMENT, NOT_MEASURABLE, FloatArray, Frame, Landmarks
from stag.utils.parallel import spread
from stag.utils.values import ArrayValue

_CONFIDENT = 0.6
_SEED = 1300
_EYES_PX = (32.0, 48.0)
_STRENGTHS = (0.5, 1.0, 1.6)


@dataclass(frozen=True, eq=False, repr=False)
class FilmedClip(ArrayValue):
    """One clip, filmed in one way and classified.

    Attributes:
        film: Way of filming.
        truth: Position of the true class.
        before: ``(C,)`` probabilities of the model; ``after`` are the softened ones.
        no_movement: Whether nothing moves above the noise.
        unmeasured: Whether the clip is too poor for a class.
        turned: Whether a head turn is reported; no head turns here.
    """

    film: str
    truth: int
    before: FloatArray
    after: FloatArray
    no_movement: bool
    unmeasured: bool
    turned: bool


def reliability(
    *, quick: bool = False, jobs: int = 1, progress: Callable[[int, int], None] | None = None
) -> list[FilmedClip]:
    """Film simulated expressions of twenty people (quick: two) in every way of ``FILMS``, and classify them."""
    people = 2 if quick else 20
    clips: list[FilmedClip] = []
    for done, filmed in enumerate(spread(_person, ((number,) for number in range(people)), jobs), start=1):
        clips += filmed
        if progress is not None:
            progress(done, people)
    return clips


def reliability_table(clips: Iterable[FilmedClip]) -> str:
    """Return a Markdown row for each way of filming and one for all, before and after softening."""
    clips = list(clips)
    rows = [_row(name, [clip for clip in clips if clip.film == name]) for name in dict.fromkeys(c.film for c in clips)]
    columns = (
        ("film", "filmed"), ("clips", "clips"), ("still", "no movement"), ("unmeasured", "not measurable"),
        ("accuracy", "accuracy"), ("before", "confidence before"), ("after", "after"),
        ("wrong_before", "wrong of those above .6, before"), ("wrong_after", "after"),
        ("turned", "head turned"), ("ece_before", "ECE before"), ("ece_after", "ECE after"),
    )  # fmt: skip
    return markdown([*rows, _row("all", clips)], columns) + "\n"


def _row(name: str, clips: Sequence[FilmedClip]) -> dict[str, Any]:
    moved = [clip for clip in clips if not clip.no_movement]
    truth = np.array([clip.truth for clip in clips])
    before, after = np.stack([clip.before for clip in clips]), np.stack([clip.after for clip in clips])
    row: dict[str, Any] = {
        "film": name,
        "clips": len(clips),
        "still": len(clips) - len(moved),
        "unmeasured": sum(clip.unmeasured for clip in clips),
        "accuracy": float(np.mean(before.argmax(axis=1) == truth)),
        "before": float(before.max(axis=1).mean()),
        "after": float(after.max(axis=1).mean()),
        "wrong_before": _wrong([(clip.before, clip.truth) for clip in moved]),
        "wrong_after": _wrong([(clip.after, clip.truth) for clip in moved if not clip.unmeasured]),
        "turned": sum(clip.turned for clip in clips),
    }
    if name == "all":  # one way alone has too few clips for ten bins
        right = before.argmax(axis=1) == truth  # softening keeps the order of the classes
        row |= {"ece_before": calibration_error(before.max(axis=1), right)}
        row |= {"ece_after": calibration_error(after.max(axis=1), right)}
    return row


def _wrong(answers: Iterable[tuple[FloatArray, int]]) -> str:
    confident = [int(p.argmax()) != truth for p, truth in answers if p.max() > _CONFIDENT]
    return f"{sum(confident)} of {len(confident)}"


def _person(number: int) -> list[FilmedClip]:
    """Return three clips of one person, each filmed in every way."""
    generator = np.random.default_rng([_SEED, number])
    chosen = scheme("megc3")
    eyes_px = _EYES_PX[number % len(_EYES_PX)]
    predictor = Predictor()
    clips = []
    for emotion in draw_emotions(3, chosen, generator):
        units = draw_units(unit_odds(emotion, None), generator)
        fps = float(generator.choice([100.0, 200.0]))
        clip = render(ClipSpec(_SEED + number, eyes_px, units, float(generator.choice(_STRENGTHS)), fps=fps))
        face = found_face(clip, 1.0)
        for name, film in FILMS.items():
            images = film(clip.clean, fps, generator)
            share = images[0].shape[0] / clip.clean[0].shape[0]
            points = (face.points + 0.5) * share - 0.5
            detector = Known(Landmarks(points, face.score, face.box))
            frames = [Frame(image, float(at)) for image, at in zip(images, clip.time_s, strict=True)]
            tensor = extract_clip(frames, detector, predictor.settings, name)[0]
            before = predictor.classify(replace(tensor, quality=None), name).probabilities
            clips.append(
                FilmedClip(
                    film=name,
                    truth=chosen.classes.index(str(chosen.class_of(emotion))),
                    before=before,
                    after=soften(before, tensor.quality),
                    no_movement=NO_MOVEMENT in tensor.flags,
                    unmeasured=any(flag.startswith(NOT_MEASURABLE) for flag in tensor.flags),
                    turned="head turned" in tensor.flags,
                )
            )
    return clips
