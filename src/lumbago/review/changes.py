"""A patient's discs over time: what changed beyond what measuring and grading can tell apart."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import BY_A_PERSON, Finding, Measurement, Site, StudyFindings
from lumbago.report.measurement_table import value_text
from lumbago.report.wording import percent

_SURE: Final = 0.95
_TWO_SIDED_Z: Final = 1.959964


@dataclass(frozen=True, slots=True)
class TimePoint:
    """A value at one study: `error` is its standard error (of a grade, the spread of its probabilities)."""

    study_id: str
    date: str
    value: float
    error: float
    text: str


@dataclass(frozen=True, slots=True)
class Course:
    """One thing over time.

    Attributes:
        name: a condition, or a measurement; low, high: the range to draw it in.
        changed: whether the last differs from the first beyond error, at 95 %; what: in words.
    """

    name: str
    title: str
    level: str
    side: str | None
    points: tuple[TimePoint, ...]
    low: float
    high: float
    changed: bool
    what: str

    @property
    def is_calm(self) -> bool:
        """A grade that was its scale's best at every study."""
        return self.name in CONDITIONS and {point.text for point in self.points} == {
            CONDITIONS[self.name].scale.titles[0]
        }


Dated = tuple[str, str, StudyFindings]
"""Study id, date (YYYYMMDD), findings; oldest first."""


def courses(studies: Sequence[Dated]) -> list[Course]:
    """Every grade of an ordered scale and every measurement that two studies or more have, from the top down."""
    grades: dict[Site, list[tuple[str, str, Finding]]] = {}
    measured: dict[tuple[str, str], list[TimePoint]] = {}
    for study_id, date, findings in studies:
        for row in findings.findings:
            if row.grade is not None and row.scale.ordinal:
                grades.setdefault((row.condition, row.level, row.side), []).append((study_id, date, row))
        for (level, name), point in _measurements(study_id, date, findings.findings).items():
            measured.setdefault((level, name), []).append(point)
    found = [_grade_course(site, rows) for site, rows in grades.items() if len(rows) > 1]
    return found + [_measured_course(place, points) for place, points in measured.items() if len(points) > 1]


def _measurements(study_id: str, date: str, rows: Iterable[Finding]) -> Mapping[tuple[str, str], TimePoint]:
    return {
        (row.level, name): TimePoint(study_id, date, m.value, m.error, value_text(name, m))
        for row in rows
        for name, m in row.sizes.items()
    }


def _grade_course(site: Site, rows: list[tuple[str, str, Finding]]) -> Course:
    condition, level, side = site
    scale = CONDITIONS[condition].scale
    first, last = rows[0][2], rows[-1][2]
    worse, better = probability_worse(first, last), probability_worse(last, first)
    changed = max(worse, better) >= _SURE and first.grade != last.grade
    title = dict(zip(scale.grades, scale.titles, strict=True))
    by_people = first.trained_on == last.trained_on == BY_A_PERSON
    sure = "reader" if by_people else f"{percent(max(worse, better))} sure"
    what = f"{title[str(first.grade)]} to {title[str(last.grade)]} ({sure})"
    points = tuple(
        TimePoint(study_id, date, row.expected_grade or 0.0, _spread(row), title[str(row.grade)])
        for study_id, date, row in rows
    )
    return Course(
        condition, CONDITIONS[condition].short, level, side, points, scale.values[0], scale.values[-1],
        changed, what if changed else "",
    )  # fmt: skip


def probability_worse(first: Finding, last: Finding) -> float:
    """Probability that the second grade is worse than the first, the two read independently."""
    grades = first.scale.grades
    return sum(
        first.probabilities.get(one, 0.0) * last.probabilities.get(other, 0.0)
        for place, one in enumerate(grades)
        for other in grades[place + 1 :]
    )


def _spread(row: Finding) -> float:
    pairs = [(value, row.probabilities.get(grade, 0.0))
             for grade, value in zip(row.scale.grades, row.scale.values, strict=True)]  # fmt: skip
    mean = sum(value * share for value, share in pairs)
    return math.sqrt(max(0.0, sum(share * (value - mean) ** 2 for value, share in pairs)))


def _measured_course(place: tuple[str, str], points: list[TimePoint]) -> Course:
    level, name = place
    first, last = points[0], points[-1]
    difference, error = last.value - first.value, math.hypot(first.error, last.error)
    changed = abs(difference) > _TWO_SIDED_Z * error
    low = min(point.value - 2 * point.error for point in points)
    high = max(point.value + 2 * point.error for point in points)
    stem, _, unit = name.rpartition("_")
    beyond = value_text(name, Measurement(difference, _TWO_SIDED_Z * error)).replace("±", "beyond ±")
    what = ("+" if difference > 0 else "") + beyond if changed else ""
    margin = 0.1 * (high - low) or 1.0
    return Course(
        name, f"{stem.replace('_', ' ')} ({unit})", level, None, tuple(points), low - margin, high + margin,
        changed, what,
    )  # fmt: skip
