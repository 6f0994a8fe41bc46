"""Apply a trained model to motion: probabilities and attention in one pass, softened by the quality of the clip.

An answer is a mean over views of the clip, cut a little at either end and mirrored (test-time augmentation). Views work
on tensors, because training applies them to stacked folds on the GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stag.errors import ModelError
from stag.model.folder import ModelInfo
from stag.model.stag import STAG
from stag.motion.quality import LEAST_TRUST, trust
from stag.motion.transforms import (
    JITTER_SPANS,
    MIRROR_SIGNS,
    between_steps,
    is_cumulative,
    layout_order,
    mirror_order,
    motion_at,
    since_onset,
)
from stag.motion_set import MotionSet
from stag.types import FloatArray, Quality

_CHUNK = 256
_LEAST = 1e-12

MOST_UNMEASURED = 0.55
"""Largest probability of a clip that is not measurable: the measured share of right answers."""


class View(NamedTuple):
    """One view of a clip.

    Attributes:
        span: First and last position kept, shares of the clip in [0, 1].
    """

    span: tuple[float, float] = (0.0, 1.0)
    mirrored: bool = False

    def of(self, motion: Tensor, layout: str, *, cumulative: bool) -> Tensor:
        """Return the view of ``motion (B, T, R, 2)``, of the same shape."""
        if self.span != (0.0, 1.0):
            motion = cut_to_span(motion, motion.new_tensor(self.span).expand(len(motion), 2), cumulative=cumulative)
        return mirror(motion, layout) if self.mirrored else motion

    def back(self, values: Tensor, layout: str) -> Tensor:
        """Return values ``(B, T, R)`` of the view as values of the clip; the sum stays.

        A value goes to the steps that its own step was interpolated from.
        """
        if self.mirrored:
            values = values[..., list(mirror_order(layout))]
        if self.span == (0.0, 1.0):
            return values
        span = values.new_tensor(self.span).expand(len(values), 2)

        def cut(clip: Tensor) -> Tensor:
            return cut_to_span(clip[..., None], span, cumulative=False)[..., 0]

        # Interpolation is linear, so that its transposed is the gradient anywhere.
        returned: Tensor = torch.func.vjp(cut, torch.zeros_like(values))[1](values)[0]
        return returned


PLAIN = (View(),)
"""The unchanged clip alone."""


def model_views(info: ModelInfo) -> tuple[View, ...]:
    """Return the views that a model averages over; the first is the unchanged clip."""
    plain = (View(), *map(View, JITTER_SPANS[: info.jitter_tta]))
    return plain + tuple(View(view.span, True) for view in plain) if info.mirror_tta else plain


def mirror(motion: Tensor, layout: str) -> Tensor:
    """Mirror motion ``(B, T, R, 2)``: paired channels change places, ``u`` changes sign."""
    order = torch.tensor(mirror_order(layout), device=motion.device)
    return motion.index_select(-2, order) * motion.new_tensor(MIRROR_SIGNS)


def cut_to_span(motion: Tensor, span: Tensor, *, cumulative: bool) -> Tensor:
    """Cut each clip to the part between two positions, stretched over all steps by linear interpolation.

    Args:
        motion: ``(B, T, R, 2)``.
        span: ``(B, 2)`` positions in [0, 1].
        cumulative: Whether to count motion from the new first step.
    """
    steps = motion.shape[1]
    share = torch.linspace(0, 1, steps, device=motion.device)
    place = (span[:, :1] + (span[:, 1:] - span[:, :1]) * share) * (steps - 1)
    # Rounding must not turn a whole position into the end of the step before it.
    place = torch.where((place - place.round()).abs() < 1e-4, place.round(), place)
    before = place.floor().long().clamp(0, steps - 2)
    weight = (place - before)[:, :, None, None]
    flat = motion.flatten(2)

    def at(index: Tensor) -> Tensor:
        return flat.gather(1, index[:, :, None].expand(-1, -1, flat.shape[2])).view_as(motion)

    cut = at(before) * (1 - weight) + at(before + 1) * weight
    return cut - cut[:, :1] if cumulative else cut


class Answer(NamedTuple):
    """Output of a model for ``B`` clips.

    Attributes:
        probabilities: ``(B, C)`` float64, calibrated means over the views; rows sum to 1.
        au_probabilities: ``(B, A)`` float64, means over the views, always without AU input.
        adjacency: ``(B, L, T, R, R)`` float64 graph attention of the unchanged clip; ``None`` if not requested.
        temporal_attention: ``(B, T)`` float64, likewise.
        au_steps: ``(B, T, A)`` float64 AU probabilities of each step, likewise; of the motion alone.
    """

    probabilities: NDArray[np.float64]
    au_probabilities: NDArray[np.float64]
    adjacency: NDArray[np.float64] | None = None
    temporal_attention: NDArray[np.float64] | None = None
    au_steps: NDArray[np.float64] | None = None


Forward = Callable[[Tensor], Sequence[Tensor]]
"""``(B, T, R, 2)`` -> class logits, AU logits, adjacency, temporal attention and AU logits of each step."""


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
    """Return the probabilities of clips; every probability that the program shows is computed here.

    Args:
        model: A trained model.
        motion: ``(B, T, R, 2)`` crop pixels, on the device of the model.
        au_source: From :meth:`stag.model.folder.ModelInfo.au_source`.
        au: ``(B, A)``, read only under ``annotated``; a row with nan is unknown.
        views: Views to average over; those of the model where omitted.
        attention: Whether to return the attention too.
        forward: Replacement for the forward pass, such as an exported model.
    """
    model.eval()
    classes, units, shown = [], [], []
    for number, view in enumerate(model_views(model.info) if views is None else views):
        clips = view.of(motion, model.info.layout, cumulative=model.info.cumulative)
        # The first view is the unchanged clip: its attention belongs to the steps that are shown.
        wanted = attention and number == 0
        rest: Sequence[Tensor | None]
        if forward is None:
            out = model.forward_from(clips, au_source, au, return_attention=wanted)
            logits, au_logits, rest = (
                out.logits,
                out.au_logits,
                (out.adjacency, out.temporal_attention, out.au_step_logits),
            )
        else:
            logits, au_logits, *rest = forward(clips)
        classes.append(torch.softmax(logits.double() / model.info.temperature, dim=-1))
        units.append(torch.sigmoid(au_logits.double()))
        if wanted:
            adjacency, temporal, steps = (value.double() for value in rest if value is not None)
            shown = [value.cpu().numpy() for value in (adjacency, temporal, torch.sigmoid(steps))]
    means = (torch.stack(values).mean(dim=0).cpu().numpy() for values in (classes, units))
    return Answer(*means, *shown)


def predict_probabilities(
    model: STAG, motion: MotionSet, au_source: str, *, views: Sequence[View] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return class and AU probabilities of every clip of a motion set; else as :func:`array_probabilities`."""
    return array_probabilities(model, motion.motion, au_source, au=motion.action_units, views=views)


