"""What there is to know about a trained model: sizes, operations, latency, training data, calibration, licence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.benchmark import Timer

from stag.inference.probabilities import answer, model_views
from stag.model.held_out import HeldOut
from stag.model.shipped import DEFAULT_MODEL, SHIPPED, local_folder
from stag.model.stag import STAG
from stag.model.summary import ModelPart, summarise_model
from stag.utils.values import ArrayValue, html_table

NOT_STATED = "not stated"
SHIPPED_LICENCE = "Apache-2.0"
"""Licence of the models that ship: that of the program."""

_SECONDS = 0.3
"""How long each latency is measured."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ModelFacts(ArrayValue):
    """Facts about a model.

    Attributes:
        name: The folder or name that it was loaded by; ``in memory`` for a model that was not.
        classes: Class names.
        layout: Region layout.
        regions: Number of regions ``R``.
        steps: Motion steps ``T``.
        reference: What motion is measured against, ``first`` or ``previous`` frame.
        parameters: Number of parameters.
        parts: Shapes, parameters and operations of each part.
        flops: Operations of one pass over one clip: matrix products, two for a multiply-add.
        views: Number of views of a clip that an answer is the mean of.
        pass_ms: Median time of one pass over one clip on this machine, one thread, milliseconds.
        answer_ms: Median time of an answer, all views included, milliseconds.
        simulated: Whether it was trained on simulated motion only; ``None``: not stated.
        datasets: Names of the data sets of its training.
        clips: Number of training clips, or ``None``.
        people: Number of people among them, or ``None``.
        class_counts: Training clips of each class.
        au_source: Where the AU input of the classifier came from in training.
        au_source_new_clip: Where it comes from for a new clip without codes.
        au_supervision: Whether the AU head was trained with codes (``train.au_weight`` above 0); ``None``: not stated.
        au_weight: Weight of that loss, or ``None``.
        temperature: What class logits are divided by; 1 for a model that was not calibrated.
        held_out: What it did on clips that training has not seen; ``None``: not stated.
        licence: Licence of the weights.
        version: Program version that wrote it.
    """

    name: str
    classes: tuple[str, ...]
    layout: str
    regions: int
    steps: int
    reference: str
    parameters: int
    parts: tuple[ModelPart, ...]
    flops: int
    views: int
    pass_ms: float
    answer_ms: float
    simulated: bool | None
    datasets: tuple[str, ...]
    clips: int | None
    people: int | None
    class_counts: dict[str, int]
    au_source: str
    au_source_new_clip: str
    au_supervision: bool | None
    au_weight: float | None
    temperature: float
    held_out: HeldOut | None
    licence: str
    version: str

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as plain data: what ``stag info --json`` writes."""
        held_out = self.held_out.model_dump(mode="json") if self.held_out else None
        return {**asdict(self), "held_out": held_out}

    def rows(self) -> list[tuple[str, str]]:
        """Return the facts in words, one row each: what ``stag info`` prints."""
        counts = ", ".join(f"{name} {count:,}" for name, count in self.class_counts.items())
        calibrated = self.temperature != 1
        return [
            ("model", self.name),
            ("classes", ", ".join(self.classes)),
            ("motion", f"{self.steps} steps, {self.regions} regions ({self.layout}), from the {self._from}"),
            ("parameters", f"{self.parameters:,}"),
            *((f"  {part.name}", f"{part.parameters:,}; {_millions(part.flops)}") for part in self.parts),
            ("operations", f"{_millions(self.flops)} for one pass over one clip (matrix products)"),
            ("latency", f"{self.pass_ms:.1f} ms one pass, {self.answer_ms:.1f} ms an answer of {_views(self.views)}"),
            ("", "median on this machine, one clip, one thread; reading the video is not in it"),
            ("training data", self._training),
            *([("  clips of each class", counts)] if counts else []),
            ("AU source", f"{self.au_source} in training; {self.au_source_new_clip} for a new clip without codes"),
            ("AU supervision", self._supervision),
            ("calibration", f"temperature {self.temperature:.3g}" if calibrated else "none (temperature 1)"),
            *(self.held_out.rows() if self.held_out else ()),
            ("licence", self.licence),
            ("written by", f"stag {self.version}"),
        ]

    def __str__(self) -> str:
        """The rows as lines of text."""
        return "\n".join(f"{name:<26}{text}".rstrip() for name, text in self.rows())

    def _repr_html_(self) -> str:
        """A small table for a notebook."""
        return html_table(self.name, {name or "note": text for name, text in self.rows()})

    def _summary(self) -> str:
        return f"{self.name}, {'/'.join(self.classes)}, {self.parameters:,} parameters, {self.pass_ms:.1f} ms"

    @property
    def _from(self) -> str:
        return "frame before" if self.reference == "previous" else "first frame"

    @property
    def _training(self) -> str:
        if self.clips is None:
            return NOT_STATED
        people = "" if self.people is None else f" of {self.people:,} people"
        kind = {True: "simulated only", False: "recorded", None: NOT_STATED}[self.simulated]
        sets = "" if self.datasets in ((), ("simulated",)) else f" ({', '.join(self.datasets)})"
        return f"{kind}: {self.clips:,} clips{people}{sets}, {len(self.classes)} classes"

    @property
    def _supervision(self) -> str:
        if self.au_supervision is None:
            return NOT_STATED
        if not self.au_supervision:
            return "none: the AU head was not trained"
        return f"yes: the AU head was trained with the codes of the training clips (weight {self.au_weight:g})"


def model_facts(model: STAG | str | Path = DEFAULT_MODEL) -> ModelFacts:
    """Return what there is to know about a model; its latency is measured now, which takes about a second.

    Args:
        model: A model, its folder, or the name of one; the model that ships where omitted.

    Raises:
        ModelError: There is no such model, or its folder is damaged.

    Example:
        >>> facts = stag.info("megc3")
        >>> facts.classes, facts.simulated
        (('negative', 'positive', 'surprise'), True)
        >>> str(facts).splitlines()[0].split()
        ['model', 'megc3']
    """
    loaded = model if isinstance(model, STAG) else STAG.from_pretrained(model)
    info, training = loaded.info, loaded.info.training
    sizes = summarise_model(loaded)
    pass_ms, answer_ms = _latency(loaded)
    weight = _of(_of(training, "train", dict) or {}, "au_weight", (int, float))
    return ModelFacts(
        name="in memory" if isinstance(model, STAG) else str(model),
        classes=loaded.classes,
        layout=info.layout,
        regions=loaded.shape[1],
        steps=info.steps,
        reference="first" if info.cumulative else "previous",
        parameters=sizes.parameters,
        parts=sizes.parts,
        flops=sizes.flops,
        views=len(model_views(info)),
        pass_ms=pass_ms,
        answer_ms=answer_ms,
        simulated=_of(training, "simulated", bool),
        datasets=tuple(str(name) for name in _of(training, "datasets", list) or ()),
        clips=_of(training, "n_clips", int),
        people=_of(training, "n_subjects", int),
        class_counts={str(k): n for k, n in (_of(training, "class_counts", dict) or {}).items() if isinstance(n, int)},
        au_source=_of(training, "au_source", str) or NOT_STATED,
        au_source_new_clip=info.au_source(),
        au_supervision=None if weight is None else weight > 0,
        au_weight=weight,
        temperature=info.temperature,
        held_out=HeldOut.of(training),
        licence=NOT_STATED if isinstance(model, STAG) else _licence(str(model)),
        version=info.version,
    )


def _of(values: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    """Return a value of the training record, or ``None`` where it is missing or of another type."""
    value = values.get(name)
    return value if isinstance(value, kind) else None


def _latency(model: STAG) -> tuple[float, float]:
    """Return the median milliseconds of one pass, and of an answer with all views, over one clip on one thread."""
    motion = torch.randn(1, *model.shape, generator=torch.Generator().manual_seed(0))
    motion = motion.to(next(model.parameters()).device)
    source = model.info.au_source()
    model.eval()
    calls = lambda: model.forward_from(motion, source), lambda: answer(model, motion, au_source=source)
    with torch.no_grad():
        one_pass, whole = (_median_ms(call) for call in calls)
    return one_pass, whole


def _median_ms(call: Callable[[], object]) -> float:
    # Timer warms up, and measures on one thread.
    return 1e3 * Timer("call()", globals={"call": call}).blocked_autorange(min_run_time=_SECONDS).median


def _licence(name: str) -> str:
    """Return the licence that the model card states; of a model that ships, that of the program."""
    folder = local_folder(name)
    if folder is None:
        return NOT_STATED
    if name in SHIPPED and not Path(name).exists():
        return SHIPPED_LICENCE
    try:
        card = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return NOT_STATED
    head = card.split("\n---", 1)[0].splitlines() if card.startswith("---") else []
    stated = [line.partition(":")[2].strip() for line in head if line.startswith("license:")]
    return stated[0] if stated and stated[0] else NOT_STATED


def _millions(flops: int) -> str:
    return f"{flops / 1e6:.2f} MFLOP" if flops >= 1e5 else f"{flops / 1e3:.1f} kFLOP" if flops else "no operations"


def _views(count: int) -> str:
    return "1 view" if count == 1 else f"{count} views"
