"""The score that is explained: one number of the model for each clip, as a function of motion on the model's scale."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stag.model.stag import STAG, StagOutput
from stag.utils.values import ArrayValue

_BELOW_FLOOR = 1 - 1e-6
_BATCH = 512


@dataclass(frozen=True, eq=False, repr=False)
class ScoreFunction(ArrayValue):
    """The score of one class for each of ``B`` clips, which the methods of explanation attribute to the motion.

    The score is the class's logit less the mean of all logits: an equal change of every logit does not change the
    probabilities, so it must not change the explanation.

    Attributes:
        model: In evaluation mode.
        motion: ``(B, T, R, 2)`` from :func:`own_scale`.
        target: ``(B,)`` class numbers.
        au: ``(B, A)`` annotated action units, read only under that source; or ``None``.
        au_source: Where the AU input of the classifier comes from.
    """

    model: STAG
    motion: Tensor
    target: Tensor
    au: Tensor | None = None
    au_source: str = "none"

    def output(self, motion: Tensor, au: Tensor | None, *, return_attention: bool = False) -> StagOutput:
        """Return the output of the model for ``motion (B, T, R, 2)``."""
        return self.model.forward_from(motion, self.au_source, au, return_attention=return_attention)

    def score(self, motion: Tensor, target: Tensor, au: Tensor | None) -> Tensor:
        """Return the score: ``(B, T, R, 2)`` and ``(B,)`` class numbers -> ``(B,)``."""
        logits = self.output(motion, au).logits
        centred = logits - logits.mean(dim=-1, keepdim=True)
        return centred.gather(1, target[:, None])[:, 0]

    @torch.no_grad()
    def probabilities(self, motion: Tensor) -> Tensor:
        """Return calibrated class probabilities of changed motion: ``(K, B, T, R, 2) -> (K, B, C)`` float64."""
        flat = motion.flatten(0, 1)
        au = None if self.au is None else self.au.repeat(motion.shape[0], 1)
        parts = []
        for begin in range(0, len(flat), _BATCH):
            some = slice(begin, begin + _BATCH)
            logits = self.output(flat[some], None if au is None else au[some]).logits
            parts.append(torch.softmax(logits.double() / self.model.info.temperature, dim=-1))
        return torch.cat(parts).view(*motion.shape[:2], -1)


def own_scale(model: STAG, motion: Tensor) -> Tensor:
    """Scale motion so that the normalisation of the model leaves it unchanged.

    A model with ``clip-rms`` divides a clip by its RMS, but not by less than a floor. A clip scaled down to that
    floor has the same probabilities, and below it the normalisation is linear: removing a channel does not enlarge the
    others, and a straight path to the still face is straight for the model too.

    Args:
        model: The model whose normalisation applies.
        motion: ``(B, T, R, 2)`` crop pixels.
    """
    config = model.info.model
    if config.normalise != "clip-rms":
        return motion
    rms = motion.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return motion * (_BELOW_FLOOR * config.rms_floor_px / rms.clamp_min(config.rms_floor_px))
