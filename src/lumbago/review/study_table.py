"""The table of the study page: levels down, conditions across, in each cell the grade, how sure, and who agrees."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS, Condition
from lumbago.anatomy.findings import Finding, StudyFindings
from lumbago.anatomy.levels import Side
from lumbago.report.level_grid import (
    PHANTOM_MARK,
    Column,
    abnormal_first,
    level_label,
    shown_levels,
    why_not_assessed,
)
from lumbago.report.wording import expected_text, percent
from lumbago.review.readings import Opinion, StudyReading

STATE_WORDS: Final[Mapping[str, str]] = {
    "machine": "", "accepted": "accepted", "changed": "changed", "added": "added", "agreed": "readers agree",
    "disputed": "readers differ", "adjudicated": "decided",
}  # fmt: skip
BRIEF: Final[Mapping[str, str]] = {
    "normal/mild": "N/M", "moderate": "Mod", "severe": "Sev", "normal": "Norm", "mild/moderate": "M/M",
    "absent": "no", "present": "yes", "type 1": "1", "type 2": "2", "type 3": "3",
}  # fmt: skip
"""Long titles of grades as they stand in a narrow column."""
SAID_BRIEF: Final[Mapping[str, str]] = {
    "accepted": "acc.", "changed": "chg.", "readers agree": "agree", "readers differ": "differ", "decided": "dec.",
}  # fmt: skip
"""What readers did, as short."""
BROKEN: Final[Mapping[str, str]] = {
    "Pfirrmann": "Pfirr\u00admann", "herniation": "herni\u00adation", "narrowing": "nar\u00adrow\u00ading",
    "bulging": "bulg\u00ading", "upper endplate": "upper end\u00adplate", "lower endplate": "lower end\u00adplate",
    "listhesis": "listhe\u00adsis",
}  # fmt: skip
"""Where the heads of narrow columns may be broken."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One place.

    Attributes:
        grade, title: the settled grade, "" when none; class_name: of its colour in grades.css.
        machine_title: what the machine said when that is another grade, else "".
        confidence, expected: of the machine's grade, as text; said: what readers did.
        reason: why there is no grade; evidence: whether the viewer has a place to show.
    """

    condition: str
    level: str
    side: Side | None
    grade: str
    title: str
    class_name: str
    abnormal: bool
    machine_title: str
    confidence: str
    expected: str
    said: str
    state: str
    reason: str
    evidence: bool

    @property
    def short(self) -> str:
        """Condition and side, briefly."""
        return f"{CONDITIONS[self.condition].short} {self.side or ''}".strip()

    @property
    def brief(self) -> str:
        """The title, short enough for a narrow column."""
        return _brief(self.title)

    @property
    def machine_brief(self) -> str:
        """The machine's title, as short."""
        return _brief(self.machine_title)

    @property
    def said_brief(self) -> str:
        """What readers did, as short."""
        return SAID_BRIEF.get(self.said, self.said)

    @property
    def label(self) -> str:
        """The whole place in words, for those who hear the page."""
        place = " ".join(part for part in (self.level, self.side, CONDITIONS[self.condition].title) if part)
        own = f"machine: {self.machine_title}" if self.machine_title else ""
        parts = (self.title or f"no grade, {self.reason}", own, self.confidence, self.said)
        return f"{place}: {', '.join(part for part in parts if part)}"


@dataclass(frozen=True, slots=True)
class Head:
    """A column: a condition and a side."""

    condition: Condition
    side: Side | None
    title: str

    @property
    def broken(self) -> str:
        """The condition, briefly, with the places where it may be broken."""
        return BROKEN.get(self.condition.short, self.condition.short)


@dataclass(frozen=True, slots=True)
class StudyTable:
    """Columns, and for each level its label and cells."""

    heads: tuple[Head, ...]
    rows: tuple[tuple[str, str, tuple[Cell, ...]], ...]

    @property
    def groups(self) -> list[tuple[Head, ...]]:
        """The columns of each condition: one, or one a side."""
        return [tuple(heads) for _, heads in groupby(self.heads, lambda head: head.condition.name)]

    def abnormal(self, settled: StudyFindings) -> list[Cell]:
        """The cells that a reader wants to see first, in the order of the report of the `settled` findings."""
        at = {(cell.condition, cell.level, cell.side): cell for _, _, cells in self.rows for cell in cells}
        return [at[row.condition, row.level, row.side] for row in abnormal_first(settled)]


def study_table(whole: StudyReading) -> StudyTable:
    """Every condition that was graded, or that a reader added; the others are listed as not assessed."""
    known = {site[0] for site, opinion in whole.opinions.items() if opinion.machine is not None or opinion.grade}
    heads = heads_of(known)
    levels = dict.fromkeys((*shown_levels(whole.findings), *(site[1] for site in whole.opinions)))
    rows = tuple(
        (level, level_label(whole.findings, level), tuple(_cell(whole, head, level) for head in heads))
        for level in levels
    )
    return StudyTable(heads, rows)


def heads_of(conditions: Collection[str]) -> tuple[Head, ...]:
    """The columns of these conditions, by name, in the order of the vocabulary."""
    return tuple(
        Head(row, side, f"{row.short} {side or ''}".strip())
        for row in CONDITIONS.values()
        if row.name in conditions
        for side in row.sides[::-1]
    )


def _cell(whole: StudyReading, head: Head, level: str) -> Cell:
    name = head.condition.name
    opinion = whole.opinions.get((name, level, head.side), Opinion(None, "machine"))
    machine, scale = opinion.machine, head.condition.scale
    grade = opinion.grade or ""
    own = machine.grade if machine is not None else None
    differs = own is not None and own != opinion.grade
    return Cell(
        name, level, head.side, grade, _title(grade, head.condition, None if differs else machine),
        f"g-{scale.name}-{grade}" if grade else "",
        bool(grade) and scale.grades.index(grade) >= scale.abnormal_from,
        _title(str(own), head.condition, machine) if differs else "",
        percent(machine.confidence) if machine is not None and machine.confidence is not None else "",
        expected_text(machine) if machine is not None else "",
        STATE_WORDS[opinion.state], opinion.state,
        "" if grade else _reason(whole, opinion, head, level),
        bool(opinion.point_lps_mm or opinion.box_lps_mm or (machine is not None and machine.evidence)),
    )  # fmt: skip


def _title(grade: str, condition: Condition, machine: Finding | None) -> str:
    if not grade:
        return ""
    mark = PHANTOM_MARK if machine is not None and machine.trained_on == "phantoms" else ""
    return condition.scale.titles[condition.scale.grades.index(grade)] + mark


def _brief(title: str) -> str:
    word = title.removesuffix(PHANTOM_MARK)
    return BRIEF.get(word, word) + title[len(word) :]


def _reason(whole: StudyReading, opinion: Opinion, head: Head, level: str) -> str:
    if opinion.state == "disputed":
        return "readers differ"
    machine = opinion.machine
    if opinion.readers and machine is not None and machine.grade is not None:
        return "withheld by the reader"
    if machine is not None:
        return machine.reason or "withheld"
    return why_not_assessed(whole.findings, Column(head.condition, head.side), level)
