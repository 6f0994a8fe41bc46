"""Rows of a reproduced table: published and measured scores under one set of labels, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stag.evaluation.evaluate import Result
from stag.evaluation.metrics import METRICS
from stag.studies.side_by_side import interval_text
from stag.studies.study import scores_of

Row = dict[str, Any]
"""``labels``, ``published``, ``measured`` (or ``None``), ``simulated``, ``note``; JSON values."""


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a published table, by column name."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def row_of(
    labels: Mapping[str, Any],
    told: Mapping[str, Any],
    measured: Mapping[str, Any] | None,
    *,
    simulated: bool = False,
    note: str = "",
) -> Row:
    """One row; it is marked simulated only where something was measured."""
    return {
        "labels": dict(labels),
        "published": dict(told),
        "measured": None if measured is None else dict(measured),
        "simulated": simulated and measured is not None,
        "note": note,
    }


def measured_row(labels: Mapping[str, Any], row: Mapping[str, Any], result: Result | None, note: str) -> Row:
    """The row of an evaluation that was made, or of none."""
    scores = None if result is None else scores_of(result.json)
    simulated = result is not None and bool(result.json["simulated"])
    return row_of(labels, published_scores(row), told_scores(scores), simulated=simulated, note=note)


def published_scores(row: Mapping[str, Any]) -> dict[str, Any]:
    """The scores of a published row, with F1 of each class; what is not there is ``None``."""
    told: dict[str, Any] = {name: _number(row[name]) for name in METRICS if name in row}
    return told | {name: _number(value) for name, value in row.items() if str(name).startswith("f1_")}


def told_scores(scores: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Measured scores as the paper reports them (mean of folds), then pooled with their interval."""
    if scores is None:
        return None
    folds = scores["mean_of_folds"]
    return {
        **{metric: folds[f"{metric}_mean"] for metric in METRICS},
        "uf1_std": folds["uf1_std"],
        **{f"{metric}_pooled": scores[metric] for metric in METRICS},
        "ci95": scores["ci95"],
        **{f"f1_{name}": value for name, value in scores["f1"].items()},
    }


def _number(value: Any) -> float | None:
    return None if value is None or np.isnan(float(value)) else float(value)


def printed(rows: Sequence[Row]) -> tuple[list[str], list[list[Any]]]:
    """Headings and rows for a reader."""
    labels = list(rows[0]["labels"])
    if "clips" in rows[0]["published"]:
        columns = [*labels, "published", "measured", "remark"]
        cells = [
            [*row["labels"].values(), row["published"].get("clips"), (row["measured"] or {}).get("clips"), row["note"]]
            for row in rows
        ]
        return columns, cells
    columns = [*labels, "UF1 published", "measured", "UAR published", "measured", "UF1 pooled", "95 %", "remark"]
    cells = []
    for row in rows:
        told, found = row["published"], row["measured"] or {}
        spread = interval_text((found.get("ci95") or {}).get("uf1"))
        scores = (told.get("uf1"), found.get("uf1"), told.get("uar"), found.get("uar"), found.get("uf1_pooled"))
        cells.append([*row["labels"].values(), *scores, spread, row["note"]])
    return columns, cells


def in_full(rows: Sequence[Row]) -> tuple[list[str], list[list[Any]]]:
    """Every number, for the CSV."""
    table = []
    for row in rows:
        flat = {**row["labels"], **{f"published_{name}": value for name, value in row["published"].items()}}
        for name, value in (row["measured"] or {}).items():
            if name != "ci95":
                flat[f"measured_{name}"] = value
                continue
            for metric, (low, high) in value.items():
                flat |= {f"measured_{metric}_low": low, f"measured_{metric}_high": high}
        table.append({**flat, "simulated": row["simulated"], "note": row["note"]})
    columns = list(dict.fromkeys(name for flat in table for name in flat))
    ends = ("simulated", "note")
    columns = [name for name in columns if name not in ends] + list(ends)
    return columns, [[flat.get(name) for name in columns] for flat in table]