def array_probabilities(
    model: STAG,
    motion: NDArray[np.float32],
    au_source: str,
    *,
    au: NDArray[np.float32] | None = None,
    views: Sequence[View] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return class ``(n, C)`` and AU ``(n, A)`` probabilities of any number of clips, on the device of the model.

    Args are those of :func:`answer`, with arrays; AU probabilities never use the AU input.
    """
    device = next(model.parameters()).device
    parts = []
    for begin in range(0, len(motion), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        codes = None if au is None or au_source != "annotated" else torch.from_numpy(au[part]).to(device)
        clips = torch.from_numpy(motion[part]).to(device)
        parts.append(answer(model, clips, au_source=au_source, au=codes, views=views))
    return np.concatenate([p.probabilities for p in parts]), np.concatenate([p.au_probabilities for p in parts])


def soften(probabilities: FloatArray, quality: Quality | None) -> FloatArray:
    """Move probabilities ``(..., C)`` towards equal ones, the further the lower the quality of the clip.

    Log probabilities are scaled by :func:`~stag.motion.quality.trust`, as by a temperature: the order of the classes
    stays, and a clip of full quality, or ``None``, keeps its numbers. Where a clip is not measurable none exceeds
    :data:`MOST_UNMEASURED`.
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


def conformed(motion: MotionSet, info: ModelInfo) -> MotionSet:
    """Return clips with the regions, the reference and the number of steps (by linear interpolation) of a model.

    Raises:
        ModelError: The file lacks regions that the model needs.
    """
    order = layout_order(motion.layout, info.layout)
    if order is None:
        raise ModelError(
            f"the model is for layout {info.layout}, the motion file has {motion.layout}, which lacks regions of it; "
            f"extract it again with `motion.layout={info.layout}`"
        )
    values = motion.motion[:, :, order]
    if not is_cumulative(motion.reference):
        values = since_onset(values)
    times = motion.time_s
    if motion.steps != info.steps:
        places = np.tile(np.linspace(0, motion.steps - 1, info.steps), (len(motion), 1))
        values = motion_at(places, values)
        times = motion_at(places, times[..., None, None])[..., 0, 0].astype(np.float32)
    if not info.cumulative:
        values = between_steps(values)
    reference = info.motion.get("reference", "first")
    meta = {**motion.meta, "layout": info.layout, "steps": info.steps, "reference": reference}
    return replace(motion, motion=np.ascontiguousarray(values, np.float32), time_s=times, meta=meta)
