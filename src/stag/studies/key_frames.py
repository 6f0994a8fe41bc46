"""Robustness to key frames: what wrong onsets and offsets, or a clip cut at its apex, do to the scores.

Annotated key frames differ by several frames between coders, and many users have onset and apex only. Models are
trained on the clips as they are; each test clip is classified as it is and with every change of its key frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from stag.config import Config
from stag.errors import ConfigError
from stag.evaluation.metrics import summarise
from stag.evaluation.results import Result
from stag.evaluation.units import Answers, NetworkLearner
from stag.motion.transforms import apex_step
from stag.motion_set import MotionSet
from stag.studies.results import AblationRow, StudyScores
from stag.studies.study import paired_difference
from stag.types import FloatArray

PART = "key-frames"
WHOLE = "as annotated"
_SEPARATOR = " @ "
_SHARES = (0.1, 0.2, 0.3)
_SHORTEST = 0.1

Span = Callable[[float], tuple[float, float]]
"""Apex as a share of the clip's duration -> where the changed clip begins and ends, as shares; 0 and 1 are its ends."""


def _spans() -> dict[str, Span]:
    def fixed(start: float, end: float) -> Span:
        return lambda _apex: (start, end)

    spans: dict[str, Span] = {
        WHOLE: fixed(0, 1),
        "cut at the apex": lambda apex: (0.0, max(apex, _SHORTEST)),
        "begun at the apex": lambda apex: (min(apex, 1 - _SHORTEST), 1.0),
    }
    for share in _SHARES:
        percent = f"{share:.0%}".replace("%", " %")
        spans |= {
            f"onset {percent} early": fixed(-share, 1),
            f"onset {percent} late": fixed(share, 1),
            f"offset {percent} early": fixed(0, 1 - share),
            f"offset {percent} late": fixed(0, 1 + share),
        }
    return spans


SPANS = _spans()
"""Name of a change -> the part of the clip that it leaves; shares of the duration."""


@dataclass(frozen=True)
class TrainedOnWholeClips:
    """STAG, trained on the clips with the key frames as annotated and tested on all changes of the others."""

    selection: ClassVar[str] = ""

    def __call__(self, train: MotionSet, test: MotionSet, config: Config, seed: int) -> Answers:
        """Train on the unchanged ones of ``train``, classify all of ``test``."""
        whole = np.array([clip.endswith(_SEPARATOR + WHOLE) for clip in train.clip_id.tolist()])
        return NetworkLearner()(train.subset(np.flatnonzero(whole)), test, config, seed)


def with_changes(motion: MotionSet, names: Sequence[str] = tuple(SPANS)) -> MotionSet:
    """Return every clip once for each change of its key frames, named ``<clip_id> @ <change>``."""
    changed = [replace(with_span(motion, SPANS[name]), clip_id=_renamed(motion, name)) for name in names]
    return MotionSet.concatenate(changed)


def with_span(motion: MotionSet, span: Span) -> MotionSet:
    """Cut or extend clips to a span of their duration, with as many steps as before.

    Steps divide the part that is left as they divided the whole. Beyond the ends of the clip the face is taken to rest
    as it did there, which one more step stands for: steps at equal shares of the motion spend no more on rest.

    Args:
        motion: Displacement since the first step, or between steps.
        span: Where the changed clip begins and ends.

    Returns:
        The clips, with motion counted from their new first step, and their new times.
    """
    cumulative = motion.meta.get("reference", "first") == "first"
    displacement = motion.motion if cumulative else np.cumsum(motion.motion, axis=1)
    moved, times = np.empty_like(motion.motion), np.empty_like(motion.time_s)
    for clip, (values, time_s) in enumerate(zip(displacement, motion.time_s.astype(np.float64), strict=True)):
        moved[clip], times[clip] = _cut(values, time_s, span)
    if not cumulative:
        moved = np.diff(moved, axis=1, prepend=np.zeros_like(moved[:, :1]))
    return replace(motion, motion=moved, time_s=times)


def _cut(values: FloatArray, time_s: FloatArray, span: Span) -> tuple[FloatArray, FloatArray]:
    """Cut displacement ``(T, R, 2)`` of one clip; return it with its times ``(T,)``."""
    steps, duration = len(values), float(time_s[-1] - time_s[0])
    apex = apex_step(values)
    start, end = span(0.5 if apex is None or not duration else float(time_s[apex] - time_s[0]) / duration)
    first, last = (time_s[0] + share * duration for share in (start, end))
    if start < 0:
        values, time_s = np.concatenate([values[:1], values]), np.concatenate([[first], time_s])
    if end > 1:
        values, time_s = np.concatenate([values, values[-1:]]), np.concatenate([time_s, [last]])
    order = np.arange(len(values))
    places = np.linspace(np.interp(first, time_s, order), np.interp(last, time_s, order), steps)
    before = np.minimum(places.astype(int), len(values) - 2)
    share = (places - before)[:, None, None]
    cut = values[before] * (1 - share) + values[before + 1] * share
    return cut - cut[:1], np.interp(places, order, time_s)


def key_frame_rows(result: Result, run: str) -> list[AblationRow]:
    """Return the scores of each change, beside their difference to those of the unchanged clips.

    Args:
        result: Evaluation of :class:`TrainedOnWholeClips` on :func:`with_changes`.
        run: Folder of that evaluation.
    """
    table, classes = result.predictions, result.content.classes
    names = table["clip_id"].str.rsplit(_SEPARATOR, n=1, expand=True)
    parts: dict[str, Any] = {
        str(change): part.assign(clip_id=names.loc[part.index, 0]) for change, part in table.groupby(names[1])
    }
    rows = []
    for change in SPANS:
        summary = summarise(parts[change], classes)
        pooled = summary.pooled
        rows.append(
            AblationRow(
                category="Key frames",
                configuration=change,
                is_full=change == WHOLE,
                run=run,
                scores=StudyScores(
                    uf1=pooled.uf1, uar=pooled.uar, war=pooled.war, ci95=summary.ci95, f1=pooled.f1,
                    mean_of_folds=summary.folds,
                ),
                difference=dict(paired_difference(parts[change], parts[WHOLE], classes)),
            )
        )  # fmt: skip
    return rows


def refuse_shared_subjects(protocol: str) -> None:
    """Refuse a protocol whose training clips may be changed clips of the test set.

    Raises:
        ConfigError: The protocol lets subjects be in both.
    """
    if protocol == "skf":
        raise ConfigError(
            "`only=key-frames` needs test subjects that training has not seen; use `protocol=loso` or gkf"
        )


def _renamed(motion: MotionSet, change: str) -> Any:
    return np.array([f"{clip}{_SEPARATOR}{change}" for clip in motion.clip_id.tolist()])
