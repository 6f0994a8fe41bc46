"""Simulated motion without pixels: thousands of clips a second, with the errors that extraction makes.

The same scripts as for video clips drive the responses of the channels to each action unit, which are taken once from
the dense fields of a few faces. What a camera, a tracker and a flow algorithm would add is drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stag import __version__
from stag.datasets.labels import scheme as find_scheme
from stag.datasets.motion_file import MotionSet
from stag.errors import ConfigError
from stag.faces.crop import CROP_PX, crop_transform, transform_points
from stag.facs import AU_VOCABULARY, au_vector
from stag.motion.regions import CHANNELS, LAYOUTS, channel_names, channel_window
from stag.motion.timing import magnitude_positions, motion_at, uniform_positions
from stag.simulate.actions import GRID_SIZE, action_fields, on_pixels
from stag.simulate.corpus import DATASET_NAME, numbered, subject_emotions, subject_generator, subject_style
from stag.simulate.emotions import UNIT_SHARES
from stag.simulate.face import astronaut, vary_shape
from stag.simulate.script import ClipScript, Firing, draw_script
from stag.simulate.settings import FRAME_RATES, SimulationSettings
from stag.types import FloatArray

_SHAPES, _CATCHES = 12, 3
_PEAK_STEP_PX = 8
_PROBES = 48
_PERSON = 10
_SHOWN = tuple(unit for unit in AU_VOCABULARY if unit == 45 or any(unit in odds for odds in UNIT_SHARES.values()))


@dataclass(frozen=True)
class ExtractionErrors:
    """What extraction adds to the true motion; ranges are drawn per clip.

    Attributes:
        noise_share: Noise of the channels, relative to the RMS of the clip's motion.
        gain: Factor below 1: optical flow smooths over the edges of small regions.
        head_leak: Largest share of the head motion that is left after alignment.
        window_px: Standard deviation of the place of a channel's window.
        kept: Smallest and largest factor on the share of pixels that a channel averages.
        person_spread: How differently a channel of two people answers to the same action unit; relative.
        annotation_s: Largest error of the annotated onset and offset.
    """

    noise_share: tuple[float, float] = (0.15, 0.5)
    gain: tuple[float, float] = (0.6, 1.0)  # assumed
    head_leak: float = 0.1  # assumed
    window_px: float = 2.0  # assumed
    kept: tuple[float, float] = (0.5, 2.0)  # assumed
    person_spread: float = 0.15  # assumed
    annotation_s: float = 0.03  # assumed


@dataclass(frozen=True)
class ChannelBank:
    """How the channels of a few faces answer to each action unit.

    Attributes:
        response: ``(S, J, A, 2, 18, 2)`` float32: face, catch (which pixels a window happens to see), unit, side of
            the image, channel, ``(u, v)``; crop pixels per crop pixel of peak displacement.
        surface: ``(S, A, 2, P, 2)`` float32: displacement at ``P`` places on the crop, to measure peaks.
        centre: ``(S, 18, 2)`` middle of each window on the crop.
    """

    response: NDArray[np.float32]
    surface: NDArray[np.float32]
    centre: FloatArray


def simulate_motion(
    n_subjects: int,
    clips_per_subject: int,
    *,
    steps: int = 16,
    seed: int = 0,
    settings: SimulationSettings | None = None,
    errors: ExtractionErrors | None = None,
    scheme: str = "megc3",
    layout: str = "roi18",
    sampling: Literal["magnitude", "uniform"] = "magnitude",
    frame_rates: Sequence[float] = FRAME_RATES,
) -> MotionSet:
    """Draw a motion set without drawing a face; motion is displacement since the first frame of a clip.

    Args:
        n_subjects: Number of people.
        clips_per_subject: Clips of each.
        steps: Motion steps ``T``.
        seed: Seed of everything.
        settings: Strength, timing and nuisance; the defaults where omitted.
        errors: What extraction adds; the defaults where omitted.
        scheme: Label scheme.
        layout: Region layout.
        sampling: How frames become steps (METHOD 1.5).
        frame_rates: Frame rates to draw from, one per clip.

    Returns:
        ``n_subjects * clips_per_subject`` clips, marked as simulated.

    Raises:
        ConfigError: A number is out of range.
        DatasetError: There is no such scheme.

    Example:
        >>> motion = simulate_motion(20, 6, seed=1)  # doctest: +SKIP
    """
    if n_subjects < 1 or clips_per_subject < 1 or steps < 2 or seed < 0:
        raise ConfigError(
            f"{n_subjects} people, {clips_per_subject} clips, {steps} steps, seed {seed} are not accepted: expected "
            f"at least 1 person, 1 clip, 2 steps, seed 0"
        )
    if layout not in LAYOUTS:
        raise ConfigError(f"no region layout {layout!r}; there are {', '.join(LAYOUTS)}")
    settings, errors = settings or SimulationSettings(), errors or ExtractionErrors()
    chosen = find_scheme(scheme)
    bank = channel_bank(settings.shape, errors.window_px, errors.kept)
    scripts: list[ClipScript] = []
    motion = np.empty((n_subjects * clips_per_subject, steps, len(CHANNELS), 2), np.float32)
    time_s = np.empty(motion.shape[:2], np.float32)
    for number in range(n_subjects):
        style = subject_style(seed, number)
        person = subject_generator(seed, number, _PERSON)
        face = int(person.integers(len(bank.response)))
        answer = (
            bank.response[face]
            * np.exp(errors.person_spread * person.standard_normal(bank.response.shape[2:5])).astype(np.float32)[
                ..., None
            ]
        )
        for emotion in subject_emotions(seed, number, clips_per_subject, chosen):
            fps = float(frame_rates[int(person.integers(len(frame_rates)))])
            script = draw_script(emotion, style, settings, fps, person)
            time_s[len(scripts)], motion[len(scripts)] = _observed(
                script, answer, bank, face, errors, steps, sampling, person
            )
            scripts.append(script)
    subjects = [numbered("s", i, n_subjects) for i in range(n_subjects) for _ in range(clips_per_subject)]
    clips = [numbered("c", i, clips_per_subject) for _ in range(n_subjects) for i in range(clips_per_subject)]
    return MotionSet(
        motion=motion[:, :, list(LAYOUTS[layout])],
        label=np.array([str(chosen.class_of(script.emotion)) for script in scripts]),
        subject=np.array(subjects),
        dataset=np.full(len(scripts), DATASET_NAME),
        action_units=np.array([au_vector(set(script.units)) for script in scripts], dtype=np.float32),
        clip_id=np.array([f"{s}_{c}" for s, c in zip(subjects, clips, strict=True)]),
        time_s=time_s,
        flags=np.full(len(scripts), ""),
        meta={
            "layout": layout,
            "channels": list(channel_names(layout)),
            "steps": steps,
            "reference": "first",
            "sampling": sampling,
            "flow": "simulated",
            "crop_px": CROP_PX,
            "au_vocabulary": list(AU_VOCABULARY),
            "scheme": chosen.name,
            "classes": list(chosen.classes),
            "simulated": True,
            "seed": seed,
            "version": __version__,
        },
    )


@lru_cache(maxsize=4)
def channel_bank(shape: float, window_px: float, kept: tuple[float, float]) -> ChannelBank:
    """The bank of a variety of faces and catches; it takes a few seconds once, and is kept.

    Args:
        shape: Spread of face shapes, see :class:`SimulationSettings`.
        window_px: Standard deviation of the place of a window, see :class:`ExtractionErrors`.
        kept: Range of the factor on the share of pixels that is averaged.
    """
    original = astronaut().points
    base = transform_points(original, crop_transform(original))
    responses, surfaces, centres = [], [], []
    for number in range(_SHAPES):
        generator = np.random.default_rng([_SHAPES, number])
        points = vary_shape(base, shape, generator)
        fields = action_fields(points, _SHOWN).unit_px.reshape(-1, GRID_SIZE, GRID_SIZE, 2)
        dense = np.stack([on_pixels(field) for field in fields])
        catches = []
        for _ in range(_CATCHES):
            seen = points + window_px * generator.standard_normal((1, 2))
            seen = seen + 0.5 * window_px * generator.standard_normal(points.shape)
            factor = np.exp(generator.uniform(*np.log(kept)))
            catches.append(_pooled(dense, seen, factor))
        responses.append(np.stack(catches).reshape(_CATCHES, len(AU_VOCABULARY), 2, len(CHANNELS), 2))
        surfaces.append(dense[:, ::_PEAK_STEP_PX, ::_PEAK_STEP_PX].reshape(len(AU_VOCABULARY), 2, -1, 2))
        centres.append([_centre(channel_window(channel, points)) for channel in CHANNELS])
    return ChannelBank(np.stack(responses), np.stack(surfaces), np.array(centres))


def _pooled(dense: NDArray[np.float32], points: FloatArray, kept_factor: float) -> NDArray[np.float32]:
    """Eq. 10-11 for many fields at once: ``(K, 256, 256, 2) -> (K, 18, 2)``."""
    result = np.zeros((len(dense), len(CHANNELS), 2), np.float32)
    for i, channel in enumerate(CHANNELS):
        top, bottom, left, right = channel_window(channel, points)
        flat = dense[:, top:bottom, left:right].reshape(len(dense), -1, 2)
        if flat.shape[1]:
            magnitude = np.hypot(flat[..., 0], flat[..., 1])
            tau = np.quantile(magnitude, 1 - min(1.0, channel.kept * kept_factor), axis=1, keepdims=True)
            chosen = (magnitude >= tau)[..., None]
            result[:, i] = (flat * chosen).sum(axis=1) / chosen.sum(axis=1)
    return result


def _centre(window: tuple[int, int, int, int]) -> tuple[float, float]:
    top, bottom, left, right = window
    return (left + right - 1) / 2, (top + bottom - 1) / 2


def _observed(
    script: ClipScript,
    answer: NDArray[np.float32],
    bank: ChannelBank,
    face: int,
    errors: ExtractionErrors,
    steps: int,
    sampling: str,
    generator: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Motion as extraction would report it: ``(T,)`` seconds since the first frame and ``(T, 18, 2)``."""
    early, late = np.rint(generator.uniform(-1, 1, 2) * errors.annotation_s * script.fps)
    begin = min(max(script.onset + int(early), 0), script.apex - 1)
    end = min(max(script.offset + int(late), script.apex + 1), script.n_frames - 1)
    catch = int(generator.integers(_CATCHES))
    firings = script.firings if script.blink is None else (*script.firings, script.blink)
    response = np.stack([_both_sides(firing, answer[catch]) for firing in firings])
    response[: len(script.firings)] *= script.strength_px / _peak(script, bank.surface[face])

    def levels(position: FloatArray) -> FloatArray:
        times = (begin + position - script.onset) / script.fps
        return np.stack([firing.level(times) for firing in firings], axis=1)

    n_frames = end - begin + 1
    positions = _positions(n_frames, steps, sampling, levels, response)
    frames = positions if n_frames >= steps else np.arange(n_frames, dtype=np.float64)
    shown, active = levels(frames), len(script.firings)
    signal = np.einsum("mk,krc->mrc", shown[:, :active], response[:active])
    strength = np.sqrt(np.square(signal).mean())
    signal += np.einsum("mk,krc->mrc", shown[:, active:], response[active:])
    signal *= generator.uniform(*errors.gain) * np.exp(0.1 * generator.standard_normal((len(CHANNELS), 1)))
    signal += _head_leak(script, (begin + frames - script.onset) / script.fps, bank.centre[face], errors, generator)
    # Noise of the first frame sits in every later displacement; that of each frame only in its own.
    noise = 0.8 * generator.standard_normal(signal.shape) + 0.6 * generator.standard_normal((len(CHANNELS), 2))
    noise *= strength * generator.uniform(*errors.noise_share)
    noise *= np.exp(0.3 * generator.standard_normal((len(CHANNELS), 1)))
    displaced = signal - signal[0] + noise
    displaced[0] = 0
    return positions / script.fps, displaced if n_frames >= steps else motion_at(positions, frames, displaced)


