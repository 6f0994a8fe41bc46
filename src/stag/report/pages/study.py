"""An ablation or an audit prepared for the page: one row a variant or leak, beside what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from stag.evaluation.metrics import METRICS
from stag.report.pages.face import View, inline_plot
from stag.report.plots.scores import differences_figure
from stag.report.wording import share, signed
from stag.studies.results import AblationRow, Gap, StudyResult, StudyRow

_TITLES = {"ablation": "What each part is worth", "audit": "What each leak would be worth"}
_LEADS = {
    "ablation": (
        "The full model, and the same model with one thing changed at a time, on the same clips and folds. A "
        "difference below zero means that the change costs accuracy."
    ),
    "audit": (
        "The same clips and the same model, scored honestly and with one mistake at a time. A difference above zero is "
        "accuracy that does not exist: it comes from the mistake, not from the model."
    ),
}
_BASES = {"ablation": "full model", "audit": "honest run"}


def study_view(study: StudyResult) -> View:
    """Return everything that ``study.html.j2`` shows."""
    rows = [_row(row, study.base.uf1) for row in study.rows]
    base = _BASES[study.kind]
    measured = [row for row in study.rows if row.difference and _gap(row, "uf1").value is not None]
    gaps = [_gap(row, "uf1") for row in measured]
    tag = " on simulated data" if study.simulated else ""
    return {
        "study": study,
        "kind": study.kind,
        "title": _TITLES[study.kind],
        "lead": _LEADS[study.kind],
        "base": base,
        "counts": _counts(study),
        "tiles": [
            {
                "name": metric.upper(),
                "value": share(getattr(study.base, metric), 3),
                "interval": _interval((study.base.ci95 or {}).get(metric)),
            }
            for metric in METRICS
        ],
        "groups": _groups(rows),
        "finding": _finding(measured, study.kind),
        "plot": inline_plot(
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
        "facts": [(name, text) for name, text in _facts(study) if text],
    }


def _gap(row: StudyRow, metric: str) -> Gap:
    return (row.difference or {}).get(metric) or Gap()


def _row(row: StudyRow, base: float | None) -> View:
    gap = _gap(row, "uf1")
    low, high = gap.ci95 or (None, None)
    scores, is_full = row.scores, isinstance(row, AblationRow) and row.is_full
    return {
        "name": row.name,
        "category": row.category if isinstance(row, AblationRow) else "",
        "explanation": "" if isinstance(row, AblationRow) else row.explanation,
        "against": "" if isinstance(row, AblationRow) else row.against,
        "reference": share(base if isinstance(row, AblationRow) or not row.reference else row.reference.uf1, 3),
        "first": is_full,
        **{metric: share(getattr(scores, metric) if scores else None, 3) for metric in METRICS},
        "interval": _interval(((scores.ci95 if scores else None) or {}).get("uf1")),
        "difference": "the full model" if is_full else signed(gap.value),
        "gap": "" if is_full else _gap_words(low, high),
        "is_clear": gap.is_clear,
        "skipped": row.skipped or "",
    }


def _gap_words(low: float | None, high: float | None) -> str:
    return f"{signed(low)} to {signed(high)}" if low is not None and high is not None else ""


def _interval(interval: tuple[float | None, float | None] | None) -> str:
    low, high = interval or (None, None)
    return f"{share(low, 3)}–{share(high, 3)}" if low is not None and high is not None else "not measured"


def _groups(rows: Sequence[View]) -> list[tuple[str, list[View]]]:
    names = dict.fromkeys(row["category"] for row in rows)
    return [(name, [row for row in rows if row["category"] == name]) for name in names]


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


def _counts(study: StudyResult) -> str:
    parts = [f"{study.n_clips} clips of {study.n_subjects} people"] if study.n_clips else []
    parts += [f"{len(study.rows)} rows"]
    return " · ".join(parts)


def _facts(study: StudyResult) -> list[tuple[str, str]]:
    return [
        ("protocol", study.protocol),
        ("action units", study.au_source),
        ("selection of epochs", study.selection.replace("-", " ")),
        ("seeds", ", ".join(map(str, study.seeds))),
        ("data", "simulated" if study.simulated else "recorded"),
        *(("remark", note) for note in study.notes),
    ]
