"""What a prediction says, in plain language: the numbers of the page turned into sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stag.motion.regions import channel_names
from stag.motion.transforms import strongest_step
from stag.types import NO_MOVEMENT, FloatArray, MotionTensor, Prediction

if TYPE_CHECKING:
    from stag.explanation.explain import Attribution

_DIRECTIONS = (
    "to the right",
    "down and to the right",
    "down",
    "down and to the left",
    "to the left",
    "up and to the left",
    "up",
    "up and to the right",
)
_CLOSE = 0.1
_SAME = 0.5  # assumed; channels that move at least half as far as the strongest of their part move with it
_MOVING = 0.25  # assumed; of the largest motion of the clip, for a channel to be named as moving
_WHOLE = ("left brow", "right brow", "mouth")


def share(value: float | None, digits: int = 2) -> str:
    """Format a share in [0, 1] without the idle zero, ``".71"``; a dash where there is no number."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def signed(difference: float | None, digits: int = 3) -> str:
    """Format a difference with its sign, ``"+.040"``; no sign where it rounds to nothing."""
    if difference is None or not math.isfinite(difference):
        return "–"
    size = share(abs(difference), digits)
    return size if float(f"{difference:.{digits}f}") == 0 else ("+" if difference > 0 else "−") + size


def interval_text(interval: tuple[float | None, float | None] | None) -> str:
    """Format an interval of shares, ``".611–.811"``, or say that it was not measured."""
    low, high = interval or (None, None)
    return f"{share(low, 3)}–{share(high, 3)}" if low is not None and high is not None else "not measured"


def direction(u: float, v: float) -> str:
    """Return the nearest of eight directions of the image; ``u`` right-positive, ``v`` down-positive."""
    return _DIRECTIONS[octant(u, v)]


def octant(u: float, v: float) -> int:
    """Return number of the nearest of eight directions of the image: 0 right, 2 down, 4 left, 6 up."""
    return round(math.atan2(v, u) / (math.pi / 4)) % 8


def all_flags(prediction: Prediction) -> tuple[str, ...]:
    """Return remarks of the prediction and of its motion, each once, in order."""
    return tuple(dict.fromkeys((*prediction.flags, *prediction.motion.flags)))


def strongest_movement(motion: MotionTensor, layout: str) -> str:
    """Return the channel that moves most at the apex, for example ``"left outer brow, up, .83 px at 0.12 s"``."""
    step = strongest_step(motion.motion)
    vectors = motion.motion[step].astype(float)
    magnitude = np.hypot(vectors[:, 0], vectors[:, 1])
    channel = int(np.argmax(magnitude))
    if magnitude[channel] == 0:
        return "none"
    where, way = channel_names(layout)[channel], direction(*vectors[channel])
    return f"{where}, {way}, {share(float(magnitude[channel]))} px at {motion.time_s[step]:.2f} s"


def regions_in_words(values: FloatArray, layout: str, *, signed: bool, count: int = 3) -> str:
    """Name the channels that count most, ``(R,)``: ``"For it: left brow, mouth. Against it: lower lip."``.

    A channel is named only if it counts at least a tenth of the strongest.
    """
    names, floor = channel_names(layout), 0.1 * float(np.abs(values).max(initial=0.0))
    order = np.argsort(-np.abs(values), kind="stable")
    counting = [i for i in order if abs(values[i]) >= floor and values[i] != 0]
    speaks_for = [names[i] for i in counting if values[i] > 0][:count]
    against = [names[i] for i in counting if values[i] < 0][:count]
    parts = [f"{'For it' if signed else 'Counts most'}: {', '.join(speaks_for)}."] if speaks_for else []
    parts += [f"Against it: {', '.join(against)}."] if against else []
    return " ".join(parts) or "No region counts."


def movement_in_words(motion: MotionTensor, layout: str, attribution: Attribution | None = None) -> tuple[str, int]:
    """Say what the face does, and at which step: ``("Both brows rise", 7)``; empty for a motionless clip.

    The part of the face is the one that speaks most for the class among those that move, or the one that moves most
    where there is no attribution. Both sides are named together where they do the same, and the channels of a brow too.

    Args:
        motion: What the face did.
        layout: Region layout.
        attribution: What spoke for the answer.
    """
    names, vectors = channel_names(layout), motion.motion.astype(float)
    parts = [i for i, name in enumerate(names) if name not in _WHOLE]
    squares = np.square(vectors).sum(axis=-1)
    step = strongest_step(motion.motion)
    if not squares[step, parts].any():
        return "", step
    weight = squares[step]
    if attribution is not None:
        peak = np.sqrt(squares.max(axis=0))
        speaks = np.where(peak >= _MOVING * peak.max(), np.maximum(attribution.by_channel, 0.0), 0.0)
        weight = speaks if speaks.any() else weight
    areas = {name: [i for i in parts if _area(names[i]) == name] for name in dict.fromkeys(_area(n) for n in names)}
    here = max((i for i in areas.values() if i), key=lambda i: float(weight[i].sum()))
    if attribution is not None:
        # A blink may move the same part further, and its attributions cancel over the face: the moment is the one that
        # speaks most as a whole, of those in which this part moves and speaks for the answer.
        size = squares[:, here].sum(axis=1)
        whole = [i for i, name in enumerate(names) if _area(name) == _area(names[here[0]])]
        speaking = np.where((size > 0) & (attribution.values[:, whole].sum(axis=1) > 0), attribution.by_step, 0.0).clip(
            0
        )
        step = int(np.argmax(speaking if speaking.any() else size))
    return capitalised(_part_in_words(here, names, vectors[step])), step


