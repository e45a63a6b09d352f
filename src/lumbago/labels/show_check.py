"""A check of labels for the terminal and as JSON (`lumbago/label-check/1`)."""

import json
from collections import Counter
from dataclasses import asdict
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.labels.check_labels import CheckReport
from lumbago.labels.problems import PROBLEMS, Problem

SCHEMA: Final = "lumbago/label-check/1"
_SHOWN: Final = 10
_STYLES: Final = {"impossible": "bold red", "suspicious": "yellow", "note": "dim"}


def check_json(report: CheckReport, source: str) -> str:
    """All that was found."""
    data = {
        "schema": SCHEMA, "source": source, "studies": report.studies, "patients": report.patients,
        "labels": report.labels,
        "shares": [asdict(share) | {"missing": round(share.missing, 4)} for share in report.shares],
        "problems": [asdict(problem) | {"weight": problem.weight} for problem in report.problems],
    }  # fmt: skip
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def check_tables(report: CheckReport) -> Group:
    """Counts of grades, kinds of problems, and the first of each kind with what to do."""
    head = f"{report.studies} studies of {report.patients} patients, {report.labels} grades"
    if not report.problems:
        return Group(Text(head), _shares(report), Text("No problem was found."))
    return Group(Text(head), _shares(report), _kinds(report), *_examples(report))


def _shares(report: CheckReport) -> Table:
    table = Table("condition", "level", "grades", "none", box=None, pad_edge=False)
    for share in report.shares:
        grades = ", ".join(f"{grade} {count}" for grade, count in share.grades.items() if count)
        table.add_row(CONDITIONS[share.condition].short, share.level, grades, f"{100 * share.missing:.0f} %")
    return table


def _kinds(report: CheckReport) -> Table:
    counts = Counter(problem.kind for problem in report.problems)
    table = Table("", "found", "what", box=None, pad_edge=False)
    for kind, count in counts.items():
        weight, title = PROBLEMS[kind]
        table.add_row(Text(weight, _STYLES[weight]), str(count), title)
    return table


def _examples(report: CheckReport) -> list[Text]:
    lines = []
    counts: Counter[str] = Counter()
    for problem in report.problems:
        counts[problem.kind] += 1
        if counts[problem.kind] <= _SHOWN:
            lines.append(Text(_sentence(problem), _STYLES[problem.weight] if problem.weight == "note" else ""))
    more = sum(max(0, count - _SHOWN) for count in counts.values())
    return [*lines, Text(f"... and {more} more; --json FILE holds all")] if more else lines


def _sentence(problem: Problem) -> str:
    where = ": ".join(part for part in (problem.study, problem.place) if part)
    said = "; ".join(part for part in (problem.found, f"expected {problem.expected}", problem.advice) if part)
    return f"{problem.kind}: {where}: {said}." if where else f"{problem.kind}: {said}."