def _positions(
    n_frames: int,
    steps: int,
    sampling: str,
    levels: Callable[[FloatArray], FloatArray],
    response: FloatArray,
) -> FloatArray:
    """Frame positions of the steps, by the rules of extraction: ``(T,)``."""
    if sampling == "uniform" or n_frames <= steps:
        return uniform_positions(n_frames, steps)
    probes = np.unique(np.rint(np.linspace(0, n_frames - 1, min(n_frames, _PROBES))))
    change = np.diff(levels(probes), axis=0)
    # |change @ response| without the channels: only the products of the responses matter.
    overlap = np.tensordot(response, response, ((1, 2), (1, 2)))
    step_px = np.sqrt(np.maximum(np.einsum("mj,jk,mk->m", change, overlap, change), 0))
    gaps = np.diff(probes).astype(np.int64)
    return magnitude_positions(np.repeat(step_px / gaps, gaps), steps)


def _peak(script: ClipScript, surface: NDArray[np.float32]) -> float:
    """Largest displacement of the expression at its apex, before it is scaled to its strength."""
    time_s = np.array([(script.apex - script.onset) / script.fps])
    moved = sum(firing.level(time_s)[0] * _both_sides(firing, surface) for firing in script.firings)
    return float(np.sqrt(np.square(moved).sum(axis=-1).max()))


def _both_sides(firing: Firing, unit_px: NDArray[np.float32]) -> FloatArray:
    """One action unit at its full amount: values ``(A, 2, P, 2)`` for each unit and side -> ``(P, 2)``."""
    left, right = unit_px[AU_VOCABULARY.index(firing.unit)]
    return np.asarray(firing.sides[0] * left + firing.sides[1] * right)


def _head_leak(
    script: ClipScript, times: FloatArray, centre: FloatArray, errors: ExtractionErrors, generator: np.random.Generator
) -> FloatArray:
    """What alignment leaves of the head motion at each channel: ``(M, 18, 2)``."""
    pose = script.head.at(times) * generator.uniform(-errors.head_leak, errors.head_leak, 4)
    arm = centre - CROP_PX / 2
    turn = np.deg2rad(pose[:, 2, None, None]) * np.stack([-arm[:, 1], arm[:, 0]], axis=1)
    return np.asarray(pose[:, None, :2] + turn + pose[:, 3, None, None] * arm)
