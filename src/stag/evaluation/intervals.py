"""Score spotted intervals by the rules of the Micro-Expression Grand Challenge.

A spotted interval matches an annotated one at an intersection over union of at least .5. Counts are summed over all
recordings, those without expressions included::

    precision = TP / (TP + FP)    recall = TP / (TP + FN)    F1 = 2 TP / (2 TP + FP + FN)    STRS = F1 x UF1

*Strict*: matches are one to one, and kinds must agree. *Lenient*, as published scorers count: a match takes the kind
of the label, and one prediction may match several labels.

Source: Li et al., MEGC2022: ACM Multimedia 2022 Micro-Expression Grand Challenge; counting of published code for the
lenient rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from stag.errors import DatasetError
from stag.evaluation.metrics import score
from stag.types import EXPRESSIONS, FloatArray, Interval
from stag.utils.values import ArrayValue

LEAST_OVERLAP = 0.5
RULES = ("strict", "lenient")
_RESAMPLES = 1000


@dataclass(frozen=True, eq=False, repr=False)
class SpottingScores(ArrayValue):
    """Scores of spotted intervals.

    Attributes:
        table: One row for each rule and kind (``micro``, ``macro``, ``all``): tp, fp, fn, precision, recall, f1, and
            f1_low, f1_high, the 95 % interval of a bootstrap over subjects.
        recordings: The counts and F1 of each recording under the strict rule.
        subjects: The same for each subject.
        error_s: Median absolute error of onset, apex and offset over strict matches, seconds.
        uf1: Unweighted F1 of recognition over strict matches, or ``None`` without emotions.
        uar: Unweighted recall, likewise.
        false_alarms_per_min: Strict false alarms per minute of the recordings, or ``None`` without lengths.
    """

    table: pd.DataFrame
    recordings: pd.DataFrame
    subjects: pd.DataFrame
    error_s: dict[str, float]
    uf1: float | None
    uar: float | None
    false_alarms_per_min: float | None

    @property
    def strs(self) -> float | None:
        """Spot-then-recognise score: strict F1 of all kinds times UF1 of the matches."""
        return None if self.uf1 is None else self.f1("all") * self.uf1

    def f1(self, kind: str, rule: str = "strict") -> float:
        """Return the F1 of a kind."""
        row = self.table[(self.table["rule"] == rule) & (self.table["kind"] == kind)]
        return float(row["f1"].iloc[0])


def matches(truth: Sequence[Interval], spotted: Sequence[Interval]) -> list[tuple[int, int]]:
    """Match intervals of one recording one to one; return pairs of positions.

    As many pairs as possible are made, and of equally many the ones that overlap most.
    """
    if not truth or not spotted:
        return []
    shared = np.array([[a.overlap(b) for b in spotted] for a in truth])
    worth = np.where(shared >= LEAST_OVERLAP, 1 + shared / (2 * (len(truth) + 1)), 0.0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if worth[i, j] > 0]


def score_intervals(
    truth: Sequence[Interval],
    spotted: Sequence[Interval],
    recordings: Mapping[str, str],
    *,
    minutes: float | None = None,
    seed: int = 0,
) -> SpottingScores:
    """Score spotted intervals against annotated ones; intervals of other kinds, such as blinks, do not count.

    Args:
        truth: Annotated intervals.
        spotted: Intervals by any program.
        recordings: Recording -> subject, those without any interval included.
        minutes: Length of all recordings together.
        seed: Seed of the bootstrap.

    Raises:
        DatasetError: There is no recording, a kind is missing, or an interval belongs to no recording.
    """
    keys = _recording_keys(recordings, truth, spotted)
    by_file: dict[str, tuple[list[Interval], list[Interval]]] = {keys[file]: ([], []) for file in recordings}
    for side, intervals in enumerate((truth, spotted)):
        for one in intervals:
            if one.kind in EXPRESSIONS:
                by_file[keys[one.file]][side].append(one)
    subjects = {keys[file]: subject or keys[file] for file, subject in recordings.items()}
    pairs: list[tuple[Interval, Interval]] = []
    counts = np.zeros((len(by_file), len(RULES), len(EXPRESSIONS), 3))
    for row, (a, b) in enumerate(by_file.values()):
        pairs += _count_strict(a, b, counts[row, 0])
        _count_lenient(a, b, counts[row, 1])
    names = np.array([subjects[file] for file in by_file])
    error_s = {
        name: float(np.median([abs(getattr(a, f"{name}_s") - getattr(b, f"{name}_s")) for a, b in pairs]))
        for name in ("onset", "apex", "offset")
        if pairs and all(np.isfinite(getattr(a, f"{name}_s")) for a, _ in pairs)
    }
    told = [(a.emotion, b.emotion) for a, b in pairs if a.emotion and b.emotion]
    recognised = score([a for a, _ in told], [b for _, b in told]) if told else None
    false_alarms = counts[:, 0, :, 1].sum()
    return SpottingScores(
        table=_table(counts, names, seed),
        recordings=_per_group(counts, np.array(list(by_file)), "recording"),
        subjects=_per_group(counts, names, "subject"),
        error_s=error_s,
        uf1=None if recognised is None else recognised.uf1,
        uar=None if recognised is None else recognised.uar,
        false_alarms_per_min=None if not minutes else float(false_alarms / minutes),
    )


def f1_of(tp: FloatArray, fp: FloatArray, fn: FloatArray) -> FloatArray:
    """Return ``2 TP / (2 TP + FP + FN)``, 0 without a denominator."""
    below = np.asarray(2 * tp + fp + fn, dtype=np.float64)
    return np.divide(2 * tp, below, out=np.zeros_like(below), where=below > 0)


def _count_strict(
    truth: list[Interval], spotted: list[Interval], counts: FloatArray
) -> list[tuple[Interval, Interval]]:
    """Add TP, FP, FN of one recording to ``(kinds, 3)``, and return the matches."""
    pairs: list[tuple[Interval, Interval]] = []
    for k, kind in enumerate(EXPRESSIONS):
        a, b = ([one for one in side if one.kind == kind] for side in (truth, spotted))
        faces = {one.face_id for one in a}
        # Annotations of one person name no face; then all faces of the recording count together.
        groups = [(a, b)] if None in faces else [_of_face(a, b, f) for f in faces | {one.face_id for one in b}]
        matched = [(mine[i], theirs[j]) for mine, theirs in groups for i, j in matches(mine, theirs)]
        counts[k] += len(matched), len(b) - len(matched), len(a) - len(matched)
        pairs += matched
    return pairs


def _of_face(a: list[Interval], b: list[Interval], face: int | None) -> tuple[list[Interval], list[Interval]]:
    return [one for one in a if one.face_id == face], [one for one in b if one.face_id == face]


def _count_lenient(truth: list[Interval], spotted: list[Interval], counts: FloatArray) -> None:
    hit = np.array([[a.overlap(b) >= LEAST_OVERLAP for b in spotted] for a in truth], bool)
    hit = hit.reshape(len(truth), len(spotted))
    for k, kind in enumerate(EXPRESSIONS):
        labels = np.array([a.kind == kind for a in truth], bool)
        found = hit.any(axis=1) & labels
        used = [bool(column.any()) for column in hit.T]
        missed = [b.kind == kind for b, hits in zip(spotted, used, strict=True) if not hits]
        counts[k] += int(found.sum()), sum(missed), int((labels & ~found).sum())


def _table(counts: FloatArray, names: NDArray[np.str_], seed: int) -> pd.DataFrame:
    groups, group_of = np.unique(names, return_inverse=True)
    per_subject = np.zeros((len(groups), *counts.shape[1:]))
    np.add.at(per_subject, group_of, counts)
    drawn = np.random.default_rng(seed).integers(len(groups), size=(_RESAMPLES, len(groups)))
    rows = []
    for r, rule in enumerate(RULES):
        for kind in (*EXPRESSIONS, "all"):
            chosen = per_subject[:, r] if kind == "all" else per_subject[:, r, [EXPRESSIONS.index(kind)]]
            per = chosen.sum(axis=1)
            tp, fp, fn = per.sum(axis=0)
            low, high = np.quantile(f1_of(*per[drawn].sum(axis=1).T), [0.025, 0.975])
            rows.append(
                {"rule": rule, "kind": kind, "tp": int(tp), "fp": int(fp), "fn": int(fn)}
                | {"precision": tp / max(tp + fp, 1), "recall": tp / max(tp + fn, 1)}
                | {"f1": float(f1_of(tp, fp, fn)), "f1_low": float(low), "f1_high": float(high)}
            )
    return pd.DataFrame(rows)


def _per_group(counts: FloatArray, names: NDArray[np.str_], column: str) -> pd.DataFrame:
    table = pd.DataFrame(counts[:, 0].sum(axis=1).astype(int), columns=["tp", "fp", "fn"])
    table = table.assign(**{column: names}).groupby(column, sort=True)[["tp", "fp", "fn"]].sum().reset_index()
    return table.assign(f1=f1_of(*(table[name].to_numpy(float) for name in ("tp", "fp", "fn"))))


def _recording_keys(
    recordings: Mapping[str, str], truth: Sequence[Interval], spotted: Sequence[Interval]
) -> dict[str, str]:
    """Return file as written -> recording: file names count where they are unique, else whole paths."""
    if not recordings:
        raise DatasetError("there is no recording to score; the truth needs at least one row")
    for one in (*truth, *spotted):
        if not one.kind:
            raise DatasetError(f"{one.file}, {one.onset_s:.3f} s: the interval has no kind; write micro or macro")
    names = {file: PurePath(file.replace("\\", "/")).name for file in recordings}
    if len(set(names.values())) < len(names):
        names = {file: file for file in recordings}
    keys = dict(names)
    for one in spotted:
        name = one.file if one.file in recordings else PurePath(one.file.replace("\\", "/")).name
        keys.setdefault(one.file, names.get(name, name))
        if keys[one.file] not in names.values():
            raise DatasetError(f"{one.file}: is no recording of the truth; add a row with the file alone")
    return keys
