"""Explain one answer of a model: a clip and a class in, an :class:`Attribution` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stag.errors import ConfigError, ModelError
from stag.explanation.methods import METHODS, ScoreFunction, own_scale
from stag.facs import au_vector
from stag.inference.probabilities import View, answer, model_views, soften
from stag.model.stag import STAG
from stag.types import FloatArray, MotionTensor, Prediction
from stag.utils.choices import AuSource
from stag.utils.values import ArrayValue

DEFAULT_METHOD = "ig"
"""The method that ``stag explain --score`` ranks first."""

Motion = Prediction | MotionTensor | NDArray[np.floating] | Tensor
Target = str | int | None


@dataclass(frozen=True, eq=False, repr=False)
class AttentionMaps(ArrayValue):
    """The model's own attention on one clip; each sums to 1 over its last axis.

    Attributes:
        adjacency: ``(L, T, R, R)``; row ``i`` contains the weights of all regions for region ``i``.
        temporal: ``(T,)`` weights of the steps in the graph branch.
        region_to_step: ``(H, R, T)``.
        step_to_region: ``(H, T, R)``.
    """

    adjacency: FloatArray
    temporal: FloatArray
    region_to_step: FloatArray
    step_to_region: FloatArray

    def _summary(self) -> str:
        layers, steps, regions, _ = self.adjacency.shape
        return f"{layers} layers, {steps} steps, {regions} regions"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Attribution(ArrayValue):
    """How much every channel at every step counts for one class.

    Attributes:
        values: ``(T, R)`` float64; positive speaks for the class, negative against it.
        vectors: ``(T, R, 2)`` the same for ``u`` and ``v``, or ``None`` if the method does not separate them.
        method: Key of :data:`~stag.explanation.methods.METHODS`.
        class_name: The class that is explained.
        probability: Probability of that class, as in the prediction.
        score: Explained score: the class's logit less the mean of all.
        au_source: Where the AU input of the classifier came from.
        layout: Region layout.
        checks: Numbers about this explanation, such as ``completeness_gap``.
        attention: The model's own attention, for methods that show it.
    """

    values: FloatArray
    vectors: FloatArray | None
    method: str
    class_name: str
    probability: float
    score: float
    au_source: str
    layout: str
    checks: Mapping[str, float] = field(default_factory=dict)
    attention: AttentionMaps | None = None

    def _summary(self) -> str:
        steps, regions = self.values.shape
        return f"{self.class_name} {self.probability:.2f} by {self.title}, {steps} steps, {regions} regions"

    @property
    def title(self) -> str:
        """Full name of the method."""
        return METHODS[self.method].title

    @property
    def baseline(self) -> str:
        """What the motion was compared with; empty for no comparison."""
        return METHODS[self.method].baseline

    @property
    def signed(self) -> bool:
        """Whether values can be negative."""
        return METHODS[self.method].signed

    @property
    def class_specific(self) -> bool:
        """Whether the values depend on ``class_name``; attention does not."""
        return METHODS[self.method].class_specific

    @property
    def by_channel(self) -> FloatArray:
        """Sum over the steps ``(R,)``."""
        return np.asarray(self.values.sum(axis=0))

    @property
    def by_step(self) -> FloatArray:
        """Sum over the channels ``(T,)``."""
        return np.asarray(self.values.sum(axis=1))


def explain(
    model: STAG,
    motion: Motion,
    *,
    method: str = DEFAULT_METHOD,
    target: Target = None,
    au_source: AuSource | None = None,
    au: FloatArray | None = None,
) -> Attribution:
    """Explain how much every channel at every step of one clip counts for a class.

    Args:
        model: A trained model.
        motion: A prediction of that model, which is explained as it was made, or the motion ``(T, R, 2)`` of one clip,
            crop pixels.
        method: A key of :data:`~stag.explanation.methods.METHODS`.
        target: Name or number of the class; default is the most probable one.
        au_source: Source of the AU input; default is that of the model for a new clip.
        au: ``(A,)`` annotated action units, for ``au_source="annotated"``.

    Raises:
        ConfigError: There is no such method, class or AU source, or a prediction comes with an AU source.
        ModelError: The motion does not fit the model, or the model cannot read action units.
        MissingDependency: The method needs captum.
    """
    probabilities = None
    if isinstance(motion, Prediction):
        if au_source is not None or au is not None:
            raise ConfigError("a prediction is explained as it was made; leave out au_source and au")
        if motion.classes != model.classes:
            raise ModelError(f"the prediction is of the classes {motion.classes}, the model knows {model.classes}")
        probabilities = motion.probabilities[None]
        au = None if motion.codes is None else np.array(au_vector(set(motion.codes)))
        au_source = cast(AuSource, motion.au_source)
        motion = motion.motion
    quality = motion.quality if isinstance(motion, MotionTensor) else None
    values = np.asarray(motion.motion if isinstance(motion, MotionTensor) else motion)
    if values.ndim != 3:
        raise ModelError(f"motion has shape {values.shape}; expected one clip of shape (T, R, 2)")
    clip = torch.from_numpy(np.array(values, dtype=np.float32))[None]
    codes = None if au is None else torch.from_numpy(np.array(au, dtype=np.float32))[None]
    if quality is not None and probabilities is None:
        source = model.info.au_source(au_source, coded=au is not None)
        probabilities = soften(answer(model, clip, au_source=source, au=codes).probabilities, quality)
    (attribution,) = explain_many(
        model, clip, method=method, target=target, au_source=au_source, au=codes, probabilities=probabilities
    )
    return attribution


def explain_many(
    model: STAG,
    motion: Tensor,
    *,
    method: str = DEFAULT_METHOD,
    target: Target | Sequence[int] = None,
    au_source: AuSource | None = None,
    au: Tensor | None = None,
    views: Sequence[View] | None = None,
    probabilities: FloatArray | None = None,
) -> list[Attribution]:
    """Explain ``n`` clips at once; else as :func:`explain`.

    Args:
        model: A trained model.
        motion: ``(n, T, R, 2)`` crop pixels.
        method: A key of :data:`~stag.explanation.methods.METHODS`.
        target: A class for all clips, or a class number for each.
        au_source: Source of the AU input.
        au: ``(n, A)`` annotated action units.
        views: Views to average over; default is those of the model.
        probabilities: ``(n, C)`` of predictions that exist already; computed by default.
    """
    model.eval()
    source = model.info.au_source(au_source, coded=au is not None)
    if method not in METHODS:
        raise ConfigError(f"no explanation method {method!r}; there are {', '.join(METHODS)}")
    if not bool(torch.isfinite(motion).all()):
        raise ModelError("the motion contains NaN or infinity, which cannot be explained; extract the clip again")
    views = model_views(model.info) if views is None else views
    n, layout = len(motion), model.info.layout
    if probabilities is None:
        probabilities = answer(model, motion, au_source=source, au=au, views=views).probabilities
    number = _class_numbers(model.classes, target, probabilities)
    scaled = [own_scale(model, view.of(motion, layout, cumulative=model.info.cumulative)) for view in views]
    codes = None if au is None else au.repeat(len(views), 1)
    function = ScoreFunction(model, torch.cat(scaled), number.repeat(len(views)), codes, source)
    raw = METHODS[method].run(function)
    with torch.no_grad():
        score = function.score(function.motion, function.target, codes).double().view(-1, n).mean(dim=0)
    values = _mean_over_views(raw.values, views, layout)
    vectors = None
    if raw.vectors is not None:
        vectors = np.stack([_mean_over_views(part, views, layout) for part in raw.vectors.unbind(-1)], axis=-1)
    checks = {name: value.double().view(-1, n).mean(dim=0).numpy() for name, value in raw.checks.items()}
    attention: list[AttentionMaps | None] = [None] * n
    if "attention" in method:
        out = ScoreFunction(model, motion, number, au, source).attention()
        maps = (out.adjacency, out.temporal_attention, out.region_to_step, out.step_to_region)
        stacked = [weights.double().numpy() for weights in maps if weights is not None]
        attention = [AttentionMaps(*(weights[i] for weights in stacked)) for i in range(n)]
    return [
        Attribution(
            values=values[i],
            vectors=None if vectors is None else vectors[i],
            method=method,
            class_name=model.classes[int(number[i])],
            probability=float(probabilities[i, number[i]]),
            score=float(score[i]),
            au_source=source,
            layout=layout,
            checks={name: float(value[i]) for name, value in checks.items()},
            attention=attention[i],
        )
        for i in range(n)
    ]


def _mean_over_views(values: Tensor, views: Sequence[View], layout: str) -> FloatArray:
    """Average ``(V n, T, R)`` over the views, on the channels and steps of the clip: ``(n, T, R)``."""
    parts = values.double().chunk(len(views))
    returned = [view.back(part, layout) for view, part in zip(views, parts, strict=True)]
    return np.asarray(torch.stack(returned).mean(dim=0).numpy())


def _class_numbers(classes: Sequence[str], target: Target | Sequence[int], probabilities: FloatArray) -> Tensor:
    """Return the class number of every clip ``(n,)``."""
    n = len(probabilities)
    if target is None:
        return torch.from_numpy(probabilities.argmax(axis=-1))
    if isinstance(target, str):
        if target not in classes:
            raise ConfigError(f"no class {target!r}; the model knows {', '.join(classes)}")
        target = classes.index(target)
    numbers = [target] * n if isinstance(target, int) else [int(value) for value in target]
    if len(numbers) != n or not all(0 <= value < len(classes) for value in numbers):
        raise ConfigError(f"classes {numbers} do not fit: expected 0 to {len(classes) - 1} for each of {n} clips")
    return torch.tensor(numbers)
