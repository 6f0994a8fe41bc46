"""Ablation: the paper's Table 5, further rows, and regions by AU sources; ``tables/ablation.csv`` lists the rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stag.config import Config
from stag.errors import ConfigError, DatasetError, MotionFileError
from stag.evaluation.evaluate import Progress
from stag.motion.transforms import between_steps, layout_order, since_onset
from stag.motion_set import MotionSet
from stag.studies.key_frames import PART as KEY_FRAMES
from stag.studies.key_frames import TrainedOnWholeClips, key_frame_rows, refuse_shared_subjects, with_changes
from stag.studies.published import read_table
from stag.studies.results import AblationResult, AblationRow, StudyScores
from stag.studies.study import Study, naming, paired_difference, write_study

Change = Callable[[MotionSet], MotionSet]


class Row(NamedTuple):
    """One configuration of an ablation, a line of ``tables/ablation.csv``."""

    part: str  # group of rows, a value of `only`
    category: str  # heading of the part
    configuration: str  # name of the row
    settings: list[str]  # differences from the full model, each section.key=value
    motion: str | None  # key of CHANGES
    paper: bool  # whether the paper's Table 5 has this row


ROWS = [
    Row(part, category, name, settings.split(), motion or None, paper == "yes")
    for part, category, name, settings, motion, paper in read_table("ablation").fillna("").itertuples(index=False)
]
PARTS = (*dict.fromkeys(row.part for row in ROWS), KEY_FRAMES)
"""Everything that ``--only`` takes."""


def ablate(
    motion: MotionSet,
    config: Config,
    *,
    out: Path | str,
    only: Sequence[str] = (),
    paper_rows: bool = False,
    protocol: str = "loso",
    folds: int = 5,
    seeds: Sequence[int] = (0,),
    jobs: int = 1,
    device: str = "auto",
    progress: Progress | None = None,
) -> AblationResult:
    """Evaluate the full model and its variants on the same folds; a second call computes only what is missing.

    Rows of equal settings share one run. A row that the clips do not allow (no AU codes, too few regions) is kept with
    the reason. ``out`` gets ``ablation.json``, ``ablation.csv``, and a run folder for each run under ``runs``; ``only``
    selects parts of :data:`PARTS`, ``paper_rows`` the rows of the paper's Table 5. Further arguments are those of
    :func:`~stag.evaluation.evaluate.evaluate`.

    Raises:
        ConfigError: There is no such part.
        RunError: As for :func:`~stag.evaluation.evaluate.evaluate`, with the row that failed.
    """
    if unknown := [part for part in only if part not in PARTS]:
        raise ConfigError(f"`only={unknown[0]}`: no such part of an ablation; there are {', '.join(PARTS)}")
    parts = list(only) or [part for part in PARTS if not (paper_rows and part == KEY_FRAMES)]
    if KEY_FRAMES in parts:
        refuse_shared_subjects(protocol)
    study = Study(motion, config, Path(out), protocol, folds, seeds, jobs, device)
    chosen = [row for part in parts for row in ROWS if row.part == part and (row.paper or not paper_rows)]
    with naming("full model"):
        base, full = study.run("full-model", baselines=True)
    rows = []
    for done, row in enumerate(chosen, start=1):
        with naming(row.configuration):
            rows.append(_evaluated(study, row, base, full.predictions))
        if progress is not None:
            progress(done, len(chosen))
    if KEY_FRAMES in parts:
        with naming(KEY_FRAMES):
            clips, learner = with_changes(motion), TrainedOnWholeClips()
            run, changed = study.run(KEY_FRAMES, motion=clips, learner=learner)
        rows += key_frame_rows(changed, f"runs/{run}")
    head = study.head("ablation", full)
    return write_study(study.out, AblationResult(**head, full=StudyScores.of(full.content), rows=rows))


def _evaluated(study: Study, row: Row, base: str, full: pd.DataFrame) -> AblationRow:
    texts = row._asdict()
    name = row.part + "--" + "-".join(re.findall(r"[^\W_]+", row.configuration.lower()))
    try:
        motion = CHANGES[row.motion](study.motion) if row.motion else study.motion
        config = study.config.override(row.settings)
        run, result = study.run(name, config=config, motion=motion)
    except (DatasetError, MotionFileError) as error:
        return AblationRow(**texts, skipped=str(error))
    return AblationRow(
        **texts,
        is_full=run == base,
        run=f"runs/{run}",
        scores=StudyScores.of(result.content),
        difference=dict(paired_difference(result.predictions, full, result.content.classes)),
    )


def with_layout(motion: MotionSet, layout: str) -> MotionSet:
    """Return the motion of a smaller layout; raise :class:`MotionFileError` where regions of it are missing."""
    order = layout_order(motion.layout, layout)
    if order is None:
        raise MotionFileError(
            f"the motion has layout {motion.layout}, which lacks regions of {layout}; extract it again with "
            f"`motion.layout={layout}`"
        )
    chosen = np.ascontiguousarray(motion.motion[:, :, order])
    return replace(motion, motion=chosen, meta={**motion.meta, "layout": layout})


def with_reference(motion: MotionSet, reference: str) -> MotionSet:
    """Return motion since the first step, or between consecutive steps."""
    if motion.reference == reference:
        return motion
    values = since_onset(motion.motion) if reference == "first" else between_steps(motion.motion)
    return replace(motion, motion=values, meta={**motion.meta, "reference": reference})


def with_even_times(motion: MotionSet) -> MotionSet:
    """Return steps even in time between the first and the last, by linear interpolation.

    Raises:
        MotionFileError: The times of a clip do not rise, so there is nothing to interpolate by.
    """
    times = motion.time_s.astype(np.float64)
    if not (np.diff(times, axis=1) > 0).all():
        raise MotionFileError("the steps of a clip do not rise in time; extract it with `motion.sampling=uniform`")
    summed = with_reference(motion, "first")
    even = np.linspace(times[:, 0], times[:, -1], motion.steps, axis=1)
    moved = np.empty_like(summed.motion)
    for clip, (old, new) in enumerate(zip(times, even, strict=True)):
        after = np.clip(np.searchsorted(old, new, side="right"), 1, len(old) - 1)
        share = ((new - old[after - 1]) / (old[after] - old[after - 1])).clip(0, 1)[:, None, None]
        moved[clip] = summed.motion[clip, after - 1] * (1 - share) + summed.motion[clip, after] * share
    meta = {**summed.meta, "sampling": "uniform"}
    changed = replace(summed, motion=moved, time_s=even.astype(np.float32), meta=meta)
    return with_reference(changed, motion.reference)


CHANGES: Mapping[str, Change] = {
    "roi14": lambda motion: with_layout(motion, "roi14"),
    "roi18": lambda motion: with_layout(motion, "roi18"),
    "first": lambda motion: with_reference(motion, "first"),
    "previous": lambda motion: with_reference(motion, "previous"),
    "uniform": lambda motion: motion if motion.meta.get("sampling") == "uniform" else with_even_times(motion),
}
"""Name of a change of ready motion -> the change."""
