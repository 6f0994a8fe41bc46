"""A model as one ONNX file: motion in, class and AU scores and attention out; and a session that runs it."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stag.errors import ModelError, StagError
from stag.model.stag import STAG
from stag.utils.extras import install_hint
from stag.utils.files import atomic_path

_OPSET = 18
_OUTPUTS = ("logits", "au_logits", "adjacency", "temporal_attention", "au_step_logits")


class OnnxAnswer(NamedTuple):
    """Output of the file for a batch: ``(B, C)``, ``(B, A)``, ``(B, L, T, R, R)``, ``(B, T)``, ``(B, T, A)``."""

    logits: NDArray[np.float32]
    au_logits: NDArray[np.float32]
    adjacency: NDArray[np.float32]
    temporal_attention: NDArray[np.float32]
    au_step_logits: NDArray[np.float32]


class _Answer(nn.Module):
    def __init__(self, model: STAG, au_source: str) -> None:
        super().__init__()
        self.model = model
        self.au_source = au_source

    def forward(self, motion: Tensor) -> tuple[Tensor, ...]:
        out = self.model.forward_from(motion, self.au_source, return_attention=True)
        assert out.adjacency is not None
        assert out.temporal_attention is not None
        return out.logits, out.au_logits, out.adjacency, out.temporal_attention, out.au_step_logits


def export_onnx(model: STAG, path: Path, *, au_source: str | None = None) -> None:
    """Write a model as ONNX, for any batch size; the file describes itself in its metadata.

    Args:
        model: A trained model.
        path: File to write; it appears whole.
        au_source: ``none`` or ``predicted``: what the classifier reads of action units; as the model answers for a
            new clip where omitted.

    Raises:
        StagError: The packages for it are not installed.
        ConfigError: There is no such source.
        ModelError: ``au_source`` is ``annotated``, for which a file without an AU input has no place, or the model was
            trained without action units and is to read them.
    """
    content = onnx_bytes(model, au_source=au_source)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def onnx_session(model: STAG, *, au_source: str | None = None) -> OnnxSession:
    """Export a model in memory and return its onnxruntime session; errors as :func:`export_onnx`."""
    return OnnxSession(onnx_bytes(model, au_source=au_source))


def onnx_bytes(model: STAG, *, au_source: str | None = None) -> bytes:
    """Return the content of the file that :func:`export_onnx` writes."""
    if au_source == "annotated":
        raise ModelError("AU source 'annotated': an ONNX file has no input for expert codes; use none or predicted")
    au_source = model.info.au_source(au_source)
    try:
        import onnx

        import_module("onnxscript")  # the exporter imports it by itself
    except ImportError as error:
        raise StagError(f"export needs the packages onnx and onnxscript: {install_hint('onnx')}") from error
    motion = torch.randn(2, *model.shape, generator=torch.Generator().manual_seed(0))
    with _quiet_exporter():
        program = torch.onnx.export(
            _Answer(model.eval(), au_source),
            (motion,),
            input_names=["motion"],
            output_names=list(_OUTPUTS),
            dynamic_shapes={"motion": {0: torch.export.Dim("clips")}},
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ModelError("torch gave no ONNX program for this model; use the torch engine")
    proto = program.model_proto
    description = {**asdict(model.info), "model": model.info.model.model_dump(), "au_source": au_source}
    entry = proto.metadata_props.add()
    entry.key, entry.value = "stag", json.dumps(description, sort_keys=True)
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString())


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silence the warnings and logs of the exporter, on which a user cannot act."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)


class OnnxSession:
    """Runs an exported model with onnxruntime, on one thread.

    Args:
        content: The bytes of an ONNX file written by :func:`export_onnx`, or its path.

    Attributes:
        description: Metadata of the file: classes, layout, steps, temperature, AU source, training.

    Raises:
        StagError: onnxruntime is not installed.
        ModelError: The file is missing, damaged, or not one of ours.
    """

    def __init__(self, content: Path | bytes) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise StagError(f"running ONNX needs the package onnxruntime: {install_hint('onnx')}") from error
        where = content if isinstance(content, Path) else "the ONNX model"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            data = content.read_bytes() if isinstance(content, Path) else content
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            told = self._session.get_modelmeta().custom_metadata_map["stag"]
            self.description: dict[str, Any] = json.loads(told)
        except KeyError as error:
            raise ModelError(f"{where}: is not written by `stag export`; export the model again") from error
        except Exception as error:  # onnxruntime raises kinds of its own, none of them public
            reason = str(error).partition("\n")[0]
            raise ModelError(f"{where}: cannot be read as ONNX ({reason}); export the model again") from error

    def __call__(self, motion: NDArray[np.float32]) -> OnnxAnswer:
        """Classify ``motion (B, T, R, 2)``."""
        given = np.ascontiguousarray(motion, dtype=np.float32)
        return OnnxAnswer(*self._session.run(list(_OUTPUTS), {"motion": given}))
