"""Reproduce the paper's tables on the user's own data: published and measured numbers side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from stag.config import Config
from stag.errors import DatasetError
from stag.evaluation.evaluate import Progress, evaluate, evaluate_split
from stag.evaluation.results import Result
from stag.motion_set import MotionSet
from stag.studies.ablation import ablate, with_layout
from stag.studies.paper_rows import Measured, Record, rows_of
from stag.studies.published import CONFLICTS, SETS, TABLES, published
from stag.studies.results import PaperRow, PaperTable
from stag.studies.side_by_side import html_text, in_full, latex_text, printed
from stag.studies.sources import BASIC5, SCHEMES_OF, Sources, common_classes, has_codes
from stag.utils.files import write_json, write_text

PAPER_PARTS = ("architecture", "graph-depth", "transformer-depth", "augmentation", "tta", "au")
"""Parts of an ablation that make up Table 5."""

ACROSS = ("table6", "table7")
"""Tables whose models train on one data set and are tested on another."""

NOT_GIVEN = "data set not given, or not with these classes"
SPLIT = {"dfme": "test_a"}
"""Data set -> the split that the paper means by it; its DFME of 474 clips is test split A."""
_NO_CODES = ("au=none", "train.au_weight=0")
_DEPTHS = ("model.graph_layers=3", "model.transformer_layers=5")


@dataclass(frozen=True)
class Bench:
    """Settings, protocol, folder and data sets of the runs of a table."""

    sources: Sources
    config: Config
    out: Path
    protocol: str
    folds: int
    seeds: Sequence[int]
    jobs: int

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of an evaluation by the protocol."""
        return {"protocol": self.protocol, "folds": self.folds, "seeds": self.seeds, "jobs": self.jobs}

    def motion(self, name: str, classes: str) -> MotionSet | None:
        """Return a data set as the paper means it; a motion file without a split is taken as it is."""
        part = self.sources.motion(name, classes, SPLIT[name]) if name in SPLIT else None
        return self.sources.motion(name, classes) if part is None else part

    def changed(self, settings: Sequence[str]) -> Bench:
        """Return the same with other settings."""
        return replace(self, config=self.config.override(settings))

    def within(self, name: str, motion: MotionSet) -> Result:
        """Evaluate one set by the protocol, in the run folder of that name."""
        return evaluate(motion, self.config, out=self.out / "runs" / name, **self.options)

    def across(self, name: str, train: MotionSet, test: MotionSet) -> Result:
        """Train on one set and test on the other."""
        pair = common_classes(train, test)
        return evaluate_split(*pair, self.config, seeds=self.seeds, out=self.out / "runs" / name, jobs=self.jobs)


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
) -> PaperTable:
    """Run what a table of the paper needs, and show published and measured numbers side by side.

    Rows of unnamed data sets get a note instead of a measured number. Extracted and trained results are kept; the same
    call computes only what is missing. ``out`` gets the runs, and the table as JSON, CSV, LaTeX and HTML. The
    paper's AU source is ``annotated``, and ``gkf`` gives its five folds. Further arguments are those of
    :func:`~stag.evaluation.evaluate.evaluate`.

    Raises:
        ConfigError: The paper has no such table.
        DatasetError: None of the data sets of the table was named.
        RunError: As for :func:`~stag.evaluation.evaluate.evaluate`.
    """
    rows_published, folder = published(table), Path(out)
    bench = Bench(sources, config, folder, protocol, folds, seeds, jobs)
    columns = [rows_published[name] for name in ("dataset", "source", "target") if name in rows_published]
    alone = "samm" if table == "table5" else "dfme"  # tables of a single data set do not name it
    needed = list(dict.fromkeys(SETS[str(name)] for column in columns for name in column)) or [alone]
    named = {*sources.roots, *(name.partition(":")[0] for name in sources.files)}
    missing = [name for name in needed if name not in named]
    if len(missing) == len(needed):
        raise DatasetError(
            f"{table} needs {' or '.join(needed)}; name what you have by `root=NAME=DIR` or `motion=NAME=FILE.npz`"
        )
    rows = _MAKERS[table](bench, rows_published, progress or _silent)
    simulated = any(row.simulated for row in rows)
    content = PaperTable(
        table=table,
        title=TABLES[table][1] + (" (measured on simulated clips)" if simulated else ""),
        protocol="cross-dataset" if table in ACROSS else protocol,
        subject_dependent=protocol == "skf" and table not in ("table2", *ACROSS),
        folds=folds,
        seeds=list(seeds),
        au_source=config.au,
        simulated=simulated,
        missing=missing,
        rows=rows,
        conflicts=list(CONFLICTS[table]),
        notes=_notes(table, config, protocol, simulated, missing),
    )
    title, shown = f"{table}: {content.title}", printed(rows)
    remarks = [*content.notes, *(f"the paper: {conflict}" for conflict in content.conflicts)]
    write_json(folder / f"{table}.json", content.plain())
    write_text(folder / f"{table}.csv", in_full(rows).to_csv(index=False, lineterminator="\n"))
    write_text(folder / f"{table}.tex", latex_text(title, shown, remarks))
    write_text(folder / f"{table}.html", html_text(title, shown, remarks))
    return content


