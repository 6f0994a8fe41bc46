"""One door to every method: a clip and a class in, an :class:`Attribution` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stag.config import AuSource
from stag.datasets.motion_file import MotionSet
from stag.errors import ConfigError, ModelError
from stag.explanation.methods import METHODS, attention_output
from stag.explanation.question import Question, mirrored, own_scale
from stag.model.stag import STAG
from stag.motion.regions import mirror_order
from stag.types import FloatArray, MotionTensor

DEFAULT_METHOD = "ig"
"""What the report shows, see ``stag explain --score``."""

Motion = MotionTensor | MotionSet | NDArray[np.floating] | Tensor
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


@dataclass(frozen=True, eq=False, repr=False)
class Attribution:
    """How much every channel at every step counts for one answer.

    Attributes:
        values: ``(T, R)`` float64; positive speaks for the class, negative, where the method is signed, against it.
        vectors: ``(T, R, 2)`` the same for ``u`` and ``v``, or ``None`` where the method does not tell them apart.
        method: Short name, a key of :data:`~stag.explanation.methods.METHODS`.
        class_name: The class that was asked for.
        probability: What the model gives that class, calibrated, over the views that were explained.
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
    mirror_tta: bool = True,
) -> Attribution:
    """Say how much every channel at every step of one clip counts for a class.

    Args:
        model: A trained model or its folder.
        motion: One clip: ``(T, R, 2)`` in crop pixels, a :class:`MotionTensor`, or a motion set of one clip.
        method: A key of :data:`~stag.explanation.methods.METHODS`.
        target: Name or number of the class; the most probable one where omitted.
        au_source: Where the AU input comes from; as the model was trained where omitted, but never ``annotated``.
        au: ``(A,)`` annotated action units, for ``au_source="annotated"``.
        mirror_tta: Explain the mean over the clip and its mirror image, as ``stag predict`` answers with it.

    Raises:
        ConfigError: There is no such method, class or AU source.
        ModelError: The motion does not fit the model.
        MissingDependency: The method needs captum.

    Example:
        >>> stag.explain(model, tensor, method="ig").by_channel.argmax()  # doctest: +SKIP
    """
    clip = torch.from_numpy(np.array(_one_clip(motion), dtype=np.float32))[None]
    codes = None if au is None else torch.from_numpy(np.array(au, dtype=np.float32))[None]
    (found,) = explain_many(
        model, clip, method=method, target=target, au_source=au_source, au=codes, mirror_tta=mirror_tta
    )
    return found


def explain_many(
    model: STAG | str | Path,
    motion: Tensor,
    *,
    method: str = DEFAULT_METHOD,
    target: Target | Sequence[int] = None,
    au_source: AuSource | None = None,
    au: Tensor | None = None,
    mirror_tta: bool = True,
) -> list[Attribution]:
    """As :func:`explain` for ``motion (B, T, R, 2)`` at once; ``target`` may be a class number for each clip."""
    model = model if isinstance(model, STAG) else STAG.from_pretrained(model)
    model.eval()
    source = _au_source(model, au_source, au)
    if method not in METHODS:
        raise ConfigError(f"no explanation method {method!r}; there are {', '.join(METHODS)}")
    if not bool(torch.isfinite(motion).all()):
        raise ModelError("the motion holds NaN or infinity, which cannot be explained; extract the clip again")
    n, layout = len(motion), model.info.layout
    blank = Question(model, motion, torch.zeros(n, dtype=torch.long), au, source == "predicted")
    with torch.no_grad():
        blank.output(motion[:1], None if au is None else au[:1])  # the model says best what does not fit
    clips = own_scale(model, motion)
    views = torch.cat([clips, mirrored(clips, layout)]) if mirror_tta else clips
    codes = None if au is None else au.repeat(len(views) // n, 1)
    asked = Question(model, views, torch.zeros(len(views), dtype=torch.long), codes, source == "predicted")
    probabilities = asked.probabilities(views[None])[0].view(-1, n, len(model.classes)).mean(dim=0)
    number = _numbers(model.classes, target, probabilities)
    asked = Question(model, views, number.repeat(len(views) // n), codes, source == "predicted")
    what = METHODS[method]
    raw = what.run(asked)
    with torch.no_grad():
        score = asked.score(views, asked.target, codes).double().view(-1, n).mean(dim=0)
    values = _both_views(raw.values, n, layout)
    vectors = None if raw.vectors is None else _both_views(raw.vectors.transpose(2, 3), n, layout).swapaxes(2, 3)
    checks = {name: value.double().view(-1, n).mean(dim=0).numpy() for name, value in raw.checks.items()}
    attention = _attention(Question(model, clips, number, au, source == "predicted")) if "attention" in method else None
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


def _both_views(found: Tensor, n: int, layout: str) -> FloatArray:
    """Mean over the clip and its mirror image, whose channels change back their places: ``(V n, ..., R)``."""
    plain, reflected = found[:n].double(), found[n:].double()
    if len(reflected):
        plain = (plain + reflected[..., list(mirror_order(layout))]) / 2
    return np.asarray(plain.numpy())


def _attention(question: Question) -> list[AttentionMaps]:
    out = attention_output(question)
    fields = (out.adjacency, out.temporal_attention, out.region_to_step, out.step_to_region)
    stacked = [values.double().numpy() for values in fields if values is not None]
    return [AttentionMaps(*(values[i] for values in stacked)) for i in range(len(question.motion))]


def _one_clip(motion: Motion) -> FloatArray:
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


def _au_source(model: STAG, wanted: str | None, au: Tensor | None) -> str:
    if wanted is None:
        trained = model.info.training.get("au_source", "none")
        wanted = "annotated" if au is not None else "none" if trained == "none" else "predicted"
    if wanted not in ("none", "predicted", "annotated"):
        raise ConfigError(f"no AU source {wanted!r}; there are none, predicted, annotated")
    if (wanted == "annotated") != (au is not None):
        raise ConfigError(f"AU source {wanted!r} and the action units do not go together; annotated needs them")
    return wanted


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
