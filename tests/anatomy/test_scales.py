"""Scales: what a mean grade is."""

import pytest

from lumbago.anatomy.conditions import DEGENERATION, MODIC, PFIRRMANN, PRESENCE, SEVERITY, Scale

ORDINAL = [SEVERITY, PFIRRMANN, PRESENCE, DEGENERATION]


@pytest.mark.parametrize("scale", ORDINAL, ids=lambda scale: scale.name)
def test_a_sure_grade_is_its_own_mean(scale: Scale) -> None:
    for grade, value in zip(scale.grades, scale.values, strict=True):
        assert scale.expected_grade({name: float(name == grade) for name in scale.grades}) == value


def test_doubt_lies_in_between() -> None:
    assert PFIRRMANN.expected_grade({"1": 0.0, "2": 0.0, "3": 0.25, "4": 0.75, "5": 0.0}) == 3.75
    assert SEVERITY.expected_grade({"normal_mild": 0.5, "moderate": 0.0, "severe": 0.5}) == 1.0


def test_grades_without_order_have_no_mean() -> None:
    assert MODIC.expected_grade({"0": 0.1, "1": 0.2, "2": 0.3, "3": 0.4}) is None


def test_probabilities_of_another_scale_are_refused() -> None:
    with pytest.raises(KeyError):
        PFIRRMANN.expected_grade({"absent": 1.0})
