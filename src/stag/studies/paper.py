"""The paper's tables on the user's own data: what was published and what is measured, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from stag.config import Config
from stag.errors import DatasetError
from stag.evaluation.evaluate import Result, evaluate, evaluate_split
from stag.motion_set import MotionSet
from stag.studies.ablation import CATEGORIES, ablate, with_layout
from stag.studies.paper_rows import (
    Row,
    in_full,
    measured_row,
    printed,
    published_scores,
    records,
    row_of,
    told_scores,
)
from stag.studies.published import CONFLICTS, SETS, TABLES, published
from stag.studies.side_by_side import csv_text, html_text, latex_text
from stag.studies.sources import Sources, common_classes, has_codes
from stag.utils.files import write_json, write_text

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Reproduced:
    """A reproduced table.

    Attributes:
        json: The content of ``<table>.json``: ``rows`` with ``labels``, ``published``, ``measured`` and ``note``.
        columns: Headings of the printed table.
        cells: Its rows.
        out: The folder.
    """

    json: dict[str, Any]
    columns: list[str]
    cells: list[list[Any]]
    out: Path


@dataclass(frozen=True)
class Bench:
    """How the runs of a table are made: settings, protocol, folder, and the data sets."""

    sources: Sources
    config: Config
    out: Path
    protocol: str
    folds: int
    seeds: Sequence[int]
    jobs: int

    @property
    def options(self) -> dict[str, Any]:
        """Protocol and seeds, as the evaluations take them."""
        return {"protocol": self.protocol, "folds": self.folds, "seeds": self.seeds, "jobs": self.jobs}

    def within(self, name: str, motion: MotionSet, au: str | None = None) -> Result:
        """Evaluate one set by the protocol, in the run folder of that name."""
        config = self.config if au is None else self.config.override([f"au={au}"])
        return evaluate(motion, config, out=self.out / "runs" / name, **self.options)

    def across(self, name: str, train: MotionSet, test: MotionSet) -> Result:
        """Train on one set and test on the other."""
        train, test = common_classes(train, test)
        return evaluate_split(train, test, self.config, seeds=self.seeds, out=self.out / "runs" / name, jobs=self.jobs)


def reproduce(
    table: str,
    sources: Sources,
    config: Config,
    *,
    out: Path | str,
    protocol: str = "gkf",
    folds: int = 5,
    seeds: Sequence[int] = (0,),
    jobs: int = 1,
    progress: Progress | None = None,
) -> Reproduced:
    """Run what a table of the paper needs, and set published and measured numbers side by side.

    Rows whose data sets are not named stay without a measured number and say so. What is extracted and what is trained
    is kept; the same call does only what is missing.

    Args:
        table: ``table2`` to ``table10``.
        sources: The data sets.
        config: Settings; the paper's AU source is ``annotated``.
        out: Folder for the runs, and the table as JSON, CSV, LaTeX and HTML.
        protocol: ``gkf`` gives the paper's five folds.
        folds: Number of folds.
        seeds: Seeds of training.
        jobs: Worker processes.
        progress: Called with (done, total) as rows finish.

    Raises:
        ConfigError: The paper has no such table.
        DatasetError: None of the data sets of the table was named.
        RunError: As for :func:`~stag.evaluation.evaluate.evaluate`.
    """
    rows_published, folder = published(table), Path(out)
    bench = Bench(sources, config, folder, protocol, folds, seeds, jobs)
    needed = _sets_of(table)
    named = {*sources.roots, *(name.partition(":")[0] for name in sources.files)}
    missing = [name for name in needed if name not in named]
    if len(missing) == len(needed):
        raise DatasetError(
            f"{table} needs {' or '.join(needed)}; name what you have by `root=NAME=DIR` or `motion=NAME=FILE.npz`"
        )
    rows = _MAKERS[table](bench, rows_published, progress or (lambda done, total: None))
    simulated = any(row["simulated"] for row in rows)
    content: dict[str, Any] = {
        "kind": "reproduction",
        "table": table,
        "title": TABLES[table][1] + (" (measured on simulated clips)" if simulated else ""),
        "protocol": "cross-dataset" if table in ("table6", "table7") else protocol,
        "subject_dependent": protocol == "skf" and table not in ("table2", "table6", "table7"),
        "folds": folds,
        "seeds": list(seeds),
        "au_source": config.au,
        "simulated": simulated,
        "missing": missing,
        "rows": rows,
        "conflicts": list(CONFLICTS[table]),
        "notes": _notes(table, config, protocol, simulated, missing),
    }
    columns, cells = printed(rows)
    title, remarks = f"{table}: {content['title']}", [*content["notes"], *(f"the paper: {c}" for c in CONFLICTS[table])]
    write_json(folder / f"{table}.json", content)
    write_text(folder / f"{table}.csv", csv_text(*in_full(rows)))
    write_text(folder / f"{table}.tex", latex_text(title, columns, cells, remarks))
    write_text(folder / f"{table}.html", html_text(title, columns, cells, remarks))
    return Reproduced(content, columns, cells, folder)


def _class_counts(bench: Bench, table: pd.DataFrame, progress: Progress) -> list[Row]:
    rows: list[Row] = []
    groups = list(table.groupby(["dataset", "classes"], sort=False))
    for done, (key, part) in enumerate(groups, start=1):
        dataset, classes = (str(part) for part in key)
        found, simulated, note = _counts(bench.sources, SETS[dataset], classes)
        names = [str(name).lower() for name in part["class"]]
        for name, count in zip(names, part["count"], strict=True):
            told = None if found is None else {"clips": found.get(name, 0)}
            labels = {"data set": dataset, "classes": int(classes), "class": name}
            rows.append(row_of(labels, {"clips": int(count)}, told, simulated=simulated, note=note))
        for name in sorted(set(found or ()) - set(names)):
            labels = {"data set": dataset, "classes": int(classes), "class": name}
            rows.append(
                row_of(labels, {}, {"clips": (found or {})[name]}, simulated=simulated, note="not in the paper")
            )
        progress(done, len(groups))
    return rows


def _counts(sources: Sources, name: str, classes: str) -> tuple[dict[str, int] | None, bool, str]:
    try:
        if name in sources.roots:
            table = sources.table(name, classes)
            return dict(Counter(table.classes)), table.simulated, ""
        motion = sources.motion(name, classes)
    except DatasetError as error:
        return None, False, str(error)
    if motion is None:
        return None, False, "data set not given, or not with these classes"
    return dict(Counter(motion.label.tolist())), motion.simulated, ""


def _scores(bench: Bench, table: pd.DataFrame, progress: Progress) -> list[Row]:
    """Tables 3 and 4: our row of each set and number of classes is measured, the others are quoted."""
    rows = []
    for done, row in enumerate(records(table), start=1):
        setting = str(row.get("setting") or f"{row['classes']}-class")
        labels = {"data set": row["dataset"], "classes": setting, "method": row["method"]}
        measured: tuple[Result | None, str] = (None, "")
        if str(row["method"]).startswith("STAG"):
            measured = _one_set(bench, SETS[str(row["dataset"])], setting)
        rows.append(measured_row(labels, row, *measured))
        progress(done, len(table))
    return rows


def _one_set(bench: Bench, name: str, setting: str) -> tuple[Result | None, str]:
    if setting.startswith("Test"):
        split = "test_" + setting[-1].lower()
        train = bench.sources.motion(name, "7", "train")
        test = bench.sources.motion(name, "7", split)
        if train is None or test is None:
            return None, "data set not given, or not with these splits"
        return bench.across(f"{name}-{split}", train, test), ""
    classes = setting.split("-")[0]
    motion = bench.sources.motion(name, classes)
    if motion is None:
        return None, "data set not given, or not with these classes"
    if bench.config.au == "annotated" and not has_codes(motion):
        return bench.within(f"{name}-{classes}", motion, "none"), "without AUs: the set has no codes"
    return bench.within(f"{name}-{classes}", motion), ""


def _ablation(bench: Bench, table: pd.DataFrame, progress: Progress) -> list[Row]:
    motion = bench.sources.motion("samm", "3")
    if motion is None:
        raise DatasetError("table5 needs SAMM with three classes; extract it with `scheme=paper3` or `scheme=megc3`")
    parts = ("architecture", "graph-depth", "transformer-depth", "augmentation", "tta", "au")
    found = ablate(
        motion, bench.config, only=parts, paper_rows=True, out=bench.out, progress=progress, **bench.options
    ).json
    by_name = {(row["category"], row["configuration"]): row for row in found["rows"]}
    heading = {CATEGORIES[part][0] for part in parts}
    rows = []
    for row in records(table):
        labels = {"category": row["category"], "configuration": row["configuration"]}
        one = by_name[row["category"], row["configuration"]] if row["category"] in heading else None
        scores = one["scores"] if one else None
        note = str(one["skipped"] or "") if one else ""
        rows.append(row_of(labels, published_scores(row), told_scores(scores), simulated=found["simulated"], note=note))
    return rows


def _across(bench: Bench, table: pd.DataFrame, progress: Progress) -> list[Row]:
    five = "f1_anger" in table
    classes = "basic5" if five else "3"
    rows = []
    for done, row in enumerate(records(table), start=1):
        source, target = SETS[str(row["source"])], SETS[str(row["target"])]
        labels = {"from": row["source"], "to": row["target"]}
        result, note = None, ""
        try:
            train, test = bench.sources.motion(source, classes), bench.sources.motion(target, classes)
            if train is None or test is None:
                note = "data set not given"
            else:
                bare = bench.config.au == "annotated" and not (has_codes(train) and has_codes(test))
                arm = replace(bench, config=bench.config.override(["au=none"])) if bare else bench
                result = arm.across(f"{source}-{target}-{classes}", train, test)
                note = "without AUs: a set has no codes" if bare else ""
        except DatasetError as error:
            note = str(error)
        rows.append(measured_row(labels, row, result, note))
        progress(done, len(table))
    return rows


def _regions(bench: Bench, table: pd.DataFrame, progress: Progress) -> list[Row]:
    classes = {3: "3", 5: "5", 7: "7"}[sum(str(name).startswith("f1_") for name in table.columns)]
    # The paper's DFME of 474 clips is test split A; a motion file may be of any part.
    motion = bench.sources.motion("dfme", classes)
    if motion is None:
        raise DatasetError(f"this table needs DFME with {classes} classes; extract it with `scheme=paper{classes}`")
    rows = []
    for done, row in enumerate(records(table), start=1):
        labels = {"regions": int(row["rois"]), "AUs": row["au"]}
        result, note = None, ""
        try:
            chosen = with_layout(motion, f"roi{row['rois']}")
            au = "annotated" if row["au"] == "Yes" else "none"
            result = bench.within(f"dfme-{classes}-roi{row['rois']}-{au}", chosen, au)
        except DatasetError as error:
            note = str(error)
        rows.append(measured_row(labels, row, result, note))
        progress(done, len(table))
    return rows


_MAKERS: dict[str, Callable[[Bench, pd.DataFrame, Progress], list[Row]]] = {
    "table2": _class_counts,
    "table3": _scores,
    "table4": _scores,
    "table5": _ablation,
    "table6": _across,
    "table7": _across,
    "table8": _regions,
    "table9": _regions,
    "table10": _regions,
}


def _sets_of(table: str) -> list[str]:
    rows = published(table)
    if table == "table5":
        return ["samm"]
    if table in ("table8", "table9", "table10"):
        return ["dfme"]
    columns = [rows[name] for name in ("dataset", "source", "target") if name in rows]
    return list(dict.fromkeys(SETS[str(name)] for column in columns for name in column))


def _notes(table: str, config: Config, protocol: str, simulated: bool, missing: Sequence[str]) -> list[str]:
    notes = []
    if simulated:
        notes.append("measured on simulated clips, not on people; only the machinery can be compared")
    if missing:
        notes.append(f"data sets not given: {', '.join(missing)}")
    if table == "table2":
        return notes
    if protocol == "skf" and table not in ("table6", "table7"):
        notes.append("subject-dependent: train and test share subjects")
    if config.au == "annotated":
        notes.append("annotated action units are read at test time, as in the paper; nobody has them for a new video")
    return [*notes, "measured UF1 and UAR are means over folds, as the paper reports; pooled UF1 stands beside them"]
