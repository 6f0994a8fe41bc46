"""Dropout whose masks depend on a seed alone: not on the device, the order of folds, or how many train at once.

``nn.Dropout`` draws from one global stream, so that under :func:`torch.func.vmap` a model's masks depend on which other
models are stacked with it. Here a mask is made of the bytes of a hash of (seed, place), many masks of one hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

_STEP = 0x61C88647  # the golden ratio, as in multiplicative hashing
_MIX = (0x7FEB352D, 0x15A4E35)  # odd multipliers below 2^31; int32 arithmetic wraps
_LEVELS = 256  # of a byte
_HASHED = 2**15  # numbers of 4 bytes that are hashed at once: the cost of a small mask is that of starting its kernels


class _Masks:
    """The masks of one forward pass, from its seed ``()`` int32."""

    def __init__(self, seed: Tensor) -> None:
        self.seed = seed
        self._hashed = 0
        self._left: dict[float, Tensor] = {}

    def __call__(self, shape: tuple[int, ...], share: float) -> Tensor:
        """Return a mask of 0 and one other value, with mean 1; ``share`` is rounded to a 256th."""
        size = torch.Size(shape).numel()
        left = self._left.get(share)
        if left is None or len(left) < size:
            left = self._hash(size, round(share * _LEVELS))
        self._left[share] = left[size:]
        return left[:size].view(shape)

    def _hash(self, size: int, dropped: int) -> Tensor:
        first, self._hashed = self._hashed, self._hashed + max(_HASHED, -(-size // 4))
        value = torch.arange(first, self._hashed, dtype=torch.int32, device=self.seed.device) * _STEP + self.seed
        for multiplier, shift in zip(_MIX, (16, 15), strict=True):
            # An arithmetic shift copies the sign; masking it off makes it a logical one.
            value = (value ^ ((value >> shift) & ((1 << (32 - shift)) - 1))) * multiplier
        value = value ^ ((value >> 16) & 0xFFFF)
        kept = value.view(torch.int8) >= dropped - _LEVELS // 2
        return kept.to(torch.get_default_dtype()) * (_LEVELS / (_LEVELS - dropped))


class Dropout(nn.Module):
    """Set a share of the values to zero in training, and scale the others up.

    Within :func:`seeded` the masks are those of the seed; outside they are drawn like those of ``nn.Dropout``.

    Args:
        share: Share of values that is dropped.
        step_locked: One mask for all steps of a clip (axis 1). Noise that flickers from step to step is what pooling
            over steps averages away; and one mask needs ``T`` times fewer random numbers.
            # assumed; the paper says dropout
    """

    def __init__(self, share: float, *, step_locked: bool = False) -> None:
        super().__init__()
        self.share = share
        self.step_locked = step_locked
        self.masks: _Masks | None = None

    def forward(self, values: Tensor) -> Tensor:
        """``values (B, ...)`` of the same shape."""
        if not self.training or self.share == 0:
            return values
        shape = tuple(values.shape)
        if self.step_locked:
            shape = (shape[0], 1, *shape[2:])
        if self.masks is None:
            return values * functional.dropout(values.new_ones(shape), self.share)
        return values * self.masks(shape, self.share).to(values.dtype)


@contextmanager
def seeded(model: nn.Module, seed: Tensor) -> Iterator[None]:
    """Draw the masks of every :class:`Dropout` of ``model`` from ``seed () int32`` while the block runs."""
    layers = [layer for layer in model.modules() if isinstance(layer, Dropout)]
    masks = _Masks(seed)
    for layer in layers:
        layer.masks = masks
    try:
        yield
    finally:
        for layer in layers:
            layer.masks = None
