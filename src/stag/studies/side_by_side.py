"""A table as plain text, CSV, LaTeX and HTML, with published and measured numbers beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from stag.evaluation.metrics import METRICS

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse}th,td{padding:.25rem .7rem;text-align:left;border-bottom:1px solid #ddd}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}caption,li{text-align:left;color:#555}"
)
_SPECIAL = {"&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "±": r"$\pm$"}


def cell(value: Any) -> str:
    """A value for a reader: four digits of a score, nothing where there is nothing.

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


def interval_text(ends: Sequence[float] | None) -> str:
    """``[.8123, .9034]``, or nothing."""
    return f"[{cell(float(ends[0]))}, {cell(float(ends[1]))}]" if ends else ""


def text_lines(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Rows as aligned lines; columns of numbers are flush right."""
    cells = [list(columns), *([cell(value) for value in row] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    right = _numeric(rows, len(columns))
    return [
        "  ".join(
            text.rjust(width) if flush else text.ljust(width)
            for text, width, flush in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in cells
    ]


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows as CSV, numbers in full."""
    return pd.DataFrame([list(row) for row in rows], columns=list(columns)).to_csv(index=False, lineterminator="\n")


def latex_text(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], notes: Sequence[str]) -> str:
    """Rows as a LaTeX table of package booktabs; notes are comments above it."""
    right = _numeric(rows, len(columns))
    lines = [f"% {note}" for note in notes]
    lines += [r"\begin{table}", rf"\caption{{{_latex(title)}}}"]
    lines += [rf"\begin{{tabular}}{{{''.join('r' if flush else 'l' for flush in right)}}}", r"\toprule"]
    lines += [" & ".join(_latex(name) for name in columns) + r" \\", r"\midrule"]
    lines += [" & ".join(_latex(cell(value)) for value in row) + r" \\" for row in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"]) + "\n"


def html_text(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], notes: Sequence[str]) -> str:
    """Rows as one self-contained page."""
    right = _numeric(rows, len(columns))

    def line(tag: str, values: Sequence[str]) -> str:
        each = (
            f"<{tag}{' class=n' if flush else ''}>{escape(v)}</{tag}>" for v, flush in zip(values, right, strict=True)
        )
        return "<tr>" + "".join(each) + "</tr>"

    body = "\n".join(line("td", [cell(value) for value in row]) for row in rows)
    remarks = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n<table>\n<thead>{line('th', list(columns))}</thead>\n"
        f"<tbody>\n{body}\n</tbody></table>\n<ul>{remarks}</ul>\n</html>\n"
    )


def study_rows(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[list[str], list[list[Any]]]:
    """Rows of an ablation or audit for a terminal: the named texts, then UF1, its interval and difference, UAR.

    Args:
        rows: Rows with ``scores``, ``difference`` and ``skipped``.
        names: Keys of the rows that come first.

    Returns:
        Column names, and rows.
    """
    table = []
    for row in rows:
        scores, gap = row["scores"] or {}, (row["difference"] or {}).get("uf1") or {}
        table.append(
            [
                *(row[name] for name in names),
                scores.get("uf1"),
                interval_text((scores.get("ci95") or {}).get("uf1")),
                scores.get("uar"),
                signed(gap.get("value")),
                interval_text(gap.get("ci95")) or (f"not run: {row['skipped']}" if row["skipped"] else ""),
            ]
        )
    return [*names, "UF1", "95 %", "UAR", "difference", "95 % of it"], table


def score_lines(found: Mapping[str, Any]) -> list[str]:
    """What :func:`stag.evaluation.prediction_file.score_predictions` found, for a terminal."""
    pooled, folds = found["pooled"], found["folds"]
    rows: list[list[Any]] = [["pooled", *(pooled[metric] for metric in METRICS)]]
    rows.append(["  95 % over subjects", *(interval_text(found["ci95"][metric]) for metric in METRICS)])
    if folds:
        rows.append(["mean of folds", *(folds[f"{metric}_mean"] for metric in METRICS)])
        rows.append(["  deviation of folds", *(folds[f"{metric}_std"] for metric in METRICS)])
    if len(found["seeds"]) > 1:
        rows.append(["deviation of seeds", *(found["seeds_spread"][metric] for metric in METRICS)])
    if len(found["per_dataset"]) > 1:
        rows += [[f"data set {name}", *map(scores.get, METRICS)] for name, scores in found["per_dataset"].items()]
    each = [
        [name, found["class_counts"][name], pooled["f1"][name], pooled["recall"][name]] for name in found["classes"]
    ]
    counted = f"{found['n_clips']} clips, {found['n_subjects']} subjects, {found['n_folds']} folds"
    return [
        counted + (f", {len(found['seeds'])} seeds" if len(found["seeds"]) > 1 else ""),
        *text_lines(("", "UF1", "UAR", "WAR"), rows),
        *text_lines(("class", "clips", "F1", "recall"), each),
        *(f"note  {note}" for note in found["notes"]),
    ]


def signed(value: float | None) -> str:
    """A difference with its sign, ``+.0312``."""
    return "" if value is None else ("+" if value >= 0 else "") + cell(float(value))


def _numeric(rows: Sequence[Sequence[Any]], columns: int) -> list[bool]:
    """Which columns hold numbers only, cells without a value aside."""
    return [_only_numbers([row[i] for row in rows if row[i] is not None]) for i in range(columns)]


def _only_numbers(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, int | float) for value in values)


def _latex(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in text)
