"""Augmentation of motion tensors: random numbers are drawn first, for a whole epoch, and applied afterwards.

So the epochs of many folds are augmented as one batch while each draws from its own generator.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stag.config import TrainConfig
from stag.inference.probabilities import cut_to_span, mirror
from stag.model.stag import clip_rms

_FLOOR_PX = 0.05  # a still clip stays still when clips are scaled to one strength
_SHORTEST = 0.1  # share of a clip that is left at least when it ends at its apex


class Draws(NamedTuple):
    """The random choices of ``N`` batches, ``n`` clips of ``T`` steps and ``R`` regions in all."""

    clip: Tensor  # (n,) position of the clip, batch after batch
    seed: Tensor  # (N,) int32, seed of dropout
    flip: Tensor  # (n,) bool, mirror the clip
    factor: Tensor  # (n,) factor of the magnitude
    angle: Tensor  # (n,) rotation of all vectors, radians
    span: Tensor  # (n, 2) first and last position kept, shares of the clip in [0, 1]
    to_apex: Tensor  # (n,) bool, end the clip at its apex
    noise: Tensor  # (n, T, R, 2) to add, relative to the RMS of the clip
    partner: Tensor  # (n,) position of the clip to mix in, of the same batch
    own: Tensor  # (n, T, R) weight of the clip itself at each step and region; the partner has the rest
    weight: Tensor  # (n,) weight of the clip's own label


def draw(order: Tensor, steps: int, regions: int, settings: TrainConfig, generator: torch.Generator) -> Draws:
    """Draw the random numbers of batches of clips, at positions ``order (N, B)``.

    The generator is on the CPU, so that a seed means the same on every device.
    """
    batches, size = order.shape
    clips = batches * size

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    ramp = torch.linspace(0, 1, steps)
    kind = uniform(clips)
    mixed = _beta(settings.mixup_alpha, clips, generator)[:, None, None].expand(clips, steps, regions)
    own = torch.where((kind < settings.mixup)[:, None, None], mixed, torch.ones(()))
    cut = 1 - _boxes(clips, steps, regions, settings.cutmix_alpha, generator)
    cuts = (kind >= settings.mixup) & (kind < settings.mixup + settings.cutmix)
    own = torch.where(cuts[:, None, None], cut, own)
    drift = settings.drift * normal(clips, 1, 1, 2) * ramp[:, None, None]
    first = size * torch.arange(batches)[:, None]
    return Draws(
        clip=order.flatten(),
        flip=uniform(clips) < settings.mirror,
        factor=torch.exp(settings.magnitude * normal(clips)),
        angle=math.radians(settings.rotation_deg) * normal(clips),
        span=torch.stack([settings.jitter * uniform(clips), 1 - settings.jitter * uniform(clips)], dim=1),
        noise=settings.noise * normal(clips, steps, regions, 2) + drift,
        partner=(uniform(batches, size).argsort(dim=1) + first).flatten(),
        own=own,
        weight=own.mean(dim=(1, 2)),
        to_apex=uniform(clips) < settings.apex_cut,
        seed=torch.randint(-(2**31), 2**31, (batches,), generator=generator).to(torch.int32),
    )


def augment(motion: Tensor, drawn: Draws, layout: str, *, cumulative: bool) -> Tensor:
    """Augment each clip of ``motion (B, T, R, 2)`` by itself; :func:`mix` mixes it with a partner.

    ``cumulative`` motion counts from the first step, so a clip that begins later is counted from there.
    """
    motion = torch.where(drawn.flip[:, None, None, None], mirror(motion, layout), motion)
    start, end = drawn.span.unbind(1)
    apex = apex_share(motion, cumulative=cumulative)
    # A clip that would be over before its apex keeps its end.
    end = torch.where(drawn.to_apex & (apex > start + _SHORTEST), apex, end)
    motion = cut_to_span(motion, torch.stack([start, end], dim=1), cumulative=cumulative)
    strength = motion.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    motion = rotate(motion + strength * drawn.noise, drawn.angle)
    return motion * drawn.factor[:, None, None, None]


def mix(motion: Tensor, target: Tensor, au: Tensor, drawn: Draws) -> tuple[Tensor, Tensor, Tensor]:
    """Mix each clip with its partner over steps and regions (MixUp, CutMix), at one strength.

    ``motion (B, T, R, 2)``, class shares ``target (B, C)`` and ``au (B, A)``, nan where there is no code, return mixed,
    in this order; a clip whose partner has no codes has none either.

    Source: Zhang et al., mixup, ICLR 2018; Yun et al., CutMix, ICCV 2019; details in docs/method/training.md.
    """
    partner, own = drawn.partner, drawn.own.unsqueeze(-1)
    # The model divides each clip by its RMS, so a strong partner would hide the clip.
    strength = motion.square().mean(dim=(1, 2, 3), keepdim=True).clamp_min(_FLOOR_PX**2).sqrt()
    other = clip_rms(motion, _FLOOR_PX)[partner] * strength
    alone = drawn.weight[:, None] == 1
    share = drawn.weight[:, None]
    return (
        own * motion + (1 - own) * other,
        share * target + (1 - share) * target[partner],
        torch.where(alone, au, share * au + (1 - share) * au[partner]),
    )


def apex_share(motion: Tensor, *, cumulative: bool) -> Tensor:
    """Return where each clip of ``motion (B, T, R, 2)`` is strongest, as a share of its steps: ``(B,)`` in [0, 1]."""
    displacement = motion if cumulative else motion.cumsum(dim=1)
    return displacement.square().mean(dim=(2, 3)).argmax(dim=1) / (motion.shape[1] - 1)


def rotate(motion: Tensor, angle: Tensor) -> Tensor:
    """Rotate all vectors of each clip: ``motion (B, T, R, 2)``, ``angle (B,)`` radians, from ``u`` towards ``v``."""
    cosine, sine = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    u, v = motion.unbind(-1)
    return torch.stack([cosine * u - sine * v, sine * u + cosine * v], dim=-1)


def _beta(alpha: float, clips: int, generator: torch.Generator) -> Tensor:
    """Draw ``(B,)`` from Beta(alpha, alpha); that of torch takes no generator."""
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, clips).astype(np.float32))


def _boxes(clips: int, steps: int, regions: int, alpha: float, generator: torch.Generator) -> Tensor:
    """Draw the cells that a partner replaces: ``(B, T, R)`` of 0 and 1, an interval of time times a set of regions.

    The share of cells is about ``1 - lam`` with ``lam`` from Beta(alpha, alpha); each axis has the root of that share.
    """
    side = (1 - _beta(alpha, clips, generator)).sqrt()
    start = torch.rand(clips, generator=generator) * (1 - side)
    when = (torch.arange(steps) + 0.5) / steps
    inside = (when >= start[:, None]) & (when < (start + side)[:, None])
    rank = torch.rand(clips, regions, generator=generator).argsort(dim=1).argsort(dim=1)
    chosen = rank < (side * regions).round()[:, None]
    return (inside[:, :, None] & chosen[:, None, :]).float()
