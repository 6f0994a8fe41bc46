"""Every method scored on simulated clips, of which it is known which regions moved: ``stag explain --score``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stag import __version__
from stag.config import MotionConfig
from stag.datasets.schemes import SCHEMES
from stag.errors import ConfigError, ModelError
from stag.explanation.explain import explain_many
from stag.explanation.faithfulness import (
    CURVE_STEPS,
    MOVING_SHARE,
    TOP_CELLS,
    Mask,
    area,
    bootstrap_mean,
    mass_share,
    moving_cells,
    rank_similarity,
    removal_curves,
    shuffled,
    top_hits,
)
from stag.explanation.methods import METHODS
from stag.explanation.score_function import Question, own_scale
from stag.inference.views import PLAIN
from stag.model.stag import STAG
from stag.simulate.motion import simulate_motion_and_truth
from stag.types import FloatArray
from stag.utils.files import write_json, write_text
from stag.utils.values import ArrayValue

FIRST_SEED = 20_000
"""Seed of the simulated clips; far from the small ones that training sets are made with."""

METRICS = {
    "share": "mass on moving cells",
    "channel_share": "mass on moving channels",
    "step_share": "mass on moving steps",
    "top_hits": f"of the {TOP_CELLS} strongest cells, moving",
    "deletion": "deletion AUC, lower is better",
    "insertion": "insertion AUC, higher is better",
    "shuffled_share": "mass on moving cells, shuffled weights",
    "similarity": "rank correlation with shuffled weights",
}
"""Every number of the table, with what it says."""

CONTROLS = {"motion": "Size of the motion", "random": "Random order"}
"""What a method must beat: a map that does not know the model, and one that knows nothing."""

Progress = Callable[[int, int], None]
_CHUNK = 50


@dataclass(frozen=True, eq=False, repr=False)
class MethodScore(ArrayValue):
    """One method, or control, over all clips.

    Attributes:
        method: Short name.
        title: For people.
        metrics: Key of :data:`METRICS` -> mean and 95 % interval over clips; only those that apply.
        deletion: ``(K,)`` mean deletion curve over the share of cells.
        insertion: ``(K,)`` mean insertion curve.
    """

    method: str
    title: str
    metrics: dict[str, tuple[float, float, float]]
    deletion: FloatArray
    insertion: FloatArray


@dataclass(frozen=True)
class Scores:
    """What ``stag explain --score`` measures; all of it on simulated motion.

    Attributes:
        methods: Methods, then controls.
        chance: Key of :data:`METRICS` -> what an attribution without any knowledge gets.
        clips: Number of clips, each of another person.
        seed: Of the simulation, the shuffle and the bootstrap.
        accuracy: Of the model on these clips; ``None`` where its classes are of no known scheme.
    """

    methods: tuple[MethodScore, ...]
    chance: dict[str, float]
    clips: int
    seed: int
    accuracy: float | None

    def rows(self) -> list[dict[str, Any]]:
        """One row per method and metric: ``method, metric, mean, low, high, chance``."""
        return [
            {
                "method": scored.method,
                "metric": name,
                "mean": mean,
                "low": low,
                "high": high,
                "chance": self.chance.get(name),
            }
            for scored in self.methods
            for name, (mean, low, high) in scored.metrics.items()
        ]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a JSON file."""
        return {
            "simulated": True,
            "clips": self.clips,
            "seed": self.seed,
            "accuracy": self.accuracy,
            "moving_share": MOVING_SHARE,
            "top_cells": TOP_CELLS,
            "metrics": METRICS,
            "chance": self.chance,
            "methods": [
                {
                    "method": scored.method,
                    "title": scored.title,
                    "metrics": {
                        name: {"mean": mean, "low": low, "high": high}
                        for name, (mean, low, high) in scored.metrics.items()
                    },
                    "deletion": scored.deletion.tolist(),
                    "insertion": scored.insertion.tolist(),
                }
                for scored in self.methods
            ],
            "version": __version__,
        }

    def save(self, folder: Path) -> None:
        """Write ``faithfulness.json`` and ``faithfulness.csv``."""
        write_json(folder / "faithfulness.json", self.as_dict())
        columns = ("method", "metric", "mean", "low", "high", "chance")
        lines = [",".join(columns)]
        for row in self.rows():
            cells = (row[column] for column in columns)
            lines.append(",".join("" if c is None else c if isinstance(c, str) else f"{c:.6f}" for c in cells))
        write_text(folder / "faithfulness.csv", "\n".join(lines) + "\n")


