"""The file of an ablation or an audit, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from stag.errors import RunError
from stag.report.pages.run_file import read_object

KINDS = ("ablation", "audit")

Interval = tuple[float | None, float | None]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class StudyScores(_Part):
    """Scores of one row or of its reference."""

    uf1: float | None = None
    uar: float | None = None
    war: float | None = None
    ci95: dict[str, Interval | None] | None = None


class Gap(_Part):
    """Row less reference, and the interval of that difference."""

    value: float | None = None
    ci95: Interval | None = None

    @property
    def ends(self) -> tuple[float, float] | None:
        """Return the interval, or ``None`` where an end is missing."""
        low, high = self.ci95 or (None, None)
        return None if low is None or high is None else (low, high)

    @property
    def is_clear(self) -> bool:
        """Return whether the interval leaves zero out."""
        return self.ends is not None and (self.ends[0] > 0 or self.ends[1] < 0)


class StudyRow(_Part):
    """One variant or one leak."""

    name: str = Field(validation_alias=AliasChoices("name", "configuration", "leak"))
    category: str = ""
    explanation: str = ""
    against: str = ""
    is_full: bool = False
    scores: StudyScores | None = None
    reference: StudyScores | None = None
    difference: dict[str, Gap | None] | None = None
    skipped: str | None = None


class StudyResult(_Part):
    """``ablation.json`` or ``audit.json``, as far as a report needs it; further keys are left alone."""

    kind: str
    protocol: str = ""
    au_source: str = ""
    selection: str = ""
    seeds: list[int] = []
    n_clips: int = 0
    n_subjects: int = 0
    simulated: bool
    base: StudyScores = Field(validation_alias=AliasChoices("full", "honest", "base"))
    rows: list[StudyRow]
    notes: list[str] = []


def parse_study(content: Mapping[str, Any], where: str = "study") -> StudyResult:
    """Check the content of a study file.

    Raises:
        RunError: A key is missing or malformed; the message names the first problem.
    """
    try:
        study = StudyResult.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RunError(f"{where}: {place}: {first['msg']}; run the study with the same --out again") from error
    if study.kind not in KINDS:
        raise RunError(f"{where}: kind {study.kind!r} is not known here; there are {', '.join(KINDS)}")
    return study


def read_study(path: Path) -> dict[str, Any]:
    """Read the content of ``ablation.json`` or ``audit.json``, checked.

    Raises:
        RunError: The file cannot be read, or is not as documented.
    """
    content = read_object(path, "run the study again")
    parse_study(content, str(path))
    return content
