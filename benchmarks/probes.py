"""Can the graph do what it is for? Three tasks whose answer is connectivity, with motion that is not a face's.

In every task each region by itself, and all regions as an unordered set, look the same in both classes: an adjacency of
1/R, which tells no region from another, has nothing to answer with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from stag.bench.rows import Row, markdown
from stag.config import ModelConfig
from stag.facs import AU_VOCABULARY
from stag.model.stag import STAG
from stag.utils.parallel import spread

REGIONS, STEPS, GROUP = 18, 16, 3
NOISE = 0.3
SEEDS = (0, 1, 2)
"""Defaults of the model were chosen on seeds 100 to 102."""
_BATCH, _LR, _TEST_CLIPS = 64, 3e-3, 1000
_INNER_BROWS, _OUTER_BROWS = (1, 5), (3, 7)


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips of a probe: motion ``(n, T, R, 2)``, label ``(n,)`` of 0 and 1, codes ``(n, A)`` or ``None``."""

    motion: NDArray[np.float32]
    label: NDArray[np.int64]
    codes: NDArray[np.float32] | None = None


def together(task: np.random.Generator, clips: np.random.Generator, n: int) -> Clips:
    """Which regions move together: three at a time turn through a full circle alike; the classes group them otherwise.

    Args:
        task: Draws the two groupings.
        clips: Draws the clips.
        n: Number of clips.
    """
    grouping = np.stack([task.permutation(REGIONS) // GROUP for _ in range(2)])
    label = clips.integers(0, 2, n)
    start = clips.uniform(0, 2 * np.pi, (n, 1, REGIONS // GROUP))
    angle = start + clips.choice([-1, 1], start.shape) * _circle()
    member = np.broadcast_to(grouping[label][:, None], (n, STEPS, REGIONS))
    return Clips(_vectors(np.take_along_axis(angle, member, axis=2), clips), label)


def order(task: np.random.Generator, clips: np.random.Generator, n: int) -> Clips:
    """In which order regions move: in each group of three, one follows the other by a third of the circle.

    Arguments as for :func:`together`; the classes differ in the direction of the order.
    """
    place = task.permutation(REGIONS)
    label = clips.integers(0, 2, n)
    start = clips.uniform(0, 2 * np.pi, (n, 1, REGIONS // GROUP))
    delay = np.where(label == 0, 1, -1)[:, None, None] * (place % GROUP) * 2 * np.pi / GROUP
    return Clips(_vectors((start + _circle())[:, :, place // GROUP] + delay, clips), label)


def unit_decides(task: np.random.Generator, clips: np.random.Generator, n: int) -> Clips:
    """The same motion means another class under another action unit: inner and outer brows apart, under AU 1 or AU 2.

    Arguments as for :func:`together`.
    """
    direction, unit = clips.integers(0, 2, (2, n))
    wave = np.where(direction == 0, 1, -1)[:, None, None] * np.sin(np.pi * np.arange(STEPS) / (STEPS - 1))[:, None]
    motion = clips.normal(0, NOISE, (n, STEPS, REGIONS, 2))
    motion[:, :, _INNER_BROWS, 1] -= wave
    motion[:, :, _OUTER_BROWS, 1] += wave
    codes = np.zeros((n, len(AU_VOCABULARY)), np.float32)
    codes[np.arange(n), [AU_VOCABULARY.index(1 + number) for number in unit]] = 1
    return Clips(motion.astype(np.float32), direction ^ unit, codes)


Progress = Callable[[int, int], None]
Draw = Callable[[np.random.Generator, np.random.Generator, int], Clips]

FULL: Mapping[str, Any] = {"temporal": False, "dropout": 0.0}
"""Settings of the model: the graph branch alone."""

_BOTH: dict[str, dict[str, Any]] = {
    "graph branch": {},
    "adjacency 1/R": {"adjacency": "uniform"},
    "without AU edges": {"au_edges": False},
}
_MORE: dict[str, dict[str, Any]] = _BOTH | {
    "without memory": {"adjacency": "memoryless"},
    "one adjacency a clip": {"adjacency": "static"},
    "without initial graph": {"initial_graph": "identity"},
}
PROBES: dict[str, tuple[Draw, dict[str, dict[str, Any]]]] = {
    "together": (together, _MORE),
    "order": (order, _MORE),
    "unit decides": (unit_decides, _BOTH),
}
"""Name -> how its clips are drawn, and the models that are trained on it."""


def accuracy(draw: Draw, settings: Mapping[str, Any], seed: int, *, clips: int = 600, updates: int = 300) -> float:
    """Train on a fixed number of clips, and return the accuracy on 1,000 others of the same task.

    Args:
        draw: How clips are drawn.
        settings: Settings of the model beyond :data:`FULL`.
        seed: Seed of task, clips, weights and order.
        clips: Training clips.
        updates: Steps of AdamW.
    """
    training, testing = (
        draw(np.random.default_rng([seed, 0]), np.random.default_rng([seed, part]), n)
        for part, n in ((1, clips), (2, _TEST_CLIPS))
    )
    model = STAG(ModelConfig(**{**FULL, **settings}), layout="roi18", steps=STEPS, classes=("a", "b"), seed=seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=_LR, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LR, updates)
    chance = np.random.default_rng([seed, 3])
    for _ in range(updates):
        index = chance.choice(clips, min(_BATCH, clips), replace=False)
        loss: Any = functional.cross_entropy(_logits(model, training, index), torch.from_numpy(training.label[index]))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        answer = _logits(model.eval(), testing, np.arange(_TEST_CLIPS)).argmax(1).numpy()
    return float((answer == testing.label).mean())


def probe_rows(*, quick: bool = False, jobs: int = 1, progress: Progress | None = None) -> list[Row]:
    """Train every model on every probe.

    Args:
        quick: One seed, and of each probe the graph branch and the adjacency of 1/R.
        jobs: Processes.
        progress: Called with (done, total).

    Returns:
        One row a probe and model: the least accuracy of the seeds, their mean, and the greatest.
    """
    cells = [(probe, name) for probe, (_, models) in PROBES.items() for name in list(models)[: 2 if quick else None]]
    calls = [(*cell, seed) for cell in cells for seed in (SEEDS[:1] if quick else SEEDS)]
    scores: dict[tuple[str, str], list[float]] = {cell: [] for cell in cells}
    for done, (call, score) in enumerate(zip(calls, spread(_one, calls, jobs), strict=True), start=1):
        scores[call[:2]].append(score)
        if progress is not None:
            progress(done, len(calls))
    return [
        {"probe": probe, "model": name, "least": min(found), "mean": sum(found) / len(found), "greatest": max(found)}
        for (probe, name), found in scores.items()
    ]


def probe_table(rows: list[Row]) -> str:
    """Return the rows as Markdown."""
    return markdown(rows, [(key, key) for key in ("probe", "model", "least", "mean", "greatest")])


def _one(probe: str, model: str, seed: int) -> float:
    draw, models = PROBES[probe]
    return accuracy(draw, models[model], seed)


def _logits(model: STAG, clips: Clips, index: NDArray[np.intp]) -> torch.Tensor:
    codes = None if clips.codes is None else torch.from_numpy(clips.codes[index])
    logits: torch.Tensor = model(torch.from_numpy(clips.motion[index]), codes).logits
    return logits


def _circle() -> NDArray[np.float64]:
    """``(T, 1)`` angles that go once around, so that sums over the steps say nothing about where they begin."""
    return (2 * np.pi * np.arange(STEPS) / STEPS)[:, None]


def _vectors(angle: NDArray[np.float64], clips: np.random.Generator) -> NDArray[np.float32]:
    """Unit vectors ``(n, T, R, 2)`` of angles ``(n, T, R)``, with noise."""
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return (vectors + clips.normal(0, NOISE, vectors.shape)).astype(np.float32)
