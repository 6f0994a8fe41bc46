"""One door to every method: a clip and a class in, an :class:`Attribution` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stag.config import AuSource
from stag.errors import ConfigError, ModelError
from stag.explanation.methods import METHODS, attention_output
from stag.explanation.score_function import Question, own_scale
from stag.facs import au_vector
from stag.inference.probabilities import answer
from stag.inference.softening import soften
from stag.inference.views import View, model_views
from stag.model.stag import STAG
from stag.motion_set import MotionSet
from stag.types import FloatArray, MotionTensor, Prediction, Quality

DEFAULT_METHOD = "ig"
"""What the report shows, see ``stag explain --score``."""

Motion = Prediction | MotionTensor | MotionSet | NDArray[np.floating] | Tensor
Target = str | int | None


@dataclass(frozen=True, eq=False, repr=False)
class AttentionMaps:
    """The model's own attention on one clip; each sums to 1 over its last axis.

    Attributes:
        adjacency: ``(L, T, R, R)``, row ``i`` tells where region ``i`` looks.
        temporal: ``(T,)`` weights of the steps in the graph branch.
        region_to_step: ``(H, R, T)``.
        step_to_region: ``(H, T, R)``.
    """

    adjacency: FloatArray
    temporal: FloatArray
    region_to_step: FloatArray
    step_to_region: FloatArray

    def __repr__(self) -> str:
        """Return one line: the sizes, not the numbers."""
        layers, steps, regions, _ = self.adjacency.shape
        return f"<AttentionMaps: {layers} layers, {steps} steps, {regions} regions>"


@dataclass(frozen=True, eq=False, repr=False)
class Attribution:
    """How much every channel at every step counts for one answer.

    Attributes:
        values: ``(T, R)`` float64; positive speaks for the class, negative, where the method is signed, against it.
        vectors: ``(T, R, 2)`` the same for ``u`` and ``v``, or ``None`` where the method does not tell them apart.
        method: Short name, a key of :data:`~stag.explanation.methods.METHODS`.
        class_name: The class that was asked for.
        probability: What the model gives that class, as a prediction shows it.
        score: What is explained: the class's logit less the mean of all.
        au_source: Where the AU input of the classifier came from.
        layout: Region layout.
        baseline: What the motion was compared with; empty where nothing was.
        signed: Whether values can be negative.
        class_specific: Whether the values depend on ``class_name``; attention does not.
        checks: Numbers about this answer, such as ``completeness_gap``.
        attention: The model's own attention, for the methods that show it.
    """

    values: FloatArray
    vectors: FloatArray | None
    method: str
    class_name: str
    probability: float
    score: float
    au_source: str
    layout: str
    baseline: str
    signed: bool
    class_specific: bool
    checks: Mapping[str, float] = field(default_factory=dict)
    attention: AttentionMaps | None = None

    def __repr__(self) -> str:
        """Return one line: what was explained and how, not the numbers."""
        steps, regions = self.values.shape
        asked = f"{self.class_name} {self.probability:.2f} by {self.title}"
        return f"<Attribution of {asked}: {steps} steps, {regions} regions>"

    @property
    def title(self) -> str:
        """The method's name for people."""
        return METHODS[self.method].title

    @property
    def by_channel(self) -> FloatArray:
        """Sum over the steps ``(R,)``."""
        return np.asarray(self.values.sum(axis=0))

    @property
    def by_step(self) -> FloatArray:
        """Sum over the channels ``(T,)``."""
        return np.asarray(self.values.sum(axis=1))


def explain(
    model: STAG | str | Path,
    motion: Motion,
    *,
    method: str = DEFAULT_METHOD,
    target: Target = None,
    au_source: AuSource | None = None,
    au: FloatArray | None = None,
    views: Sequence[View] | None = None,
) -> Attribution:
    """Say how much every channel at every step of one clip counts for a class.

    Args:
        model: A trained model or its folder.
        motion: One clip: a :class:`~stag.types.Prediction` of that model, which is explained as it was made;
            ``(T, R, 2)`` in crop pixels, a :class:`MotionTensor`, or a motion set of one clip.
        method: A key of :data:`~stag.explanation.methods.METHODS`.
        target: Name or number of the class; the most probable one where omitted.
        au_source: Where the AU input comes from; as the model answers for a new clip where omitted.
        au: ``(A,)`` annotated action units, for ``au_source="annotated"``.
        views: Explain the mean over these views of the clip; over those that the model answers with where omitted.

    Raises:
        ConfigError: There is no such method, class or AU source, or a prediction comes with another one.
        ModelError: The motion does not fit the model, or the model cannot read action units.
        MissingDependency: The method needs captum.

    Example:
        >>> stag.explain(model, tensor, method="ig").by_channel.argmax()  # doctest: +SKIP
    """
    model = model if isinstance(model, STAG) else STAG.from_pretrained(model)
    shown = None
    if isinstance(motion, Prediction):
        if au_source is not None or au is not None or views is not None:
            raise ConfigError("a prediction is explained as it was made; leave out au_source, au and views")
        if motion.classes != model.classes:
            raise ModelError(f"the prediction is of the classes {motion.classes}, the model knows {model.classes}")
        shown = torch.from_numpy(np.array(motion.probabilities, dtype=np.float64))[None]
        au = None if motion.codes is None else np.array(au_vector(set(motion.codes)))
        au_source = cast(AuSource, motion.au_source)
        motion = motion.motion
    quality = motion.quality if isinstance(motion, MotionTensor) else None
    clip = torch.from_numpy(np.array(_one_clip(motion), dtype=np.float32))[None]
    codes = None if au is None else torch.from_numpy(np.array(au, dtype=np.float32))[None]
    (found,) = _explained(model, clip, method, target, au_source, codes, views, shown, quality)
    return found


