"""Several answers on one place: one finding, that says what each series said."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumbago.anatomy.conditions import CONDITIONS, Role
from lumbago.anatomy.findings import CALLED_FROM, Evidence, Finding, Measurement
from lumbago.pipeline.join_series import join_series, unfollowed_remarks

SLICE = {"sagittal_t2": "1.2", "axial_t2": "1.3"}


def answer(role: Role, *values: float, condition: str = "herniation", trained_on: str = "phantoms") -> Finding:
    grades = CONDITIONS[condition].scale.grades
    probabilities = dict(zip(grades, values, strict=True))
    evidence = Evidence("1", SLICE[role], None, role, (0.0, 0.0, 0.0))
    return Finding(
        condition, "L4/L5", None, max(probabilities, key=lambda grade: probabilities[grade]), probabilities,
        evidence=evidence, model=f"{role} model", trained_on=trained_on,
    )  # fmt: skip


def withheld(finding: Finding) -> Finding:
    return replace(finding, grade=None, abstained=True, reason="no signal there")


def test_one_answer_stays_as_it_is() -> None:
    lone = answer("sagittal_t2", 0.3, 0.7)
    assert join_series([lone]) is lone


def test_the_surer_series_gives_the_evidence() -> None:
    joined = join_series([answer("sagittal_t2", 0.6, 0.4), answer("axial_t2", 0.1, 0.9)])
    assert joined.evidence == answer("axial_t2", 0.1, 0.9).evidence
    assert joined.model == "axial_t2 model"
    assert joined.grade == "present"
    assert joined.details["series"] == {"sagittal_t2": 0.4, "axial_t2": 0.9}


def test_a_withheld_answer_does_not_count() -> None:
    sure = answer("axial_t2", 0.2, 0.8)
    assert join_series([withheld(answer("sagittal_t2", 0.9, 0.1)), sure]) is sure


def test_all_withheld_is_withheld() -> None:
    both = [withheld(answer("sagittal_t2", 0.9, 0.1)), withheld(answer("axial_t2", 0.2, 0.8))]
    assert join_series(both) is both[0]


def test_two_models_on_one_series_weigh_as_one() -> None:
    sagittal, axial = answer("sagittal_t2", 0.9, 0.1), answer("axial_t2", 0.2, 0.8)
    once, twice = join_series([sagittal, axial]), join_series([sagittal, sagittal, axial])
    assert once.probabilities == pytest.approx(twice.probabilities, abs=2e-4)
    assert once.details == twice.details


def test_weights_count_within_a_series_alone() -> None:
    strong, weak = answer("sagittal_t2", 0.9, 0.1), answer("sagittal_t2", 0.2, 0.8)
    equal, leaning = join_series([strong, weak]), join_series([strong, weak], [1.0, 0.25])
    odds = (0.1 / 0.9) ** 0.8 * (0.8 / 0.2) ** 0.2
    assert leaning.probabilities["present"] == pytest.approx(odds / (1 + odds), abs=1e-3)
    assert leaning.probabilities["present"] < equal.probabilities["present"]
    axial = answer("axial_t2", 0.2, 0.8)
    assert join_series([strong, axial], [1.0, 0.25]).probabilities == join_series([strong, axial]).probabilities


def test_sizes_and_training_data_of_both_are_kept() -> None:
    sized = replace(answer("sagittal_t2", 0.6, 0.4), measurements={"disc_height_mm": Measurement(8.0, 0.5)})
    learned = replace(sized, trained_on="real and phantoms")
    joined = join_series([learned, answer("axial_t2", 0.1, 0.9, trained_on="real")])
    assert joined.measurements == sized.measurements
    assert joined.trained_on == "real and phantoms"


def test_what_was_learned_from_patients_stands_beside_what_was_not() -> None:
    real = answer("sagittal_t2", 0.7, 0.3, trained_on="real")
    joined = join_series([answer("sagittal_t2", 0.1, 0.9), real, answer("axial_t2", 0.2, 0.8)])
    assert (joined.probabilities, joined.grade, joined.trained_on) == (real.probabilities, "absent", "real")
    assert joined.details["series"] == {"sagittal_t2": 0.3, "axial_t2": 0.8}


def test_a_series_that_does_not_count_and_speaks_against_the_grade_is_said() -> None:
    real = answer("sagittal_t2", 0.7, 0.3, trained_on="real")
    axial = replace(answer("axial_t2", 0.2, 0.8), details={"zone": "left paracentral"})
    joined = join_series([real, axial])
    assert joined.details["not_counted"] == ["axial_t2"]
    (remark,) = unfollowed_remarks([joined, join_series([real, answer("axial_t2", 0.6, 0.4)])])
    assert remark.text.startswith("axial T2 speaks for disc herniation at L4/L5 (left paracentral), ")
    followed = join_series([answer("sagittal_t2", 0.3, 0.7, trained_on="real"), axial])
    both_count = join_series([answer("sagittal_t2", 0.9, 0.1), axial])
    assert both_count.grade == "absent" or "not_counted" not in both_count.details
    assert unfollowed_remarks([followed, both_count, real]) == []


def test_details_are_those_of_the_surer_and_what_it_does_not_say() -> None:
    sagittal = replace(answer("sagittal_t2", 0.4, 0.6), details={"part": "posterior", "slices_counted": 3})
    axial = replace(answer("axial_t2", 0.1, 0.9), details={"slices_counted": 1})
    joined = join_series([sagittal, axial])
    assert {**joined.details, "series": {}} == {"part": "posterior", "slices_counted": 1, "series": {}}


def test_a_call_point_holds_for_the_answer_that_it_was_chosen_on() -> None:
    called = replace(answer("sagittal_t2", 0.8, 0.2, trained_on="real"), grade="present", details={CALLED_FROM: 0.15})
    beside = join_series([called, answer("axial_t2", 0.7, 0.3)])
    assert (beside.grade, beside.details[CALLED_FROM]) == ("present", 0.15), "a phantoms' answer does not count"
    joined = join_series([called, answer("axial_t2", 0.7, 0.3, trained_on="real")])
    assert joined.grade == "absent" and CALLED_FROM not in joined.details


shares = st.floats(0.0, 1.0).map(lambda value: round(value, 4))


@settings(max_examples=60, deadline=None)
@given(shares, shares)
def test_the_joined_probability_lies_between(sagittal: float, axial: float) -> None:
    rows = [answer("sagittal_t2", 1 - sagittal, sagittal), answer("axial_t2", 1 - axial, axial)]
    joined = join_series(rows)
    assert sum(joined.probabilities.values()) == pytest.approx(1.0, abs=3e-4)
    assert min(sagittal, axial) - 2e-4 <= joined.probabilities["present"] <= max(sagittal, axial) + 2e-4
    assert joined.expected_grade == pytest.approx(joined.probabilities["present"], abs=0.006)
    assert join_series(rows[::-1]).probabilities == joined.probabilities
