"""Two runs on the same clips: the difference of their scores, with its interval over subjects."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from stag.errors import RunError
from stag.evaluation.metrics import DIGITS, METRICS, interval
from stag.evaluation.summary import replicates, seed_means
from stag.studies.results import Gap


def paired_difference(
    run: pd.DataFrame, reference: pd.DataFrame, classes: Sequence[str], n: int = 1000
) -> dict[str, Gap]:
    """Return the scores of one run minus those of another on the same clips, with 95 % intervals over subjects.

    Both are resampled by the same subjects, so what makes a person easy or hard for both cancels out, and the interval
    is narrower than the intervals of the two scores suggest. With several seeds, scores are averaged over them first.

    Args:
        run: Columns dataset, clip_id, subject, seed, truth, predicted.
        reference: The same of the run to compare with.
        classes: The fixed class list.
        n: Number of resamples.

    Returns:
        ``uf1``, ``uar`` and ``war`` -> difference and interval.

    Raises:
        RunError: The runs are not about the same clips with the same truth.
    """
    _refuse_other_clips(run, reference)
    ours, theirs = replicates(run, classes, n), replicates(reference, classes, n)
    points = [seed_means(table, classes) for table in (run, reference)]
    return {
        metric: Gap(
            value=round(points[0][metric] - points[1][metric], DIGITS), ci95=interval(ours[metric] - theirs[metric])
        )
        for metric in METRICS
    }


def _refuse_other_clips(run: pd.DataFrame, reference: pd.DataFrame) -> None:
    """Refuse runs that differ in their clips, or in the subject or truth of a clip."""
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
