"""Predictions as a table: one row per face, and one per file that gave no face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from stag.report.wording import all_flags
from stag.types import Prediction

_HEAD = ("file", "face_id", "face_score", "start_s", "end_s", "frames", "predicted")


def prediction_rows(predictions: Sequence[Prediction], failures: Sequence[tuple[str, str]] = ()) -> pd.DataFrame:
    """Return the rows that ``stag predict --csv`` writes.

    Args:
        predictions: What the model said, one per face.
        failures: ``(file, reason)`` of every file without a usable face.

    Returns:
        Columns file, face_id, face_score, start_s, end_s, frames, predicted, ``p_<class>``..., ``au_<n>``..., flags.
        A failed file has its reason in ``flags`` and nothing in the other columns; flags are joined by ``"; "``.
    """
    classes = dict.fromkeys(f"p_{name}" for p in predictions for name in p.classes)
    units = dict.fromkeys(f"au_{number}" for p in predictions for number in p.au_vocabulary)
    rows = [_row(p) for p in predictions] + [{"file": file, "flags": reason} for file, reason in failures]
    table = pd.DataFrame(rows, columns=[*_HEAD, *classes, *units, "flags"])
    return table.astype({"face_id": "Int64", "frames": "Int64", "face_score": float, "start_s": float, "end_s": float})


def _row(p: Prediction) -> dict[str, Any]:
    return {
        "file": p.file,
        "face_id": p.face_id,
        "face_score": p.motion.face_score,
        "start_s": p.start_s,
        "end_s": p.end_s,
        "frames": p.motion.n_frames,
        "predicted": p.predicted,
        **{f"p_{name}": float(value) for name, value in zip(p.classes, p.probabilities, strict=True)},
        **{f"au_{number}": float(value) for number, value in zip(p.au_vocabulary, p.au_probabilities, strict=True)},
        "flags": "; ".join(all_flags(p)),
    }
