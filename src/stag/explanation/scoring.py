"""Score every method on simulated clips, whose true motion is known: ``stag explain --score``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from stag import __version__
from stag.config import MotionConfig
from stag.datasets.schemes import SCHEMES
from stag.errors import ConfigError, ModelError
from stag.explanation import faithfulness
from stag.explanation.explain import explain_many
from stag.explanation.faithfulness import MOVING_SHARE, TOP_CELLS, Mask, mass_share, moving_cells
from stag.explanation.methods import METHODS, ScoreFunction, own_scale
from stag.inference.probabilities import PLAIN, answer
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
"""Key of every metric -> its title."""

CONTROLS = {"motion": "Size of the motion", "random": "Random order"}
"""Controls that a method must beat: a map of the motion alone, and a random one."""

Progress = Callable[[int, int], None]
_CHUNK = 50


@dataclass(frozen=True, eq=False, repr=False)
class MethodScore(ArrayValue):
    """Scores of one method, or control, over all clips.

    Attributes:
        method: Short name.
        title: Full name.
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
    """Scores of all methods on simulated motion.

    Attributes:
        methods: Methods, then controls.
        chance: Key of :data:`METRICS` -> value of an attribution without any knowledge.
        clips: Number of clips, each of another person.
        seed: Of the simulation, the shuffle and the bootstrap.
        accuracy: Of the model on these clips; ``None`` where its classes are of no label scheme.
    """

    methods: tuple[MethodScore, ...]
    chance: dict[str, float]
    clips: int
    seed: int
    accuracy: float | None

    def table(self) -> pd.DataFrame:
        """Return one row per method and metric: method, metric, mean, low, high, chance."""
        rows = [
            (scored.method, name, *scored.metrics[name], self.chance.get(name))
            for scored in self.methods
            for name in scored.metrics
        ]
        return pd.DataFrame(rows, columns=["method", "metric", "mean", "low", "high", "chance"])

    def as_dict(self) -> dict[str, Any]:
        """Return the scores as plain data for a JSON file."""
        interval = ("mean", "low", "high")
        methods = [
            {
                "method": scored.method,
                "title": scored.title,
                "metrics": {name: dict(zip(interval, value, strict=True)) for name, value in scored.metrics.items()},
                "deletion": scored.deletion.tolist(),
                "insertion": scored.insertion.tolist(),
            }
            for scored in self.methods
        ]
        return {
            "simulated": True,
            "clips": self.clips,
            "seed": self.seed,
            "accuracy": self.accuracy,
            "moving_share": MOVING_SHARE,
            "top_cells": TOP_CELLS,
            "metrics": METRICS,
            "chance": self.chance,
            "methods": methods,
            "version": __version__,
        }

    def save(self, folder: Path) -> None:
        """Write ``faithfulness.json`` and ``faithfulness.csv``."""
        write_json(folder / "faithfulness.json", self.as_dict())
        write_text(
            folder / "faithfulness.csv", self.table().to_csv(index=False, float_format="%.6f", lineterminator="\n")
        )


def score_methods(
    model: STAG,
    *,
    clips: int = 200,
    seed: int = FIRST_SEED,
    methods: Sequence[str] = tuple(METHODS),
    progress: Progress | None = None,
) -> Scores:
    """Explain simulated clips by every method, and score the attributions against the true motion.

    The class that is explained is the most probable one. Only the unchanged clip is explained, without the other views
    of test-time augmentation.

    Args:
        model: A trained model.
        clips: Number of clips, each of another person.
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
    function = ScoreFunction(model.eval(), own_scale(model, motion), target, au_source=model.info.au_source())
    random = np.random.default_rng(seed).random(mask.shape)
    size = np.hypot(*np.moveaxis(motion.numpy().astype(float), -1, 0))
    randomised = faithfulness.shuffled(model, seed)
    scores = []
    for number, name in enumerate(methods):
        values, others = (_values(one, motion, name, target) for one in (model, randomised))
        scores.append(_scored(name, METHODS[name].title, values, mask, function, seed, others))
        if progress is not None:
            progress(number + 1, len(methods))
    scores.append(_scored("motion", CONTROLS["motion"], size, mask, function, seed, size))
    scores.append(_scored("random", CONTROLS["random"], random, mask, function, seed, None))
    by_chance = float(mask.mean())
    chance = {
        "share": by_chance,
        "channel_share": float(mask.any(axis=1).mean()),
        "step_share": float(mask.any(axis=2).mean()),
        "top_hits": by_chance,
        "deletion": scores[-1].metrics["deletion"][0],
        "insertion": scores[-1].metrics["insertion"][0],
        "shuffled_share": by_chance,
        "similarity": 0.0,
    }
    return Scores(tuple(scores), chance, clips, seed, accuracy)


def _clips(model: STAG, clips: int, seed: int) -> tuple[Tensor, Mask, float | None, Tensor]:
    """Return motion ``(n, T, R, 2)``, cells that truly move, the model's accuracy, and the most probable classes."""
    default = MotionConfig()
    if not model.info.cumulative:
        raise ModelError(
            "this model reads motion between consecutive frames, whose truth is not simulated; train one with "
            "motion.reference=first"
        )
    scheme = next((scheme.name for scheme in SCHEMES.values() if scheme.classes == model.classes), None)
    simulated, truth = simulate_motion_and_truth(
        clips,
        1,
        steps=model.info.steps,
        seed=seed,
        scheme=scheme or "megc3",
        layout=model.info.layout,
        sampling=model.info.motion.get("sampling", default.sampling),
    )
    motion = torch.from_numpy(simulated.motion)
    source = model.info.au_source()
    probabilities = np.concatenate(
        [
            answer(model, own_scale(model, part), au_source=source, views=PLAIN).probabilities
            for part in torch.split(motion, _CHUNK)
        ]
    )
    target = probabilities.argmax(axis=-1)
    right = np.array(model.classes)[target] == simulated.label
    return motion, moving_cells(truth), float(right.mean()) if scheme else None, torch.from_numpy(target)


def _values(model: STAG, motion: Tensor, method: str, target: Tensor) -> FloatArray:
    parts = []
    for clips, classes in zip(torch.split(motion, _CHUNK), torch.split(target, _CHUNK), strict=True):
        parts += explain_many(model, clips, method=method, target=classes.tolist(), views=PLAIN)
    return np.stack([part.values for part in parts])


def _scored(
    name: str,
    title: str,
    values: FloatArray,
    mask: Mask,
    function: ScoreFunction,
    seed: int,
    others: FloatArray | None,
) -> MethodScore:
    mass = np.abs(values)
    deletion, insertion = faithfulness.removal_curves(function, values)
    measured = {
        "share": mass_share(values, mask),
        "channel_share": mass_share(mass.sum(axis=1), np.any(mask, axis=1)),
        "step_share": mass_share(mass.sum(axis=2), np.any(mask, axis=2)),
        "top_hits": faithfulness.top_hits(values, mask),
        "deletion": faithfulness.area(deletion),
        "insertion": faithfulness.area(insertion),
    }
    if others is not None:
        measured |= {
            "shuffled_share": mass_share(others, mask),
            "similarity": faithfulness.rank_similarity(values, others),
        }
    return MethodScore(
        name,
        title,
        {key: faithfulness.bootstrap_mean(per_clip, seed) for key, per_clip in measured.items()},
        deletion.mean(axis=0),
        insertion.mean(axis=0),
    )
