"""A study: several evaluations of the same clips, each in its own run folder, told as plain rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from stag.config import Config
from stag.errors import RunError
from stag.evaluation.evaluate import Result, evaluate
from stag.evaluation.metrics import METRICS
from stag.evaluation.units import Learner
from stag.motion_set import MotionSet

Progress = Callable[[int, int], None]
Scores = dict[str, Any]


@dataclass
class Study:
    """What all evaluations of a study share; a run that was already made in it is not made again.

    Attributes:
        motion: The clips.
        config: The settings that rows change.
        out: Folder of the study; run folders lie in ``out/runs``.
        protocol: As for :func:`~stag.evaluation.evaluate.evaluate`, and so are the others.
        folds: Number of folds.
        seeds: Seeds of training.
        jobs: Worker processes.
        device: Where STAG trains.
    """

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
        variant: str = "",
        learner: Learner | None = None,
        protocol: str | None = None,
        folds: int | None = None,
        baselines: bool = False,
    ) -> tuple[str, Result]:
        """Evaluate one row of the study, or take the run that has the same settings.

        Args:
            name: Name of the run folder, where it is new.
            config: Settings of the row; those of the study where omitted.
            motion: Its clips; those of the study where omitted.
            variant: What was done to the clips; two rows share a run only if this is equal too.
            learner: Another learner than STAG.
            protocol: Another protocol.
            folds: Another number of folds.
            baselines: Whether to compute the baselines too.

        Returns:
            The name of the run folder, and its result.
        """
        config = config or self.config
        key = (config.to_toml(), variant, type(learner).__name__, protocol or self.protocol, str(folds or self.folds))
        if key not in self._made:
            result = evaluate(
                motion or self.motion,
                config,
                protocol=protocol or self.protocol,
                folds=folds or self.folds,
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
        """What a study says of itself before its rows."""
        content = reference.json
        same = ("protocol", "subject_dependent", "classes", "au_source", "selection", "seeds", "n_clips", "n_subjects")
        return {
            "kind": kind,
            **{name: content[name] for name in same},
            "folds": content["run"]["folds"],
            "simulated": content["simulated"],
            "baselines": content["baselines"],
        }


def scores_of(result: Mapping[str, Any]) -> Scores:
    """The scores of a result as a row of a study tells them.

    Returns:
        ``uf1``, ``uar``, ``war`` (pooled), ``ci95`` of each, ``f1`` of each class, and ``mean_of_folds``.
    """
    pooled = result["pooled"]
    return {
        **{metric: pooled[metric] for metric in METRICS},
        "ci95": result["ci95"],
        "f1": pooled["f1"],
        "mean_of_folds": result["folds"],
    }


def flat_rows(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> pd.DataFrame:
    """Rows of a study as a table: the named texts, then scores, intervals and differences.

    Args:
        rows: Rows with ``scores`` and ``difference``, either of which may be ``None``.
        names: Keys of the rows that come first.
    """
    table = []
    for row in rows:
        flat: dict[str, Any] = {name: row[name] for name in names}
        scores, difference = row["scores"] or {}, row["difference"] or {}
        for metric in METRICS:
            flat[metric] = scores.get(metric)
            low, high = (scores.get("ci95") or {}).get(metric) or (None, None)
            flat |= {f"{metric}_low": low, f"{metric}_high": high}
            gap = difference.get(metric) or {}
            low, high = gap.get("ci95") or (None, None)
            flat |= {f"{metric}_difference": gap.get("value"), f"{metric}_difference_low": low}
            flat[f"{metric}_difference_high"] = high
        flat |= {f"{name}_folds": value for name, value in (scores.get("mean_of_folds") or {}).items()}
        flat |= {f"f1_{name}": value for name, value in (scores.get("f1") or {}).items()}
        table.append(flat)
    return pd.DataFrame(table)


@contextmanager
def naming(row: str) -> Iterator[None]:
    """Say which row of a study could not be run."""
    try:
        yield
    except RunError as error:
        raise RunError(f"row {row}: {error}") from error
