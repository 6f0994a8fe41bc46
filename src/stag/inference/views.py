"""Views of a clip for test-time augmentation: cut a little at either end, and mirrored."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from stag.model.folder import ModelInfo
from stag.motion.regions import mirror_order

_JITTER_SPANS = ((0.0, 0.95), (0.05, 1.0), (0.0, 0.9), (0.1, 1.0), (0.05, 0.95), (0.0, 0.85), (0.15, 1.0), (0.1, 0.9))


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


def clip_views(*, mirror_tta: bool, jitter_tta: int) -> tuple[View, ...]:
    """Return the views by the settings of test-time augmentation; the first is the unchanged clip.

    Args:
        mirror_tta: Whether to add mirror images.
        jitter_tta: How many cut views to add, 8 at most.
    """
    plain = (View(), *(View(span) for span in _JITTER_SPANS[:jitter_tta]))
    return plain + tuple(View(view.span, True) for view in plain) if mirror_tta else plain


def model_views(info: ModelInfo) -> tuple[View, ...]:
    """Return the views that a model averages over: those of its training settings."""
    return clip_views(mirror_tta=info.mirror_tta, jitter_tta=info.jitter_tta)


def mirror(motion: Tensor, layout: str) -> Tensor:
    """Mirror motion: paired channels change places, ``u`` changes sign.

    Args:
        motion: ``(B, T, R, 2)``.
        layout: Region layout of the ``R`` axis.

    Returns:
        ``(B, T, R, 2)``; mirroring twice gives the input back, exactly.
    """
    order = torch.tensor(mirror_order(layout), device=motion.device)
    return motion.index_select(-2, order) * motion.new_tensor([-1.0, 1.0])


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
