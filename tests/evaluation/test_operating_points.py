"""Thresholds come from validation cases alone, and reach there what they are chosen for."""

from dataclasses import replace

import pytest
from made_up_cases import made_up

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import UsageError
from lumbago.evaluation import intervals
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.operating_points import operating_points


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "RESAMPLES", 100)


def validation(condition: str = "pfirrmann", patients: int = 40) -> list[GradedCase]:
    return [replace(case, split="validation") for case in made_up(condition, patients, 1, source="elsewhere")]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_points_reach_on_validation_what_they_are_for(condition: str) -> None:
    screening, confirming = operating_points(validation(condition), made_up(condition))
    assert screening.chosen_on["sensitivity"] >= 0.95
    assert confirming.chosen_on["specificity"] >= 0.95
    assert screening.threshold <= confirming.threshold or screening.chosen_on["specificity"] >= 0.95
    for point in (screening, confirming):
        assert point.reached["sensitivity"].low <= point.reached["sensitivity"].value
        assert point.cases == sum(case.probabilities is not None for case in made_up(condition))


def test_the_threshold_does_not_depend_on_the_test() -> None:
    easy, hard = (operating_points(validation(), made_up(skill=skill)) for skill in (50.0, 0.5))
    assert [point.threshold for point in easy] == [point.threshold for point in hard]
    assert easy[0].reached["specificity"].value > hard[0].reached["specificity"].value


@pytest.mark.parametrize("split", ["test", "", "out of fold"])
def test_test_cases_are_not_chosen_on(split: str) -> None:
    with pytest.raises(UsageError, match="never choose on test cases"):
        operating_points([replace(case, split=split) for case in validation()], made_up())


def test_a_patient_is_on_one_side_only() -> None:
    shared = [replace(case, split="validation") for case in made_up(patients=3)]
    with pytest.raises(UsageError, match="3 patients are in validation and test"):
        operating_points(shared, made_up())


def test_one_class_gives_no_threshold() -> None:
    normal = [replace(case, truth="1") for case in validation()]
    assert operating_points(normal, made_up()) == []
    assert operating_points([replace(case, probabilities=None) for case in validation()], made_up()) == []


def test_nothing_is_called_where_no_threshold_confirms() -> None:
    """Normal discs with the surest scores: only calling nothing is specific enough."""
    upside_down = [
        replace(case, probabilities=(0.0, 0.0, 0.0, 0.0, 1.0) if case.truth in "123" else (1.0, 0.0, 0.0, 0.0, 0.0))
        for case in validation()
    ]
    _, confirming = operating_points(upside_down, made_up())
    assert confirming.chosen_on["specificity"] == 1 and confirming.chosen_on["sensitivity"] == 0