def headline(prediction: Prediction, attribution: Attribution | None = None) -> str:
    """Say what moved when, and the answer: for example ``"Outer brows rise at 0.12 s; surprise .71"``.

    Args:
        prediction: What the model said.
        attribution: What spoke for it; the movement that is named is then the one that spoke most for it.
    """
    motion = prediction.motion
    moved, step = movement_in_words(motion, prediction.layout, attribution)
    if prediction.abstains or not moved:
        return capitalised(prediction.predicted if prediction.abstains else NO_MOVEMENT)
    return f"{moved} at {motion.time_s[step]:.2f} s; {answer_in_words(prediction)}"


def answer_in_words(prediction: Prediction) -> str:
    """Return the class and its probability, ``"surprise .71"``, or why there is none."""
    if prediction.abstains:
        return f"{prediction.predicted}, so no class is named"
    return f"{prediction.most_probable} {share(float(prediction.probabilities.max()))}"


def summary(prediction: Prediction) -> str:
    """Say in one or two sentences the most probable class, a close second, and where the face moved most."""
    order = np.argsort(-prediction.probabilities, kind="stable")
    names = [f"{prediction.classes[i]} ({share(float(prediction.probabilities[i]))})" for i in order]
    close = len(order) > 1 and prediction.probabilities[order[0]] - prediction.probabilities[order[1]] < _CLOSE
    verdict = f"Most probable: {names[0]}" + (f", hardly ahead of {names[1]}." if close else ".")
    moved = f"Strongest movement: {strongest_movement(prediction.motion, prediction.layout)}."
    if prediction.abstains:
        still = prediction.predicted == NO_MOVEMENT
        doubt = "No clear movement was found" if still else f"The clip is {prediction.predicted}"
        return f"{doubt}, so the probabilities mean little. {verdict}"
    return f"{verdict} {moved}"


def _area(name: str) -> str:
    """Return the part of the face that a channel belongs to: all of both brows, both mouth corners, the lower lip."""
    part = _part(name)
    return "brow" if part.endswith("brow") else part


def _part(name: str) -> str:
    return name.removeprefix("left ").removeprefix("right ")


def _part_in_words(channels: Sequence[int], names: Sequence[str], vectors: FloatArray) -> str:
    """Say what the channels of one part of the face do at one step."""
    size = np.hypot(vectors[:, 0], vectors[:, 1])
    strong = [i for i in channels if size[i] >= _SAME * size[list(channels)].max()]
    sides = [[i for i in strong if names[i].startswith(side)] for side in ("left ", "right ")]
    if all(sides):
        who = {_part(names[i]) for i in strong}
        name = f"{who.pop()}s" if len(who) == 1 else "both brows"
        verb = _verb_of_two(*(vectors[side].mean(axis=0) for side in sides))
        if verb:
            return f"{name} {verb}"
        strong = max(sides, key=lambda side: float(size[side].max()))
    name = names[strong[0]] if len(strong) == 1 else f"{names[strong[0]].split()[0]} brow"
    return f"{name} {_verb(*vectors[strong].mean(axis=0))}"


def capitalised(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def _verb(u: float, v: float) -> str:
    if abs(v) >= abs(u):
        return "rises" if v < 0 else "drops"
    return "moves to the right" if u > 0 else "moves to the left"


def _verb_of_two(left: FloatArray, right: FloatArray) -> str:
    """Return what two channels do together; empty where each does something else."""
    (along, drop), (apart, _) = (left + right) / 2, (right - left) / 2
    shares = {
        "rise": -drop,
        "drop": drop,
        "draw apart": apart,
        "draw together": -apart,
        "move to the right": along,
        "move to the left": -along,
    }
    verb = max(shares, key=lambda name: float(shares[name]))
    size = (np.hypot(*left) + np.hypot(*right)) / 2
    return verb if shares[verb] >= _SAME * size else ""
