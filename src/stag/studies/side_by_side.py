"""Tables of studies and scores as aligned text, LaTeX and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from stag.evaluation.metrics import METRICS
from stag.evaluation.results import Interval, ScoredFile
from stag.studies.results import AblationRow, Gap, PaperRow, StudyResult, StudyScores

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{ title }}</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}th,td{padding:.25rem .7rem;text-align:left;border-bottom:1px solid #ddd}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}li{text-align:left;color:#555}</style>
<h1>{{ title }}</h1>
<table>
<thead><tr>{% for name in columns %}<th{{ " class=n" if name in right }}>{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}<tr>{% for name, text in row.items() %}<td{{ " class=n" if name in right }}>{{ text }}</td>
{%- endfor %}</tr>
{% endfor %}</tbody></table>
<ul>{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>
</html>
"""


def table_of(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return rows as a table whose whole numbers stay whole beside empty cells."""
    return pd.DataFrame([list(row) for row in rows], columns=list(columns), dtype=object)


def cell(value: Any) -> str:
    """Return a value as text: four decimals of a score, empty where there is none.

    Example:
        >>> cell(0.91123), cell(None), cell(255)
        ('.9112', '', '255')
    """
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float):
        text = f"{value:.4f}"
        return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
    return str(value)


def interval_text(ends: Interval | None) -> str:
    """Return ``[.8123, .9034]``, or empty text."""
    return f"[{cell(ends[0])}, {cell(ends[1])}]" if ends else ""


def text_lines(table: pd.DataFrame) -> list[str]:
    """Return a table as aligned lines; columns of numbers are flush right."""
    right = _numeric(table)
    columns = []
    for name in table:
        texts = [str(name), *table[name].map(cell)]
        width = max(map(len, texts))
        columns.append([text.rjust(width) if name in right else text.ljust(width) for text in texts])
    return ["  ".join(line).rstrip() for line in zip(*columns, strict=True)]


def latex_text(title: str, table: pd.DataFrame, notes: Sequence[str]) -> str:
    """Return a table in LaTeX, for the package booktabs; notes are comments above it."""
    right = _numeric(table)
    layout = "".join("r" if name in right else "l" for name in table)
    body = table.map(cell).to_latex(index=False, escape=True, caption=title, column_format=layout)
    return "".join(f"% {note}\n" for note in notes) + body


def html_text(title: str, table: pd.DataFrame, notes: Sequence[str]) -> str:
    """Return a table as one self-contained page."""
    from jinja2 import Environment

    page = Environment(autoescape=True).from_string(_PAGE, {"title": title, "notes": notes, "right": _numeric(table)})
    return page.render(columns=list(table), rows=table.map(cell).to_dict("records")) + "\n"


def study_lines(study: StudyResult) -> list[str]:
    """Return the rows of an ablation or audit for a terminal: UF1, its interval and difference, UAR."""
    rows = []
    for row in study.rows:
        scores, gap = row.scores or StudyScores(), (row.difference or {}).get("uf1") or Gap()
        texts = [row.category, row.configuration] if isinstance(row, AblationRow) else [row.leak, row.against]
        spread = interval_text((scores.ci95 or {}).get("uf1"))
        last = interval_text(gap.ci95) or (f"not run: {row.skipped}" if row.skipped else "")
        rows.append([*texts, scores.uf1, spread, scores.uar, signed(gap.value), last])
    names = ("category", "configuration") if study.kind == "ablation" else ("leak", "against")
    return text_lines(table_of([*names, "UF1", "95 %", "UAR", "difference", "95 % of it"], rows))


def score_lines(found: ScoredFile) -> list[str]:
    """Return the result of :func:`stag.evaluation.prediction_file.score_predictions` for a terminal."""
    pooled, seeds = found.pooled, len(found.seeds)

    def row(name: str, values: Any, field: str = "{}") -> list[Any]:
        return [name, *(getattr(values, field.format(metric)) for metric in METRICS)]

    rows = [row("pooled", pooled), ["  95 % over subjects", *(interval_text(found.ci95[m]) for m in METRICS)]]
    if found.folds:
        rows += [row("mean of folds", found.folds, "{}_mean"), row("  deviation of folds", found.folds, "{}_std")]
    if seeds > 1:
        rows.append(row("deviation of seeds", found.seeds_spread))
    if len(found.per_dataset) > 1:
        rows += [row(f"data set {name}", scores) for name, scores in found.per_dataset.items()]
    each = [[name, found.class_counts[name], pooled.f1[name], pooled.recall[name]] for name in found.classes]
    counted = f"{found.n_clips} clips, {found.n_subjects} subjects, {found.n_folds} folds"
    return [
        counted + (f", {seeds} seeds" if seeds > 1 else ""),
        *text_lines(table_of(("", "UF1", "UAR", "WAR"), rows)),
        *text_lines(table_of(("class", "clips", "F1", "recall"), each)),
        *(f"note  {note}" for note in found.notes),
    ]


def printed(rows: Sequence[PaperRow]) -> pd.DataFrame:
    """Return the table for a reader: labels, published and measured numbers, remarks."""
    counted = "clips" in rows[0].published
    scores = ["UF1 published", "UF1 measured", "UAR published", "UAR measured", "UF1 pooled", "95 %"]
    cells = []
    for row in rows:
        paper, own = row.published, row.measured or {}
        spread = interval_text((own.get("ci95") or {}).get("uf1"))
        values = [paper.get("uf1"), own.get("uf1"), paper.get("uar"), own.get("uar"), own.get("uf1_pooled"), spread]
        clips = [paper.get("clips"), own.get("clips")]
        cells.append([*row.labels.values(), *(clips if counted else values), row.note])
    return table_of([*rows[0].labels, *(["published", "measured"] if counted else scores), "remark"], cells)


def in_full(rows: Sequence[PaperRow]) -> pd.DataFrame:
    """Return every number, for the CSV."""
    table = []
    for row in rows:
        flat = {**row.labels, **{f"published_{name}": _plain(value) for name, value in row.published.items()}}
        for name, value in (row.measured or {}).items():
            if name != "ci95":
                flat[f"measured_{name}"] = _plain(value)
                continue
            for metric, (low, high) in value.items():
                flat |= {f"measured_{metric}_low": low, f"measured_{metric}_high": high}
        table.append({**flat, "simulated": row.simulated, "note": row.note})
    full, ends = pd.DataFrame(table), ["simulated", "note"]
    return full[[*full.columns.drop(ends), *ends]]


def _plain(value: Any) -> Any:
    """Return a list of numbers as the paper writes it, with spaces."""
    return " ".join(map(str, value)) if isinstance(value, list) else value


def signed(value: float | None) -> str:
    """Return a difference with its sign, ``+.0312``."""
    return "" if value is None else ("+" if value >= 0 else "") + cell(float(value))


def _numeric(table: pd.DataFrame) -> set[str]:
    """Return the columns that contain only numbers and empty cells."""
    filled = {name: [value for value in table[name] if value is not None] for name in table}
    return {str(n) for n, values in filled.items() if values and all(isinstance(v, int | float) for v in values)}
