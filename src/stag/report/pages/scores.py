"""The values that the templates show of an evaluation, an ablation or an audit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from stag.evaluation.metrics import METRICS
from stag.evaluation.results import RunResult
from stag.report.export import View
from stag.report.pages.face import inline_plot
from stag.report.plots.scores import baseline_figure, confusion_figure, differences_figure, subject_figure
from stag.report.wording import interval_text, share, signed
from stag.studies.results import AblationRow, Gap, StudyResult, StudyRow
from stag.utils.choices import au_text

_METRICS = {
    "uf1": ("UF1", "mean F1 of the classes"),
    "uar": ("UAR", "mean recall of the classes"),
    "war": ("WAR", "share of right answers"),
}
_PROTOCOLS = {
    "loso": "leave one subject out",
    "gkf": "group k-fold by subject",
    "skf": "stratified k-fold, subject-dependent",
    "cross-dataset": "trained on one data set, tested on another",
    "fixed": "a finished model, no training",
}
_BASELINES = {
    "majority": ("majority", "always the most frequent class"),
    "motion_svm": ("motion SVM", "support vector machine on the same motion"),
    "motion_logistic": ("motion logistic", "logistic regression on the same motion"),
    "au_only": ("AU only", "annotated action units alone, no video"),
}
_AU_SOURCES = {
    "none": "none: only motion was used",
    "predicted": "predicted: the model's own estimates were an input",
    "annotated": "annotated: the experts' codes were an input, also at test time",
}
_NOT_MEASURED = "not measured"


def run_view(run: RunResult, table: pd.DataFrame) -> View:
    """Return the values of ``run.html.j2`` for a result and its prediction table."""
    right = table.assign(right=table["truth"] == table["predicted"])
    groups = right.groupby(["dataset", "subject"], sort=True)
    subjects = groups.agg(clips=("clip_id", "nunique"), accuracy=("right", "mean")).reset_index()
    accuracy, median = float(right["right"].mean()), share(subjects["accuracy"].median())
    several = len(run.seeds) > 1
    tag = " on simulated data" if run.simulated else ""
    baselines = _baseline_rows(run)
    rows = run.pooled.confusion
    counts = [f"{name}: {rows[i][i]} of {sum(rows[i])} right" for i, name in enumerate(run.classes)]
    plots = {
        "baselines": _baseline_plot(run, baselines, tag),
        "confusion": inline_plot(
            confusion_figure(np.array(run.pooled.confusion, dtype=float), run.classes),
            "confusion",
            f"Confusion matrix{tag}: {'; '.join(counts)}.",
            "Answers, and their share of the row. Rows are the truth, columns the prediction."
            + (f" Summed over {len(run.seeds)} seeds." if several else ""),
        ),
        "subjects": inline_plot(
            subject_figure(subjects["accuracy"].to_numpy(float), subjects["clips"].to_numpy(float), accuracy),
            "subjects",
            f"Accuracy of {len(subjects)} people{tag}: from {share(subjects['accuracy'].min())} to "
            f"{share(subjects['accuracy'].max())}, median {median}.",
            f"One disc a person, larger with more clips; median {median}, over all {len(table)} answers "
            f"{share(accuracy)}.",
        ),
    }
    return {
        "run": run,
        "protocol": _PROTOCOLS.get(run.protocol, ""),
        "au_source": au_text(_AU_SOURCES.get(run.au_source, run.au_source), run.au_supervision),
        "counted": "answers" if several else "clips",
        "metrics": _METRICS,
        "several_folds": run.units.total // len(run.seeds) > 1,
        "baselines": baselines,
        "classes": [
            {
                "name": name,
                "count": sum(rows[i]),
                "f1": share(run.pooled.f1.get(name)),
                "recall": share(run.pooled.recall.get(name)),
            }
            for i, name in enumerate(run.classes)
        ],
        "datasets": _dataset_rows(run, table) if len(run.per_dataset) > 1 else [],
        "subjects": [
            {"dataset": d, "subject": s, "clips": int(n), "accuracy": share(a)}
            for d, s, n, a in subjects[["dataset", "subject", "clips", "accuracy"]].itertuples(index=False)
        ],
        "plots": plots,
    }


def _baseline_rows(run: RunResult) -> list[View]:
    """Return the method of the run, then every baseline; scores are ``None`` where one was not measured."""
    own = {"name": "STAG" if run.method == "stag" else run.method, "meaning": "the method of this run", "first": True}
    rows = [own | {"scores": run.pooled, "uf1": share(run.pooled.uf1, 3), "uar": share(run.pooled.uar, 3)}]
    for key, scores in run.baselines.items():
        name, meaning = _BASELINES.get(key, (key.replace("_", " "), ""))
        row: View = {"name": name, "meaning": meaning, "scores": None, "uf1": _NOT_MEASURED, "uar": _NOT_MEASURED}
        if scores is not None and scores.uf1 is not None:
            row |= {"scores": scores, "uf1": share(scores.uf1, 3), "uar": share(scores.uar, 3)}
            row["difference"] = signed(scores.uf1 - run.pooled.uf1)
        rows.append(row)
    return [{"difference": ""} | row for row in rows]


def _baseline_plot(run: RunResult, rows: list[View], tag: str) -> View:
    measured = [(row["name"], row["scores"].uf1, row["scores"].uar) for row in rows if row["scores"] is not None]
    measured = [(name, uf1, uar) for name, uf1, uar in measured if uar is not None]
    low, high = run.ci95.get("uf1") or (None, None)
    interval = (low, high) if low is not None and high is not None else None
    words = "; ".join(f"{name} UF1 {share(uf1)}, UAR {share(uar)}" for name, uf1, uar in measured)
    caption = "Pooled UF1 and UAR; the number is UF1."
    if len(measured) == 1:
        caption += " No baseline was measured in this run."
    return inline_plot(baseline_figure(measured, interval), "baselines", words + tag, caption)


def _dataset_rows(run: RunResult, table: pd.DataFrame) -> list[View]:
    counts = table.groupby("dataset")[["clip_id", "subject"]].nunique().reindex(list(run.per_dataset), fill_value=0)
    return [
        {"name": name, "clips": clips, "people": people}
        | {metric: share(getattr(run.per_dataset[name], metric), 3) for metric in METRICS}
        for name, clips, people in counts.itertuples()
    ]


def study_view(study: StudyResult) -> View:
    """Return the values of ``study.html.j2``."""
    # Sorted by the first row of each category.
    categories = list(dict.fromkeys(_category(row) for row in study.rows))
    ordered: list[StudyRow] = sorted(study.rows, key=lambda row: categories.index(_category(row)))
    shown = [_row(row, study.base.uf1) for row in ordered]
    measured = [row for row in study.rows if row.difference and _gap(row, "uf1").value is not None]
    gaps = [_gap(row, "uf1") for row in measured]
    tag = " on simulated data" if study.simulated else ""
    return {
        "study": study,
        "groups": [(name, list(group)) for name, group in groupby(shown, key=lambda row: row["category"])],
        "finding": _finding(measured, study.kind),
        "plot_view": inline_plot(
            differences_figure(
                [(row.name, gap.value or 0.0, gap.ends) for row, gap in zip(measured, gaps, strict=True)]
            ),
            "differences",
            f"Differences of UF1 to what each is compared with{tag}: "
            + "; ".join(f"{row.name} {signed(_gap(row, 'uf1').value)}" for row in measured)
            + ".",
            "UF1 of each row less that of its reference; the line is the 95 % interval, from resampling people. Where "
            "it crosses zero, these clips cannot tell.",
        )
        if measured
        else None,
    }


def _gap(row: StudyRow, metric: str) -> Gap:
    return (row.difference or {}).get(metric) or Gap()


def _row(row: StudyRow, base: float | None) -> View:
    gap = _gap(row, "uf1")
    scores, is_full = row.scores, isinstance(row, AblationRow) and row.is_full
    return {
        "name": row.name,
        "category": _category(row),
        "explanation": "" if isinstance(row, AblationRow) else row.explanation,
        "against": "" if isinstance(row, AblationRow) else row.against,
        "reference": share(base if isinstance(row, AblationRow) or not row.reference else row.reference.uf1, 3),
        "first": is_full,
        **{metric: share(getattr(scores, metric) if scores else None, 3) for metric in METRICS},
        "interval": interval_text(((scores.ci95 if scores else None) or {}).get("uf1")),
        "difference": "the full model" if is_full else signed(gap.value),
        "gap": " to ".join(map(signed, gap.ends)) if gap.ends and not is_full else "",
        "is_clear": gap.is_clear,
        "skipped": row.skipped or "",
    }


def _category(row: StudyRow) -> str:
    return row.category if isinstance(row, AblationRow) else ""


def _finding(rows: Sequence[StudyRow], kind: str) -> str:
    gaps = [
        (row.name, _gap(row, "uf1").value or 0.0) for row in rows if not (isinstance(row, AblationRow) and row.is_full)
    ]
    if not gaps:
        return "No row could be measured."
    pick = min if kind == "ablation" else max
    name, value = pick(gaps, key=lambda pair: pair[1])
    clear = sum(_gap(row, "uf1").is_clear for row in rows)
    evidence = f"{clear} of {len(gaps)} differences are larger than chance between people would explain."
    if kind == "ablation":
        return f"The largest loss of UF1 is {signed(value)}: {name}. {evidence}"
    return f"The most flattering leak is worth {signed(value)} UF1: {name.removesuffix(' (leaky)')}. {evidence}"