def explain_many(
    model: STAG | str | Path,
    motion: Tensor,
    *,
    method: str = DEFAULT_METHOD,
    target: Target | Sequence[int] = None,
    au_source: AuSource | None = None,
    au: Tensor | None = None,
    views: Sequence[View] | None = None,
) -> list[Attribution]:
    """As :func:`explain` for ``motion (B, T, R, 2)`` at once; ``target`` may be a class number for each clip."""
    model = model if isinstance(model, STAG) else STAG.from_pretrained(model)
    return _explained(model, motion, method, target, au_source, au, views, None)


def _explained(
    model: STAG,
    motion: Tensor,
    method: str,
    target: Target | Sequence[int],
    au_source: AuSource | None,
    au: Tensor | None,
    views: Sequence[View] | None,
    shown: Tensor | None,
    quality: Quality | None = None,
) -> list[Attribution]:
    """Explain clips whose probabilities ``(B, C)`` were ``shown`` already, or else are computed here."""
    model.eval()
    source = model.info.au_source(au_source, coded=au is not None)
    if method not in METHODS:
        raise ConfigError(f"no explanation method {method!r}; there are {', '.join(METHODS)}")
    if not bool(torch.isfinite(motion).all()):
        raise ModelError("the motion holds NaN or infinity, which cannot be explained; extract the clip again")
    views = model_views(model.info) if views is None else views
    n, layout = len(motion), model.info.layout
    found = answer(model, motion, au_source=source, au=au, views=views)  # the model says best what does not fit
    probabilities = torch.from_numpy(soften(found.probabilities, quality)) if shown is None else shown
    number = _numbers(model.classes, target, probabilities)
    seen = [own_scale(model, view.of(motion, layout, cumulative=model.info.cumulative)) for view in views]
    codes = None if au is None else au.repeat(len(views), 1)
    asked = Question(model, torch.cat(seen), number.repeat(len(views)), codes, source)
    what = METHODS[method]
    raw = what.run(asked)
    with torch.no_grad():
        score = asked.score(asked.motion, asked.target, codes).double().view(-1, n).mean(dim=0)
    values = _of_the_clip(raw.values, views, layout)
    vectors = None
    if raw.vectors is not None:
        vectors = np.stack([_of_the_clip(part, views, layout) for part in raw.vectors.unbind(-1)], axis=-1)
    checks = {name: value.double().view(-1, n).mean(dim=0).numpy() for name, value in raw.checks.items()}
    attention = _attention(Question(model, motion, number, au, source)) if "attention" in method else None
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
            baseline=what.baseline,
            signed=what.signed,
            class_specific=what.class_specific,
            checks={name: float(value[i]) for name, value in checks.items()},
            attention=None if attention is None else attention[i],
        )
        for i in range(n)
    ]


def _of_the_clip(found: Tensor, views: Sequence[View], layout: str) -> FloatArray:
    """Mean over the views ``(V n, T, R)`` -> ``(n, T, R)``, each given back to the channels and steps of the clip."""
    parts = found.double().chunk(len(views))
    given_back = [view.back(part, layout) for view, part in zip(views, parts, strict=True)]
    return np.asarray(torch.stack(given_back).mean(dim=0).numpy())


def _attention(question: Question) -> list[AttentionMaps]:
    out = attention_output(question)
    fields = (out.adjacency, out.temporal_attention, out.region_to_step, out.step_to_region)
    stacked = [values.double().numpy() for values in fields if values is not None]
    return [AttentionMaps(*(values[i] for values in stacked)) for i in range(len(question.motion))]


def _one_clip(motion: MotionTensor | MotionSet | NDArray[np.floating] | Tensor) -> FloatArray:
    if isinstance(motion, MotionTensor):
        return motion.motion
    if isinstance(motion, MotionSet):
        if len(motion) != 1:
            raise ModelError(f"the motion set has {len(motion)} clips; take one of them")
        return np.asarray(motion.motion[0])
    values = motion.detach().cpu().numpy() if isinstance(motion, Tensor) else np.asarray(motion)
    if values.ndim != 3:
        raise ModelError(f"one clip has shape (T, R, 2); it was given {values.shape}")
    return values


def _numbers(classes: Sequence[str], target: Target | Sequence[int], probabilities: Tensor) -> Tensor:
    """The class number of every clip ``(B,)``."""
    n = len(probabilities)
    if target is None:
        return probabilities.argmax(dim=-1)
    if isinstance(target, str):
        if target not in classes:
            raise ConfigError(f"no class {target!r}; the model knows {', '.join(classes)}")
        target = classes.index(target)
    numbers = [target] * n if isinstance(target, int) else [int(value) for value in target]
    if len(numbers) != n or not all(0 <= value < len(classes) for value in numbers):
        raise ConfigError(f"classes {numbers} do not fit: expected 0 to {len(classes) - 1} for each of {n} clips")
    return torch.tensor(numbers)