def _class_counts(bench: Bench, table: pd.DataFrame, progress: Progress) -> list[PaperRow]:
    """Table 2: number of clips of each class, with classes that the paper does not name."""
    rows: list[PaperRow] = []
    groups = list(table.groupby(["dataset", "classes"], sort=False))
    for done, (key, part) in enumerate(groups, start=1):
        dataset, classes = map(str, key)
        counts, simulated, note = _counts(bench.sources, SETS[dataset], classes)
        published = dict(zip((str(name).lower() for name in part["class"]), part["count"], strict=True))
        rows += [
            PaperRow(
                labels={"data set": dataset, "classes": int(classes), "class": name},
                published={"clips": int(published[name])} if name in published else {},
                measured=None if counts is None else {"clips": counts.get(name, 0)},
                simulated=simulated,
                note=note if name in published else "not in the paper",
            )
            for name in [*published, *sorted(set(counts or ()) - set(published))]
        ]
        progress(done, len(groups))
    return rows


def _counts(sources: Sources, name: str, classes: str) -> tuple[dict[str, int] | None, bool, str]:
    try:
        if name in sources.roots:
            table = sources.table(name, classes, SPLIT.get(name))
            return dict(Counter(table.classes)), table.simulated, ""
        motion = sources.motion(name, classes)
    except DatasetError as error:
        return None, False, str(error)
    if motion is None:
        return None, False, NOT_GIVEN
    return dict(Counter(motion.label.tolist())), motion.simulated, ""


def _scores(bench: Bench, table: pd.DataFrame, progress: Progress) -> list[PaperRow]:
    """Tables 3 and 4: STAG is measured for each set and number of classes, other methods are quoted."""

    def label(row: Record) -> dict[str, Any]:
        setting = str(row.get("setting") or f"{row['classes']}-class")
        return {"data set": row["dataset"], "classes": setting, "method": row["method"]}

    def measure(row: Record) -> Measured:
        dataset, setting, method = label(row).values()
        return _one_set(bench, SETS[dataset], setting) if method.startswith("STAG") else Measured()

    return rows_of(table, progress, label, measure)


def _one_set(bench: Bench, name: str, setting: str) -> Measured:
    if setting.startswith("Test"):
        split = "test_" + setting[-1].lower()
        train, test = (bench.sources.motion(name, "7", part) for part in ("train", split))
        if train is None or test is None:
            return Measured(note="data set not given, or not with these splits")
        return Measured.of(bench.across(f"{name}-{split}", train, test))
    classes = setting.split("-")[0]
    motion = bench.motion(name, classes)
    if motion is None:
        return Measured(note=NOT_GIVEN)
    bare = bench.config.au == "annotated" and not has_codes(motion)
    result = (bench.changed(["au=none"]) if bare else bench).within(f"{name}-{classes}", motion)
    return Measured.of(result, "without AUs: the set has no codes" if bare else "")


