"""Cases from findings: what a reader says of a study beside what was found in it."""

import re
from typing import Final

from lumbago.anatomy.findings import Finding, StudyFindings, StudySummary
from lumbago.evaluation.cases import GradedCase

_FIELD: Final = re.compile(r"(\d+(?:\.\d+)?) ?T\b")
_DAYS: Final = {"Y": 365.25, "M": 30.44, "W": 7.0, "D": 1.0}


def pair_findings(
    truth: StudyFindings,
    found: StudyFindings | None,
    source: str,
    split: str = "",
    second: StudyFindings | None = None,
) -> list[GradedCase]:
    """Every graded place of the truth, with what was found there.

    Args:
        truth: a reader's findings, or a phantom's truth.
        found: what was found; None when the study could not be analyzed, which leaves every place without an answer.
        source: what the data is called; a phantom's truth is called `phantoms` whatever is said here.
        second: another reader's findings of the same study.
    """
    return [_case(wanted, truth.study, found, source, split, second) for wanted in truth.findings if wanted.grade]


def _case(
    wanted: Finding,
    study: StudySummary,
    found: StudyFindings | None,
    source: str,
    split: str,
    second: StudyFindings | None,
) -> GradedCase:
    given = found.find(wanted.condition, wanted.level, wanted.side) if found else None
    other = second.find(wanted.condition, wanted.level, wanted.side) if second else None
    is_answer = given is not None and not given.abstained
    return GradedCase(
        source="phantoms" if wanted.trained_on == "truth" else source,
        patient=study.patient_id or study.name,
        study=study.study_instance_uid or study.name,
        condition=wanted.condition,
        level=wanted.level,
        side=wanted.side,
        truth=str(wanted.grade),
        probabilities=_in_order(given) if given is not None and is_answer else None,
        split=split,
        scanner=_FIELD.sub("", study.scanner).strip(),
        field_strength_t=_field_strength(study.scanner),
        age_years=age_years(study.patient_age),
        sex=study.patient_sex,
        second_reader=other.grade if other else None,
    )


def _in_order(finding: Finding) -> tuple[float, ...]:
    return tuple(finding.probabilities[grade] for grade in finding.scale.grades)


def _field_strength(scanner: str) -> float | None:
    match = _FIELD.search(scanner)
    return float(match.group(1)) if match else None


def age_years(age: str) -> float | None:
    """A DICOM age string (`045Y`, `018M`, `003W`, `010D`) in years; None when it is none."""
    number, unit = age[:-1], age[-1:]
    return int(number) * _DAYS[unit] / _DAYS["Y"] if number.isdigit() and unit in _DAYS else None
