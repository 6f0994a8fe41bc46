"""What training needs to know of a GPU: whether there is one, its free memory, and how to replay a step on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from stag.errors import ConfigError

_WARM_UP = 3  # as in the manual of torch; libraries set themselves up in the first calls


def pick_device(name: str) -> torch.device:
    """Return the device; ``auto`` takes a GPU where there is one; refuse one that does not exist."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise ConfigError(f"`device={name}`: expected auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("`device=cuda`: no GPU is visible to torch here; use `device=cpu`")
    return torch.device(name)


def free_bytes() -> int:
    """Return the free memory of the GPU."""
    free: int = torch.cuda.mem_get_info()[0]
    return free


def captured(step: Callable[[], None], changes: Sequence[Tensor]) -> Callable[[], None]:
    """Return a function that does the same as ``step``: on a GPU its CUDA graph, elsewhere the step itself.

    A graph is started as a whole, which saves the time of starting a thousand small kernels one by one.

    Args:
        step: Reads and writes tensors that stay where they are, and decides nothing by their values.
        changes: The tensors that it writes; recording leaves them as they were.
    """
    if not changes[0].is_cuda:
        return step
    before = [tensor.clone() for tensor in changes]
    aside: torch.cuda.Stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(_WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    for tensor, value in zip(changes, before, strict=True):
        tensor.copy_(value)
    return graph.replay
