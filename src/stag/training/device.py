"""What training needs to know of a GPU: whether there is one, its free memory, and how to replay a step on it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from stag.errors import ConfigError, reason

_LOG = logging.getLogger(__name__)

_WARM_UP = 3  # as in the manual of torch; libraries set themselves up in the first calls


def pick_device(name: str) -> torch.device:
    """Return the device; ``auto`` takes a GPU where one computes, with a warning where one is seen that does not."""
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"`device={name}`: expected auto, cpu or cuda")
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ConfigError("`device=cuda`: no GPU is visible to torch here; use `device=cpu`")
    if problem := gpu_problem():
        if name == "cuda":
            raise ConfigError(f"`device=cuda`: the GPU cannot be used ({problem}); use `device=cpu`")
        _LOG.warning("the GPU cannot be used (%s); the processor is", problem)
        return torch.device("cpu")
    return torch.device("cuda")


def gpu_problem() -> str:
    """Return why a GPU that torch sees does not compute: too old, full, used by others; empty where it does."""
    try:
        # Compiled for other GPUs, it fails at its first operation and not before.
        (torch.ones(2, 2, device="cuda") @ torch.ones(2, 2, device="cuda")).sum().item()
    except Exception as error:  # torch reports it as RuntimeError, AssertionError, NotImplementedError and more
        return reason(error)
    return ""


def free_bytes() -> int:
    """Return the free memory of the GPU; a ConfigError says that there is none."""
    pick_device("cuda")
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
