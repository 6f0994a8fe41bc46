"""Model the extraction of scripted clips without pixels: channel responses, times, and extraction errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stag.faces.crop import CROP_PX, crop_transform, transform_points
from stag.facs import AU_VOCABULARY
from stag.motion.regions import CHANNELS, USUAL, Pooling
from stag.motion.transforms import magnitude_positions, motion_at, probe_positions, uniform_positions
from stag.simulate.actions import GRID_SIZE, action_fields, on_pixels
from stag.simulate.emotions import UNIT_SHARES
from stag.simulate.face import astronaut, vary_shape
from stag.simulate.likeness import centres, noise_alike
from stag.simulate.natural import DRAWS, movement_of_no_pattern, natural_movement
from stag.simulate.script import DisplayStyle, ScriptBlock, ScriptDraws, between, firing_levels, head_pose
from stag.simulate.settings import Cuts
from stag.types import FloatArray
from stag.utils.values import ArrayValue

CATCHES = 3
"""Random window placements of each face."""

_SHAPES = 12
_PEAK_STEP_PX = 8
_SHOWN = tuple(unit for unit in AU_VOCABULARY if unit == 45 or any(unit in odds for odds in UNIT_SHARES.values()))
DEPTH_PX = np.array([2, 10, 4, -6, 2, 10, 4, -6, 16, 2, 2, 20, 16, 18, 12, 12, 2, 2, 4, 4], np.float64)
"""Distance of each channel before the plane of the eyes, crop pixels (64 between the inner eye corners).  # assumed"""


@dataclass(frozen=True, eq=False, repr=False)
class ChannelBank(ArrayValue):
    """Response of the channels of a few faces to each action unit.

    Attributes:
        response: ``(S, J, A, 2, 20, 2)``: face, window placement, unit, side of the image, channel, ``(u, v)``; crop
            pixels per crop pixel of peak displacement.
        surface: ``(S, A, 2, P, 2)`` displacement at ``P`` places on the crop, to measure peaks.
        centre: ``(S, 20, 2)`` centre of each window on the crop.
    """

    response: NDArray[np.float32]
    surface: NDArray[np.float32]
    centre: FloatArray


@lru_cache(maxsize=16)
def channel_bank(shape: float, window_px: float, kept: tuple[float, float]) -> ChannelBank:
    """Compute the bank in a few seconds; see :class:`SimulationSettings` and :class:`ExtractionErrors`."""
    responses, surfaces, middles = [], [], []
    original = astronaut().points
    for number in range(_SHAPES):
        generator = np.random.default_rng([_SHAPES, number])
        points = vary_shape(transform_points(original, crop_transform(original)), shape, generator)
        dense = np.stack([on_pixels(field) for field in _fields(points.tobytes())])
        catches = []
        for _ in range(CATCHES):
            seen = points + window_px * generator.standard_normal(points.shape)
            seen = seen + 0.25 * window_px * generator.standard_normal((1, 2))
            factor = np.exp(generator.uniform(*np.log(kept)))
            catches.append(Pooling.of(seen, "roi20").caught(factor).static(dense).astype(np.float32))
        responses.append(np.stack(catches).reshape(CATCHES, len(AU_VOCABULARY), 2, len(CHANNELS), 2))
        surfaces.append(dense[:, ::_PEAK_STEP_PX, ::_PEAK_STEP_PX].reshape(len(AU_VOCABULARY), 2, -1, 2))
        middles.append(centres(points))
    return ChannelBank(np.stack(responses), np.stack(surfaces), np.array(middles))


@lru_cache(maxsize=4 * _SHAPES)
def _fields(points: bytes) -> NDArray[np.float32]:
    """Return the unit fields of a face, which take seconds to compute."""
    landmarks = np.frombuffer(points).reshape(-1, 2)
    return np.asarray(action_fields(landmarks, _SHOWN).unit_px.reshape(-1, GRID_SIZE, GRID_SIZE, 2))


