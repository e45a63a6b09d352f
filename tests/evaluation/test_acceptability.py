"""A slice is acceptable when nothing that matters is wrong on it."""

from dataclasses import replace

import pytest
from made_up_cases import made_up

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.evaluation.acceptability import JUDGED, acceptable_share, fault_of, judge_slices
from lumbago.evaluation.cases import GradedCase


def case(condition: str, truth: str, found: str | None, patient: str = "1") -> GradedCase:
    row = CONDITIONS[condition]
    sure = None if found is None else tuple(float(grade == found) for grade in row.scale.grades)
    return GradedCase("a", patient, patient, condition, "L4/L5", row.sides[0], truth, sure, slice_name=f"mid {patient}")


@pytest.mark.parametrize("condition", JUDGED)
def test_every_error_that_counts(condition: str) -> None:
    grades = CONDITIONS[condition].scale.grades
    borne = 1 if len(grades) > 2 else 0
    for truth, name in enumerate(grades):
        for found, given in enumerate(grades):
            assert (fault_of(case(condition, name, given)) == "") == (abs(truth - found) <= borne)
        assert "no answer" in fault_of(case(condition, name, None))


def test_one_fault_spoils_a_slice() -> None:
    slices = judge_slices([
        case("pfirrmann", "2", "3"),
        case("herniation", "absent", "absent"),
        case("pfirrmann", "2", "2", "2"),
        case("herniation", "present", "absent", "2"),
        case("bulging", "present", "absent"),
    ])  # fmt: skip
    assert [piece.is_acceptable for piece in slices] == [True, False]
    assert slices[1].faults == ("herniation L4/L5: missed",)
    assert acceptable_share(slices).value == 0.5


def test_slices_of_one_name_in_two_studies_are_two() -> None:
    good = case("pfirrmann", "2", "2")
    slices = judge_slices([good, replace(case("pfirrmann", "2", "5"), study="a year later")])
    assert [piece.is_acceptable for piece in slices] == [True, False]


def test_a_right_answer_everywhere_is_acceptable() -> None:
    cases = [
        replace(row, probabilities=tuple(float(grade == row.truth) for grade in row.scale.grades))
        for condition in CONDITIONS
        for row in made_up(condition, 5)
    ]
    score = acceptable_share(judge_slices(cases))
    assert (score.value, score.low, score.high) == (1.0, 1.0, 1.0)
