"""Cases from findings: what a reader says of a study beside what was found in it."""

import re
from dataclasses import dataclass, replace
from typing import Final

from lumbago.anatomy.findings import Finding, StudyFindings, StudySummary
from lumbago.evaluation.cases import GradedCase


@dataclass(frozen=True, slots=True)
class Origin:
    """What data is called, and which part of it this is, see `GradedCase`."""

    source: str
    split: str = ""


_LEAST: Final = 5e-5
"""Findings hold four decimals: what was rounded to 0 counts as half of the last one, or log loss would punish it with
the worst answer there is."""
_FIELD: Final = re.compile(r"(\d+(?:\.\d+)?) ?T\b")
_DAYS: Final = {"Y": 365.25, "M": 30.44, "W": 7.0, "D": 1.0}


def pair_findings(
    truth: StudyFindings,
    found: StudyFindings | None,
    origin: Origin,
    second: StudyFindings | None = None,
) -> list[GradedCase]:
    """Every graded place of the truth, with what was found there.

    Args:
        truth: a reader's findings, or a phantom's truth.
        found: what was found; None when the study could not be analyzed, which leaves every place without an answer.
        origin: which data it is; a phantom's truth is called `phantoms` whatever is said here.
        second: another reader's findings of the same study.
    """
    cases = []
    for wanted in truth.findings:
        if wanted.grade is not None:
            other = _at(second, wanted)
            case = _case(wanted, truth.study, _at(found, wanted), origin)
            cases.append(replace(case, second_reader=other.grade if other else None))
    return cases


def _at(findings: StudyFindings | None, wanted: Finding) -> Finding | None:
    return findings.find(wanted.condition, wanted.level, wanted.side) if findings else None


def _case(wanted: Finding, study: StudySummary, given: Finding | None, origin: Origin) -> GradedCase:
    is_answer = given is not None and not given.abstained
    return GradedCase(
        source="phantoms" if wanted.trained_on == "truth" else origin.source,
        patient=study.patient_id or study.name,
        study=study.study_instance_uid or study.name,
        condition=wanted.condition,
        level=wanted.level,
        side=wanted.side,
        truth=str(wanted.grade),
        probabilities=in_order(given) if given is not None and is_answer else None,
        split=origin.split,
        called=_called(given) if given is not None and is_answer else "",
        scanner=_FIELD.sub("", study.scanner).strip(),
        field_strength_t=_field_strength(study.scanner),
        age_years=age_years(study.patient_age),
        sex=study.patient_sex,
    )


def in_order(finding: Finding) -> tuple[float, ...]:
    """Probabilities in the scale's order, none of them 0: see `_LEAST`."""
    values = [max(finding.probabilities[grade], _LEAST) for grade in finding.scale.grades]
    return tuple(value / sum(values) for value in values)


def _called(finding: Finding) -> str:
    """The grade, where it is not the likeliest."""
    likeliest = finding.scale.called(finding.probabilities)
    return "" if finding.grade is None or finding.grade == likeliest else finding.grade


def _field_strength(scanner: str) -> float | None:
    match = _FIELD.search(scanner)
    return float(match.group(1)) if match else None


def age_years(age: str) -> float | None:
    """A DICOM age string (`045Y`, `018M`, `003W`, `010D`) in years; None when it is none."""
    number, unit = age[:-1], age[-1:]
    return int(number) * _DAYS[unit] / _DAYS["Y"] if number.isdigit() and unit in _DAYS else None
