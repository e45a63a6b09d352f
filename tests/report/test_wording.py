from dataclasses import replace

import pytest
from report_cases import (
    CASES,
    HOSTILE,
    all_abstained,
    hostile_text,
    no_axial,
    nothing_abnormal,
    nothing_found,
    unsure_names,
)

from lumbago.anatomy.findings import CALLED_FROM, NotAssessed, QualityRemark, StudyFindings
from lumbago.anatomy.levels import LEVELS
from lumbago.report import wording


def test_headline(findings: StudyFindings) -> None:
    assert wording.headline(findings) == "Most severe: L4/L5 spinal canal stenosis, severe† (80%)"
    assert wording.further_headline(findings) == (
        "Also: L5/S1 left neural foraminal narrowing, severe† (80%); L4/L5 left subarticular stenosis, severe† (80%); "
        "L4/L5 disc degeneration (Pfirrmann), 5 (80%); and 5 more"
    )


def test_how_far_a_body_has_slipped_is_said_in_the_table(findings: StudyFindings) -> None:
    slipped = replace(findings.findings[0], condition="spondylolisthesis", side=None, grade="present",
                      probabilities={"absent": 0.3, "present": 0.7}, details={"meyerding": "III"})  # fmt: skip
    assert wording.short_graded(replace(slipped, trained_on="phantoms")) == "listhesis† Meyerding III"
    assert wording.short_graded(replace(slipped, trained_on="real", details={})) == "listhesis"


def test_headline_without_anything_abnormal() -> None:
    whole = nothing_abnormal()[0]
    count = len(whole.findings)
    assert wording.headline(whole) == f"Nothing abnormal among the {count} grades given"
    parts = replace(whole, not_assessed=(NotAssessed("modic", "no model"),))
    assert wording.headline(parts).endswith("; parts of the study were not assessed")
    assert wording.further_headline(whole) == ""


@pytest.mark.parametrize("case", [all_abstained, nothing_found])
def test_headline_without_grades(case: object) -> None:
    assert callable(case)
    assert wording.headline(case()[0]) == "No grade could be given"


def test_unsure_names_carry_a_question_mark_everywhere() -> None:
    findings = unsure_names()[0]
    assert "L4/L5? spinal canal" in wording.headline(findings)
    assert all(
        line.startswith(f"{level}?: ") for level, line in zip(LEVELS, wording.level_lines(findings), strict=True)
    )
    assert wording.limits(findings)[0].startswith("Level names are not sure (L1/L2, L2/L3, L3/L4, L4/L5, L5/S1)")


def test_level_lines_give_grade_probability_and_expected_grade(findings: StudyFindings) -> None:
    line = wording.level_lines(findings)[3]
    assert line.startswith("L4/L5: canal severe† (80%, expected 1.7); foramen left normal/mild† (80%, expected 0.3);")
    assert "herniation present (80%);" in line


@pytest.mark.parametrize(
    ("probability", "text"),
    [(1.0, ">99%"), (0.996, ">99%"), (0.994, "99%"), (0.94, "94%"), (0.004, "<1%"), (0.0, "<1%")],
)
def test_percent_never_claims_certainty(probability: float, text: str) -> None:
    assert wording.percent(probability) == text


def test_not_assessed_is_grouped(findings: StudyFindings) -> None:
    foramen = "neural_foraminal_narrowing"
    entries = (
        *(NotAssessed(name, "no axial T2 series") for name in ("subarticular_stenosis", "modic")),
        NotAssessed(foramen, "cut off", "L5/S1", "left"),
        NotAssessed(foramen, "cut off", "L5/S1", "right"),
        NotAssessed(foramen, "cut off", "L4/L5", "left"),
        *(NotAssessed("bulging", "dark", level) for level in LEVELS),
        NotAssessed(foramen, "too few slices", None, "left"),
    )
    assert wording.not_assessed_lines(replace(findings, not_assessed=entries)) == (
        "Subarticular stenosis and Modic changes not assessed at any level: no axial T2 series.",
        "Neural foraminal narrowing not assessed at L4/L5 left and L5/S1: cut off.",
        "Disc bulging not assessed at any level: dark.",
        "Neural foraminal narrowing not assessed at any level, left: too few slices.",
    )


def test_withheld_is_told_from_not_assessed(findings: StudyFindings) -> None:
    first = replace(findings.findings[0], grade=None, abstained=True, reason="blurred")
    lines = wording.not_assessed_lines(replace(findings, findings=(first, *findings.findings[1:])))
    assert lines == ("Spinal canal stenosis withheld at L1/L2: blurred.",)


def test_missing_series_is_said_once() -> None:
    assert wording.not_assessed_lines(no_axial()[0]) == (
        "Subarticular stenosis not assessed at any level: no axial T2 series.",
    )


def test_limits_and_remarks(findings: StudyFindings) -> None:
    remarked = replace(
        findings, levels=findings.levels[1:], quality=(QualityRemark("limit", "dark."), *findings.quality)
    )
    assert wording.limits(remarked) == (
        "Not found in the images: L1/L2.",
        "Dark.",
        "Motion is visible in the sagittal T2 series.",
    )
    assert wording.remarks(remarked) == ("Slices of 4.5 mm.",)


def test_cautions_name_what_phantoms_taught(findings: StudyFindings) -> None:
    (line,) = wording.cautions(findings)
    assert line.startswith("† Spinal canal stenosis, neural foraminal narrowing and subarticular stenosis: graded by")
    real = replace(findings, findings=tuple(replace(f, trained_on="real") for f in findings.findings), models=())
    assert wording.cautions(real) == ()


def test_what_a_card_warns_of_is_said(findings: StudyFindings) -> None:
    warned = replace(findings.models[0], name="discs", trained_on="real", caution="read by one reader")
    assert wording.cautions(replace(findings, models=(warned,)))[1:] == ("Model discs: read by one reader.",)


@pytest.mark.parametrize(("probability", "said"), [(0.24, True), (0.6, False)])
def test_a_grade_below_one_half_is_said_to_be_called(findings: StudyFindings, probability: float, said: bool) -> None:
    herniation = next(finding for finding in findings.findings if finding.condition == "herniation")
    called = replace(
        herniation, level="L4/L5", grade="present", trained_on="real",
        probabilities={"absent": 1 - probability, "present": probability}, details={CALLED_FROM: 0.17},
    )  # fmt: skip
    lines = wording.cautions(replace(findings, findings=(called,), models=()))
    expected = "Disc herniation is called from 17% on, so it can be less likely than not: L4/L5 (24%)."
    assert lines == ((expected,) if said else ())


def test_truth_is_called_truth(findings: StudyFindings) -> None:
    truth = replace(findings, findings=tuple(replace(f, trained_on="truth") for f in findings.findings), models=())
    (line,) = wording.cautions(truth)
    assert "not a reading" in line


@pytest.mark.parametrize("case", CASES)
def test_every_abstained_or_missing_condition_is_mentioned(case: str) -> None:
    findings = CASES[case]()[0]
    lines = " ".join(wording.not_assessed_lines(findings)).lower()
    absent = {entry.condition for entry in findings.not_assessed} | {
        f.condition for f in findings.findings if f.abstained
    }
    assert [name for name in absent if wording.CONDITIONS[name].title.lower() not in lines] == []


def test_hostile_reasons_stay_one_sentence() -> None:
    (line,) = wording.not_assessed_lines(hostile_text()[0])
    assert line == f"Disc herniation not assessed at L1/L2: {HOSTILE}."
