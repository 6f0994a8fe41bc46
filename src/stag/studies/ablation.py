"""Ablation: the paper's Table 5 and further rows, and regions by AU sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stag.config import Config
from stag.errors import ConfigError, DatasetError, MotionFileError
from stag.motion.regions import LAYOUTS
from stag.motion_set import MotionSet
from stag.studies.comparison import paired_difference
from stag.studies.key_frames import PART as KEY_FRAMES
from stag.studies.key_frames import TrainedOnWholeClips, key_frame_rows, refuse_shared_subjects, with_changes
from stag.studies.results import AblationResult, AblationRow, StudyScores, Written
from stag.studies.study import Progress, Study, naming, write_study

Change = Callable[[MotionSet], MotionSet]


@dataclass(frozen=True)
class Row:
    """One configuration of an ablation.

    Attributes:
        name: As the table shows it.
        settings: What it sets, ``section.key=value``; all else is as in the full model.
        motion: Name of a change of the clips in :data:`CHANGES`, or empty.
        paper: Whether the paper's Table 5 has this row.
    """

    name: str
    settings: tuple[str, ...] = ()
    motion: str = ""
    paper: bool = False


_PLAIN = tuple(f"train.{name}=0" for name in ("mirror", "magnitude", "rotation_deg", "jitter", "noise", "drift"))
_NO_MIXING = ("train.mixup=0", "train.cutmix=0")

CATEGORIES: dict[str, tuple[str, tuple[Row, ...]]] = {
    "architecture": (
        "Architecture",
        (
            Row("Transformer Only", ("model.graph=false",), paper=True),
            Row("Graph Only", ("model.temporal=false",), paper=True),
            Row("Graph + Transformer", ("model.cross_attention=false",), paper=True),
            Row("Full Model (STAG)", paper=True),
        ),
    ),
    "graph-depth": (
        "Graph Depth",
        (
            Row("1 E-GAT Layer", ("model.graph_layers=1",), paper=True),
            Row("2 E-GAT Layers", ("model.graph_layers=2",), paper=True),
            Row("3 E-GAT Layers", ("model.graph_layers=3",)),
            Row("4 E-GAT Layers", ("model.graph_layers=4",), paper=True),
        ),
    ),
    "transformer-depth": (
        "Transformer Depth",
        tuple(
            Row(f"{layers} Layers", (f"model.transformer_layers={layers}",), paper=layers in (2, 3, 5, 7))
            for layers in range(2, 8)
        ),
    ),
    "augmentation": (
        "Data Augmentation",
        (
            Row("No Augmentation", (*_NO_MIXING, *_PLAIN), paper=True),
            Row("Without MixUp", ("train.mixup=0",), paper=True),
            Row("Without CutMix", ("train.cutmix=0",), paper=True),
            Row("Without motion augmentation", _PLAIN),
            Row("MixUp + CutMix", paper=True),
        ),
    ),
    "tta": (
        "Test-Time Augmentation",
        (
            Row("Without TTA", ("train.mirror_tta=false", "train.jitter_tta=0"), paper=True),
            Row("With TTA", paper=True),
        ),
    ),
    "au": (
        "AU Guidance",
        (
            Row("Without AU Guidance", ("au=none", "train.au_weight=0"), paper=True),
            Row("With AU Guidance", ("au=annotated",), paper=True),
            Row("Predicted AUs", ("au=predicted",)),
            Row("AUs supervise, are not read", ("au=none",)),
        ),
    ),
    "graph": (
        "Graph",
        (
            Row("Static adjacency", ("model.evolving=false",)),
            Row("Without AU edges", ("model.au_edges=false",)),
        ),
    ),
    "layout": ("Regions", (Row("14 regions", motion="roi14"), Row("18 regions", motion="roi18"))),
    "motion": (
        "Motion",
        (
            Row("Since the first step", motion="first"),
            Row("Between steps", motion="previous"),
            Row("Steps even in time", motion="uniform"),
        ),
    ),
    "training": (
        "Training",
        (
            Row("Without oversampling", ("train.oversample=0",)),
            Row("Without SWA", ("train.swa=false",)),
            Row("Without inner validation", ("train.validation_share=0",)),
        ),
    ),
    "roi-au": (
        "Regions x AU",
        tuple(
            Row(f"{regions} regions, {told}", (f"au={source}",), f"roi{regions}")
            for regions in (14, 18)
            for source, told in (("annotated", "annotated AUs"), ("none", "no AUs"), ("predicted", "predicted AUs"))
        ),
    ),
}
"""What ``--only`` takes -> heading and rows; ``key-frames`` is the other part, see :mod:`stag.studies.key_frames`."""

PARTS = (*CATEGORIES, KEY_FRAMES)
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
) -> Written[AblationResult]:
    """Evaluate the full model and its variants on the same folds; a second call does only what is missing.

    Rows of equal settings share one run. A row that the clips do not allow (no AU codes, too few regions) is kept with
    the reason.

    Args:
        motion: The clips.
        config: The full model.
        out: Folder; ``ablation.json``, ``ablation.csv``, and a run folder for each run under ``runs``.
        only: Categories, all where empty; see :data:`CATEGORIES`.
        paper_rows: Whether to keep to the rows of the paper's Table 5.
        protocol: As for :func:`~stag.evaluation.evaluate.evaluate`.
        folds: Number of folds.
        seeds: Seeds of training.
        jobs: Worker processes.
        device: Where STAG trains.
        progress: Called with (done, total) as rows finish.

    Raises:
        ConfigError: There is no such category.
        RunError: As for :func:`~stag.evaluation.evaluate.evaluate`, with the row that failed.

    Example:
        >>> ablate(motion, Config(), only=["architecture"], out="runs/ablation").content.rows  # doctest: +SKIP
    """
    unknown = [name for name in only if name not in PARTS]
    if unknown:
        raise ConfigError(f"`only={unknown[0]}`: no such part of an ablation; there are {', '.join(PARTS)}")
    parts = list(only) or [name for name in PARTS if not (paper_rows and name == KEY_FRAMES)]
    if KEY_FRAMES in parts:
        refuse_shared_subjects(protocol)
    study = Study(motion, config, Path(out), protocol, folds, seeds, jobs, device)
    chosen = [
        (name, row)
        for name in parts
        if name != KEY_FRAMES
        for row in CATEGORIES[name][1]
        if row.paper or not paper_rows
    ]
    with naming("full model"):
        base, full = study.run("full-model", variant=_variant(motion), baselines=True)
    rows = []
    for done, (category, row) in enumerate(chosen, start=1):
        with naming(row.name):
            rows.append(_evaluated(study, category, row, base, full.predictions))
        if progress is not None:
            progress(done, len(chosen))
    if KEY_FRAMES in parts:
        with naming(KEY_FRAMES):
            run, changed = study.run(
                KEY_FRAMES, motion=with_changes(motion), variant=KEY_FRAMES, learner=TrainedOnWholeClips()
            )
        rows += key_frame_rows(changed, f"runs/{run}")
    reference = StudyScores.of(full.content)
    content = AblationResult(**study.head("ablation", full), full=reference, rows=rows, notes=full.content.notes)
    return write_study(study.out, content)


def _evaluated(study: Study, category: str, row: Row, base: str, full: pd.DataFrame) -> AblationRow:
    texts: dict[str, Any] = {
        "category": CATEGORIES[category][0],
        "configuration": row.name,
        "settings": list(row.settings),
        "motion": row.motion or None,
        "paper": row.paper,
    }
    try:
        motion = CHANGES[row.motion](study.motion) if row.motion else study.motion
        run, result = study.run(
            f"{category}--{_slug(row.name)}",
            config=study.config.override(row.settings),
            motion=motion,
            variant=_variant(motion),
        )
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
    """Return the motion of a smaller layout.

    Raises:
        MotionFileError: The motion lacks regions of it.
    """
    here, wanted = LAYOUTS[motion.layout], LAYOUTS[layout]
    if not set(wanted) <= set(here):
        raise MotionFileError(
            f"the motion has layout {motion.layout}, which lacks regions of {layout}; extract it again with "
            f"`motion.layout={layout}`"
        )
    chosen = np.ascontiguousarray(motion.motion[:, :, [here.index(region) for region in wanted]])
    return replace(motion, motion=chosen, meta={**motion.meta, "layout": layout})


def with_reference(motion: MotionSet, reference: str) -> MotionSet:
    """Return motion since the first step, or between consecutive steps; each is the sum or difference of the other."""
    if _reference(motion) == reference:
        return motion
    values = motion.motion
    if reference == "first":
        values = np.cumsum(values, axis=1, dtype=np.float32)
    else:
        values = np.diff(values, axis=1, prepend=np.zeros_like(values[:, :1]))
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
    return with_reference(changed, _reference(motion))


def _uniform(motion: MotionSet) -> MotionSet:
    return motion if motion.meta.get("sampling") == "uniform" else with_even_times(motion)


CHANGES: Mapping[str, Change] = {
    "roi14": lambda motion: with_layout(motion, "roi14"),
    "roi18": lambda motion: with_layout(motion, "roi18"),
    "first": lambda motion: with_reference(motion, "first"),
    "previous": lambda motion: with_reference(motion, "previous"),
    "uniform": _uniform,
}
"""Changes of ready motion: regions left out, another reference, another sampling."""


def _reference(motion: MotionSet) -> str:
    return str(motion.meta.get("reference", "first"))


def _variant(motion: MotionSet) -> str:
    return f"{motion.layout} {_reference(motion)} {motion.meta.get('sampling')}"


def _slug(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
