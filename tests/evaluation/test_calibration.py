"""A temperature found is the one that was put in; nothing is fitted on cases that are not for it."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_cases import made_up, truths, values

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import UsageError
from lumbago.evaluation import intervals
from lumbago.evaluation.calibration import calibrate, fit_temperature, soften
from lumbago.evaluation.cases import GradedCase


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "RESAMPLES", 100)


def honest(condition: str = "pfirrmann", patients: int = 200) -> list[GradedCase]:
    """Cases whose truth is drawn from their probabilities."""
    rng, grades = np.random.default_rng(2), CONDITIONS[condition].scale.grades
    cases = [case for case in made_up(condition, patients) if case.probabilities]
    drawn = [grades[int(rng.choice(len(grades), p=values([case])[0]))] for case in cases]
    return [replace(case, truth=truth, split="validation") for case, truth in zip(cases, drawn, strict=True)]


def sharpened(cases: list[GradedCase], temperature: float) -> list[GradedCase]:
    sharp = soften(values(cases), 1 / temperature)
    return [replace(c, probabilities=tuple(map(float, row))) for c, row in zip(cases, sharp, strict=True)]


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_a_temperature_is_found_again(temperature: float) -> None:
    cases = sharpened(honest(), temperature)
    assert fit_temperature(truths(cases), values(cases)) == pytest.approx(temperature, rel=0.12)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_overconfidence_is_mended_on_patients_not_fitted_on(condition: str) -> None:
    found = calibrate(sharpened(honest(condition), 2.5))
    assert found.value > 1.5 and found.is_better and found.gain.p < 0.05
    assert found.after["calibration error"].value < found.before["calibration error"].value
    assert found.patients == 200


def test_softening_keeps_order_and_sum() -> None:
    p = values(honest(patients=4))
    for temperature in (0.5, 3.0):
        q = soften(p, temperature)
        assert q.sum(1) == pytest.approx(1.0)
        assert (q.argsort(1) == p.argsort(1)).all()
    assert soften(p, 1.0) == pytest.approx(p, abs=1e-5)


def test_only_validation_cases_are_fitted_on() -> None:
    with pytest.raises(UsageError, match="of the split 'test'"):
        calibrate([replace(case, split="test") for case in honest(patients=30)])


def test_too_few_patients() -> None:
    with pytest.raises(UsageError, match="9 validation patients are too few"):
        calibrate(honest(patients=9))
    with pytest.raises(UsageError, match="has an answer"):
        calibrate([replace(case, probabilities=None) for case in honest(patients=20)])
