"""The two files of a run folder that a report needs, read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stag.errors import RunError, reason

_COLUMNS = ("clip_id", "dataset", "subject", "truth", "predicted")


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Pooled(_Part):
    """Scores over all folds together; F1 and recall by class, confusion with truth in rows."""

    uf1: float
    uar: float
    war: float
    f1: dict[str, float | None]
    recall: dict[str, float | None]
    confusion: list[list[int]]


class Folds(_Part):
    """Mean and standard deviation of the scores of the folds."""

    uf1_mean: float | None = None
    uf1_std: float | None = None
    uar_mean: float | None = None
    uar_std: float | None = None
    war_mean: float | None = None
    war_std: float | None = None


class Scores(_Part):
    """UF1, UAR and WAR of a baseline or a data set."""

    uf1: float | None = None
    uar: float | None = None
    war: float | None = None


class Units(_Part):
    """How many units of work are finished."""

    done: int
    total: int


class RunResult(_Part):
    """``result.json``, as far as a report needs it; further keys are left alone."""

    protocol: str
    subject_dependent: bool
    classes: list[str] = Field(min_length=1)
    au_source: str
    selection: str
    seeds: list[int] = Field(min_length=1)
    n_clips: int
    n_subjects: int
    units: Units
    simulated: bool
    pooled: Pooled
    folds: Folds
    ci95: dict[str, tuple[float | None, float | None] | None]
    per_dataset: dict[str, Scores]
    baselines: dict[str, Scores | None]
    notes: list[str] = []

    @model_validator(mode="after")
    def _fits_together(self) -> RunResult:
        if self.units.done < self.units.total:
            raise ValueError(f"{self.units.done} of {self.units.total} units are done; finish the run first")
        size = len(self.classes)
        if [len(row) for row in self.pooled.confusion] != [size] * size:
            raise ValueError(f"pooled.confusion is not {size} x {size}, one row and column a class")
        return self


def parse_result(result: Mapping[str, Any], where: str = "result") -> RunResult:
    """Check the content of ``result.json``.

    Raises:
        RunError: A key is missing or malformed, or units are missing; the message names the first problem.
    """
    try:
        return RunResult.model_validate(result)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        detail = f"{place}: {problem}" if place else problem
        raise RunError(f"{where}: {detail}; run `stag evaluate` with the same --out again to complete it") from error


def parse_predictions(table: pd.DataFrame, result: RunResult, where: str = "predictions") -> pd.DataFrame:
    """Check that a prediction table has its columns and belongs to the result.

    Raises:
        RunError: A column is missing, a class is unknown, or the clips are not those of the result.
    """
    missing = [name for name in _COLUMNS if name not in table]
    if missing:
        raise RunError(f"{where}: has no column {missing[0]!r}; run `stag evaluate` with the same --out again")
    known = set(result.classes)
    for column in ("truth", "predicted"):
        unknown = sorted(set(table[column].astype(str)) - known)
        if unknown:
            raise RunError(f"{where}: column {column} holds {unknown[0]!r}, which is no class of result.json")
    clips = len(table[["dataset", "clip_id"]].drop_duplicates())
    if clips != result.n_clips:
        raise RunError(
            f"{where}: holds {clips} clips and result.json {result.n_clips}; they are not of one run, evaluate again"
        )
    return table


def read_run(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """Read ``result.json`` and ``predictions.csv`` of a run folder, checked against each other.

    Raises:
        RunError: A file is missing, damaged or incomplete, or the two are not of one run.
    """
    result_file, table_file = folder / "result.json", folder / "predictions.csv"
    for path in (result_file, table_file):
        if not path.is_file():
            raise RunError(f"{folder}: has no {path.name}; name the folder of a finished `stag evaluate` run")
    content = read_object(result_file, "run `stag evaluate` again")
    text_columns = dict.fromkeys((*_COLUMNS, "fold"), str)
    try:
        # A subject or class may be called "NA" or "None"; nothing in a text column means missing.
        table = pd.read_csv(table_file, dtype=text_columns, keep_default_na=False)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise RunError(f"{table_file}: cannot be read as CSV ({reason(error)}); run `stag evaluate` again") from error
    parse_predictions(table, parse_result(content, str(result_file)), str(table_file))
    return content, table


def read_object(path: Path, remedy: str) -> dict[str, Any]:
    """Return the object that a JSON file contains.

    Raises:
        RunError: The file cannot be read or is not an object; the message ends with ``remedy``.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read as JSON ({reason(error)}); {remedy}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path}: holds {type(content).__name__}, not an object; {remedy}")
    return content