@dataclass(frozen=True)
class ExtractionErrors:
    """Errors that extraction adds to the true motion; ranges are drawn per clip.

    Measured ones are of rendered clips against their truth: 48 clips of four simulated faces of 40 and 64 px between
    the inner eye corners, .5 and 1 px, 30 and 200 frames a second, noise of one grey level.

    Attributes:
        noise_share: Noise of the channels, relative to the RMS of the clip's motion.
        noise_px: Noise on a still face, crop pixels.
        gain: Factor on the motion, mostly below 1, because optical flow smooths over the edges of small regions.
        head_leak: Largest share of the head motion in the picture plane that remains after alignment.
        turn_deg: Largest turn of the head out of the picture plane that remains after alignment, degrees.
        window_px: Standard deviation of the position of a landmark.
        kept: Smallest and largest factor on the share of pixels that a channel averages.
        person_spread: Relative spread of channel responses between people; close channels differ alike.
        annotation_s: Largest error of the annotated onset, apex and offset.
        natural: Largest strength of movement that is no expression (:mod:`stag.simulate.natural`), relative to the RMS
            of the clip's motion; drawn per clip, with many clips nearly still.
        natural_own: Share of the variance of that movement which follows none of the usual patterns; the patterns
            leave .21 of the people that they were taken from, more of others.
    """

    noise_share: tuple[float, float] = (0.15, 0.5)  # measured: .15 to .48 (10th to 90th percentile)
    noise_px: float = 0.04  # measured: docs/measurements/motion.md
    gain: tuple[float, float] = (0.87, 1.03)  # measured: .87 to 1.09, median .96
    head_leak: float = 0.02  # measured: .025 px on a still face, .026 with 1.9 px of head motion
    turn_deg: float = 0.7  # measured: .4 to .7 of a turn by 3 degrees
    window_px: float = 1.2  # measured: 1.2, of it .3 shared by all; models of landmarks differ by 3 px and more
    kept: tuple[float, float] = (0.7, 1.4)  # with it channels scatter as measured: standard deviation of the log .16
    person_spread: float = 0.3  # assumed
    annotation_s: float = 0.06  # assumed
    natural: float = 1.0  # assumed; people who talk move as much, people in a laboratory less
    natural_own: float = 0.0


@dataclass(frozen=True, eq=False, repr=False)
class ClipDraws(ArrayValue):
    """Random numbers, emotions and styles of ``B`` clips of ``R`` channels, the first 18 or all 20.

    Attributes:
        fps: ``(B,)`` frames per second.
        face: ``(B,)`` face of the bank.
        person: ``(B,)`` row of ``answer``.
        answer: ``(people, A, 2, R)`` normal, alike in close channels: how a person differs from others.
        one: ``(B, 16)`` uniform.
        channel: ``(B, 4, R)`` standard normal, alike in close channels.
        noise: ``(B, T, 2, R)`` standard normal, alike in close channels.
        natural: ``(B, *DRAWS)`` standard normal, natural movement.
        own: ``(B, 5, 2, 2, R)`` standard normal, alike in close channels: natural movement that follows no pattern.
    """

    emotions: list[str]
    styles: list[DisplayStyle]
    script: ScriptDraws
    fps: FloatArray
    face: NDArray[np.int64]
    person: NDArray[np.int64]
    answer: FloatArray
    one: FloatArray
    channel: FloatArray
    noise: FloatArray
    natural: FloatArray
    own: FloatArray

    @classmethod
    def draw(
        cls,
        emotions: list[str],
        style: DisplayStyle,
        face: int,
        answer: FloatArray,
        steps: int,
        frame_rates: Sequence[float],
        generator: np.random.Generator,
    ) -> ClipDraws:
        """Draw the numbers of some clips of one person."""
        n = len(emotions)
        regions = answer.shape[-1]
        return cls(
            emotions,
            [style] * n,
            ScriptDraws.draw(n, generator),
            np.array(frame_rates, dtype=np.float64)[generator.integers(len(frame_rates), size=n)],
            np.full(n, face),
            np.zeros(n, np.int64),
            answer,
            generator.random((n, 16)),
            noise_alike(generator, (n, 4), regions),
            noise_alike(generator, (n, steps, 2), regions),
            generator.standard_normal((n, *DRAWS)),
            # From a source of its own, so that the other numbers are what they were before.
            noise_alike(generator.spawn(1)[0], (n, *DRAWS[:2], 2), regions),
        )

    @classmethod
    def joined(cls, parts: Sequence[ClipDraws]) -> ClipDraws:
        """Join the numbers of the clips of several people."""
        names = ("fps", "face", "answer", "one", "channel", "noise", "natural", "own")
        return cls(
            emotions=[emotion for part in parts for emotion in part.emotions],
            styles=[style for part in parts for style in part.styles],
            script=ScriptDraws.joined([part.script for part in parts]),
            person=np.repeat(np.arange(len(parts)), [len(part.emotions) for part in parts]),
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names},
        )


