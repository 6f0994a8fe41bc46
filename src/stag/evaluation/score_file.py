"""Every metric of predictions that were made anywhere, from one CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from stag.errors import DatasetError, reason
from stag.evaluation.summary import summarise

NEEDED = ("clip_id", "subject", "truth", "predicted")
FORMAT = "expected a CSV with the columns clip_id, subject, truth, predicted, and dataset, fold, seed where there are"
_SHOWN_AT_MOST = 3


def read_predictions(path: Path | str) -> pd.DataFrame:
    """Predictions of any method, checked.

    Args:
        path: CSV with ``clip_id``, ``subject``, ``truth`` and ``predicted``, one row a clip (and seed). ``dataset``,
            ``fold`` and ``seed`` are read where they are there; other columns, such as ``p_<class>``, are left alone.

    Returns:
        Columns clip_id, subject, truth, predicted, dataset, fold, seed, all text but the seed; ``fold`` is ``"all"``
        where the file names none, ``dataset`` empty.

    Raises:
        DatasetError: The file cannot be read, lacks a column or a value, or tells of a clip twice.
    """
    path = Path(path)
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); name an existing CSV file") from error
    except (ValueError, pd.errors.ParserError) as error:
        raise DatasetError(f"{path}: is no CSV table ({reason(error)}); {FORMAT}") from error
    if not isinstance(table.index, pd.RangeIndex):
        raise DatasetError(f"{path}: has rows of more fields than there are columns; {FORMAT}")
    table.columns = [str(name).strip() for name in table.columns]
    missing = [name for name in NEEDED if name not in table]
    if missing:
        raise DatasetError(f"{path}: has no column {missing[0]!r}, but {', '.join(table.columns)}; {FORMAT}")
    if table.columns.duplicated().any():
        twice = table.columns[table.columns.duplicated()][0]
        raise DatasetError(f"{path}: has column {twice!r} twice; {FORMAT}")
    if table.empty:
        raise DatasetError(f"{path}: holds no prediction; write one row a clip")
    optional = {"dataset": "", "fold": "all", "seed": "0"}
    table = table.assign(**{name: value for name, value in optional.items() if name not in table})
    table = pd.DataFrame({name: table[name].str.strip() for name in (*NEEDED, *optional)})
    for name in (*NEEDED, "fold", "seed"):
        empty = table.index[table[name] == ""]
        if len(empty):
            raise DatasetError(f"{path}, line {empty[0] + 2}: {name} is empty; fill it in or remove the row")
    odd = table.index[~table["seed"].str.fullmatch(r"\d+")]
    if len(odd):
        raise DatasetError(f"{path}, line {odd[0] + 2}: seed {table['seed'][odd[0]]!r} is not a whole number from 0")
    table["seed"] = table["seed"].astype(int)
    repeated = table.duplicated(["dataset", "clip_id", "seed"])
    if repeated.any():
        row = table[repeated].iloc[0]
        raise DatasetError(
            f"{path}, line {table.index[repeated][0] + 2}: clip {row['clip_id']} of seed {row['seed']} is told twice; "
            "keep one row, or tell clips of several data sets apart by a column dataset"
        )
    _refuse_unequal_seeds(table, path)
    return table


def score_predictions(path: Path | str) -> dict[str, Any]:
    """Every metric of a prediction file, as ``result.json`` has them.

    The class list is what occurs in the truth or among the predictions of the whole file.

    Args:
        path: As for :func:`read_predictions`.

    Returns:
        ``pooled``, ``folds`` (``None`` where the file names no fold), ``ci95``, ``per_dataset``, ``seeds_spread``,
        ``classes``, counts and notes.

    Raises:
        DatasetError: As for :func:`read_predictions`.

    Example:
        >>> score_predictions("predictions.csv")["pooled"]["uf1"]  # doctest: +SKIP
        0.61
    """
    table = read_predictions(path)
    classes = sorted({*table["truth"], *table["predicted"]})
    people = table[["dataset", "subject"]].drop_duplicates()
    first = table[table["seed"] == table["seed"].min()]
    found = summarise(table, classes)
    folds = first["fold"].nunique()
    if folds == 1:
        found["folds"] = None
    return {
        "kind": "score",
        "classes": classes,
        "seeds": sorted(int(seed) for seed in table["seed"].unique()),
        "n_clips": len(first),
        "n_subjects": len(people),
        "n_folds": folds,
        "class_counts": {name: int((first["truth"] == name).sum()) for name in classes},
        **found,
        "notes": _notes(table, first, len(people)),
    }


def _refuse_unequal_seeds(table: pd.DataFrame, path: Path) -> None:
    """Every seed must judge the same clips, and a clip keep its subject and truth."""
    clips = table.groupby(["dataset", "clip_id"])
    for name in ("truth", "subject"):
        changing = clips[name].nunique()
        if (changing > 1).any():
            clip = changing[changing > 1].index[0][1]
            raise DatasetError(f"{path}: clip {clip} has another {name} from seed to seed; correct the file")
    counts = clips["seed"].nunique()
    fewer = counts[counts < table["seed"].nunique()]
    if len(fewer):
        shown = ", ".join(str(key[1]) for key in fewer.index[:_SHOWN_AT_MOST])
        raise DatasetError(f"{path}: {len(fewer)} clip(s) are not told for every seed, first {shown}; add those rows")


def _notes(table: pd.DataFrame, first: pd.DataFrame, people: int) -> list[str]:
    notes = []
    truths = set(table["truth"])
    notes += [
        f"class {name} is predicted but has no clip; it counts as 0 in the pooled UF1 and UAR"
        for name in sorted(set(table["predicted"]) - truths)
    ]
    if people == 1:
        notes.append("all clips are of one subject, so the intervals say nothing")
    if first["fold"].nunique() > 1:
        shared = first.groupby(["dataset", "subject"])["fold"].nunique()
        if (shared > 1).any():
            notes.append("subject-dependent: clips of one subject lie in several folds")
    return notes