def score_methods(
    model: STAG,
    *,
    clips: int = 200,
    seed: int = FIRST_SEED,
    methods: Sequence[str] = tuple(METHODS),
    progress: Progress | None = None,
) -> Scores:
    """Explain simulated clips by every method, and measure how far each can be believed.

    The class that is explained is the one that the model holds most probable. Each clip as it is, without the
    other views of an answer: the methods are compared, not the answer.

    Args:
        model: A trained model.
        clips: Number of clips, each of another simulated person.
        seed: Of the simulation, the shuffle and the bootstrap.
        methods: Which methods.
        progress: Called with (methods done, methods).

    Raises:
        ConfigError: There are no clips, or no such method.
        ModelError: The model reads motion between consecutive frames, which has no simulated truth.
        MissingDependency: A method needs captum.
    """
    if clips < 1 or seed < 0:
        raise ConfigError(f"{clips} clips, seed {seed} are not accepted: expected at least 1 clip, seed 0")
    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise ConfigError(f"no explanation method {unknown[0]!r}; there are {', '.join(METHODS)}")
    motion, mask, accuracy, target = _clips(model, clips, seed)
    asked = Question(model.eval(), own_scale(model, motion), target, au_source=model.info.au_source())
    random = np.random.default_rng(seed).random(mask.shape)
    size = np.hypot(*np.moveaxis(motion.numpy().astype(float), -1, 0))
    wrecked = shuffled(model, seed)
    found = []
    for number, name in enumerate(methods):
        values, others = (_values(judge, motion, name, target) for judge in (model, wrecked))
        found.append(_scored(name, METHODS[name].title, values, mask, asked, seed, others))
        if progress is not None:
            progress(number + 1, len(methods))
    found += [_scored("motion", CONTROLS["motion"], size, mask, asked, seed, size)]
    found += [_scored("random", CONTROLS["random"], random, mask, asked, seed, None)]
    chance = {
        "share": float(mask.mean()),
        "channel_share": float(mask.any(axis=1).mean()),
        "step_share": float(mask.any(axis=2).mean()),
        "top_hits": float(mask.mean()),
        "deletion": found[-1].metrics["deletion"][0],
        "insertion": found[-1].metrics["insertion"][0],
        "shuffled_share": float(mask.mean()),
        "similarity": 0.0,
    }
    return Scores(tuple(found), chance, clips, seed, accuracy)


def _clips(model: STAG, clips: int, seed: int) -> tuple[Tensor, Mask, float | None, Tensor]:
    """Motion ``(n, T, R, 2)``, cells that truly move, the model's accuracy, and the class it holds most probable."""
    default = MotionConfig()
    if model.info.motion.get("reference", default.reference) != "first":
        raise ModelError(
            "this model reads motion between consecutive frames, whose truth is not simulated; train one with "
            "motion.reference=first"
        )
    schemes = [scheme.name for scheme in SCHEMES.values() if scheme.classes == model.classes]
    simulated, truth = simulate_motion_and_truth(
        clips,
        1,
        steps=model.info.steps,
        seed=seed,
        scheme=schemes[0] if schemes else "megc3",
        layout=model.info.layout,
        sampling=model.info.motion.get("sampling", default.sampling),
    )
    motion = torch.from_numpy(simulated.motion)
    nothing = torch.zeros(clips, dtype=torch.long)
    blank = Question(model.eval(), own_scale(model, motion), nothing, au_source=model.info.au_source())
    target = blank.probabilities(blank.motion[None])[0].argmax(dim=-1)
    right = np.array(model.classes)[target.numpy()] == simulated.label
    return motion, moving_cells(truth), float(right.mean()) if schemes else None, target


def _values(model: STAG, motion: Tensor, method: str, target: Tensor) -> FloatArray:
    parts = []
    for begin in range(0, len(motion), _CHUNK):
        some = slice(begin, begin + _CHUNK)
        chosen = target[some].tolist()
        parts += explain_many(model, motion[some], method=method, target=chosen, views=PLAIN)
    return np.stack([part.values for part in parts])


def _scored(
    name: str,
    title: str,
    values: FloatArray,
    mask: Mask,
    asked: Question,
    seed: int,
    others: FloatArray | None,
) -> MethodScore:
    mass = np.abs(values)
    deletion, insertion = removal_curves(asked, values, CURVE_STEPS)
    measured = {
        "share": mass_share(values, mask),
        "channel_share": mass_share(mass.sum(axis=1), np.any(mask, axis=1)),
        "step_share": mass_share(mass.sum(axis=2), np.any(mask, axis=2)),
        "top_hits": top_hits(values, mask),
        "deletion": area(deletion),
        "insertion": area(insertion),
    }
    if others is not None:
        measured |= {"shuffled_share": mass_share(others, mask), "similarity": rank_similarity(values, others)}
    return MethodScore(
        name,
        title,
        {key: bootstrap_mean(per_clip, seed) for key, per_clip in measured.items()},
        deletion.mean(axis=0),
        insertion.mean(axis=0),
    )
