from dataclasses import replace

import pytest
from made_up_study import withhold_all
from report_cases import CASES, no_axial, nothing_found

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import NotAssessed, StudyFindings
from lumbago.anatomy.levels import LEVELS
from lumbago.anatomy.meyerding import slip_details
from lumbago.report.level_grid import COLUMNS, abnormal_first, grade_title, level_grid, shown_levels


@pytest.mark.parametrize("case", CASES)
def test_every_abnormal_finding_is_in_the_grid(case: str) -> None:
    findings = CASES[case]()[0]
    shown = [f for row in level_grid(findings) for f in (*(cell.finding for cell in row.cells), *row.further) if f]
    assert [f for f in abnormal_first(findings) if f not in shown] == []


@pytest.mark.parametrize("case", CASES)
def test_every_cell_has_a_grade_or_a_reason(case: str) -> None:
    cells = [cell for row in level_grid(CASES[case]()[0]) for cell in row.cells]
    assert all((cell.finding is not None and cell.finding.grade) or cell.reason for cell in cells)


def test_right_comes_before_left() -> None:
    heads = [column.head for column in COLUMNS]
    assert heads == ["canal", "foramen R", "foramen L", "recess R", "recess L", "Pfirrmann"]


def test_states_and_reasons(findings: StudyFindings) -> None:
    assert {cell.state for row in level_grid(findings) for cell in row.cells} == {"graded"}
    withheld = level_grid(withhold_all(findings, "dark"))[0].cells[0]
    assert (withheld.state, withheld.reason) == ("abstained", "dark")
    missing = level_grid(no_axial()[0])[3].cells[3]
    assert (missing.state, missing.reason) == ("not_assessed", "no axial T2 series")


def test_further_findings_that_were_withheld_were_tried(findings: StudyFindings) -> None:
    states = [row.further_state for row in level_grid(withhold_all(findings, "dark"))]
    assert states == ["abstained"] * 5
    own = {column.condition.name for column in COLUMNS}
    alone = tuple(f for f in findings.findings if f.condition in own | {"disc_degeneration"})
    assert {row.further_state for row in level_grid(replace(findings, findings=alone))} == {"not_assessed"}
    assert {row.further_state for row in level_grid(findings)} == {"graded"}


def test_a_reason_for_one_side_stays_on_its_side(findings: StudyFindings) -> None:
    kept = tuple(f for f in findings.findings if f.condition != "neural_foraminal_narrowing")
    entry = NotAssessed("neural_foraminal_narrowing", "too few slices", "L4/L5", "left")
    row = level_grid(replace(findings, findings=kept, not_assessed=(entry,)))[3]
    assert [cell.reason for cell in row.cells[1:3]] == ["no result was given", "too few slices"]


def test_a_level_out_of_view_says_so(findings: StudyFindings) -> None:
    below = tuple(location for location in findings.levels if location.level != "L1/L2")
    kept = tuple(f for f in findings.findings if f.level != "L1/L2")
    row = level_grid(replace(findings, levels=below, findings=kept))[0]
    assert {cell.reason for cell in row.cells} == {"the disc was not found in the images"}


def test_the_order_is_from_the_worst_down(findings: StudyFindings) -> None:
    order = [(f.condition, f.level) for f in abnormal_first(findings)]
    assert order[:3] == [
        ("spinal_canal_stenosis", "L4/L5"),
        ("neural_foraminal_narrowing", "L5/S1"),
        ("subarticular_stenosis", "L4/L5"),
    ]
    assert order.index(("pfirrmann", "L4/L5")) < order.index(("spinal_canal_stenosis", "L3/L4"))
    assert order.index(("spinal_canal_stenosis", "L3/L4")) < order.index(("pfirrmann", "L5/S1"))


@pytest.mark.parametrize("slip_percent, is_severe", [(20.0, False), (-30.0, True), (60.0, True), (110.0, True)])
def test_a_slip_of_more_than_a_quarter_comes_among_the_severe(
    findings: StudyFindings, slip_percent: float, is_severe: bool
) -> None:
    slip = findings.find("spondylolisthesis", "L5/S1")
    assert slip is not None
    present = replace(
        slip, grade="present", probabilities={"absent": 0.1, "present": 0.9}, details=slip_details(slip_percent)
    )
    ranked = abnormal_first(replace(findings, findings=tuple(present if f is slip else f for f in findings.findings)))
    moderate = findings.find("spinal_canal_stenosis", "L3/L4")
    assert moderate is not None and moderate.grade == "moderate" and ranked[0].grade == "severe"
    assert (ranked.index(present) < ranked.index(moderate)) == is_severe


def test_the_coarser_form_of_a_grade_is_not_said_twice(findings: StudyFindings) -> None:
    coarse = findings.find("disc_degeneration", "L4/L5")
    assert coarse is not None
    severe = replace(coarse, grade="severe", probabilities={"normal": 0.1, "mild_moderate": 0.1, "severe": 0.8})
    both = replace(findings, findings=tuple(severe if f is coarse else f for f in findings.findings))
    assert severe not in level_grid(both)[3].further
    alone = replace(both, findings=tuple(f for f in both.findings if f.condition != "pfirrmann"))
    assert severe in level_grid(alone)[3].further


def test_phantom_grades_are_marked_one_by_one(findings: StudyFindings) -> None:
    for finding in findings.findings:
        assert grade_title(finding).endswith("†") == (finding.trained_on == "phantoms")


def test_levels_beyond_the_five_are_shown_when_graded(findings: StudyFindings) -> None:
    extra = replace(findings.findings[0], level="T12/L1")
    assert shown_levels(replace(findings, findings=(*findings.findings, extra))) == ("T12/L1", *LEVELS)
    assert shown_levels(nothing_found()[0]) == LEVELS


def test_conditions_of_the_columns_exist_with_their_sides() -> None:
    assert {(column.condition.name, column.side) for column in COLUMNS} == {
        (column.condition.name, side) for column in COLUMNS for side in CONDITIONS[column.condition.name].sides
    }
