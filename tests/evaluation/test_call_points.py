"""A call point finds what is rare, is judged on patients that it was not chosen on, and is chosen on no test case."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_cases import made_up, values

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import UsageError
from lumbago.evaluation import intervals
from lumbago.evaluation.call_points import call_grades, choose_call_point
from lumbago.evaluation.cases import GradedCase


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "RESAMPLES", 100)


def rare(patients: int = 300, told: float = 0.25) -> list[GradedCase]:
    """Herniations of one disc in ten; every one has this probability of `present`, everything else 0.05."""
    is_there = np.arange(patients) % 10 == 0
    return [
        GradedCase(
            "clinic", str(number), "s", "herniation", "L4/L5", None, "present" if present else "absent",
            (1 - told, told) if present else (0.95, 0.05), split="validation",
        )
        for number, present in enumerate(is_there)
    ]  # fmt: skip


def test_what_is_never_the_likeliest_is_called() -> None:
    found = choose_call_point(rare())
    assert found is not None and found.is_better and 0.05 < found.value <= 0.25
    assert found.before["kappa"].value == 0 and found.after["kappa"].value == pytest.approx(1.0)
    assert (found.cases, found.patients, found.condition) == (300, 300, "herniation")


def test_noise_is_not_kept() -> None:
    rng = np.random.default_rng(4)
    noise = [replace(case, probabilities=(1 - p, p)) for case, p in zip(rare(), rng.uniform(0, 0.4, 300), strict=True)]
    found = choose_call_point(noise)
    assert found is not None and not found.is_better


def test_one_class_has_no_point() -> None:
    assert choose_call_point([replace(case, truth="absent") for case in rare()]) is None
    assert choose_call_point([replace(case, probabilities=None) for case in rare()]) is None


@pytest.mark.parametrize("condition", CONDITIONS)
def test_rows_and_single_findings_are_called_alike(condition: str) -> None:
    cases = [case for case in made_up(condition, 20) if case.probabilities]
    scale = CONDITIONS[condition].scale
    for least in (0.05, 0.3, 0.5, 0.9):
        grades = [scale.grades[index] for index in call_grades(scale, values(cases), least)]
        single = [scale.called(dict(zip(scale.grades, case.probabilities or (), strict=True)), least) for case in cases]
        assert grades == single


def test_never_on_test_cases() -> None:
    with pytest.raises(UsageError, match="of the split 'test'"):
        choose_call_point([replace(case, split="test") for case in rare()])
    with pytest.raises(UsageError, match="too few"):
        choose_call_point(rare(9))
