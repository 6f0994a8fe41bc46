"""What a model is made of: its parts with their real shapes, parameters and operations, measured on one clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from stag.model.stag import STAG, StagOutput
from stag.utils.choices import AuSource

Shape = tuple[int, ...]

PART_NAMES = {
    "embedding": "region embedding",
    "spatial": "graph branch",
    "temporal": "temporal branch",
    "fusion": "cross-attention fusion",
    "au_embedding": "action-unit embedding",
    "au_head": "action-unit head",
    "classifier": "classifier",
}
"""Name of a part in the code -> in words; a part that is missing here keeps its name."""


@dataclass(frozen=True)
class ModelPart:
    """One part of a model.

    Attributes:
        key: Its name in the code, such as ``spatial``.
        name: In words.
        parameters: Number of its parameters.
        flops: Floating-point operations of its matrix products for one clip.
        outputs: Shapes of the tensors that it gives for one clip, without the batch; empty where it does not run.
    """

    key: str
    name: str
    parameters: int
    flops: int
    outputs: tuple[Shape, ...]


@dataclass(frozen=True)
class ModelSummary:
    """Sizes of a model.

    Attributes:
        shape: ``(T, R, 2)`` of the motion that it reads.
        parts: Its parts in the order of the code.
        outputs: Name of each output, attention included -> its shape for one clip, without the batch.
        parameters: Number of all parameters.
        flops: Floating-point operations of one pass over one clip: matrix products, two for a multiply-add.
    """

    shape: Shape
    parts: tuple[ModelPart, ...]
    outputs: dict[str, Shape]
    parameters: int
    flops: int

    def part(self, key: str) -> ModelPart | None:
        """Return the part of that name in the code, or ``None``."""
        return next((part for part in self.parts if part.key == key), None)


@torch.no_grad()
def summarise_model(model: STAG, au_source: AuSource | None = None) -> ModelSummary:
    """Run a model on one still clip, and return what its parts gave.

    Args:
        model: Any model; its weights do not matter.
        au_source: Source of the AU input; that of the model for a new clip where omitted.
    """
    source = model.info.au_source(au_source, coded=au_source == "annotated")
    motion = next(model.parameters()).new_zeros(1, *model.shape)
    units = motion.new_zeros(1, len(model.info.au_vocabulary))
    seen: dict[str, tuple[Shape, ...]] = {}
    handles = []
    for key, part in model.named_children():

        def keep(_module: nn.Module, _inputs: Any, output: Any, key: str = key) -> None:
            seen[key] = tuple(tuple(tensor.shape[1:]) for tensor in _tensors(output))

        handles.append(part.register_forward_hook(keep))
    try:
        with FlopCounterMode(display=False) as counter:
            out = _Pass(model.eval())(motion, source, units)
    finally:
        for handle in handles:
            handle.remove()
    by_module = counter.get_flop_counts()
    parts = [
        ModelPart(
            key,
            PART_NAMES.get(key, key.replace("_", " ")),
            sum(parameter.numel() for parameter in part.parameters()),
            sum(by_module.get(f"_Pass.model.{key}", {}).values()),
            seen.get(key, ()),
        )
        for key, part in model.named_children()
    ]
    return ModelSummary(
        shape=model.shape,
        parts=tuple(part for part in parts if part.parameters),
        outputs={name: tuple(value.shape[1:]) for name, value in out._asdict().items() if isinstance(value, Tensor)},
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        flops=int(counter.get_total_flops()),
    )


class _Pass(nn.Module):
    """One pass as a module, so that operations are counted under the names of the parts."""

    def __init__(self, model: STAG) -> None:
        super().__init__()
        self.model = model

    def forward(self, motion: Tensor, au_source: str, units: Tensor) -> StagOutput:
        return self.model.forward_from(motion, au_source, units, return_attention=True)


def _tensors(output: Any) -> list[Tensor]:
    """Return the tensors of an output, however deeply they lie in tuples."""
    if isinstance(output, Tensor):
        return [output]
    return [tensor for item in output for tensor in _tensors(item)] if isinstance(output, tuple | list) else []
