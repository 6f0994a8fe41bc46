"""Types and readers of what the studies write: ablation, audit, and the tables of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from stag.errors import RunError
from stag.evaluation.results import FoldScores, Interval, Part, RunResult, Scores, parsed, read_json_object


class Gap(Part):
    """Score of a row minus the score of its reference, with the interval of that difference."""

    value: float | None = None
    ci95: Interval | None = None

    @property
    def ends(self) -> tuple[float, float] | None:
        """Return the interval, or ``None`` where an end is missing."""
        low, high = self.ci95 or (None, None)
        return None if low is None or high is None else (low, high)

    @property
    def is_clear(self) -> bool:
        """Return whether the interval excludes zero."""
        return self.ends is not None and (self.ends[0] > 0 or self.ends[1] < 0)


class StudyScores(Scores):
    """Scores of one row of a study, or of its reference."""

    ci95: dict[str, Interval | None] | None = None
    f1: dict[str, float | None] | None = None
    mean_of_folds: FoldScores | None = None

    @classmethod
    def of(cls, result: RunResult) -> StudyScores:
        """Return the pooled scores of an evaluation beside its mean of folds."""
        pooled = result.pooled
        return cls(
            uf1=pooled.uf1, uar=pooled.uar, war=pooled.war, ci95=result.ci95, f1=pooled.f1, mean_of_folds=result.folds
        )


class AblationRow(Part):
    """One configuration of an ablation; ``run``, ``scores`` and ``difference`` are ``None`` where it was skipped."""

    category: str = ""
    configuration: str
    settings: list[str] = Field(default_factory=list)
    motion: str | None = None
    paper: bool = False
    is_full: bool = False
    run: str | None = None
    scores: StudyScores | None = None
    difference: dict[str, Gap | None] | None = None
    skipped: str | None = None

    @property
    def name(self) -> str:
        """Name of the row."""
        return self.configuration


class AuditRow(Part):
    """One leak of an audit; ``None`` where it was not measured."""

    leak: str
    explanation: str = ""
    against: str = ""
    run: str | None = None
    reference: StudyScores | None = None
    scores: StudyScores | None = None
    difference: dict[str, Gap | None] | None = None
    skipped: str | None = None

    @property
    def name(self) -> str:
        """Name of the row."""
        return self.leak


StudyRow = AblationRow | AuditRow


class _Study(Part):
    """What an ablation and an audit have in common."""

    kind: str
    protocol: str = ""
    subject_dependent: bool = False
    classes: list[str] = Field(default_factory=list)
    au_source: str = ""
    au_supervision: bool | None = None
    selection: str = ""
    seeds: list[int] = Field(default_factory=list)
    n_clips: int = 0
    n_subjects: int = 0
    folds: int = 0
    simulated: bool
    baselines: dict[str, Scores | None] = Field(default_factory=dict)


class AblationResult(_Study):
    """``ablation.json``."""

    full: StudyScores
    rows: list[AblationRow]
    notes: list[str] = Field(default_factory=list)

    @property
    def base(self) -> StudyScores:
        """Scores that every row is compared with."""
        return self.full


class AuditResult(_Study):
    """``audit.json``."""

    honest: StudyScores
    rows: list[AuditRow]
    notes: list[str] = Field(default_factory=list)

    @property
    def base(self) -> StudyScores:
        """Scores that rows without a reference of their own are compared with."""
        return self.honest


StudyResult = AblationResult | AuditResult
STUDIES: dict[str, type[AblationResult] | type[AuditResult]] = {"ablation": AblationResult, "audit": AuditResult}
"""Kind of a study -> its type; the file is ``<kind>.json``."""


class PaperRow(Part):
    """One row of a table of the paper; ``measured`` is ``None`` where nothing was measured."""

    labels: dict[str, Any]
    published: dict[str, Any]
    measured: dict[str, Any] | None = None
    simulated: bool = False
    note: str = ""


class PaperTable(Part):
    """``<table>.json`` of ``stag reproduce``."""

    kind: str = "reproduction"
    table: str
    title: str
    protocol: str
    subject_dependent: bool
    folds: int
    seeds: list[int]
    au_source: str
    simulated: bool
    missing: list[str]
    rows: list[PaperRow]
    conflicts: list[str]
    notes: list[str]


def parse_study(content: Mapping[str, Any] | StudyResult, where: str = "study") -> StudyResult:
    """Return the checked content of ``ablation.json`` or ``audit.json``; :class:`RunError` names the first problem."""
    if isinstance(content, AblationResult | AuditResult):
        return content
    kind = content.get("kind", "")
    if kind not in STUDIES:
        raise RunError(f"{where}: kind {kind!r} is not known here; there are {', '.join(STUDIES)}")
    return parsed(STUDIES[kind], content, where, "run the study with the same `out` again")


def read_study(path: Path) -> StudyResult:
    """Read ``ablation.json`` or ``audit.json``; raise :class:`RunError` where it is not as documented."""
    return parse_study(read_json_object(path, "run the study again"), str(path))
