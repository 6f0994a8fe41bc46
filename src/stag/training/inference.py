"""From a trained model and clips to probabilities, with test-time augmentation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stag.datasets.motion_file import MotionSet
from stag.errors import ModelError
from stag.model.folder import ModelInfo
from stag.model.stag import STAG
from stag.motion.regions import LAYOUTS
from stag.training.augment import cut_to_span, mirror

Scores = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""``(B, T, R, 2)`` motion and ``(B, A)`` codes -> ``(B, C)`` class logits and ``(B, A)`` AU logits."""

_CHUNK = 256
_JITTER_SPANS = ((0.0, 0.95), (0.05, 1.0), (0.0, 0.9), (0.1, 1.0), (0.05, 0.95), (0.0, 0.85), (0.15, 1.0), (0.1, 0.9))


def class_and_au_logits(model: STAG, motion: Tensor, au: Tensor, au_source: str) -> tuple[Tensor, Tensor]:
    """Class logits under an AU source, and AU logits that have seen no AU input.

    Args:
        model: A model.
        motion: ``(B, T, R, 2)``.
        au: ``(B, A)``, read only under ``annotated``; a row with nan is unknown.
        au_source: ``none``, ``annotated`` or ``predicted``.

    Returns:
        ``(B, C)`` and ``(B, A)``.
    """
    if au_source == "predicted":
        out = model.forward_with_predicted_aus(motion)
        return out.logits, out.au_logits
    seen = model.see(motion)
    blind = model.judge(seen)
    if au_source == "none":
        return blind.logits, blind.au_logits
    return model.judge(seen, au).logits, blind.au_logits


def views(motion: Tensor, layout: str, *, mirror_tta: bool, jitter_tta: int, cumulative: bool) -> list[Tensor]:
    """The clip as it is, cut a little at either end, and each of these in a mirror; the same for every clip.

    Args:
        motion: ``(B, T, R, 2)``.
        layout: Region layout.
        mirror_tta: Whether to add mirror images.
        jitter_tta: How many cut views to add, 8 at most.
        cumulative: Whether motion counts from the first step.
    """
    spans = [motion.new_tensor(span).expand(len(motion), 2) for span in _JITTER_SPANS[:jitter_tta]]
    plain = [motion, *(cut_to_span(motion, span, cumulative=cumulative) for span in spans)]
    return plain + [mirror(view, layout) for view in plain] if mirror_tta else plain


@torch.no_grad()
def predict_probabilities(
    model: STAG,
    motion: MotionSet,
    au_source: str,
    *,
    mirror_tta: bool = True,
    jitter_tta: int = 0,
    scores: Scores | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Class and AU probabilities of every clip.

    Args:
        model: A trained model.
        motion: ``n`` clips; their labels are not read, and their AU codes only if ``au_source`` is ``annotated``.
        au_source: ``none``, ``annotated`` or ``predicted``.
        mirror_tta: Average over the clip and its mirror image.
        jitter_tta: Average over so many views besides that are cut a little at either end.
        scores: Another way to compute class and AU logits, for example an exported model; torch where omitted.

    Returns:
        ``(n, C)`` class probabilities and ``(n, A)`` AU probabilities, the latter always free of AU input.
    """
    model.eval()
    scores = scores or partial(class_and_au_logits, model, au_source=au_source)
    device = next(model.parameters()).device
    classes, units = [], []
    for begin in range(0, len(motion), _CHUNK):
        clips = torch.from_numpy(motion.motion[begin : begin + _CHUNK]).to(device)
        au = torch.from_numpy(motion.action_units[begin : begin + _CHUNK]).to(device)
        seen = views(
            clips, model.info.layout, mirror_tta=mirror_tta, jitter_tta=jitter_tta, cumulative=is_cumulative(motion)
        )
        logits = [scores(view, au) for view in seen]
        temperature = model.info.temperature
        classes.append(torch.stack([torch.softmax(c.double() / temperature, dim=-1) for c, _ in logits]).mean(dim=0))
        units.append(torch.stack([torch.sigmoid(u.double()) for _, u in logits]).mean(dim=0))
    return torch.cat(classes).cpu().numpy(), torch.cat(units).cpu().numpy()


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
