"""Findings of a reader beside what was found: every graded place, with what is known of the study."""

from dataclasses import replace

import pytest

from lumbago.anatomy.findings import Finding, StudyFindings, StudySummary
from lumbago.evaluation.figures_of_merit import score_cases
from lumbago.evaluation.pair_findings import Origin, age_years, pair_findings

STUDY = StudySummary("case", "1.2.3", patient_id="P7", patient_sex="F", patient_age="052Y", scanner="Maker Model 1.5 T")


def finding(level: str, grade: str | None, trained_on: str | None = None) -> Finding:
    values = {name: 0.7 if name == (grade or "absent") else 0.3 for name in ("absent", "present")}
    return Finding("bulging", level, None, grade, values, abstained=grade is None, trained_on=trained_on)


def study(*findings: Finding) -> StudyFindings:
    return StudyFindings(STUDY, (), findings)


def test_every_graded_place_is_a_case() -> None:
    truth = study(finding("L3/L4", "absent"), finding("L4/L5", "present"), finding("L5/S1", "present"))
    found = study(finding("L3/L4", "absent"), finding("L4/L5", None))
    second = study(finding("L5/S1", "absent"))
    cases = pair_findings(truth, found, Origin("clinic", "test"), second)
    assert [case.probabilities for case in cases] == [(0.7, 0.3), None, None]
    assert [case.second_reader for case in cases] == [None, None, "absent"]
    first = cases[0]
    assert (first.source, first.split, first.patient, first.study) == ("clinic", "test", "P7", "1.2.3")
    assert (first.scanner, first.field_strength_t, first.sex) == ("Maker Model", 1.5, "F")
    assert first.age_years == pytest.approx(52)


def test_a_study_that_could_not_be_analyzed_has_no_answers() -> None:
    assert [c.probabilities for c in pair_findings(study(finding("L3/L4", "absent")), None, Origin("clinic"))] == [None]


def test_a_place_without_a_true_grade_is_no_case() -> None:
    assert pair_findings(study(finding("L3/L4", None)), study(finding("L3/L4", "absent")), Origin("clinic")) == []


def test_the_truth_of_a_phantom_says_what_it_is() -> None:
    (case,) = pair_findings(study(finding("L3/L4", "absent", "truth")), None, Origin("clinic"))
    assert case.is_phantom and "computer-made" in case.data


def test_a_grade_that_is_not_the_likeliest_is_the_one_given() -> None:
    rare = replace(finding("L4/L5", "absent"), grade="present")
    (case,) = pair_findings(study(finding("L4/L5", "present")), study(rare), Origin("clinic"))
    assert case.called == "present" and case.found_index == case.truth_index == 1
    assert score_cases([case])["accuracy"].value == 1
    (likely,) = pair_findings(study(finding("L4/L5", "present")), study(finding("L4/L5", "present")), Origin("clinic"))
    assert likely.called == ""


@pytest.mark.parametrize("age, years", [("045Y", 45.0), ("018M", 1.5), ("", None), ("old", None), ("Y", None)])
def test_ages(age: str, years: float | None) -> None:
    assert age_years(age) == (None if years is None else pytest.approx(years, abs=0.01))


def test_a_scanner_without_field_strength() -> None:
    plain = replace(study(finding("L3/L4", "absent")), study=replace(STUDY, scanner="Maker TX-3T5", patient_age=""))
    (case,) = pair_findings(plain, None, Origin("clinic"))
    assert (case.field_strength_t, case.age_years) == (None, None)


def test_what_was_rounded_to_nothing_is_not_the_worst_answer_there_is() -> None:
    sure = replace(finding("L4/L5", "present"), probabilities={"absent": 0.0, "present": 1.0})
    (case,) = pair_findings(study(finding("L4/L5", "absent")), study(sure), Origin("clinic"))
    assert case.probabilities == pytest.approx((0.00005, 0.99995), abs=1e-8)
