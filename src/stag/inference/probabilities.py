"""From a trained model and motion to its answer: probabilities and the attention behind them, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stag.errors import ModelError
from stag.inference.views import View, model_views
from stag.model.folder import ModelInfo
from stag.model.stag import STAG
from stag.motion.regions import LAYOUTS
from stag.motion_set import MotionSet

_CHUNK = 256


class Answer(NamedTuple):
    """What a model says about ``B`` clips.

    Attributes:
        probabilities: ``(B, C)`` float64, calibrated means over the views; rows sum to 1.
        au_probabilities: ``(B, A)`` float64, means over the views, always without AU input.
        adjacency: ``(B, L, T, R, R)`` float64 graph attention of the clip as it is, from the pass that led to the
            classes; ``None`` where it was not asked for.
        temporal_attention: ``(B, T)`` float64, likewise.
    """

    probabilities: NDArray[np.float64]
    au_probabilities: NDArray[np.float64]
    adjacency: NDArray[np.float64] | None = None
    temporal_attention: NDArray[np.float64] | None = None


Forward = Callable[[Tensor], Sequence[Tensor]]
"""``(B, T, R, 2)`` -> class logits, AU logits, adjacency and temporal attention; for example an exported model."""


@torch.no_grad()
def answer(
    model: STAG,
    motion: Tensor,
    *,
    au_source: str,
    au: Tensor | None = None,
    views: Sequence[View] | None = None,
    attention: bool = False,
    forward: Forward | None = None,
) -> Answer:
    """Return what a model says about clips; every probability that is shown of a clip is made here.

    Args:
        model: A trained model.
        motion: ``(B, T, R, 2)`` crop pixels, on the device of the model.
        au_source: From :meth:`stag.model.folder.ModelInfo.au_source`.
        au: ``(B, A)``, read only under ``annotated``; a row with nan is unknown.
        views: What the answer is the mean of; the views of the model where omitted.
        attention: Whether to return the attention too.
        forward: Another way to run the model under that source.
    """
    model.eval()
    classes, units, graphs, weights = [], [], [], []
    for number, view in enumerate(model_views(model.info) if views is None else views):
        clips = view.of(motion, model.info.layout, cumulative=model.info.cumulative)
        # The first view is the clip as it is: only its attention is one of the steps that are shown.
        shown = attention and number == 0
        if forward is None:
            out = model.forward_from(clips, au_source, au, return_attention=shown)
            logits, au_logits, adjacency, temporal = out.logits, out.au_logits, out.adjacency, out.temporal_attention
        else:
            logits, au_logits, adjacency, temporal = forward(clips)
        classes.append(torch.softmax(logits.double() / model.info.temperature, dim=-1))
        units.append(torch.sigmoid(au_logits.double()))
        if shown and adjacency is not None and temporal is not None:
            graphs.append(adjacency.double().cpu().numpy())
            weights.append(temporal.double().cpu().numpy())
    return Answer(
        torch.stack(classes).mean(dim=0).cpu().numpy(),
        torch.stack(units).mean(dim=0).cpu().numpy(),
        *graphs,
        *weights,
    )


def predict_probabilities(
    model: STAG, motion: MotionSet, au_source: str, *, views: Sequence[View] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return class and AU probabilities of every clip of a motion set.

    Args:
        model: A trained model.
        motion: ``n`` clips; their labels are not read, and their AU codes only if ``au_source`` is ``annotated``.
        au_source: ``none``, ``annotated`` or ``predicted``.
        views: What an answer is the mean of; the views of the model where omitted.

    Returns:
        ``(n, C)`` class probabilities and ``(n, A)`` AU probabilities, the latter always free of AU input.
    """
    device = next(model.parameters()).device
    parts = []
    for begin in range(0, len(motion), _CHUNK):
        clips = torch.from_numpy(motion.motion[begin : begin + _CHUNK]).to(device)
        au = torch.from_numpy(motion.action_units[begin : begin + _CHUNK]).to(device)
        parts.append(answer(model, clips, au_source=au_source, au=au, views=views))
    return np.concatenate([p.probabilities for p in parts]), np.concatenate([p.au_probabilities for p in parts])


def is_cumulative(motion: MotionSet) -> bool:
    """Whether motion counts from the first step; files that do not say are taken to."""
    return bool(motion.meta.get("reference", "first") != "previous")


def conformed(motion: MotionSet, info: ModelInfo) -> MotionSet:
    """Clips as a model wants them: its regions, its reference and its number of steps.

    Regions that the model does not use are left out; motion between consecutive steps is summed up, or the other way
    round; another number of steps is met by linear interpolation between them.

    Args:
        motion: Clips of any number of steps.
        info: What the model was made for.

    Raises:
        ModelError: The file lacks regions that the model needs.
    """
    here, wanted = LAYOUTS[motion.layout], LAYOUTS[info.layout]
    if not set(wanted) <= set(here):
        raise ModelError(
            f"the model is for layout {info.layout}, the motion file has {motion.layout}, which lacks regions of it; "
            f"extract it again with --set motion.layout={info.layout}"
        )
    values = motion.motion[:, :, [here.index(region) for region in wanted]]
    reference = info.motion.get("reference", "first")
    cumulative = is_cumulative(motion)
    if not cumulative:
        values = np.cumsum(values, axis=1, dtype=np.float32)
    times = motion.time_s
    if motion.steps != info.steps:
        place = np.linspace(0, motion.steps - 1, info.steps)
        before = np.clip(place.astype(int), 0, motion.steps - 2)
        weight = (place - before).astype(np.float32)
        values = values[:, before] * (1 - weight[:, None, None]) + values[:, before + 1] * weight[:, None, None]
        times = times[:, before] * (1 - weight) + times[:, before + 1] * weight
    if reference == "previous":
        values = np.diff(values, axis=1, prepend=np.zeros_like(values[:, :1]))
    meta = {**motion.meta, "layout": info.layout, "steps": info.steps, "reference": reference}
    return replace(motion, motion=np.ascontiguousarray(values, np.float32), time_s=times, meta=meta)
