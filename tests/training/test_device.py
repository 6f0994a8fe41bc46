"""What training knows of a GPU; a stand-in takes its place."""

from contextlib import nullcontext

import pytest
import torch

from stag.doctor import findings
from stag.errors import ConfigError
from stag.training.device import captured, pick_device


class OnGpu(torch.Tensor):
    """A tensor of the processor that says that it is on a GPU."""

    is_cuda = True


class Stream:
    def wait_stream(self, other):
        assert isinstance(other, Stream)


def test_recording_a_step_leaves_everything_that_it_changes_as_it_was(monkeypatch):
    counter, total = (torch.tensor([start]).as_subclass(OnGpu) for start in (3.0, 0.0))

    def step():
        total.add_(counter)
        counter.add_(1)

    class Graph:
        replay = staticmethod(step)

    for name, value in {"Stream": Stream, "current_stream": Stream, "CUDAGraph": Graph}.items():
        monkeypatch.setattr(torch.cuda, name, value)
    for name in ("stream", "graph"):
        monkeypatch.setattr(torch.cuda, name, nullcontext)
    replay = captured(step, [counter, total])
    assert (float(counter), float(total)) == (3, 0)
    replay()
    replay()
    assert (float(counter), float(total)) == (5, 7)


def test_without_a_gpu_the_step_is_taken_as_it_is_and_a_gpu_is_refused(monkeypatch):
    def step():
        return None

    assert captured(step, [torch.zeros(1)]) is step
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto").type == "cpu"
    for name, says in {"cuda": "no GPU is visible", "tpu": "expected auto, cpu or cuda"}.items():
        with pytest.raises(ConfigError, match=says):
            pick_device(name)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: no kernel image is available for execution on the device"),
        RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable"),
        torch.OutOfMemoryError("CUDA out of memory."),
        AssertionError("Torch not compiled with CUDA enabled"),
        NotImplementedError("Could not run 'aten::empty.memory_format'"),
    ],
)
def test_a_gpu_that_is_seen_and_does_not_compute_gives_way_to_the_processor(monkeypatch, caplog, error):
    def no(*_, **__):
        raise error

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", no)
    assert pick_device("auto").type == pick_device("cpu").type == "cpu"
    assert [str(error) in record.getMessage() for record in caplog.records] == [True]
    with pytest.raises(ConfigError, match=r"the GPU cannot be used .*; use `device=cpu`"):
        pick_device("cuda")
    assert dict(findings()[0])["device"].startswith("cpu; the GPU cannot be used")
