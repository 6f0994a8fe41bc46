"""What a prediction says, in plain language: the numbers of the page turned into sentences."""

from __future__ import annotations

import math

import numpy as np

from stag.motion.regions import channel_names
from stag.types import FloatArray, MotionTensor, Prediction

NO_MOVEMENT = "no clear movement"
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


def share(value: float | None, digits: int = 2) -> str:
    """A share in [0, 1] without the idle zero, ``".71"``; a dash where there is no number."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def direction(u: float, v: float) -> str:
    """The nearest of eight directions of the image; ``u`` right-positive, ``v`` down-positive."""
    return _DIRECTIONS[octant(u, v)]


def octant(u: float, v: float) -> int:
    """Number of the nearest of eight directions of the image: 0 right, 2 down, 4 left, 6 up."""
    return round(math.atan2(v, u) / (math.pi / 4)) % 8


def apex_step(motion: FloatArray) -> int:
    """The step of the largest RMS over channels: motion ``(T, R, 2)`` -> index."""
    return int(np.argmax(np.square(motion).sum(axis=-1).mean(axis=-1)))


def is_still(prediction: Prediction) -> bool:
    """Whether the clip was flagged as holding no clear movement."""
    return any(NO_MOVEMENT in flag for flag in all_flags(prediction))


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


def summary(prediction: Prediction) -> str:
    """One or two sentences: the most probable class, a close second, and where the face moved most."""
    order = np.argsort(-prediction.probabilities, kind="stable")
    names = [f"{prediction.classes[i]} ({share(float(prediction.probabilities[i]))})" for i in order]
    close = len(order) > 1 and prediction.probabilities[order[0]] - prediction.probabilities[order[1]] < _CLOSE
    verdict = f"Most probable: {names[0]}" + (f", hardly ahead of {names[1]}." if close else ".")
    moved = f"Strongest movement: {strongest_movement(prediction.motion, prediction.layout)}."
    if is_still(prediction):
        return f"No clear movement was found, so the probabilities mean little. {verdict}"
    return f"{verdict} {moved}"
