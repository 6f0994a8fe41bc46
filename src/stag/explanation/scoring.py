"""Score every method on simulated clips, whose true motion is known: ``stag explain --score``.

Attributions are compared with the true motion, with the model, and with chance.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from stag import __version__
from stag.config import MotionConfig
from stag.datasets.schemes import SCHEMES
from stag.errors import ConfigError, ModelError
from stag.explanation.explain import explain_many
from stag.explanation.methods import METHODS, ScoreFunction, own_scale
from stag.inference.probabilities import PLAIN, answer
from stag.model.stag import STAG
from stag.simulate.motion import simulate_motion_and_truth
from stag.types import FloatArray
from stag.utils.files import write_json, write_text
from stag.utils.values import ArrayValue

FIRST_SEED = 20_000
"""Seed of the simulated clips, far from the small seeds of training sets."""

MOVING_SHARE = 0.25  # assumed; of the largest true displacement of the clip
TOP_CELLS = 10  # assumed
CURVE_STEPS = 16  # assumed; equal shares of the cells

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
"""Controls that a method must beat: the size of the motion, and random values."""

Mask = NDArray[np.bool_]
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
        chance: Key of :data:`METRICS` -> expected value of a random attribution.
        clips: Number of clips, each of another person.
        seed: Seed of the simulation, the shuffle and the bootstrap.
        accuracy: Accuracy of the model on these clips; ``None`` if its classes belong to no label scheme.
    """

    methods: tuple[MethodScore, ...]
    chance: dict[str, float]
    clips: int
    seed: int
    accuracy: float | None

    def table(self) -> pd.DataFrame:
        """Return one row per method and metric: method, metric, mean, low, high, chance."""
        rows = [
            (scored.method, name, *values, self.chance.get(name))
            for scored in self.methods
            for name, values in scored.metrics.items()
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
        rows = self.table().to_csv(index=False, float_format="%.6f", lineterminator="\n")
        write_text(folder / "faithfulness.csv", rows)


def score_methods(
    model: STAG,
    *,
    clips: int = 200,
    seed: int = FIRST_SEED,
    methods: Sequence[str] = tuple(METHODS),
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Explain simulated clips by every method, and score the attributions against the true motion.

    The most probable class is explained, without test-time augmentation.

    Args:
        model: A trained model.
        clips: Number of clips, each of another person.
        seed: Seed of the simulation, the shuffle and the bootstrap.
        methods: Keys of :data:`~stag.explanation.methods.METHODS`.
        progress: Called with (methods done, methods).

    Raises:
        ConfigError: There are no clips, or no such method.
        ModelError: The model reads motion between consecutive frames, whose truth is not simulated.
        MissingDependency: A method needs captum.
    """
    if clips < 1 or seed < 0:
        raise ConfigError(f"{clips} clips, seed {seed} are not accepted: expected at least 1 clip, seed 0")
    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise ConfigError(f"no explanation method {unknown[0]!r}; there are {', '.join(METHODS)}")
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
        sampling=model.info.motion.get("sampling", MotionConfig().sampling),
    )
    motion, moving = torch.from_numpy(simulated.motion), moving_cells(truth)
    answers = (
        answer(model, own_scale(model, part), au_source=model.info.au_source(), views=PLAIN)
        for part in torch.split(motion, _CHUNK)
    )
    number = np.concatenate([part.probabilities for part in answers]).argmax(axis=-1)
    right = np.array(model.classes)[number] == simulated.label
    target = torch.from_numpy(number)
    function = ScoreFunction(model.eval(), own_scale(model, motion), target, au_source=model.info.au_source())
    randomised = shuffled(model, seed)
    scores = []
    for done, name in enumerate(methods, start=1):
        values, by_chance = (_attributions(each, motion, name, target) for each in (model, randomised))
        scores.append(_scored(name, METHODS[name].title, values, moving, function, seed, by_chance))
        if progress is not None:
            progress(done, len(methods))
    size = np.hypot(*np.moveaxis(simulated.motion.astype(float), -1, 0))
    random = np.random.default_rng(seed).random(moving.shape)
    scores.append(_scored("motion", CONTROLS["motion"], size, moving, function, seed, size))
    scores.append(_scored("random", CONTROLS["random"], random, moving, function, seed, None))
    moving_share = float(moving.mean())
    chance = {
        "share": moving_share,
        "channel_share": float(moving.any(axis=1).mean()),
        "step_share": float(moving.any(axis=2).mean()),
        "top_hits": moving_share,
        "deletion": scores[-1].metrics["deletion"][0],
        "insertion": scores[-1].metrics["insertion"][0],
        "shuffled_share": moving_share,
        "similarity": 0.0,
    }
    return Scores(tuple(scores), chance, clips, seed, float(right.mean()) if scheme else None)


def _attributions(model: STAG, motion: Tensor, method: str, target: Tensor) -> FloatArray:
    parts = zip(torch.split(motion, _CHUNK), torch.split(target, _CHUNK), strict=True)
    explained = (explain_many(model, part, method=method, target=some.tolist(), views=PLAIN) for part, some in parts)
    return np.stack([attribution.values for part in explained for attribution in part])


def _scored(
    name: str,
    title: str,
    values: FloatArray,
    moving: Mask,
    function: ScoreFunction,
    seed: int,
    by_shuffled: FloatArray | None,
) -> MethodScore:
    mass = np.abs(values)
    deletion, insertion = removal_curves(function, values)
    measured = {
        "share": mass_share(values, moving),
        "channel_share": mass_share(mass.sum(axis=1), np.any(moving, axis=1)),
        "step_share": mass_share(mass.sum(axis=2), np.any(moving, axis=2)),
        "top_hits": top_hits(values, moving),
        "deletion": area(deletion),
        "insertion": area(insertion),
    }
    if by_shuffled is not None:
        measured["shuffled_share"] = mass_share(by_shuffled, moving)
        measured["similarity"] = rank_similarity(values, by_shuffled)
    metrics = {key: bootstrap_mean(per_clip, seed) for key, per_clip in measured.items()}
    return MethodScore(name, title, metrics, deletion.mean(axis=0), insertion.mean(axis=0))


def moving_cells(truth: FloatArray) -> Mask:
    """Return the cells of true motion ``(n, T, R, 2)`` that reach a quarter of the clip's peak: ``(n, T, R)``."""
    size = np.hypot(truth[..., 0].astype(float), truth[..., 1].astype(float))
    peak = size.max(axis=(1, 2), keepdims=True)
    return np.asarray((size >= MOVING_SHARE * peak) & (peak > 0))


def mass_share(values: FloatArray, mask: Mask) -> FloatArray:
    """Return the share of the absolute attribution ``(n, ...)`` on the marked cells of each clip ``(n,)``.

    An attribution of zeros gets the share of the cells that are marked, as a random one does.
    """
    cells = tuple(range(1, values.ndim))
    mass = np.abs(values)
    total = mass.sum(axis=cells)
    marked = (mass * mask).sum(axis=cells) / np.where(total > 0, total, 1)
    return np.asarray(np.where(total > 0, marked, mask.mean(axis=cells)))


def top_hits(values: FloatArray, mask: Mask, k: int = TOP_CELLS) -> FloatArray:
    """Return the share of the ``k`` largest absolute attributions that are marked ``(n,)``; ties count in part."""
    mass, marked = np.abs(values).reshape(len(values), -1), mask.reshape(len(mask), -1)
    k = min(k, mass.shape[1])
    smallest = np.sort(mass, axis=1)[:, -k][:, None]
    above, tied = mass > smallest, mass == smallest
    by_tie = (k - above.sum(axis=1)) * (tied & marked).sum(axis=1) / tied.sum(axis=1)
    return np.asarray(((above & marked).sum(axis=1) + by_tie) / k)


def removal_curves(
    function: ScoreFunction, values: FloatArray, steps: int = CURVE_STEPS
) -> tuple[FloatArray, FloatArray]:
    """Return the probability of the class while the strongest cells are held still, and while they alone move.

    Returns:
        Deletion and insertion curves, each ``(n, steps + 1)``, over equal shares of the cells of ``values (n, T, R)``.

    Source: Petsiuk et al., RISE, BMVC 2018.
    """
    n, cells = len(values), values[0].size
    order = np.argsort(-values.reshape(n, -1), axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    counts = np.rint(np.linspace(0, cells, steps + 1)).astype(int)
    strongest = torch.from_numpy(rank[None] < counts[:, None, None]).view(steps + 1, n, *values.shape[1:], 1)
    target = function.target[None, :, None].expand(steps + 1, n, 1)
    deletion, insertion = (
        function.probabilities(torch.where(moving, function.motion, 0.0)).gather(2, target)[..., 0].T.cpu().numpy()
        for moving in (~strongest, strongest)
    )
    return deletion, insertion


def area(curve: FloatArray) -> FloatArray:
    """Return the area under curves over equal shares from 0 to 1, by trapezoids: ``(n, K) -> (n,)``."""
    return np.asarray((curve[:, 1:] + curve[:, :-1]).mean(axis=1) / 2)


def rank_similarity(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return the Spearman correlation of absolute attributions of each clip ``(n,)``; 0 where one is constant."""
    a, b = (rankdata(np.abs(values).reshape(len(values), -1), axis=1) for values in (one, other))
    a, b = (values - values.mean(axis=1, keepdims=True) for values in (a, b))
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.asarray((a * b).sum(axis=1) / np.where(norm > 0, norm, 1))


def shuffled(model: STAG, seed: int) -> STAG:
    """Return a copy of the model with the weights of each tensor in random order.

    Source: the model parameter randomisation test of Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018.
    """
    copied = copy.deepcopy(model).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in copied.parameters():
            order = torch.randperm(parameter.numel(), generator=generator)
            parameter.copy_(parameter.flatten()[order.to(parameter.device)].view_as(parameter))
    return copied


def bootstrap_mean(values: FloatArray, seed: int, repeats: int = 2000) -> tuple[float, float, float]:
    """Return the mean of ``(n,)`` and its 95 % interval over clips: percentiles of resampled means."""
    generator = np.random.default_rng(seed)
    index = generator.integers(len(values), size=(repeats, len(values)))
    low, high = np.percentile(values[index].mean(axis=1), (2.5, 97.5))
    return math.fsum(values.tolist()) / len(values), float(low), float(high)
