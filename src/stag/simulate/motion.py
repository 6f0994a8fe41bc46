"""Simulate motion without pixels: thousands of clips a second, with random extraction errors.

Scripts follow the same laws as video clips; the responses of the channels come from the dense fields of a few faces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stag import __version__
from stag.datasets.schemes import Scheme
from stag.datasets.schemes import scheme as find_scheme
from stag.errors import ConfigError
from stag.faces.crop import CROP_PX
from stag.facs import AU_VOCABULARY
from stag.motion.regions import CHANNELS, LAYOUTS, USUAL, channel_names
from stag.motion_set import MotionSet
from stag.simulate.corpus import DATASET_NAME, EMOTIONS, STYLE, numbered, subject_generator
from stag.simulate.emotions import draw_emotions
from stag.simulate.extraction_model import (
    ChannelBank,
    ClipDraws,
    ExtractionErrors,
    channel_bank,
    observed,
)
from stag.simulate.likeness import person_answer
from stag.simulate.script import DisplayStyle, draw_scripts
from stag.simulate.settings import FRAME_RATES, Cuts, SimulationSettings
from stag.types import SIMULATED_FLOW

_BLOCK = 256
_PERSON = 10


def simulate_motion(
    n_subjects: int,
    clips_per_subject: int,
    *,
    steps: int = 16,
    seed: int = 0,
    settings: SimulationSettings | None = None,
    errors: ExtractionErrors | None = None,
    cuts: Cuts | None = None,
    scheme: str = "megc3",
    layout: str = "roi18",
    sampling: Literal["magnitude", "uniform"] = "magnitude",
    frame_rates: Sequence[float] = FRAME_RATES,
) -> MotionSet:
    """Simulate a motion set without video; motion is displacement since the first frame of a clip.

    Args:
        n_subjects: Number of people.
        clips_per_subject: Clips of each person.
        steps: Motion steps ``T``.
        seed: Seed of everything.
        settings: Strength, timing and nuisance.
        errors: Errors that extraction adds to the true motion.
        cuts: How clips are cut out; from onset to offset if omitted.
        scheme: Label scheme.
        layout: Region layout.
        sampling: How frames become steps, as in :mod:`stag.motion.transforms`.
        frame_rates: Frame rates to draw from, one per clip.

    Raises:
        ConfigError: A number is out of range.
        DatasetError: There is no such scheme.

    Example:
        >>> stag.simulate_motion(20, 6, seed=1).motion.shape
        (120, 16, 18, 2)
    """
    return simulate_motion_and_truth(
        n_subjects, clips_per_subject, steps=steps, seed=seed, settings=settings, errors=errors, cuts=cuts,
        scheme=scheme, layout=layout, sampling=sampling, frame_rates=frame_rates,
    )[0]  # fmt: skip


def simulate_motion_and_truth(
    n_subjects: int,
    clips_per_subject: int,
    *,
    steps: int = 16,
    seed: int = 0,
    settings: SimulationSettings | None = None,
    errors: ExtractionErrors | None = None,
    cuts: Cuts | None = None,
    scheme: str = "megc3",
    layout: str = "roi18",
    sampling: Literal["magnitude", "uniform"] = "magnitude",
    frame_rates: Sequence[float] = FRAME_RATES,
) -> tuple[MotionSet, NDArray[np.float32]]:
    """Simulate as :func:`simulate_motion`, and return the motion of the expression alone, too.

    Returns:
        The set, and ``(n, T, R, 2)`` crop pixels: the motion without blink, head, natural movement, gain or noise.
    """
    if n_subjects < 1 or clips_per_subject < 1 or steps < 2 or seed < 0:
        raise ConfigError(
            f"{n_subjects} people, {clips_per_subject} clips, {steps} steps, seed {seed} are not accepted: expected "
            f"at least 1 person, 1 clip, 2 steps, seed 0"
        )
    if layout not in LAYOUTS:
        raise ConfigError(f"no region layout {layout!r}; there are {', '.join(LAYOUTS)}")
    settings, errors = settings or SimulationSettings(), errors or ExtractionErrors()
    label_scheme = find_scheme(scheme)
    bank = channel_bank(settings.shape, errors.window_px, errors.kept)
    channels = list(LAYOUTS[layout])
    regions = USUAL if max(channels) < USUAL else len(CHANNELS)
    motion = np.empty((n_subjects * clips_per_subject, steps, regions, 2), np.float32)
    truth = np.empty_like(motion)
    time_s = np.empty(motion.shape[:2], np.float32)
    units = np.empty((len(motion), len(AU_VOCABULARY)), np.float32)
    emotions: list[str] = []
    for some in _blocks(n_subjects, clips_per_subject, seed, label_scheme, bank, steps, frame_rates, regions):
        rows = slice(len(emotions), len(emotions) + len(some.emotions))
        script = draw_scripts(some.emotions, some.styles, some.fps, settings, some.script)
        time_s[rows], motion[rows], truth[rows] = observed(script, some, bank, errors, cuts or Cuts(), steps, sampling)
        units[rows] = script.action_units
        emotions += some.emotions
    subjects = [numbered("s", i, n_subjects) for i in range(n_subjects) for _ in range(clips_per_subject)]
    clips = [numbered("c", i, clips_per_subject) for _ in range(n_subjects) for i in range(clips_per_subject)]
    simulated = MotionSet(
        motion=motion[:, :, channels],
        label=np.array([str(label_scheme.class_of(emotion)) for emotion in emotions]),
        subject=np.array(subjects),
        dataset=np.full(len(emotions), DATASET_NAME),
        action_units=units,
        clip_id=np.array([f"{s}_{c}" for s, c in zip(subjects, clips, strict=True)]),
        time_s=time_s,
        flags=np.full(len(emotions), ""),
        meta={
            "layout": layout,
            "channels": list(channel_names(layout)),
            "steps": steps,
            "reference": "first",
            "sampling": sampling,
            "flow": SIMULATED_FLOW,
            "crop_px": CROP_PX,
            "au_vocabulary": list(AU_VOCABULARY),
            "scheme": label_scheme.name,
            "classes": list(label_scheme.classes),
            "simulated": True,
            "seed": seed,
            "version": __version__,
        },
    )
    return simulated, truth[:, :, channels]


def _blocks(
    n_subjects: int,
    clips_per_subject: int,
    seed: int,
    scheme: Scheme,
    bank: ChannelBank,
    steps: int,
    frame_rates: Sequence[float],
    regions: int,
) -> Iterator[ClipDraws]:
    """Draw all clips in order, some hundred at a time; no clip depends on the number of clips."""
    waiting: list[ClipDraws] = []
    for number in range(n_subjects):
        style = DisplayStyle.draw(subject_generator(seed, number, STYLE))
        person = subject_generator(seed, number, _PERSON)
        face = int(person.integers(len(bank.response)))
        answer = person_answer(person, regions)[None]
        emotions = draw_emotions(clips_per_subject, scheme, subject_generator(seed, number, EMOTIONS))
        for begin in range(0, clips_per_subject, _BLOCK):
            part = emotions[begin : begin + _BLOCK]
            waiting.append(ClipDraws.draw(part, style, face, answer, steps, frame_rates, person))
            if sum(len(some.emotions) for some in waiting) >= _BLOCK:
                yield ClipDraws.joined(waiting)
                waiting = []
    if waiting:
        yield ClipDraws.joined(waiting)