def observed(
    script: ScriptBlock,
    drawn: ClipDraws,
    bank: ChannelBank,
    errors: ExtractionErrors,
    cuts: Cuts,
    steps: int,
    sampling: str,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the motion that extraction reports, and the motion of the expression alone.

    Returns:
        ``(B, T)`` seconds since the first frame; the reported motion ``(B, T, R, 2)``; and the motion
        ``(B, T, R, 2)`` without blink, head, natural movement, gain and noise.
    """
    one, regions = drawn.one, drawn.channel.shape[-1]
    begin, n_frames, stride = _frames(script, one, errors, cuts)
    response = _responses(script, drawn, bank, errors)
    usual = response[:, :, :USUAL]  # whose motion decides on strength and steps, in every layout

    def seconds(position: FloatArray) -> FloatArray:
        frame = begin[:, None] + position * stride[:, None] - script.onset[:, None]
        return np.asarray(frame / script.fps[:, None])

    def beside(time_s: FloatArray) -> FloatArray:
        moved = natural_movement(drawn.natural, time_s)[:, :, :regions]
        if not errors.natural_own:
            return moved
        own = movement_of_no_pattern(drawn.own, time_s)
        return np.asarray(np.sqrt(1 - errors.natural_own) * moved + np.sqrt(errors.natural_own) * own)

    few = n_frames < steps
    probes = probe_positions(n_frames)
    level = firing_levels(script.shape, seconds(probes))
    other = beside(seconds(probes))[:, :, :USUAL]
    other -= other[:, :1]
    natural = errors.natural * np.square(one[:, 10]) / np.sqrt(np.square(other).mean(axis=(1, 2, 3)))
    natural *= np.sqrt(np.square(_magnitude(level[..., :-1], usual[:, :-1])).mean(axis=1) / (2 * USUAL))
    positions = uniform_positions(n_frames, steps)
    if sampling == "magnitude":
        moved = _magnitude(np.diff(level, axis=1), usual)
        rest = natural[:, None] * np.sqrt(np.square(np.diff(other, axis=1)).sum(axis=(2, 3)))
        positions = magnitude_positions(probes, np.hypot(moved, rest), steps)
    # Clips with fewer frames than steps are measured at their frames and then interpolated.
    known = np.minimum(np.arange(steps), n_frames[:, None] - 1).astype(np.float64)
    times = seconds(np.where(few[:, None], known, positions))
    shown = firing_levels(script.shape, times)
    signal = _weighted(shown[:, :, :-1], response[:, :-1])
    real = (np.arange(steps) < np.where(few, n_frames, steps)[:, None]) / np.minimum(n_frames, steps)[:, None]
    strength = np.sqrt((np.square(signal[:, :, :USUAL]).mean(axis=(2, 3)) * real).sum(axis=1))
    truth = signal - signal[:, :1]
    signal += _weighted(shown[:, :, -1:], response[:, -1:])
    signal += natural[:, None, None, None] * beside(times)
    signal *= (between(errors.gain, one[:, 2])[:, None] * np.exp(0.1 * drawn.channel[:, 0]))[:, None, :, None]
    pose = head_pose(script.head, times)
    signal += _head_leak(pose, bank.centre[drawn.face][:, :regions], errors.head_leak * (2 * one[:, 3:7] - 1))
    signal += _head_turn(pose, np.deg2rad(errors.turn_deg) * one[:, 9])[:, :, :regions]
    # Noise of the first frame is in every later displacement; noise of another frame only in its own.
    share = between(errors.noise_share, one[:, 7])
    noise = 0.8 * drawn.noise.swapaxes(2, 3) + 0.6 * drawn.channel[:, 2:4].transpose(0, 2, 1)[:, None]
    spread_px = np.hypot(strength * share, errors.noise_px)[:, None] * np.exp(0.3 * drawn.channel[:, 1])
    noise *= spread_px[:, None, :, None]
    displaced = signal - signal[:, :1] + noise
    displaced[:, 0] = 0
    for moved in (displaced, truth):
        moved[few] = motion_at(positions[few], moved[few])
    return positions * stride[:, None] / script.fps[:, None], displaced, truth


def _frames(
    script: ScriptBlock, one: FloatArray, errors: ExtractionErrors, cuts: Cuts
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Cut the clips out: the first frame, the number of frames, and how many lie from one to the next, ``(B,)`` each.

    Frames before the scripted clip (below 0) and after it are still.
    """
    early, late = np.rint((2 * one[:, :2] - 1) * errors.annotation_s * script.fps[:, None]).astype(np.int64).T
    length = (script.offset - script.onset)[:, None]
    sooner, later = np.rint((2 * one[:, 11:13] - 1) * cuts.wrong * length).astype(np.int64).T
    kind = np.searchsorted(np.cumsum([cuts.at_apex, cuts.from_apex, cuts.pairs]), one[:, 14], side="right")
    pair = kind == 2
    lead = np.where(pair, 0, np.rint(cuts.lead_s * script.fps * one[:, 13])).astype(np.int64)
    begin = np.minimum(np.maximum(script.onset + early, 0) + np.where(pair, 0, sooner) - lead, script.apex - 1)
    end = np.maximum(np.minimum(script.offset + late, script.n_frames - 1) + later, script.apex + 1)
    apex = np.clip(script.apex + late, begin + 1, end - 1)
    begin, end = np.where(kind == 1, apex, begin), np.where((kind == 0) | pair, apex, end)
    n_frames = np.where(pair, np.minimum(end - begin + 1, 2 + (one[:, 15] < 0.5)), end - begin + 1)
    return begin, n_frames, (end - begin) / (n_frames - 1)


def _responses(script: ScriptBlock, drawn: ClipDraws, bank: ChannelBank, errors: ExtractionErrors) -> FloatArray:
    """Return the motion of the channels at the full amount of every firing, scaled to strength: ``(B, K, R, 2)``."""
    face, unit = drawn.face[:, None], script.unit
    catch = np.floor(drawn.one[:, 8] * CATCHES).astype(np.int64)[:, None]
    own = np.exp(errors.person_spread * drawn.answer[drawn.person[:, None], unit])[..., None]
    response = (script.sides[..., None, None] * own * bank.response[face, catch, unit][..., : own.shape[-2], :]).sum(
        axis=2
    )
    apex_s = ((script.apex - script.onset) / script.fps)[:, None]
    amount = (firing_levels(script.shape, apex_s)[:, 0, :, None] * script.sides)[:, :-1].astype(np.float32)
    moved = np.zeros((len(unit), *bank.surface.shape[3:]), np.float32)
    for slot in range(amount.shape[1]):
        used = np.flatnonzero(amount[:, slot].any(axis=1))
        for side in range(2):
            surface = bank.surface[drawn.face[used], unit[used, slot], side]
            moved[used] += amount[used, slot, side][:, None, None] * surface
    peak = np.sqrt(np.square(moved).sum(axis=2).max(axis=1)).astype(np.float64)
    response[:, :-1] *= (script.strength_px / peak)[:, None, None, None]
    return np.asarray(response)


def _weighted(level: FloatArray, response: FloatArray) -> FloatArray:
    """Return the sum of the responses of the firings: ``(B, M, K)`` and ``(B, K, ...)`` -> ``(B, M, ...)``."""
    level = level.reshape(*level.shape, *[1] * (response.ndim - 2))
    return np.asarray(sum(level[:, :, slot] * response[:, None, slot] for slot in range(level.shape[2])))


def _magnitude(level: FloatArray, response: FloatArray) -> FloatArray:
    """Return the magnitude of the motion of levels or of their changes ``(B, M, K)``: ``(B, M)``."""
    # |level @ response| without the channels: only the products of the responses matter.
    overlap = np.einsum("bjrc,bkrc->bjk", response, response)
    return np.asarray(np.sqrt(np.maximum((_weighted(level, overlap) * level).sum(axis=2), 0)))


def _head_turn(pose: FloatArray, largest_rad: FloatArray) -> FloatArray:
    """Return the motion of the channels as a swaying head ``(B, M, 6)`` nods and turns: ``(B, M, 20, 2)``.

    A similarity cannot follow such a turn: a point shifts by its depth before the plane of the eyes times the angle.
    """
    course = pose[..., :2] / np.maximum(np.abs(pose[..., :2]).max(axis=(1, 2), keepdims=True), 1e-9)
    angle = course * largest_rad[:, None, None]
    return np.asarray(DEPTH_PX[:, None] * angle[:, :, None, :])


def _head_leak(pose: FloatArray, centre: FloatArray, leak: FloatArray) -> FloatArray:
    """Return the in-plane head motion ``(B, M, 6)`` that alignment leaves at each channel: ``(B, M, R, 2)``."""
    pose = pose[..., :4] * leak[:, None]
    arm = (centre - CROP_PX / 2)[:, None]
    turn = np.deg2rad(pose[..., 2, None, None]) * np.stack([-arm[..., 1], arm[..., 0]], axis=-1)
    return np.asarray(pose[:, :, None, :2] + turn + pose[..., 3, None, None] * arm)
