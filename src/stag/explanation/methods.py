"""The score that is explained, and the methods: each returns how much every channel at every step counts for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from stag.errors import MissingDependency
from stag.model.stag import STAG, StagOutput
from stag.utils.extras import install_hint
from stag.utils.values import ArrayValue

IG_STEPS = 32  # assumed; measured completeness gap below 1 % of the score
OCCLUSION_STEPS = 3  # assumed; one step alone is interpolated by its neighbours
_IG_BATCH = 128
_BELOW_FLOOR = 1 - 1e-6
_BATCH = 512


@dataclass(frozen=True, eq=False, repr=False)
class ScoreFunction(ArrayValue):
    """The score of one class for each of ``B`` clips, which the methods attribute to the motion.

    The score is the class's logit less the mean of all logits, because an equal change of every logit does not change
    the probabilities.

    Attributes:
        model: In evaluation mode.
        motion: ``(B, T, R, 2)`` from :func:`own_scale`.
        target: ``(B,)`` class numbers.
        au: ``(B, A)`` annotated action units, or ``None``.
        au_source: Where the AU input of the classifier comes from.
    """

    model: STAG
    motion: Tensor
    target: Tensor
    au: Tensor | None = None
    au_source: str = "none"

    def score(self, motion: Tensor, target: Tensor, au: Tensor | None) -> Tensor:
        """Return the score: ``(B, T, R, 2)`` and ``(B,)`` class numbers -> ``(B,)``."""
        logits = self.model.forward_from(motion, self.au_source, au).logits
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
            logits = self.model.forward_from(flat[some], self.au_source, None if au is None else au[some]).logits
            parts.append(torch.softmax(logits.double() / self.model.info.temperature, dim=-1))
        return torch.cat(parts).view(*motion.shape[:2], -1)

    @torch.no_grad()
    def attention(self) -> StagOutput:
        """Return the output of the model with its attention."""
        return self.model.forward_from(self.motion, self.au_source, self.au, return_attention=True)


def own_scale(model: STAG, motion: Tensor) -> Tensor:
    """Scale motion ``(B, T, R, 2)``, crop pixels, so that the normalisation of the model leaves it unchanged.

    A model with ``clip-rms`` divides a clip by its RMS, but not by less than a floor. A clip scaled down to that
    floor has the same probabilities, and below it the normalisation is linear: removing a channel does not enlarge the
    others, and a straight path to the still face is straight for the model too.
    """
    config = model.info.model
    if config.normalise != "clip-rms":
        return motion
    rms = motion.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return motion * (_BELOW_FLOOR * config.rms_floor_px / rms.clamp_min(config.rms_floor_px))


class Raw(NamedTuple):
    """Output of a method: ``values (B, T, R)``, ``vectors (B, T, R, 2)`` if it separates them, checks ``(B,)``."""

    values: Tensor
    vectors: Tensor | None = None
    checks: Mapping[str, Tensor] = MappingProxyType({})


class Method(NamedTuple):
    """A method and its properties.

    Attributes:
        signed: Whether a value below 0 speaks against the class.
        class_specific: Whether the values depend on the class that is explained.
        baseline: What the motion is compared with; empty for no comparison.
    """

    title: str
    run: Callable[[ScoreFunction], Raw]
    signed: bool
    class_specific: bool
    baseline: str


def integrated_gradients(function: ScoreFunction) -> Raw:
    """Integrated Gradients from the still face (Sundararajan et al. 2017).

    The values of a clip add up to its score less that of the still face. The check ``completeness_gap`` is the error of
    that sum, relative to the larger of the difference and 1.

    Raises:
        MissingDependency: captum is not installed.
    """
    attributor = _captum().IntegratedGradients(function.score, multiply_by_inputs=True)
    with torch.enable_grad():
        vectors = attributor.attribute(
            function.motion,
            baselines=0.0,
            additional_forward_args=(function.target, function.au),
            n_steps=IG_STEPS,
            method="gausslegendre",
            internal_batch_size=max(_IG_BATCH, len(function.motion)),
        ).detach()
    with torch.no_grad():
        here = function.score(function.motion, function.target, function.au).double()
        still = function.score(torch.zeros_like(function.motion), function.target, function.au).double()
    gap = (vectors.double().sum(dim=(1, 2, 3)) - (here - still)).abs() / (here - still).abs().clamp_min(1)
    return Raw(vectors.sum(dim=-1), vectors, {"completeness_gap": gap, "still_score": still})


def grad_cam(function: ScoreFunction) -> Raw:
    """Grad-CAM on the nodes of the last E-GAT layer (Selvaraju et al. 2017).

    ``relu( sum_d alpha_d H[t,r,d] )`` with ``alpha_d`` the gradient of the score, averaged over steps and regions.
    """
    nodes, gradient = _nodes_and_gradient(function)
    weight = gradient.mean(dim=(1, 2), keepdim=True)
    return Raw(torch.relu((weight * nodes).sum(dim=-1)))


def hires_cam(function: ScoreFunction) -> Raw:
    """HiResCAM on the nodes of the last E-GAT layer (Draelos and Carin 2020).

    ``relu( sum_d dS/dH[t,r,d] H[t,r,d] )``. The gradient is not averaged over places, because the layer that reads the
    nodes (Eq. 20) has separate weights for every region.
    """
    nodes, gradient = _nodes_and_gradient(function)
    return Raw(torch.relu((gradient * nodes).sum(dim=-1)))


def occlusion(function: ScoreFunction) -> Raw:
    """Fall of the score when a channel is held still for three steps, as mean over windows (Zeiler and Fergus 2014).

    Raises:
        MissingDependency: captum is not installed.
    """
    attributor = _captum().Occlusion(function.score)
    steps = min(OCCLUSION_STEPS, function.motion.shape[1])
    with torch.no_grad():
        falls = attributor.attribute(
            function.motion,
            sliding_window_shapes=(steps, 1, 2),
            strides=(1, 1, 2),
            baselines=0.0,
            additional_forward_args=(function.target, function.au),
        )
    # Both components are held still together, so both carry the same value.
    return Raw(falls[..., 0])


def graph_attention(function: ScoreFunction) -> Raw:
    """Graph attention, rolled out over the E-GAT layers, times the weight of each step (Eq. 16, 18).

    Rollout with a half for the residual path (Abnar and Zuidema 2020), averaged over the rows; sums to 1.
    """
    out = function.attention()
    assert out.adjacency is not None
    assert out.temporal_attention is not None
    return Raw(rollout(out.adjacency).mean(dim=2) * out.temporal_attention[:, :, None])


def cross_attention(function: ScoreFunction) -> Raw:
    """Cross-attention of the fusion, averaged over heads and over both directions (Eq. 27-28); sums to 1."""
    out = function.attention()
    assert out.step_to_region is not None
    assert out.region_to_step is not None
    to_regions, to_steps = out.step_to_region.mean(dim=1), out.region_to_step.mean(dim=1).mT
    t, r = to_regions.shape[1:]
    return Raw((to_regions / t + to_steps / r) / 2)


METHODS: dict[str, Method] = {
    "ig": Method("Integrated Gradients", integrated_gradients, True, True, "still face"),
    "occlusion": Method("Occlusion", occlusion, True, True, "still face"),
    "gradcam": Method("Grad-CAM", grad_cam, False, True, ""),
    "hirescam": Method("HiResCAM", hires_cam, False, True, ""),
    "attention": Method("Graph attention", graph_attention, False, False, ""),
    "cross-attention": Method("Cross-attention", cross_attention, False, False, ""),
}
"""Short name -> method."""


def rollout(adjacency: Tensor) -> Tensor:
    """Return the product over layers of ``(A + I) / 2``: ``(B, L, T, R, R) -> (B, T, R, R)``."""
    b, _, t, r, _ = adjacency.shape
    identity = torch.eye(r, dtype=adjacency.dtype, device=adjacency.device)
    total = identity.expand(b, t, r, r)
    for layer in adjacency.unbind(1):
        total = (layer + identity) / 2 @ total
    return total


def _nodes_and_gradient(function: ScoreFunction) -> tuple[Tensor, Tensor]:
    """Return the nodes ``(B, T, R, D)`` that the pooling reads, and the gradient of the score there."""
    model, kept = function.model, []
    layer: nn.Module = model.spatial.layers[-1] if len(model.spatial.layers) else model.embedding

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
        kept.append(output[0] if isinstance(output, tuple) else output)

    handle = layer.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            # The input requires a gradient so that a model with frozen weights can be explained too.
            motion = function.motion.detach().requires_grad_()
            total = function.score(motion, function.target, function.au).sum()
            # With predicted AUs the layer runs twice; the class is read from the second run.
            (gradient,) = torch.autograd.grad(total, kept[-1])
    finally:
        handle.remove()
    return kept[-1].detach(), gradient.detach()


def _captum() -> Any:
    try:
        import captum.attr
    except ImportError as error:
        raise MissingDependency(f"this method needs captum, which is missing: {install_hint('explain')}") from error
    return captum.attr
