"""One finding from the answers of several models on a condition at the same place, sagittal and axial for instance."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from lumbago.anatomy.conditions import CONDITIONS, ROLE_TITLES, Role, Scale
from lumbago.anatomy.findings import CALLED_FROM, NOT_COUNTED, Finding, QualityRemark
from lumbago.anatomy.levels import LEVELS

Probabilities = Mapping[str, float]
Weighed = tuple[Finding, float]

SERIES: Final = "series"
"""Key of `Finding.details` under which the answers of the series stand that were joined."""

_PATIENTS: Final = "real"
"""What the card of a model that has learned from patients says, with phantoms or without."""

_SPEAKS: Final = 0.5

_LEAST: Final = 1e-4
"""What a rounded probability of 0 counts as."""


def join_series(findings: Sequence[Finding], weights: Sequence[float] = ()) -> Finding:
    """The findings of one condition, level and side as one.

    Those that were withheld do not count beside one that was not; all withheld, the first stands. Nor do those of
    models that have learned from phantoms alone count beside one that has learned from patients. Of the others the
    probabilities are averaged as logarithms and made to sum to 1 again (the logarithmic opinion pool of Genest and
    Zidek, Statistical Science 1986;1:114), those of one series first, by weight, so that each series counts once.
    Evidence and model are those of the surest, weight for weight, and so are the details, where it has them; among them
    stands the probability of an abnormal grade on each series where there are several, of those that do not count too.
    The grade is the likeliest: a point to call an abnormal one from was chosen on one model's answers, and holds where
    it alone counts.

    Args:
        weights: of each finding beside others of its series; none for equal ones.
    """
    weighed = list(zip(findings, weights or [1.0] * len(findings), strict=True))
    given = [(finding, weight) for finding, weight in weighed if not finding.abstained]
    if len(given) < 2:
        return (given or weighed)[0][0]
    counting = [row for row in given if _PATIENTS in (row[0].trained_on or "")] or given
    surest = max(counting, key=lambda row: row[1] * (row[0].confidence or 0.0))[0]
    scale, values = surest.scale, _pooled([(answer, 1.0) for answer in _by_series(counting).values()])
    least = surest.details.get(CALLED_FROM) if len(counting) == 1 else None
    expected = scale.expected_grade(dict(values))
    series = _by_series(given) | _by_series(counting)
    answers = {role: _abnormal(scale, answer) for role, answer in series.items() if role is not None}
    told = _details([finding for finding, _ in given])
    details = {**told, **surest.details, **({SERIES: answers} if len(answers) > 1 else {})}
    if unheard := [role for role in answers if role not in _by_series(counting)]:
        details[NOT_COUNTED] = unheard
    if least is None:
        details.pop(CALLED_FROM, None)
    sources = {finding.trained_on for finding, _ in counting}
    return replace(
        surest,
        grade=scale.called(values, least),
        probabilities=values,
        expected_grade=None if expected is None else round(expected, 2),
        details=details,
        measurements={name: size for finding, _ in reversed(given) for name, size in finding.measurements.items()},
        trained_on=surest.trained_on if len(sources) == 1 else "real and phantoms",
    )


def unfollowed_remarks(findings: Sequence[Finding]) -> list[QualityRemark]:
    """Where a series whose answer did not count speaks for an abnormal grade, and the finding has a normal one: on
    which series, of which condition, at which levels and in which zone."""
    places: dict[tuple[str, Role], list[str]] = {}
    for finding in findings:
        for role in finding.details.get(NOT_COUNTED, ()):
            if finding.details[SERIES][role] >= _SPEAKS and not finding.is_abnormal:
                zone = f" ({finding.details['zone']})" if "zone" in finding.details else ""
                places.setdefault((finding.condition, role), []).append(f"{finding.level}{zone}")
    return [
        QualityRemark(
            "warning",
            f"{ROLE_TITLES[role]} speaks for {CONDITIONS[condition].title} at {', '.join(levels)}, by a model that has "
            "learned from phantoms alone; the grade is that of a model that has learned from patients, and does not "
            "follow it: look there.",
        )
        for (condition, role), levels in places.items()
    ]


def stand_in_remarks(findings: Sequence[Finding]) -> list[QualityRemark]:
    """Which conditions were read from a series that stands in for the one that shows them best, and where."""
    read: dict[tuple[Role, Role], list[Finding]] = {}
    for finding in findings:
        condition, role = CONDITIONS[finding.condition], _role(finding)
        if role is not None and role in condition.instead_from and not finding.abstained:
            read.setdefault((role, condition.source), []).append(finding)
    remarks = []
    for (role, source), rows in read.items():
        titles = ", ".join(dict.fromkeys(CONDITIONS[row.condition].title for row in rows))
        levels = [level for level in LEVELS if level in {row.level for row in rows}]
        where = "" if len(levels) == len(LEVELS) else f" at {', '.join(levels)}"
        text = f"{ROLE_TITLES[source]} gave no grade of {titles}{where}: read from {ROLE_TITLES[role]} instead, which "
        remarks.append(QualityRemark("limit", f"{text}shows them less well."))
    return remarks


def _by_series(weighed: Sequence[Weighed]) -> dict[Role | None, Probabilities]:
    roles = dict.fromkeys(_role(finding) for finding, _ in weighed)
    return {
        role: _pooled([(finding.probabilities, weight) for finding, weight in weighed if _role(finding) == role])
        for role in roles
    }


def _details(findings: Sequence[Finding]) -> dict[str, Any]:
    """Whatever any of them says, the first to say it being heard."""
    return {name: value for row in reversed(findings) for name, value in row.details.items()}


def _role(finding: Finding) -> Role | None:
    return None if finding.evidence is None else finding.evidence.role


def _pooled(answers: Sequence[tuple[Probabilities, float]]) -> Probabilities:
    """The normalised geometric mean by weight; a single answer stays as it is."""
    if len(answers) == 1:
        return answers[0][0]
    logs = np.log([[max(value, _LEAST) for value in row.values()] for row, _ in answers])
    mean = np.average(logs, axis=0, weights=[weight for _, weight in answers])
    powers = np.exp(mean - mean.max())
    return {grade: round(float(value), 4) for grade, value in zip(answers[0][0], powers / powers.sum(), strict=True)}


def _abnormal(scale: Scale, values: Probabilities) -> float:
    return round(sum(values[grade] for grade in scale.grades[scale.abnormal_from :]), 4)
