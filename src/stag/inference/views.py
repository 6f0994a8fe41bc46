"""Views of a clip for test-time augmentation: cut a little at either end, and mirrored.

They work on tensors, because training applies them to stacked folds on the GPU; tables and spans are those of
:mod:`stag.motion.transforms`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from stag.model.folder import ModelInfo
from stag.motion.transforms import JITTER_SPANS, MIRROR_SIGNS, mirror_order


class View(NamedTuple):
    """One view of a clip.

    Attributes:
        span: First and last position kept, shares of the clip in [0, 1].
        mirrored: Whether left and right change places.
    """

    span: tuple[float, float] = (0.0, 1.0)
    mirrored: bool = False

    def of(self, motion: Tensor, layout: str, *, cumulative: bool) -> Tensor:
        """Return the view of ``motion (B, T, R, 2)``, of the same shape."""
        if self.span != (0.0, 1.0):
            motion = cut_to_span(motion, motion.new_tensor(self.span).expand(len(motion), 2), cumulative=cumulative)
        return mirror(motion, layout) if self.mirrored else motion

    def back(self, values: Tensor, layout: str) -> Tensor:
        """Return values of the view's channels and steps as values of those of the clip; the sum stays.

        Args:
            values: ``(B, T, R)``. A value goes to the steps that its own step was interpolated from.
            layout: Region layout of the ``R`` axis.
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
    """Return the views that a model averages over, by its own settings; the first is the unchanged clip."""
    plain = (View(), *map(View, JITTER_SPANS[: info.jitter_tta]))
    return plain + tuple(View(view.span, True) for view in plain) if info.mirror_tta else plain


def mirror(motion: Tensor, layout: str) -> Tensor:
    """Mirror motion: paired channels change places, ``u`` changes sign.

    Args:
        motion: ``(B, T, R, 2)``.
        layout: Region layout of the ``R`` axis.

    Returns:
        ``(B, T, R, 2)``; mirroring twice gives the input back, exactly.
    """
    order = torch.tensor(mirror_order(layout), device=motion.device)
    return motion.index_select(-2, order) * motion.new_tensor(MIRROR_SIGNS)


def cut_to_span(motion: Tensor, span: Tensor, *, cumulative: bool) -> Tensor:
    """Cut each clip to the part between two positions, stretched over all steps by linear interpolation.

    Args:
        motion: ``(B, T, R, 2)``.
        span: ``(B, 2)`` positions in [0, 1].
        cumulative: Whether to count motion from the new first step.

    Returns:
        ``(B, T, R, 2)``; a span of (0, 1) gives the input back.
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
