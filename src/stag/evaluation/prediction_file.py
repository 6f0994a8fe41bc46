"""Read, write and score ``predictions.csv``, of this program or any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stag.datasets.look_alikes import class_warnings, people_warnings
from stag.datasets.readers.sheet import Columns, read_sheet
from stag.datasets.schemes import scheme
from stag.errors import DatasetError, RunError, reason
from stag.evaluation.metrics import summarise
from stag.evaluation.results import PREDICTIONS, RESULT, RunResult, ScoredFile, parse_result, read_json_object
from stag.motion_set import MotionSet
from stag.utils.cells import frame_number, text

NEEDED = ("clip_id", "subject", "truth", "predicted")
OPTIONAL = {"dataset": "", "fold": "all", "seed": "0"}
"""Optional column -> its default."""

COLUMNS: Columns = {
    "clip_id": ("clip_id", "clip", "filename"),
    "subject": ("subject", "sub", "participant"),
    "truth": ("truth", "ground_truth", "y_true"),
    "predicted": ("predicted", "prediction", "y_pred"),
    **{name: (name,) for name in OPTIONAL},
}


def read_predictions(path: Path | str) -> pd.DataFrame:
    """Read and check the predictions of any method.

    Args:
        path: Text table or ``.xlsx`` with ``clip_id``, ``subject``, ``truth`` and ``predicted``, one row a clip (and
            seed). ``dataset``, ``fold`` and ``seed`` are optional; other columns, such as ``p_<class>``, are ignored.

    Returns:
        Columns clip_id, subject, truth, predicted, dataset, fold, seed, all text but the seed; without such columns
        ``dataset`` is empty, ``fold`` is ``"all"`` and ``seed`` is 0.

    Raises:
        DatasetError: The file cannot be read, lacks a column or a value, or has a duplicate row.
    """
    return _read(Path(path))[0]


def score_predictions(path: Path | str, classes: Sequence[str] | str | None = None) -> ScoredFile:
    """Return every metric of a prediction file.

    Args:
        path: As for :func:`read_predictions`.
        classes: Names of all classes, or of a label scheme; those that occur in truth or predictions where omitted.

    Raises:
        DatasetError: As for :func:`read_predictions`, or a class of the file is not among ``classes``.

    Example:
        >>> score_predictions("predictions.csv").pooled.uf1  # doctest: +SKIP
        0.61
    """
    table, remarks = _read(Path(path))
    occurring = sorted({*table["truth"], *table["predicted"]})
    if isinstance(classes, str):
        classes = scheme(classes).classes
    classes = occurring if classes is None else list(dict.fromkeys(classes))
    if foreign := [name for name in occurring if name not in classes]:
        raise DatasetError(f"{path}: {foreign[0]!r} is not among the classes {', '.join(classes)}; name all of them")
    remarks += [
        f"class {name} never occurs; it counts as 0 in the pooled UF1 and UAR"
        for name in classes
        if name not in occurring
    ]
    people = len(table[["dataset", "subject"]].drop_duplicates())
    first = table[table["seed"] == table["seed"].min()]
    folds = first["fold"].nunique()
    return ScoredFile(
        classes=classes,
        seeds=sorted(int(seed) for seed in table["seed"].unique()),
        n_clips=len(first),
        n_subjects=people,
        n_folds=folds,
        class_counts={name: int((first["truth"] == name).sum()) for name in classes},
        **dict(summarise(table, classes)) | ({"folds": None} if folds == 1 else {}),
        notes=[*remarks, *_notes(table, first, people)],
    )


def prediction_table(motion: MotionSet, units: Sequence[Mapping[str, Any]], au_source: str) -> pd.DataFrame:
    """Return one row per tested clip and seed; truth joins prediction by clip key, never by position.

    Units contain ``fold``, ``seed``, ``clips`` (keys) and ``probabilities (clips, C)``.

    Returns:
        Columns clip_id, dataset, subject, fold, seed, truth, predicted, ``p_<class>``..., au_source; sorted by seed,
        data set and clip.

    Raises:
        pandas.errors.MergeError: A clip is predicted twice with one seed.
    """
    columns = [f"p_{name}" for name in motion.classes]
    parts = [
        pd.DataFrame(unit["probabilities"], columns=columns, dtype=np.float64).assign(
            key=unit["clips"], fold=unit["fold"], seed=unit["seed"]
        )
        for unit in units
    ]
    clips = pd.DataFrame({name: getattr(motion, name) for name in ("key", "clip_id", "dataset", "subject")})
    seeds = pd.DataFrame({"seed": sorted({unit["seed"] for unit in units})})
    table = clips.assign(truth=motion.label).merge(seeds, how="cross")
    table = table.merge(pd.concat(parts), on=["key", "seed"], validate="one_to_one")
    table = table.sort_values(["seed", "key"], kind="stable", ignore_index=True)
    table["predicted"] = np.array(motion.classes)[table[columns].to_numpy().argmax(axis=1)]
    table["au_source"] = au_source
    return table[["clip_id", "dataset", "subject", "fold", "seed", "truth", "predicted", *columns, "au_source"]]


def predictions_text(table: pd.DataFrame) -> str:
    """Return the content of ``predictions.csv``."""
    return table.to_csv(index=False, lineterminator="\n")


def read_run(folder: Path) -> tuple[RunResult, pd.DataFrame]:
    """Read ``result.json`` and ``predictions.csv`` of a run folder, checked against each other.

    Unlike :func:`read_predictions` it keeps every column and every text unchanged: a subject may be called "NA".

    Raises:
        RunError: A file is missing, damaged or incomplete, or the two do not belong to one run.
    """
    paths = [folder / name for name in (RESULT, PREDICTIONS)]
    for path in paths:
        if not path.is_file():
            raise RunError(f"{folder}: has no {path.name}; name the folder of a finished `stag evaluate` run")
    result = parse_result(read_json_object(paths[0], "run `stag evaluate` again"), str(paths[0]))
    try:
        text_columns = dict.fromkeys((*NEEDED, "dataset", "fold"), str)
        table = pd.read_csv(paths[1], dtype=text_columns, keep_default_na=False)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise RunError(f"{paths[1]}: cannot be read as CSV ({reason(error)}); run `stag evaluate` again") from error
    refuse_foreign(table, result, str(paths[1]))
    return result, table


def refuse_foreign(table: pd.DataFrame, result: RunResult, where: str = "predictions") -> None:
    """Refuse a prediction table that does not belong to the result.

    Raises:
        RunError: A column is missing, a class is unknown, or the clips are not those of the result.
    """
    missing = [name for name in ("clip_id", "dataset", *NEEDED[1:]) if name not in table]
    if missing:
        raise RunError(f"{where}: has no column {missing[0]!r}; run `stag evaluate` with the same `out` again")
    for column in ("truth", "predicted"):
        if unknown := sorted(set(table[column].astype(str)) - set(result.classes)):
            raise RunError(f"{where}: column {column} contains {unknown[0]!r}, which is not a class of {RESULT}")
    clips = len(table[["dataset", "clip_id"]].drop_duplicates())
    if clips != result.n_clips:
        raise RunError(
            f"{where}: contains {clips} clips and {RESULT} {result.n_clips}; they belong to two runs, evaluate again"
        )


def _read(path: Path) -> tuple[pd.DataFrame, list[str]]:
    sheet = read_sheet(path, COLUMNS, OPTIONAL)
    if sheet.skipped:
        raise DatasetError(f"{path}, {sheet.skipped[0].clip_id}: {sheet.skipped[0].reason}")
    if not sheet.rows:
        raise DatasetError(f"{path}: contains no prediction; write one row a clip")
    absent = {name: value for name, value in OPTIONAL.items() if not any(text(row[name]) for _, row in sheet.rows)}
    table = pd.DataFrame([{**_values(row, absent, f"{path}, line {line}"), "line": line} for line, row in sheet.rows])
    repeated = table.duplicated(["dataset", "clip_id", "seed"])
    if repeated.any():
        again = table[repeated].iloc[0]
        raise DatasetError(
            f"{path}, line {again['line']}: clip {again['clip_id']} of seed {again['seed']} has a duplicate row; "
            "keep one, or tell clips of several data sets apart by a column dataset"
        )
    _refuse_unequal_seeds(table, path)
    return table.drop(columns="line"), [remark.text for remark in sheet.remarks]


def _values(row: Mapping[str, str], absent: Mapping[str, str], where: str) -> dict[str, Any]:
    """Return the values of a row, all text but the seed; absent columns take theirs from ``absent``."""
    values: dict[str, Any] = {name: absent.get(name, text(row[name])) for name in COLUMNS}
    for name in (*NEEDED, "fold", "seed"):
        if not values[name]:
            problem = f"is {row[name]!r}, which means missing" if row[name] else "is empty"
            raise DatasetError(f"{where}: {name} {problem}; fill it in or remove the row")
    seed = frame_number(values["seed"])
    if seed is None:
        raise DatasetError(f"{where}: seed {row['seed']!r} is not a whole number from 0")
    return {**values, "seed": seed}


def _refuse_unequal_seeds(table: pd.DataFrame, path: Path) -> None:
    """Refuse seeds that differ in their clips, or in the subject or truth of a clip."""
    clips = table.groupby(["dataset", "clip_id"])
    for name in ("truth", "subject"):
        changing = clips[name].nunique()
        if (changing > 1).any():
            clip = changing[changing > 1].index[0][1]
            raise DatasetError(f"{path}: clip {clip} has another {name} from seed to seed; correct the file")
    counts = clips["seed"].nunique()
    fewer = counts[counts < table["seed"].nunique()]
    if len(fewer):
        shown = ", ".join(str(key[1]) for key in fewer.index[:3])
        raise DatasetError(f"{path}: {len(fewer)} clip(s) lack a row for some seed, first {shown}; add those rows")


def _notes(table: pd.DataFrame, first: pd.DataFrame, people: int) -> list[str]:
    truths, predicted = set(table["truth"]), set(table["predicted"])
    notes = class_warnings(sorted(truths | predicted))
    if not truths & predicted:
        notes.append("no predicted class is among the true ones, so every score is 0; name the classes alike in both")
    notes += [
        f"class {name} is predicted but has no clip; it counts as 0 in the pooled UF1 and UAR"
        for name in sorted(predicted - truths)
    ]
    if len(truths) == 1:
        notes.append(f"all clips are of class {min(truths)}, so no score shows whether classes are distinguished")
    if people == 1:
        notes.append("all clips are of one subject, so the intervals say nothing")
    if first["fold"].nunique() > 1:
        shared = first.groupby(["dataset", "subject"])["fold"].nunique()
        if (shared > 1).any():
            notes.append("subject-dependent: clips of one subject lie in several folds")
    return [*notes, *people_warnings(zip(first["dataset"], first["subject"], strict=True))]
