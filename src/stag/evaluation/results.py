"""Types and readers of what an evaluation writes.

The order of the fields is the order of the keys in the JSON file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stag.errors import RunError, reason
from stag.utils.values import ArrayValue

T = TypeVar("T", bound="Part")
Interval = tuple[float | None, float | None]
"""Low and high end of a 95 % interval over subjects."""

RESULT, PREDICTIONS = "result.json", "predictions.csv"


class Part(BaseModel):
    """Base of everything that is written as JSON; readers ignore unknown keys."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    def plain(self) -> dict[str, Any]:
        """Return the content as JSON values."""
        return self.model_dump(mode="json")


class Scores(Part):
    """UF1, UAR and WAR, averaged over seeds."""

    uf1: float | None = None
    uar: float | None = None
    war: float | None = None


class PooledScores(Part):
    """Scores over all folds together; F1 and recall by class, confusion summed over seeds with truth in rows."""

    uf1: float
    uar: float
    war: float
    f1: dict[str, float | None]
    recall: dict[str, float | None]
    confusion: list[list[int]]


class FoldScores(Part):
    """Mean and standard deviation of the scores of the folds."""

    uf1_mean: float | None = None
    uf1_std: float | None = None
    uar_mean: float | None = None
    uar_std: float | None = None
    war_mean: float | None = None
    war_std: float | None = None


class Summary(Part):
    """Every metric of a table of predictions."""

    pooled: PooledScores
    folds: FoldScores | None
    ci95: dict[str, Interval | None]
    per_dataset: dict[str, Scores]
    seeds_spread: Scores | None = None


class Units(Part):
    """Number of finished units of work."""

    done: int
    total: int


class UnitScores(Part):
    """Scores of the AU head; F1 by AU number."""

    macro_f1: float
    f1: dict[str, float]
    n_clips: int


class RunResult(Part):
    """``result.json``."""

    protocol: str
    subject_dependent: bool
    classes: list[str] = Field(min_length=1)
    au_source: str
    au_supervision: bool | None = None  # whether AU codes supervised training; None: an earlier stag did not say
    selection: str
    seeds: list[int] = Field(min_length=1)
    n_clips: int
    n_subjects: int
    class_counts: dict[str, int] = {}
    units: Units
    simulated: bool
    pooled: PooledScores
    folds: FoldScores
    ci95: dict[str, Interval | None]
    per_dataset: dict[str, Scores]
    seeds_spread: Scores | None = None
    action_units: UnitScores | None = None
    baselines: dict[str, Scores | None]
    notes: list[str] = []
    run: dict[str, Any] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> RunResult:
        if self.units.done < self.units.total:
            raise ValueError(f"{self.units.done} of {self.units.total} units are done; finish the run first")
        size = len(self.classes)
        if [len(row) for row in self.pooled.confusion] != [size] * size:
            raise ValueError(f"pooled.confusion is not {size} x {size}, one row and column a class")
        return self

    @property
    def method(self) -> str:
        """Name of the evaluated method."""
        return str(self.run.get("method", "stag"))


class ScoredFile(Part):
    """What ``stag score --out`` writes."""

    kind: str = "score"
    classes: list[str]
    seeds: list[int]
    n_clips: int
    n_subjects: int
    n_folds: int
    class_counts: dict[str, int]
    pooled: PooledScores
    folds: FoldScores | None
    ci95: dict[str, Interval | None]
    per_dataset: dict[str, Scores]
    seeds_spread: Scores
    notes: list[str]


@dataclass(frozen=True, eq=False, repr=False)
class Result(ArrayValue):
    """Result of an evaluation.

    Attributes:
        content: The content of ``result.json``, typed.
        predictions: The content of ``predictions.csv``, one row per tested clip and seed.
        out: The run folder; ``None`` where nothing was kept on disk.
    """

    content: RunResult
    predictions: pd.DataFrame
    out: Path | None

    @property
    def json(self) -> dict[str, Any]:
        """The content of ``result.json``."""
        return self.content.plain()

    @property
    def scores(self) -> pd.DataFrame:
        """UF1, UAR and WAR with their 95 % intervals, pooled, as mean of folds and by data set; nan where missing."""
        content = self.content
        means = {metric: getattr(content.folds, f"{metric}_mean") for metric in ("uf1", "uar", "war")}
        parts: dict[str, PooledScores | Scores] = {"pooled": content.pooled, "mean of folds": Scores(**means)}
        rows = []
        for scope, scores in (parts | {f"data set {name}": one for name, one in content.per_dataset.items()}).items():
            row: dict[str, Any] = {"scope": scope}
            for metric in means:
                ends = (content.ci95.get(metric) if scope == "pooled" else None) or (None, None)
                row |= {metric: getattr(scores, metric), f"{metric}_low": ends[0], f"{metric}_high": ends[1]}
            rows.append(row)
        return pd.DataFrame(rows).set_index("scope").astype(float)

    def _summary(self) -> str:
        content = self.content
        low, high = content.ci95.get("uf1") or (None, None)
        ends = "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"
        parts = [
            content.method,
            content.protocol,
            f"{content.n_clips} clips",
            f"{content.n_subjects} subjects",
            f"UF1 {content.pooled.uf1:.3f}{ends}",
            f"UAR {content.pooled.uar:.3f}",
        ]
        return ", ".join(parts + ["simulated"] * content.simulated)


def parse_result(result: Mapping[str, Any] | RunResult, where: str = "result") -> RunResult:
    """Return the checked content of ``result.json``; :class:`RunError` names the first problem."""
    return parsed(RunResult, result, where, "run `stag evaluate` with the same `out` again to complete it")


def read_json_object(path: Path, remedy: str) -> dict[str, Any]:
    """Read a JSON file that contains an object; raise :class:`RunError` where it cannot be read or is another value."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read as JSON ({reason(error)}); {remedy}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path}: contains {type(content).__name__}, not an object; {remedy}")
    return content


def parsed(kind: type[T], content: Any, where: str, remedy: str) -> T:
    """Validate content as a type; :class:`RunError` names the first missing or malformed key and the remedy."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        raise RunError(f"{where}: {f'{place}: ' if place else ''}{problem}; {remedy}") from error