def _ablation(bench: Bench, table: pd.DataFrame, progress: Progress) -> list[PaperRow]:
    """Table 5."""
    motion = bench.sources.motion("samm", "3")
    if motion is None:
        raise DatasetError("table5 needs SAMM with three classes; extract it with `scheme=paper3` or `scheme=megc3`")
    config = bench.config.override(_DEPTHS)
    study = ablate(motion, config, only=PAPER_PARTS, paper_rows=True, out=bench.out, progress=progress, **bench.options)
    by_name = {(row.category, row.configuration): row for row in study.rows}

    def measure(record: Record) -> Measured:
        row = by_name.get((record["category"], record["configuration"]))
        if row is None:
            return Measured()
        return Measured(row.scores, study.simulated and bool(row.scores), row.skipped or "")

    return rows_of(table, _silent, lambda row: {name: row[name] for name in ("category", "configuration")}, measure)


def _across(bench: Bench, table: pd.DataFrame, progress: Progress) -> list[PaperRow]:
    """Tables 6 and 7: train on one set and test on another."""
    classes = "basic5" if "f1_anger" in table else "3"

    def measure(row: Record) -> Measured:
        source, target = SETS[str(row["source"])], SETS[str(row["target"])]
        try:
            train, test = (bench.motion(name, classes) for name in (source, target))
            if train is None or test is None:
                return Measured(note="data set not given")
            bare = bench.config.au == "annotated" and not (has_codes(train) and has_codes(test))
            arm = bench.changed(["au=none"]) if bare else bench
            result = arm.across(f"{source}-{target}-{classes}", train, test)
            return Measured.of(result, "without AUs: a set has no codes" if bare else "")
        except DatasetError as error:
            return Measured(note=str(error))

    return rows_of(table, progress, lambda row: {"from": row["source"], "to": row["target"]}, measure)


def _regions(bench: Bench, table: pd.DataFrame, progress: Progress) -> list[PaperRow]:
    """Tables 8 to 10: regions and action units on DFME."""
    emotions = [str(name).removeprefix("f1_") for name in table.columns if str(name).startswith("f1_")]
    classes = BASIC5.name if set(emotions) == set(BASIC5.classes) else str(len(emotions))
    motion = bench.motion("dfme", classes)
    if motion is None:
        raise DatasetError(
            f"this table needs DFME with {', '.join(emotions)}; extract it with `scheme={SCHEMES_OF[classes][-1]}`"
        )

    def measure(row: Record) -> Measured:
        au = "annotated" if row["au"] == "Yes" else "none"
        try:
            chosen = with_layout(motion, f"roi{row['rois']}")
            arm = bench.changed(["au=annotated"] if au == "annotated" else _NO_CODES)
            return Measured.of(arm.within(f"dfme-{classes}-roi{row['rois']}-{au}", chosen))
        except DatasetError as error:
            return Measured(note=str(error))

    return rows_of(table, progress, lambda row: {"regions": int(row["rois"]), "AUs": row["au"]}, measure)


def _silent(done: int, total: int) -> None:
    """Report no progress."""


_MAKERS: dict[str, Callable[[Bench, pd.DataFrame, Progress], list[PaperRow]]] = {
    "table2": _class_counts,
    **dict.fromkeys(("table3", "table4"), _scores),
    "table5": _ablation,
    **dict.fromkeys(ACROSS, _across),
    **dict.fromkeys(("table8", "table9", "table10"), _regions),
}


def _notes(table: str, config: Config, protocol: str, simulated: bool, missing: Sequence[str]) -> list[str]:
    notes = []
    if simulated:
        notes.append("measured on simulated clips, not on people; only the machinery can be compared")
    if missing:
        notes.append(f"data sets not given: {', '.join(missing)}")
    if table == "table2":
        return notes
    if protocol == "skf" and table not in ACROSS:
        notes.append("subject-dependent: train and test share subjects")
    if config.au == "annotated":
        notes.append("annotated action units are read at test time, as in the paper; nobody has them for a new video")
    return [*notes, "measured UF1 and UAR are means over folds, as the paper reports; pooled UF1 is given beside them"]
