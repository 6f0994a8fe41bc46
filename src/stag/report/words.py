"""What a prediction says, in plain language: the numbers of the page turned into sentences."""

from __future__ import annotations

import math

import numpy as np

from stag.motion.regions import channel_names
from stag.types import NO_MOVEMENT, FloatArray, MotionTensor, Prediction

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
_ONE = ("rises", "drops", "moves")
_WHOLE = ("left brow", "right brow", "mouth")


def share(value: float | None, digits: int = 2) -> str:
    """A share in [0, 1] without the idle zero, ``".71"``; a dash where there is no number."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def signed(difference: float | None, digits: int = 3) -> str:
    """A difference with its sign, ``"+.040"``; no sign where it rounds to nothing."""
    if difference is None or not math.isfinite(difference):
        return "–"
    size = share(abs(difference), digits)
    return size if float(f"{difference:.{digits}f}") == 0 else ("+" if difference > 0 else "−") + size


def direction(u: float, v: float) -> str:
    """The nearest of eight directions of the image; ``u`` right-positive, ``v`` down-positive."""
    return _DIRECTIONS[octant(u, v)]


def octant(u: float, v: float) -> int:
    """Number of the nearest of eight directions of the image: 0 right, 2 down, 4 left, 6 up."""
    return round(math.atan2(v, u) / (math.pi / 4)) % 8


def apex_step(motion: FloatArray) -> int:
    """The step of the largest RMS over channels: motion ``(T, R, 2)`` -> index."""
    return int(np.argmax(np.square(motion).sum(axis=-1).mean(axis=-1)))


def all_flags(prediction: Prediction) -> tuple[str, ...]:
    """Remarks of the prediction and of its motion, each once, in order."""
    return tuple(dict.fromkeys((*prediction.flags, *prediction.motion.flags)))


def strongest_movement(motion: MotionTensor, layout: str) -> str:
    """The channel that moves most at the apex, for example ``"left outer brow, up, .83 px at 0.12 s"``."""
    step = apex_step(motion.motion)
    vectors = motion.motion[step].astype(float)
    magnitude = np.hypot(vectors[:, 0], vectors[:, 1])
    channel = int(np.argmax(magnitude))
    if magnitude[channel] == 0:
        return "none"
    where, way = channel_names(layout)[channel], direction(*vectors[channel])
    return f"{where}, {way}, {share(float(magnitude[channel]))} px at {motion.time_s[step]:.2f} s"


def regions_in_words(values: FloatArray, layout: str, *, signed: bool, count: int = 3) -> str:
    """Which channels count most, ``(R,)``: for example ``"For it: left brow, mouth. Against it: lower lip."``.

    A channel is named only if it counts at least a tenth of the strongest.
    """
    names, floor = channel_names(layout), 0.1 * float(np.abs(values).max(initial=0.0))
    order = np.argsort(-np.abs(values), kind="stable")
    told = [i for i in order if abs(values[i]) >= floor and values[i] != 0]
    speaks_for = [names[i] for i in told if values[i] > 0][:count]
    against = [names[i] for i in told if values[i] < 0][:count]
    parts = [f"{'For it' if signed else 'Counts most'}: {', '.join(speaks_for)}."] if speaks_for else []
    parts += [f"Against it: {', '.join(against)}."] if against else []
    return " ".join(parts) or "No region counts."


def movements_in_words(motion: MotionTensor, layout: str, count: int = 2) -> str:
    """What the face does at the apex, for example ``"Outer brows rise"``; empty for a motionless clip.

    A left and a right channel that do the same are told together. Whole regions are left to their parts.
    """
    vectors = motion.motion[apex_step(motion.motion)].astype(float)
    size = np.hypot(vectors[:, 0], vectors[:, 1])
    names = channel_names(layout)
    told: list[tuple[float, str, str]] = []
    for part in dict.fromkeys(_part(name) for name in names if name not in _WHOLE):
        here = [i for i, name in enumerate(names) if _part(name) == part]
        if len(here) == 2 and size[here].min() >= 0.5 * size[here].max():
            verb = _verb_of_two(vectors[here[0]], vectors[here[1]])
            if verb:
                told.append((float(size[here].max()), f"{part}s", verb))
                continue
        told += [(float(size[i]), names[i], _verb(*vectors[i])) for i in here]
    told.sort(key=lambda phrase: -phrase[0])
    strong = [(who, verb) for value, who, verb in told[:count] if value > 0 and value >= 0.6 * told[0][0]]
    same = len(strong) > 1 and len({verb for _, verb in strong}) == 1 and not strong[0][1].startswith(_ONE)
    if same:
        return _sentence(f"{' and '.join(who for who, _ in strong)} {strong[0][1]}")
    return _sentence(" and ".join(f"{who} {verb}" for who, verb in strong))


def headline(prediction: Prediction) -> str:
    """What moved when, and the answer: for example ``"Outer brows rise at 0.12 s; surprise .71"``."""
    motion = prediction.motion
    moved = movements_in_words(motion, prediction.layout)
    if prediction.abstains or not moved:
        return _sentence(prediction.predicted if prediction.abstains else NO_MOVEMENT)
    at = motion.time_s[apex_step(motion.motion)]
    answer = f"{prediction.most_probable} {share(float(prediction.probabilities.max()))}"
    return f"{moved} at {at:.2f} s; {answer}"


def summary(prediction: Prediction) -> str:
    """One or two sentences: the most probable class, a close second, and where the face moved most."""
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


def _part(name: str) -> str:
    return name.removeprefix("left ").removeprefix("right ")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _verb(u: float, v: float) -> str:
    if abs(v) >= abs(u):
        return "rises" if v < 0 else "drops"
    return "moves to the right" if u > 0 else "moves to the left"


def _verb_of_two(left: FloatArray, right: FloatArray) -> str:
    """What two channels do together; empty where each does something else."""
    one, other = _verb(*left), _verb(*right)
    if one == other:
        return {"rises": "rise", "drops": "drop"}.get(one, one.replace("moves", "move"))
    both = {(one, other)}
    if both == {("moves to the left", "moves to the right")}:
        return "draw apart"
    return "draw together" if both == {("moves to the right", "moves to the left")} else ""
