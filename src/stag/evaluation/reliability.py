"""Whether probabilities can be believed: calibration error, and what a model folder tells of clips held out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from stag.evaluation.metrics import score
from stag.facs import AU_VOCABULARY
from stag.inference.probabilities import predict_probabilities
from stag.model.held_out import HeldOut, Level
from stag.model.stag import STAG
from stag.motion_set import MotionSet
from stag.types import FloatArray

_BINS = 10
_LEVELS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
_LEAST_CLIPS = 20  # assumed; of fewer clips with a unit, and without it, nothing is told


def calibration_error(confidence: FloatArray, right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error over ten equal bins, of ``(n,)`` probabilities of being right.

    Source: Naeini et al., AAAI 2015.
    """
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [abs(confidence[place == i].mean() - right[place == i].mean()) * (place == i).sum() for i in set(place)]
    return float(sum(gaps) / len(right))


def coverage(confidence: FloatArray, right: NDArray[np.bool_]) -> tuple[Level, ...]:
    """Return what is answered, and how much of it is wrong, where answers of less probability are withheld."""
    chosen = [(level, confidence >= level) for level in _LEVELS]
    return tuple(
        Level(level, round(float(some.mean()), 4), round(float(1 - right[some].mean()), 4) if some.any() else 0.0)
        for level, some in chosen
    )


def held_out(model: STAG, motion: MotionSet) -> HeldOut:
    """Measure a model, without any annotated codes, on labelled clips that training has not seen."""
    probabilities, units = predict_probabilities(model, motion, "none")
    answer = np.array(model.classes)[probabilities.argmax(axis=1)]
    confidence, right = probabilities.max(axis=1), answer == motion.label
    scores = score(motion.label, answer, model.classes)
    shares = scores.confusion / np.maximum(scores.confusion.sum(axis=1, keepdims=True), 1)
    coded = ~np.isnan(motion.action_units).any(axis=1)
    shown, chance = motion.action_units[coded] > 0.5, units[coded]
    told = [k for k in range(shown.shape[1]) if min(shown[:, k].sum(), (~shown[:, k]).sum()) >= _LEAST_CLIPS]
    errors = [calibration_error(chance[:, k], shown[:, k]) for k in told]
    return HeldOut(
        clips=len(motion),
        uf1=round(scores.uf1, 4),
        calibration_error=round(calibration_error(confidence, right), 4),
        confusion={
            one: {other: round(float(share), 4) for other, share in zip(model.classes, row, strict=True)}
            for one, row in zip(model.classes, shares, strict=True)
        },
        coverage=coverage(confidence, right),
        units={AU_VOCABULARY[k]: round(float(roc_auc_score(shown[:, k], chance[:, k])), 4) for k in told},
        unit_calibration_error=round(float(np.mean(errors)), 4) if errors else 0.0,
    )
