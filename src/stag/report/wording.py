"""Sentences about a prediction, and numbers as text."""

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
_CLOSE = 0.1  # assumed; a class this near to the most probable one is named too
_SAME = 0.5  # assumed; channels that move at least half as far as the strongest of their part move with it
_MOVING = 0.25  # assumed; of the largest motion of the clip, for a channel to be named as moving
_WHOLE = ("left brow", "right brow", "mouth")


def share(value: float | None, digits: int = 2) -> str:
    """Format a share in [0, 1] without its leading zero, ``".71"``; a dash for no number."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def signed(difference: float | None, digits: int = 3) -> str:
    """Format a difference with its sign, ``"+.040"``; no sign if it rounds to zero."""
    if difference is None or not math.isfinite(difference):
        return "–"
    size = share(abs(difference), digits)
    return size if float(f"{difference:.{digits}f}") == 0 else ("+" if difference > 0 else "−") + size


def interval_text(interval: tuple[float | None, float | None] | None) -> str:
    """Format an interval of shares, ``".611–.811"``, or ``"not measured"``."""
    low, high = interval or (None, None)
    return f"{share(low, 3)}–{share(high, 3)}" if low is not None and high is not None else "not measured"


def direction(u: float, v: float) -> str:
    """Return the nearest of eight directions of the image; ``u`` right-positive, ``v`` down-positive."""
    return _DIRECTIONS[octant(u, v)]


def octant(u: float, v: float) -> int:
    """Return the number of the nearest of eight directions of the image: 0 right, 2 down, 4 left, 6 up."""
    return round(math.atan2(v, u) / (math.pi / 4)) % 8


def all_flags(prediction: Prediction) -> tuple[str, ...]:
    """Return the remarks on the prediction and on its motion, each once, in order."""
    return tuple(dict.fromkeys((*prediction.flags, *prediction.motion.flags)))


def strongest_movement(motion: MotionTensor, layout: str) -> str:
    """Return the channel that moves most at the apex, for example ``"left outer brow, up, .83 px at 0.12 s"``."""
    step = strongest_step(motion.motion)
    vectors = motion.motion[step].astype(float)
    size = np.hypot(vectors[:, 0], vectors[:, 1])
    i = int(np.argmax(size))
    if size[i] == 0:
        return "none"
    name = channel_names(layout)[i]
    return f"{name}, {direction(*vectors[i])}, {share(float(size[i]))} px at {motion.time_s[step]:.2f} s"


def regions_in_words(values: FloatArray, layout: str, *, signed: bool) -> str:
    """Name up to three channels for and against a class, ``(R,)``: ``"For it: left brow. Against it: lower lip."``.

    A channel is named only if its value is at least a tenth of the largest.
    """
    names, least = channel_names(layout), 0.1 * float(np.abs(values).max(initial=0.0))
    order = [i for i in np.argsort(-np.abs(values), kind="stable") if abs(values[i]) >= least and values[i] != 0]
    speaks_for = [names[i] for i in order if values[i] > 0][:3]
    against = [names[i] for i in order if values[i] < 0][:3]
    parts = [f"{'For it' if signed else 'Counts most'}: {', '.join(speaks_for)}."] if speaks_for else []
    parts += [f"Against it: {', '.join(against)}."] if against else []
    return " ".join(parts) or "No region counts."


def headline(prediction: Prediction, why: Attribution | None = None) -> str:
    """Return what moved when, and the answer: for example ``"Outer brows rise at 0.12 s; surprise .71"``.

    The movement is the one that speaks most for the class, or the largest without an explanation ``why``.
    """
    motion = prediction.motion
    moved, step = _movement(motion, prediction.layout, why)
    if prediction.abstains or not moved:
        return capitalised(prediction.predicted if prediction.abstains else NO_MOVEMENT)
    return f"{capitalised(moved)} at {motion.time_s[step]:.2f} s; {answer_in_words(prediction)}"


def answer_in_words(prediction: Prediction) -> str:
    """Return the class and its probability, ``"surprise .71"``, or why there is none."""
    if prediction.abstains:
        return f"{prediction.predicted}, so no class is named"
    return f"{prediction.most_probable} {share(float(prediction.probabilities.max()))}"


def summary(prediction: Prediction) -> str:
    """Return the most probable class, a close second, and the strongest movement, in one or two sentences."""
    order = np.argsort(-prediction.probabilities, kind="stable")
    names = [f"{prediction.classes[i]} ({share(float(prediction.probabilities[i]))})" for i in order]
    close = len(order) > 1 and prediction.probabilities[order[0]] - prediction.probabilities[order[1]] < _CLOSE
    verdict = f"Most probable: {names[0]}" + (f", hardly ahead of {names[1]}." if close else ".")
    if prediction.abstains:
        still = prediction.predicted == NO_MOVEMENT
        doubt = "No clear movement was found" if still else f"The clip is {prediction.predicted}"
        return f"{doubt}, so the probabilities mean little. {verdict}"
    return f"{verdict} Strongest movement: {strongest_movement(prediction.motion, prediction.layout)}."


def capitalised(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def _movement(motion: MotionTensor, layout: str, why: Attribution | None) -> tuple[str, int]:
    """Return the movement of one part of the face and its step, ``("both brows rise", 7)``; empty without motion."""
    names, vectors = channel_names(layout), motion.motion.astype(float)
    areas = ["brow" if _part(name).endswith("brow") else _part(name) for name in names]
    squares = np.square(vectors).sum(axis=-1)
    step = strongest_step(motion.motion)
    members = {area: [i for i, name in enumerate(names) if areas[i] == area and name not in _WHOLE] for area in areas}
    if not any(squares[step, channels].any() for channels in members.values()):
        return "", step
    weight = squares[step]
    if why is not None:
        peak = np.sqrt(squares.max(axis=0))
        speaks = np.where(peak >= _MOVING * peak.max(), np.maximum(why.by_channel, 0.0), 0.0)
        weight = speaks if speaks.any() else weight
    area = max(filter(members.get, members), key=lambda area: float(weight[members[area]].sum()))
    channels = members[area]
    if why is not None:
        # A blink may move the same part further, but its attributions cancel over the face. So of the steps in which
        # this part moves and speaks for the class, take the one with the largest sum over the face.
        size = squares[:, channels].sum(axis=1)
        for_class = why.values[:, [i for i in range(len(names)) if areas[i] == area]].sum(axis=1) > 0
        total = np.where((size > 0) & for_class, why.by_step, 0.0).clip(0)
        step = int(np.argmax(total if total.any() else size))
    return _part_in_words(channels, names, vectors[step]), step


def _part(name: str) -> str:
    return name.removeprefix("left ").removeprefix("right ")


def _part_in_words(channels: Sequence[int], names: Sequence[str], vectors: FloatArray) -> str:
    """Return the movement of the channels of one part of the face, with vectors ``(R, 2)``."""
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
