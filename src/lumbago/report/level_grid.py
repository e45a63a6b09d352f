"""The one table of a study, level by condition, that the terminal and the PDF both show."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from lumbago.anatomy.conditions import CONDITIONS, Condition
from lumbago.anatomy.findings import Finding, NotAssessed, StudyFindings
from lumbago.anatomy.levels import LEVELS, Side, bottom_count

PHANTOM_MARK: Final = "†"
"""Stands behind every grade whose model has seen phantoms only."""

_OWN_COLUMN: Final = ("spinal_canal_stenosis", "neural_foraminal_narrowing", "subarticular_stenosis", "pfirrmann")
_SAID_BY: Final = {"disc_degeneration": "pfirrmann"}
"""Conditions that say again, coarser, what another one says; shown only where that one has no grade."""

SIDE_LETTERS: Final[dict[Side | None, str]] = {"right": "R", "left": "L", None: ""}

State = Literal["graded", "abstained", "not_assessed"]


@dataclass(frozen=True, slots=True)
class Column:
    """A condition and a side. The patient's right comes first, as on the images."""

    condition: Condition
    side: Side | None

    @property
    def head(self) -> str:
        """What stands above it."""
        return f"{self.condition.short} {SIDE_LETTERS[self.side]}".strip()


@dataclass(frozen=True, slots=True)
class Cell:
    """What is known at one place: a finding, given or abstained, or the reason why there is none."""

    column: Column
    finding: Finding | None
    reason: str

    @property
    def state(self) -> State:
        """A grade, a grade withheld, or no attempt."""
        if self.finding is None:
            return "not_assessed"
        return "abstained" if self.finding.grade is None else "graded"


@dataclass(frozen=True, slots=True)
class GridRow:
    """One level: its cells, and the abnormal ones among the `further_graded` findings without a column of their own;
    where there are none of those, `further_state` says whether any was tried."""

    level: str
    label: str
    cells: tuple[Cell, ...]
    further: tuple[Finding, ...]
    further_graded: int
    further_state: State


COLUMNS: Final = tuple(Column(CONDITIONS[name], side) for name in _OWN_COLUMN for side in CONDITIONS[name].sides[::-1])


def phantom_mark(finding: Finding) -> str:
    """The mark, for a given grade whose model has seen phantoms only; else nothing."""
    return PHANTOM_MARK if finding.grade and finding.trained_on == "phantoms" else ""


def grade_title(finding: Finding) -> str:
    """The grade as a reader says it, with the mark of phantoms; only for a given grade."""
    return finding.scale.titles[finding.scale.grades.index(finding.grade or "")] + phantom_mark(finding)


def level_label(findings: StudyFindings, level: str) -> str:
    """The level's name, with a question mark when it is not sure."""
    is_sure = all(location.name_is_sure for location in findings.levels if location.level == level)
    return level if is_sure else f"{level}?"


def shown_levels(findings: StudyFindings) -> tuple[str, ...]:
    """The five graded levels, and any other that has findings, from the top down."""
    return from_the_top({*LEVELS, *(finding.level for finding in findings.findings)})


def from_the_top(levels: Iterable[str]) -> tuple[str, ...]:
    """Levels from the head down, each once."""
    return tuple(sorted(set(levels), key=bottom_count, reverse=True))


def abnormal_first(findings: StudyFindings) -> list[Finding]:
    """The abnormal findings, what matters most at the front.

    Ordered by how many grades a finding lies beyond the first abnormal one of its scale (`Finding.steps_beyond`), then
    by the order of the conditions' rows, then by probability.
    """
    order = list(CONDITIONS)

    def rank(finding: Finding) -> tuple[int, int, float]:
        return (-finding.steps_beyond, order.index(finding.condition), -(finding.confidence or 0.0))

    return sorted((f for f in findings.findings if f.is_abnormal and not _is_said_already(findings, f)), key=rank)


def level_grid(findings: StudyFindings) -> tuple[GridRow, ...]:
    """The rows, from the top down."""
    return tuple(_row(findings, level) for level in shown_levels(findings))


def _row(findings: StudyFindings, level: str) -> GridRow:
    tried = [f for f in findings.findings if f.level == level and f.condition not in _OWN_COLUMN]
    further = [f for f in tried if f.grade is not None and not _is_said_already(findings, f)]
    return GridRow(
        level,
        level_label(findings, level),
        tuple(_cell(findings, level, column) for column in COLUMNS),
        tuple(f for f in further if f.is_abnormal),
        len(further),
        "graded" if further else "abstained" if any(f.grade is None for f in tried) else "not_assessed",
    )


def _cell(findings: StudyFindings, level: str, column: Column) -> Cell:
    finding = findings.find(column.condition.name, level, column.side)
    if finding is not None:
        return Cell(column, finding, finding.reason or "")
    return Cell(column, None, why_not_assessed(findings, column, level))


def why_not_assessed(findings: StudyFindings, column: Column, level: str) -> str:
    """The reason given for this place, else whether the disc was found at all."""
    given = next((entry.reason for entry in findings.not_assessed if _covers(entry, column, level)), None)
    if given is not None:
        return given
    is_found = any(location.level == level for location in findings.levels)
    return "no result was given" if is_found else "the disc was not found in the images"


def _covers(entry: NotAssessed, column: Column, level: str) -> bool:
    return (
        entry.condition == column.condition.name
        and entry.level in (None, level)
        and (column.side is None or entry.side in (None, column.side))
    )


def _is_said_already(findings: StudyFindings, finding: Finding) -> bool:
    other = findings.find(_SAID_BY.get(finding.condition, ""), finding.level, finding.side)
    return other is not None and other.grade is not None
