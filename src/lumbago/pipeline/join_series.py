"""One finding from the answers of several models on a condition at the same place, sagittal and axial for instance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from lumbago.anatomy.conditions import Role, Scale
from lumbago.anatomy.findings import CALLED_FROM, Finding

Probabilities = Mapping[str, float]

SERIES: Final = "series"
"""Key of `Finding.details` under which the answers of the series stand that were joined."""

_PATIENTS: Final = "real"
"""What the card of a model that has learned from patients says, with phantoms or without."""

_LEAST: Final = 1e-4
"""What a rounded probability of 0 counts as."""


def join_series(findings: Sequence[Finding]) -> Finding:
    """The findings of one condition, level and side as one.

    Those that were withheld do not count beside one that was not; all withheld, the first stands. Nor do those of
    models that have learned from phantoms alone count beside one that has learned from patients. Of the others the
    probabilities are averaged as logarithms and made to sum to 1 again (the logarithmic opinion pool of Genest and
    Zidek, Statistical Science 1986;1:114), those of one series first, so that each series counts once. Evidence
    and model are those of the surest, and so are the details, where it has them; among them stands the probability of
    an abnormal grade on each series where there are several, of those that do not count too. The grade is the
    likeliest: a point to call an abnormal one from was chosen on one model's answers, and holds where it alone counts.
    """
    given = [finding for finding in findings if not finding.abstained]
    if len(given) < 2:
        return (given or list(findings))[0]
    counting = [finding for finding in given if _PATIENTS in (finding.trained_on or "")] or given
    surest = max(counting, key=lambda finding: finding.confidence or 0.0)
    scale, values = surest.scale, _pooled(_by_series(counting).values())
    least = surest.details.get(CALLED_FROM) if len(counting) == 1 else None
    expected = scale.expected_grade(dict(values))
    series = _by_series(given) | _by_series(counting)
    answers = {role: _abnormal(scale, answer) for role, answer in series.items() if role is not None}
    details = {**_details(given), **surest.details, **({SERIES: answers} if len(answers) > 1 else {})}
    if least is None:
        details.pop(CALLED_FROM, None)
    sources = {finding.trained_on for finding in counting}
    return replace(
        surest,
        grade=scale.called(values, least),
        probabilities=values,
        expected_grade=None if expected is None else round(expected, 2),
        details=details,
        measurements={name: size for row in given for name, size in row.measurements.items()},
        trained_on=surest.trained_on if len(sources) == 1 else "real and phantoms",
    )


def _by_series(findings: Sequence[Finding]) -> dict[Role | None, Probabilities]:
    return {role: _pooled(row.probabilities for row in findings if _role(row) == role) for role in map(_role, findings)}


def _details(findings: Sequence[Finding]) -> dict[str, Any]:
    """Whatever any of them says, the first to say it being heard."""
    return {name: value for row in reversed(findings) for name, value in row.details.items()}


def _role(finding: Finding) -> Role | None:
    return None if finding.evidence is None else finding.evidence.role


def _pooled(answers: Iterable[Probabilities]) -> Probabilities:
    """The normalised geometric mean; a single answer stays as it is."""
    rows = list(answers)
    if len(rows) == 1:
        return rows[0]
    logs = np.log([[max(value, _LEAST) for value in row.values()] for row in rows]).mean(axis=0)
    powers = np.exp(logs - logs.max())
    return {grade: round(float(value), 4) for grade, value in zip(rows[0], powers / powers.sum(), strict=True)}


def _abnormal(scale: Scale, values: Probabilities) -> float:
    return round(sum(values[grade] for grade in scale.grades[scale.abnormal_from :]), 4)
