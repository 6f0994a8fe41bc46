"""Probabilities of a clip -> probabilities that its quality allows."""

from __future__ import annotations

import numpy as np

from stag.motion.quality import LEAST_TRUST, trust
from stag.types import FloatArray, Quality

MOST_UNMEASURED = 0.55
"""Largest probability of a clip that is not measurable: so often the most probable class was right."""

_LEAST = 1e-12


def soften(probabilities: FloatArray, quality: Quality | None) -> FloatArray:
    """Draw probabilities towards equal ones, the further the less a clip can be trusted.

    Log probabilities are scaled by :func:`~stag.motion.quality.trust`, as by a temperature: the order of the classes
    stays, and a clip of full quality keeps its numbers. Where a clip is not measurable none exceeds
    :data:`MOST_UNMEASURED`.

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
    softened = np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float64)
    if scale >= LEAST_TRUST:
        return softened
    equal = 1 / softened.shape[-1]
    most = softened.max(axis=-1, keepdims=True)
    kept = np.minimum(1.0, max(MOST_UNMEASURED - equal, 0.0) / np.maximum(most - equal, _LEAST))
    return np.asarray(equal + kept * (softened - equal), dtype=np.float64)
