"""Scores as CSV, one figure a row, and as Markdown, one table for each data and split."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from lumbago.evaluation.cases import by_group
from lumbago.evaluation.evaluate_cases import ALL_CONDITIONS, Evaluation
from lumbago.evaluation.intervals import Score

_HEAD: Final = (
    "data", "split", "condition", "by", "group", "figure", "value", "low", "high", "cases", "patients", "command",
)  # fmt: skip
GLANCE: Final = (
    ("found", "found"),
    ("accuracy", "accuracy"),
    ("always commonest", "accuracy of always the commonest grade"),
    ("balanced accuracy", "balanced accuracy"),
    ("kappa, quadratic", "quadratic kappa"),
    ("AUC, any change", "AUC of any change"),
    ("log loss", "log loss"),
    ("ECE", "calibration error"),
)
"""Column heads of the summary and the figures below them; a scale without quadratic kappa shows its plain one."""


def glance_rows(evaluation: Evaluation) -> list[tuple[tuple[str, str, str], int, int, list[Score | None]]]:
    """(group, cases, patients, figures in the order of `GLANCE`) of every group."""
    rows = []
    for place, cases in by_group(evaluation.cases).items():
        figures = []
        for _, name in GLANCE:
            wanted = f"found, of {len(cases)}" if name == "found" else name
            score = evaluation.score(place, wanted)
            figures.append(evaluation.score(place, "kappa") if score is None and "kappa" in name else score)
        rows.append((place, len(cases), len({case.patient for case in cases}), figures))
    return rows


def short(score: Score | None) -> str:
    """`0.61 [0.57, 0.65]`, or a dash."""
    return "–" if score is None or math.isnan(score.value) else score.told(2)


def write_csv(evaluation: Evaluation, command: str, path: Path) -> None:
    """Every figure with its data, split and command."""
    rows = [
        [
            row.data,
            row.split,
            row.condition,
            row.by,
            row.group,
            row.figure,
            *_numbers(row.score),
            row.cases,
            row.patients,
        ]
        for row in evaluation.rows
    ]
    rows += [
        [
            place[0], place[1], place[2], "operating point", f"{point.purpose}, at {point.threshold:.4g}", name,
            *_numbers(score), point.cases, "",
        ]
        for place, points in evaluation.points.items() for point in points for name, score in point.reached.items()
    ]  # fmt: skip
    _write(path, _HEAD, [[*row, command] for row in rows])


def write_differences(evaluation: Evaluation, command: str, path: Path) -> None:
    """Every paired difference with its interval and p."""
    head = ("data", "split", "condition", "figure", "difference", "low", "high", "p", "cases", "patients", "command")
    rows = [
        [
            row.data, row.split, row.condition, row.figure, *_numbers(row.difference.score), f"{row.difference.p:.4g}",
            row.cases, row.patients, command,
        ]
        for row in evaluation.differences
    ]  # fmt: skip
    _write(path, head, rows)


def write_slices(evaluation: Evaluation, path: Path) -> None:
    """Every slice, whether it is acceptable, and what is wrong on it."""
    rows = [
        [piece.data, piece.patient, piece.name, "yes" if piece.is_acceptable else "no", "; ".join(piece.faults)]
        for piece in evaluation.slices
    ]
    _write(path, ("data", "patient", "slice", "acceptable", "faults"), rows)


def _write(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf8") as file:
        lines = csv.writer(file)
        lines.writerow(head)
        lines.writerows(rows)


def _numbers(score: Score) -> list[str]:
    return [f"{value:.6g}" for value in (score.value, score.low, score.high)]


def markdown(evaluation: Evaluation, command: str) -> str:
    """The summary of every group, and the figures of whole studies, as a page."""
    heads = ["data", "split", "condition", "cases (patients)", *(head for head, _ in GLANCE)]
    lines = ["# Scores", "", f"Command: `{command}`. Brackets: 95 % bootstrap over patients.", ""]
    lines += table_lines(heads, [
        [place[0], place[1] or "not said", place[2], f"{cases} ({patients})", *map(short, figures)]
        for place, cases, patients, figures in glance_rows(evaluation)
    ])  # fmt: skip
    lines += ["", *table_lines(["data", "split", "of whole studies", "value"], [
        [row.data, row.split or "not said", row.figure, str(row.score)]
        for row in evaluation.rows if row.condition == ALL_CONDITIONS
    ])]  # fmt: skip
    if evaluation.differences:
        lines += ["", "This table less the other, paired on the same cases:", ""]
        lines += table_lines(["data", "split", "condition", "figure", "difference"], [
            [row.data, row.split or "not said", row.condition, row.figure, str(row.difference)]
            for row in evaluation.differences
        ])  # fmt: skip
    return "\n".join(lines) + "\n"


def table_lines(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table, line by line."""
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines]
