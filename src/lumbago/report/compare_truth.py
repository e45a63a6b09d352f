"""Findings beside a phantom's truth, condition by condition. Phantom figures say nothing about patients."""

from rich.table import Table

from lumbago.anatomy.conditions import CONDITIONS, Condition
from lumbago.anatomy.findings import Finding, StudyFindings

_SHOWN_MISSES = 3


def truth_table(found: StudyFindings, truth: StudyFindings) -> Table:
    """For every condition with a truth: how many places were graded, how many of them right, and the first misses."""
    table = Table(title="phantom study against its truth", box=None, pad_edge=False)
    for head in ("condition", "graded", "right", "off by one", "misses (truth -> found)"):
        table.add_column(head)
    for condition in CONDITIONS.values():
        true = [
            finding for finding in truth.findings if finding.condition == condition.name and finding.grade is not None
        ]
        if true:
            table.add_row(condition.title, *_row(condition, true, found))
    return table


def _row(condition: Condition, true: list[Finding], found: StudyFindings) -> tuple[str, str, str, str]:
    pairs = [(wanted, found.find(condition.name, wanted.level, wanted.side)) for wanted in true]
    graded = [(wanted, given) for wanted, given in pairs if given is not None and given.grade is not None]
    steps = [_distance(condition, wanted, given) for wanted, given in graded]
    misses = [_miss(wanted, given) for (wanted, given), step in zip(graded, steps, strict=True) if step]
    more = [f"and {len(misses) - _SHOWN_MISSES} more"] if len(misses) > _SHOWN_MISSES else []
    one_off = str(steps.count(1)) if condition.scale.ordinal and len(condition.scale.grades) > 2 else "-"
    return f"{len(graded)} of {len(true)}", str(steps.count(0)), one_off, ", ".join([*misses[:_SHOWN_MISSES], *more])


def _distance(condition: Condition, wanted: Finding, given: Finding) -> int:
    grades = condition.scale.grades
    return abs(grades.index(str(wanted.grade)) - grades.index(str(given.grade)))


def _miss(wanted: Finding, given: Finding) -> str:
    side = f" {wanted.side}" if wanted.side else ""
    return f"{wanted.level}{side} {wanted.grade} -> {given.grade}"
