"""An evaluation prepared for the page: tiles, tables, plots, and the warnings that belong beside its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from stag.evaluation.results import RunResult
from stag.report.pages.face import View, inline_plot
from stag.report.plots.scores import baseline_figure, confusion_figure, subject_figure
from stag.report.wording import share, signed

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
    """Return everything that ``run.html.j2`` shows of a result and its prediction table."""
    subjects = _by_subject(table)
    answers = len(table)
    protocol = _PROTOCOLS.get(run.protocol, run.protocol)
    several = len(run.seeds) > 1
    tag = " on simulated data" if run.simulated else ""
    plots = {
        "baselines": _baseline_plot(run, tag),
        "confusion": inline_plot(
            confusion_figure(np.array(run.pooled.confusion, dtype=float), run.classes),
            "confusion",
            "Confusion matrix" + tag + ": " + "; ".join(_confusion_words(run)) + ".",
            "Answers, and their share of the row. Rows are the truth, columns the prediction."
            + (f" Summed over {len(run.seeds)} seeds." if several else ""),
        ),
        "subjects": inline_plot(
            subject_figure(subjects["accuracy"].to_numpy(float), subjects["clips"].to_numpy(float), _accuracy(table)),
            "subjects",
            f"Accuracy of {len(subjects)} people{tag}: from {share(subjects['accuracy'].min())} to "
            f"{share(subjects['accuracy'].max())}, median {share(subjects['accuracy'].median())}.",
            f"One disc a person, larger with more clips; median {share(subjects['accuracy'].median())}, over all "
            f"{answers} answers {share(_accuracy(table))}.",
        ),
    }
    return {
        "run": run,
        "title": protocol[:1].upper() + protocol[1:],
        "counts": _counts(run),
        "counted": "answers" if several else "clips",
        "warnings": _warnings(run),
        "tiles": [_tile(run, metric) for metric in _METRICS],
        "scores_note": _scores_note(run),
        "baselines": _baseline_rows(run),
        "classes": [
            {
                "name": name,
                "count": sum(run.pooled.confusion[i]),
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
        "facts": _facts(run),
        "plots": plots,
    }


def _counts(run: RunResult) -> str:
    datasets = ", ".join(run.per_dataset)
    text = f"{run.n_clips} clips of {run.n_subjects} people"
    return f"{text} · {datasets} · {len(run.classes)} classes" if datasets else f"{text} · {len(run.classes)} classes"


def _warnings(run: RunResult) -> list[tuple[str, str]]:
    warnings = []
    if run.simulated:
        warnings.append(
            (
                "Simulated data.",
                "These clips were made by a program; no real face was filmed. Every number on this page shows that the "
                "pipeline works, and says nothing about accuracy on real people.",
            )
        )
    if run.subject_dependent:
        warnings.append(
            (
                "Subject-dependent.",
                "The same people are in the training and the test set, so the model may recognise a person instead of "
                "an expression. Do not compare these scores with leave-one-subject-out results.",
            )
        )
    if "leaky" in run.selection:
        warnings.append(
            (
                "Leaky selection.",
                f"Choices were made by {run.selection}: the test data took part, so the scores are too high.",
            )
        )
    if run.au_source == "annotated":
        warnings.append(
            (
                "Annotated action units.",
                "The model was given the experts' codes of the test clips. Nobody has these for a new video; read the "
                "scores against the AU-only baseline.",
            )
        )
    return warnings


def _tile(run: RunResult, metric: str) -> View:
    name, meaning = _METRICS[metric]
    interval = run.ci95.get(metric)
    mean, spread = getattr(run.folds, f"{metric}_mean"), getattr(run.folds, f"{metric}_std")
    return {
        "name": name,
        "meaning": meaning,
        "pooled": share(getattr(run.pooled, metric), 3),
        "interval": f"{share(interval[0], 3)}–{share(interval[1], 3)}" if interval else "not measured",
        "folds": f"{share(mean, 3)} ± {share(spread, 3)}" if mean is not None and _n_folds(run) > 1 else "",
    }


def _name(run: RunResult) -> str:
    return "STAG" if run.method == "stag" else run.method


def _n_folds(run: RunResult) -> int:
    return run.units.total // len(run.seeds)


def _scores_note(run: RunResult) -> str:
    note = "Pooled: the answers of all folds are counted together, then scored, as in most published work. "
    if _n_folds(run) > 1:
        note += (
            "Mean of folds: every fold is scored alone, over the classes that occur in it, then averaged (± standard "
            "deviation). The two can differ by several points on the same answers, so compare like with like. "
        )
    return note + "Intervals come from resampling people, not clips."


def _baseline_rows(run: RunResult) -> list[View]:
    rows = [
        {
            "name": _name(run),
            "meaning": "the method of this run",
            "first": True,
            "uf1": share(run.pooled.uf1, 3),
            "uar": share(run.pooled.uar, 3),
            "difference": "",
        }
    ]
    for key, scores in run.baselines.items():
        name, meaning = _BASELINES.get(key, (key.replace("_", " "), ""))
        measured = scores is not None and scores.uf1 is not None
        uf1 = scores.uf1 if scores is not None else None
        rows.append(
            {
                "name": name,
                "meaning": meaning,
                "uf1": share(uf1, 3) if measured else _NOT_MEASURED,
                "uar": share(scores.uar, 3) if measured and scores is not None else _NOT_MEASURED,
                "difference": signed(uf1 - run.pooled.uf1) if uf1 is not None else "",
            }
        )
    return rows


def _baseline_plot(run: RunResult, tag: str) -> View:
    scores = [(_name(run), run.pooled.uf1, run.pooled.uar)]
    for key, value in run.baselines.items():
        if value is not None and value.uf1 is not None and value.uar is not None:
            scores.append((_BASELINES.get(key, (key.replace("_", " "), ""))[0], value.uf1, value.uar))
    low, high = run.ci95.get("uf1") or (None, None)
    interval = (low, high) if low is not None and high is not None else None
    words = "; ".join(f"{name} UF1 {share(uf1)}, UAR {share(uar)}" for name, uf1, uar in scores)
    caption = "Pooled UF1 and UAR; the number is UF1."
    if len(scores) == 1:
        caption += " No baseline was measured in this run."
    return inline_plot(baseline_figure(scores, interval), "baselines", words + tag, caption)


def _confusion_words(run: RunResult) -> list[str]:
    return [
        f"{name}: {row[i]} of {sum(row)} right"
        for i, (name, row) in enumerate(zip(run.classes, run.pooled.confusion, strict=True))
    ]


def _accuracy(table: pd.DataFrame) -> float:
    return float((table["truth"] == table["predicted"]).mean())


def _by_subject(table: pd.DataFrame) -> pd.DataFrame:
    right = table.assign(right=table["truth"] == table["predicted"])
    groups = right.groupby(["dataset", "subject"], sort=True)
    return groups.agg(clips=("clip_id", "nunique"), accuracy=("right", "mean")).reset_index()


def _dataset_rows(run: RunResult, table: pd.DataFrame) -> list[View]:
    rows = []
    for name, scores in run.per_dataset.items():
        part = table[table["dataset"] == name]
        rows.append(
            {
                "name": name,
                "clips": part["clip_id"].nunique(),
                "people": part["subject"].nunique(),
                **{metric: share(getattr(scores, metric), 3) for metric in _METRICS},
            }
        )
    return rows


def _facts(run: RunResult) -> list[tuple[str, Any]]:
    known = _PROTOCOLS.get(run.protocol)
    facts = [
        ("protocol", f"{run.protocol}: {known}" if known else run.protocol),
        ("people", "shared by training and test" if run.subject_dependent else "no person is in training and test"),
        ("action units", _AU_SOURCES.get(run.au_source, run.au_source)),
        ("selection of epochs", run.selection.replace("-", " ") if "leaky" not in run.selection else run.selection),
        ("seeds", ", ".join(map(str, run.seeds))),
        ("units of work", f"{run.units.done} of {run.units.total} done"),
        ("data", "simulated" if run.simulated else "recorded"),
    ]
    if run.protocol == "fixed":
        facts[1] = ("people", "whether the model has seen these people, only its user can know")
    return facts + [("remark", note) for note in run.notes]
