"""Faithfulness of attributions: compared with known motion, with the model, and with chance.

Functions of arrays of ``n`` clips; only the removal curves run the model.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from stag.explanation.methods import ScoreFunction
from stag.model.stag import STAG
from stag.types import FloatArray

MOVING_SHARE = 0.25  # assumed; of the largest true displacement of the clip
TOP_CELLS = 10  # assumed
CURVE_STEPS = 16  # assumed; equal shares of the cells

Mask = NDArray[np.bool_]


def moving_cells(truth: FloatArray) -> Mask:
    """Return which channels truly move at which steps: by at least a quarter of the clip's largest true displacement.

    Args:
        truth: ``(n, T, R, 2)`` true motion of the expression.

    Returns:
        ``(n, T, R)``; nothing moves in a clip without motion.
    """
    size = np.hypot(truth[..., 0].astype(float), truth[..., 1].astype(float))
    peak = size.max(axis=(1, 2), keepdims=True)
    return np.asarray((size >= MOVING_SHARE * peak) & (peak > 0))


def mass_share(values: FloatArray, mask: Mask) -> FloatArray:
    """Return the share of the absolute attribution on the marked cells of each clip.

    An attribution of zeros gets the share of chance: that of the cells that are marked.

    Args:
        values: ``(n, ...)``.
        mask: Of the same shape.

    Returns:
        ``(n,)`` in [0, 1].
    """
    cells = tuple(range(1, values.ndim))
    mass = np.abs(values)
    total = mass.sum(axis=cells)
    chance = mask.mean(axis=cells)
    return np.asarray(np.where(total > 0, (mass * mask).sum(axis=cells) / np.where(total > 0, total, 1), chance))


def top_hits(values: FloatArray, mask: Mask, k: int = TOP_CELLS) -> FloatArray:
    """Return the share of the ``k`` largest absolute attributions that are marked ``(n,)``; ties count in part."""
    mass, marked = np.abs(values).reshape(len(values), -1), mask.reshape(len(mask), -1)
    k = min(k, mass.shape[1])
    last = np.sort(mass, axis=1)[:, -k][:, None]
    above, tied = mass > last, mass == last
    by_tie = (k - above.sum(axis=1)) * (tied & marked).sum(axis=1) / tied.sum(axis=1)
    return np.asarray(((above & marked).sum(axis=1) + by_tie) / k)


def removal_curves(
    function: ScoreFunction, values: FloatArray, steps: int = CURVE_STEPS
) -> tuple[FloatArray, FloatArray]:
    """Return the probability of the class while the strongest cells are held still, and while they alone move.

    Args:
        function: Model, motion and classes.
        values: ``(n, T, R)``; the largest values are removed, or inserted, first.
        steps: Number of equal shares.

    Returns:
        Deletion and insertion curves, each ``(n, steps + 1)``, over the share of cells.

    Source: Petsiuk et al., RISE, BMVC 2018.
    """
    n, cells = len(values), values[0].size
    flat = values.reshape(n, -1)
    order = np.argsort(-flat, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(cells)[None], axis=1)
    counts = np.rint(np.linspace(0, cells, steps + 1)).astype(int)
    first = torch.from_numpy(rank[None] < counts[:, None, None]).view(steps + 1, n, *values.shape[1:], 1)
    target = function.target[None, :, None].expand(steps + 1, n, 1)
    curves = []
    for kept in (~first, first):
        changed = torch.where(kept, function.motion, torch.zeros(()))
        curves.append(function.probabilities(changed).gather(2, target)[..., 0].T.cpu().numpy())
    return curves[0], curves[1]


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
    """Return a copy with the weights of each tensor in random order: the same statistics, nothing learned.

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
    mean = math.fsum(values.tolist()) / len(values)
    return mean, float(low), float(high)
