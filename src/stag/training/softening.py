"""Probabilities of a clip -> probabilities that its quality allows."""

from __future__ import annotations

import numpy as np

from stag.motion.quality import trust
from stag.types import FloatArray, Quality

_LEAST = 1e-12


def soften(probabilities: FloatArray, quality: Quality | None) -> FloatArray:
    """Draw probabilities towards equal ones, the further the less a clip can be trusted.

    Log probabilities are scaled by :func:`~stag.motion.quality.trust`, as by a temperature: the order of the classes
    stays, a clip of full quality keeps its numbers, and mere noise has none.

    Args:
        probabilities: ``(..., C)``, each row sums to 1.
        quality: How well the clip could be measured; ``None`` changes nothing.

    Returns:
        ``(..., C)`` float64, each row sums to 1.

    Example:
        >>> soften(np.array([0.9, 0.05, 0.05]), None).tolist()
        [0.9, 0.05, 0.05]
    """
    scale = trust(quality)
    if scale == 1.0:
        return np.asarray(probabilities, dtype=np.float64)
    powers = np.maximum(probabilities, _LEAST) ** scale
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float64)
