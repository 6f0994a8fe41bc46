"""Draw emotions and their action units, by shares merged over three public sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stag.datasets.schemes import Scheme
from stag.errors import DatasetError
from stag.facs import AU_VOCABULARY
from stag.types import FloatArray

_Name = TypeVar("_Name", str, int)

EMOTION_CLIPS: dict[str, int] = {
    "happiness": 264, "surprise": 338, "disgust": 620, "anger": 218, "sadness": 291, "fear": 275, "contempt": 112,
    "repression": 27, "others": 125,
}  # fmt: skip
"""Clips of each emotion in the sets in which the shares were counted."""

UNIT_SHARES: dict[str, dict[int, float]] = {
    "happiness": {12: 0.81, 6: 0.44, 24: 0.08, 10: 0.06, 1: 0.05, 7: 0.04, 2: 0.03, 14: 0.03, 17: 0.03},
    "surprise": {2: 0.74, 1: 0.71, 5: 0.58, 4: 0.07, 7: 0.05, 25: 0.03, 24: 0.03, 38: 0.02, 17: 0.02},
    "disgust": {4: 0.77, 7: 0.43, 10: 0.14, 9: 0.05, 24: 0.05, 6: 0.05, 5: 0.04, 17: 0.03, 14: 0.03},
    "anger": {4: 0.61, 7: 0.38, 24: 0.08, 23: 0.05, 10: 0.05, 5: 0.05, 6: 0.04, 14: 0.04, 43: 0.04},
    "sadness": {4: 0.40, 14: 0.19, 24: 0.16, 7: 0.13, 17: 0.13, 1: 0.08, 15: 0.08, 5: 0.06, 23: 0.04},
    "fear": {4: 0.49, 7: 0.28, 5: 0.19, 24: 0.13, 1: 0.13, 17: 0.08, 20: 0.07, 2: 0.05, 14: 0.04},
    "contempt": {12: 0.62, 14: 0.12, 6: 0.11, 10: 0.11, 7: 0.05, 24: 0.05, 5: 0.04, 4: 0.04, 2: 0.04},
    "repression": {17: 0.70, 15: 0.41, 14: 0.15, 12: 0.07, 4: 0.04},
    "others": {4: 0.54, 14: 0.13, 2: 0.10, 24: 0.06, 7: 0.06, 18: 0.04, 39: 0.03, 17: 0.03, 12: 0.03},
}
"""Share of the clips of an emotion in which an action unit is coded."""

COMPANIONS: dict[int, int] = {1: 2, 5: 2, 6: 12, 7: 4, 9: 4, 10: 4}
"""Action unit -> the one in whose company it comes where an emotion shows both, as the mean motion of real clips shows:
the brows come down in clips with AU 7, 9 or 10 as far as in those with AU 4 (:mod:`benchmarks.fields`)."""

CLASS_SHARES: dict[str, dict[str, float]] = {
    "megc3": {"negative": 0.45, "positive": 0.28, "surprise": 0.27},  # assumed; less skewed than the composite
}
"""Share of clips per class; other schemes follow the clip counts."""
_PREFERENCE = 0.3  # assumed; how far a person's habit overrides the common shares
_CERTAIN = 0.98
NO_UNIT = max(AU_VOCABULARY) + 1
"""Number in the place of an action unit where there is none."""
_LEADER = np.array([COMPANIONS.get(unit, -1) for unit in range(NO_UNIT + 1)])


def emotion_shares(scheme: Scheme) -> dict[str, dict[str, float]]:
    """Return class -> emotion -> share of all clips; a class without a simulated emotion is a :class:`DatasetError`."""
    shares: dict[str, dict[str, float]] = {}
    for name in scheme.classes:
        members = {e: float(n) for e, n in EMOTION_CLIPS.items() if scheme.class_of(e) == name}
        if not members:
            raise DatasetError(
                f"label scheme {scheme.name!r}: the simulator has no emotion for class {name!r}; "
                f"it knows {', '.join(EMOTION_CLIPS)}"
            )
        shares[name] = members
    clips = {name: sum(members.values()) for name, members in shares.items()}
    class_shares = CLASS_SHARES.get(scheme.name, {name: n / sum(clips.values()) for name, n in clips.items()})
    return {c: {e: class_shares[c] * n / clips[c] for e, n in members.items()} for c, members in shares.items()}


def draw_emotions(n_clips: int, scheme: Scheme, generator: np.random.Generator) -> list[str]:
    """Draw the emotions of the clips of one person; every class occurs if there are enough clips.

    Each class gets its share of the clips, rounded up or down at random, with the right mean.
    """
    shares = emotion_shares(scheme)
    expected = np.array([sum(members.values()) for members in shares.values()])
    counts = _round_at_random(n_clips * expected, generator)
    if n_clips >= len(counts):
        while (counts == 0).any():
            counts[counts.argmax()] -= 1
            counts[counts.argmin()] += 1
    emotions: list[str] = []
    for count, members in zip(counts, shares.values(), strict=True):
        emotions += _pick(members, generator.random(count))
    return [emotions[i] for i in generator.permutation(n_clips)]


def draw_preference(generator: np.random.Generator) -> dict[str, int]:
    """Draw emotion -> action unit that a person shows more often than others do."""
    drawn = generator.random(len(UNIT_SHARES))
    return {e: _pick(shares, drawn[i : i + 1])[0] for i, (e, shares) in enumerate(UNIT_SHARES.items())}


def unit_odds(emotion: str, preferred: int | None) -> dict[int, float]:
    """Return the probability of each action unit; averaged over persons it is the common share."""
    shares = UNIT_SHARES[emotion]
    if preferred is None:
        return dict(shares)
    total = sum(shares.values())
    # A habit that makes a unit more than certain is weakened; otherwise the average over persons sinks.
    weight = min(_PREFERENCE, *((_CERTAIN - share) / (total - share) for share in shares.values()))
    extra = {preferred: weight * total}
    return {unit: (1 - weight) * share + extra.get(unit, 0.0) for unit, share in shares.items()}


def fires(units: NDArray[np.int64], odds: FloatArray, order: FloatArray, mark: FloatArray) -> NDArray[np.bool_]:
    """Choose the action units ``(B, K)`` that fire, at least one of each clip.

    Systematic sampling: the units of a clip are stretches of a circle, as long as they are probable, and those under a
    random mark fire. In random order they cover the circle; companions beyond that lie inside the stretch of the unit
    that they come with. So every unit fires with exactly its probability, and few clips stay empty (the probabilities
    of an emotion sum to more than 1); such a clip shows its most probable unit.

    Args:
        units: ``(B, K)`` action units.
        odds: ``(B, K)`` probabilities; 0 for no unit.
        order: ``(B, K)`` uniform, the random order.
        mark: ``(B,)`` uniform, the start of the sampling.
    """
    leads = units[:, None] == _LEADER[units][:, :, None]  # (B, K, K): whether the last is the leader of the middle
    leads &= (odds > 0)[:, None]
    follows, leader = leads.any(axis=2), leads.argmax(axis=2)
    turn = np.argsort(np.where(odds > 0, order + follows, 3.0), axis=1)
    length = np.take_along_axis(odds, turn, axis=1)
    start = np.empty(odds.shape)
    np.put_along_axis(start, turn, np.cumsum(length, axis=1) - length, axis=1)
    spare = np.take_along_axis(odds, leader, axis=1) - odds
    inside = np.take_along_axis(start, leader, axis=1) + order * spare
    start = np.where(follows & (start >= 1), inside, start) - mark[:, None]
    chosen = np.asarray(np.ceil(start + odds) > np.ceil(start))
    empty = ~chosen.any(axis=1)
    chosen[empty] = np.arange(odds.shape[1]) == odds[empty].argmax(axis=1)[:, None]
    return chosen


def draw_units(odds: Mapping[int, float], generator: np.random.Generator) -> tuple[int, ...]:
    """Draw the action units of one clip, at least one, in rising order; see :func:`fires`."""
    units, shares = np.array([list(odds)]), np.array([list(odds.values())])
    chosen = fires(units, shares, generator.random(shares.shape), generator.random(1))[0]
    return tuple(sorted(unit for unit, on in zip(odds, chosen.tolist(), strict=True) if on))


def _pick(odds: Mapping[_Name, float], uniform: FloatArray) -> list[_Name]:
    """Return one name for each uniform number, by odds."""
    edges, names = np.cumsum(list(odds.values())), list(odds)
    places = np.searchsorted(edges, uniform * edges[-1], side="right")
    return [names[min(place, len(names) - 1)] for place in places.tolist()]


def _round_at_random(expected: FloatArray, generator: np.random.Generator) -> NDArray[np.int64]:
    """Round each number up or down at random; the sum stays, and the mean is right."""
    order = generator.permutation(len(expected))
    edges = np.concatenate([[0.0], np.cumsum(expected[order])])
    counts = np.empty(len(expected), np.int64)
    counts[order] = np.diff(np.ceil(edges - generator.random() + 1e-9))
    return counts
