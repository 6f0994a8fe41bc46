"""How long a model takes from motion to probabilities: onnxruntime beside torch, one thread."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from stag.bench.stopwatch import fastest
from stag.model.onnx import onnx_session
from stag.model.shipped import DEFAULT_MODEL
from stag.model.stag import STAG
from stag.utils.parallel import one_thread

BATCHES = (1, 64)


def prediction_speed(seconds: float = 2.0) -> list[dict[str, Any]]:
    """Time the model that ships on motion tensors, attention among its answers in both ways.

    Args:
        seconds: How long each way is repeated on average; its fastest run counts.

    Returns:
        Rows ``what``, ``value`` in milliseconds a call, ``reference`` (eager torch) and ``ratio``.
    """
    model = STAG.from_pretrained(DEFAULT_MODEL).eval()
    session = onnx_session(model)
    rows = []
    for batch in BATCHES:
        motion = np.random.default_rng(0).normal(size=(batch, *model.shape)).astype(np.float32)

        def eager(clips: torch.Tensor = torch.from_numpy(motion)) -> object:
            with torch.inference_mode():
                return model(clips, return_attention=True)

        with one_thread():
            best = fastest({"torch": eager, "onnx": partial(session, motion)}, seconds)
        rows.append(
            {
                "what": f"motion to probabilities with onnxruntime, batch {batch}, ms",
                "value": 1e3 * best["onnx"],
                "against": "torch",
                "reference": 1e3 * best["torch"],
                "ratio": best["torch"] / best["onnx"],
            }
        )
    return rows
