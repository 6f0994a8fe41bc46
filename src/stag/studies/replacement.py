"""What each part of a trained model does: replace it after training, and count how far the probabilities move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stag.inference.probabilities import PLAIN, predict_probabilities
from stag.model.stag import STAG
from stag.motion_set import MotionSet

PARTS: dict[str, dict[str, object]] = {
    "initial graph (Eq. 13) by the identity": {"initial_graph": "identity"},
    "memory (Eq. 16) off": {"adjacency": "memoryless"},
    "one adjacency for all steps": {"adjacency": "static"},
    "adjacency by 1/R": {"adjacency": "uniform"},
    "AU edges off": {"au_edges": False},
    "cross-attention off": {"cross_attention": False},
    "graph branch off": {"graph": False},
    "temporal branch off": {"temporal": False},
}
"""Part that is replaced -> settings of ``model`` that do it."""


@dataclass(frozen=True)
class Replacement:
    """Effect of a replaced part on the class probabilities of a test set.

    Attributes:
        part: A key of :data:`PARTS`.
        largest: Largest absolute change of a probability.
        mean: Mean absolute change over clips and classes.
        answers: Share of clips whose most probable class changes.
    """

    part: str
    largest: float
    mean: float
    answers: float


def replace_parts(model: STAG, motion: MotionSet, au_source: str = "none") -> list[Replacement]:
    """Replace each part of a trained model in turn; its other weights stay as they are.

    Args:
        model: A trained model; it is not changed. Parts that it already lacks change nothing.
        motion: Clips that it was not trained on.
        au_source: ``none``, ``annotated`` or ``predicted``.

    Returns:
        One row a part, in the order of :data:`PARTS`; parts that would leave no branch are left out.

    Example:
        >>> motion = stag.simulate_motion(4, 3, seed=1)
        >>> model = stag.train(motion, stag.Config.preset("quick").override(["train.epochs=1"]))
        >>> replace_parts(model, motion)[0].part
        'initial graph (Eq. 13) by the identity'
    """
    before, _ = predict_probabilities(model, motion, au_source, views=PLAIN)
    rows = []
    for part, settings in PARTS.items():
        if not (settings.get("graph", model.info.model.graph) or settings.get("temporal", model.info.model.temporal)):
            continue
        after, _ = predict_probabilities(without(model, part), motion, au_source, views=PLAIN)
        change = np.abs(after - before)
        answers = float((after.argmax(1) != before.argmax(1)).mean())
        rows.append(Replacement(part, float(change.max()), float(change.mean()), answers))
    return rows


def without(model: STAG, part: str) -> STAG:
    """Return a copy of a trained model with one part of :data:`PARTS` replaced, in evaluation mode."""
    return model.with_settings(**PARTS[part]).eval()
