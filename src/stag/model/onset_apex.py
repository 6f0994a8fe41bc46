"""A small convolutional network over maps of the motion from onset to apex, to compare STAG with."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from stag.faces.crop import CROP_PX
from stag.model.dropout import Dropout
from stag.motion.regions import LAYOUTS

CENTRES_PX = (
    (64, 60), (83, 57), (65, 55), (41, 59), (192, 60), (173, 57), (191, 55), (215, 59), (128, 202),
    (76, 186), (180, 186), (128, 189), (128, 225), (128, 196), (97, 157), (159, 157), (74, 112), (182, 112),
    (74, 78), (182, 78),
)  # fmt: skip
"""``(x, y)`` of the middle of each channel on the crop of a frontal face."""

_MAP = 28  # as published
_SPREAD_PX = 24.0  # assumed; about half the distance between neighbouring regions
_LEAST_STRAIN = 1e-6


class OnsetApexMaps(nn.Module):
    """A shallow convolutional network over maps of the motion from onset to apex.

    The apex is the step of the strongest motion since the first. Its regional motion is spread over the crop as three
    maps ``u, v`` and optical strain ``sqrt(u_x^2 + v_y^2 + (u_y + v_x)^2 / 2)`` of 28 x 28. Three streams of 3, 5 and 8
    filters (3 x 3), largest value of 3 x 3 (28 -> 10), joined, mean of 2 x 2 (10 -> 5), ``vec(.) W_o``.

    Args:
        layout: Region layout.
        width: ``M``.
        dropout: Dropout share.
        cumulative: Whether motion counts from the first step, not from the previous one.

    Source: Liong et al., Shallow triple stream three-dimensional CNN (STSTNet) for micro-expression recognition,
    FG 2019. Published on dense optical flow, of which regional motion keeps 18 vectors.
    """

    spread: Tensor

    def __init__(self, layout: str, width: int, dropout: float, *, cumulative: bool = True) -> None:
        super().__init__()
        self.cumulative = cumulative
        self.register_buffer("spread", _spread(layout), persistent=False)
        self.streams = nn.ModuleList(nn.Conv2d(3, filters, 3, padding=1) for filters in (3, 5, 8))
        self.out = nn.Linear(16 * 25, width)
        self.dropout = Dropout(dropout)

    def maps(self, motion: Tensor) -> Tensor:
        """Return ``u``, ``v`` and strain of the apex: ``(B, T, R, 2) -> (B, 3, 28, 28)``."""
        moved = motion if self.cumulative else motion.cumsum(1)
        apex = moved.square().mean(dim=(2, 3)).argmax(dim=1)
        at_apex = (apex[:, None] == torch.arange(motion.shape[1], device=motion.device)).to(motion.dtype)
        regions = torch.einsum("bt,btrc->brc", at_apex, moved)
        # Motion, its slope along x and along y, each a fixed linear map of the regions: (B, 3, 784, 2).
        (u, v), (u_x, v_x), (u_y, v_y) = (self.spread @ regions[:, None]).permute(1, 3, 0, 2)
        squared = u_x.square() + v_y.square() + (u_y + v_x).square() / 2
        strain = squared.clamp_min(_LEAST_STRAIN**2).sqrt()
        return torch.stack([u, v, strain], dim=1).view(-1, 3, _MAP, _MAP)

    def forward(self, motion: Tensor) -> Tensor:
        """``(B, T, R, 2) -> (B, M)``."""
        maps = self.maps(motion)
        streams = [functional.relu(stream(maps)) for stream in self.streams]
        pooled = torch.cat([functional.max_pool2d(one, 3, stride=3, padding=1) for one in streams], dim=1)
        feature: Tensor = self.out(self.dropout(functional.avg_pool2d(pooled, 2).flatten(1)))
        return feature


def _spread(layout: str) -> Tensor:
    """Return what a region adds to each place of a map, and to its slopes along x and y: ``(3, 784, R)``.

    A place takes the mean of the regions, weighted by a Gaussian of its distance to each.
    """
    centres = torch.tensor([CENTRES_PX[channel] for channel in LAYOUTS[layout]], dtype=torch.get_default_dtype())
    along = (torch.arange(_MAP) + 0.5) * CROP_PX / _MAP
    y, x = torch.meshgrid(along, along, indexing="ij")
    squared = (x[..., None] - centres[:, 0]) ** 2 + (y[..., None] - centres[:, 1]) ** 2
    weight = torch.softmax(-squared / (2 * _SPREAD_PX**2), dim=-1)  # (28, 28, R)
    slope_y, slope_x = torch.gradient(weight, dim=(0, 1))
    return torch.stack([weight, slope_x, slope_y]).flatten(1, 2)
