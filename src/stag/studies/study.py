"""A study: several evaluations of the same clips, each in its own run folder, written as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from stag.config import Config
from stag.errors import RunError
from stag.evaluation.evaluate import evaluate
from stag.evaluation.metrics import DIGITS, METRICS, interval, replicates, seed_means
from stag.evaluation.results import Interval, Result
from stag.evaluation.units import Learner
from stag.motion_set import MotionSet
from stag.studies.results import AblationResult, AuditResult, Gap, StudyResult, StudyScores
from stag.utils.files import write_json, write_text

S = TypeVar("S", AblationResult, AuditResult)

_TEXTS = {
    "ablation": ("category", "configuration", "paper", "is_full", "skipped"),
    "audit": ("leak", "against", "skipped", "explanation"),
}
"""Kind of a study -> the first columns of its table."""


@dataclass
class Study:
    """Settings that all evaluations of a study share; run folders lie in ``out/runs``."""

    motion: MotionSet
    config: Config
    out: Path
    protocol: str = "loso"
    folds: int = 5
    seeds: Sequence[int] = (0,)
    jobs: int = 1
    device: str = "auto"
    _made: dict[tuple[str, ...], tuple[str, Result]] = field(default_factory=dict)

    def run(
        self,
        name: str,
        *,
        config: Config | None = None,
        motion: MotionSet | None = None,
        learner: Learner | None = None,
        protocol: str | None = None,
        folds: int | None = None,
        baselines: bool = False,
    ) -> tuple[str, Result]:
        """Evaluate one row of the study, or take the run that has the same settings; return its folder name and result.

        Omitted arguments are those of the study.
        """
        config, motion = config or self.config, motion or self.motion
        protocol, folds = protocol or self.protocol, folds or self.folds
        change = f"{motion.layout} {motion.reference} {motion.meta.get('sampling')}"
        key = (config.to_toml(), change, type(learner).__name__, protocol, str(folds))
        if key not in self._made:
            result = evaluate(
                motion,
                config,
                protocol=protocol,
                folds=folds,
                seeds=self.seeds,
                out=self.out / "runs" / name,
                jobs=self.jobs,
                learner=learner,
                baselines=baselines,
                device=self.device,
            )
            self._made[key] = name, result
        return self._made[key]

    def head(self, kind: str, reference: Result) -> dict[str, Any]:
        """Return the fields that a study shares with the result of its reference."""
        return {**dict(reference.content), "kind": kind, "folds": reference.content.run["folds"]}


def write_study(out: Path, content: S) -> S:
    """Write ``<kind>.json`` and ``<kind>.csv`` of a study, and return it."""
    write_json(out / f"{content.kind}.json", content.plain())
    table = study_table(content).drop(columns="simulated")
    write_text(out / f"{content.kind}.csv", table.to_csv(index=False, lineterminator="\n"))
    return content


def study_table(study: StudyResult) -> pd.DataFrame:
    """Return the rows of a study as a table: its texts, then scores, intervals and differences."""
    table = []
    for row in study.rows:
        flat: dict[str, Any] = {name: getattr(row, name) for name in _TEXTS[study.kind]}
        scores, difference = row.scores or StudyScores(), row.difference or {}
        for metric in METRICS:
            gap = difference.get(metric) or Gap()
            flat[metric] = getattr(scores, metric)
            flat |= _ends(metric, (scores.ci95 or {}).get(metric))
            flat[f"{metric}_difference"] = gap.value
            flat |= _ends(f"{metric}_difference", gap.ci95)
        flat |= {f"{name}_folds": value for name, value in (dict(scores.mean_of_folds or ())).items()}
        flat |= {f"f1_{name}": value for name, value in (scores.f1 or {}).items()}
        table.append({**flat, "simulated": study.simulated})
    return pd.DataFrame(table)


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


@contextmanager
def naming(row: str) -> Iterator[None]:
    """Name the row of a study in errors of its run."""
    try:
        yield
    except RunError as error:
        raise RunError(f"row {row}: {error}") from error


def paired_difference(
    run: pd.DataFrame, reference: pd.DataFrame, classes: Sequence[str], n: int = 1000
) -> dict[str, Gap]:
    """Return the scores of one run minus those of another on the same clips, with 95 % intervals over subjects.

    Both are resampled by the same subjects, which cancels what makes a person easy or hard for both, so the interval
    is narrower than the intervals of the two scores suggest. With several seeds, scores are averaged over them first.

    Args:
        run: Columns dataset, clip_id, subject, seed, truth, predicted.
        reference: The same columns of the other run.
        classes: The fixed class list.
        n: Number of resamples.

    Returns:
        ``uf1``, ``uar`` and ``war`` -> difference and interval.

    Raises:
        RunError: The runs differ in their clips, or in the subject or truth of a clip.
    """
    _refuse_other_clips(run, reference)
    ours, theirs = replicates(run, classes, n), replicates(reference, classes, n)
    points = [seed_means(table, classes) for table in (run, reference)]
    values = {metric: round(points[0][metric] - points[1][metric], DIGITS) for metric in METRICS}
    return {metric: Gap(value=values[metric], ci95=interval(ours[metric] - theirs[metric])) for metric in METRICS}


def _refuse_other_clips(run: pd.DataFrame, reference: pd.DataFrame) -> None:
    names = ["dataset", "clip_id", "subject", "truth"]
    here, there = (
        {f"{dataset}/{clip}": about for dataset, clip, *about in table[names].itertuples(index=False, name=None)}
        for table in (run, reference)
    )
    alone = sorted(here.keys() ^ there.keys())
    if alone:
        raise RunError(f"clip {alone[0]} is in one of the two runs only; compare runs of equal clips")
    for clip, about in here.items():
        for name, ours, theirs in zip(names[2:], about, there[clip], strict=True):
            if ours != theirs:
                both = f"{str(ours)!r} in one of the two runs and {str(theirs)!r} in the other"
                raise RunError(f"clip {clip} has {name} {both}; write them alike")
