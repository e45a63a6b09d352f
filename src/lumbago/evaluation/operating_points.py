"""Thresholds for two purposes: screening (miss little) and confirming (call little falsely).

Thresholds are chosen on validation cases and measured on test cases; to choose them on the test is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float64

from lumbago.errors import UsageError
from lumbago.evaluation.cases import VALIDATION, GradedCase
from lumbago.evaluation.figures_of_merit import Sample
from lumbago.evaluation.intervals import Score, WeightedFigure, weighted_scores
from lumbago.evaluation.metrics import ratio

Purpose = Literal["screening", "confirming"]

LEAST: Final = 0.95
"""Sensitivity wanted of screening, specificity wanted of confirming."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold on the predicted probability of an abnormal grade, and what it does.

    Attributes:
        condition: what is called; abnormal: from which grade on.
        threshold: at least this probability is called abnormal.
        chosen_on: what it reaches on the validation cases, by name of the figure.
        reached: what it reaches on the test cases.
        cases: how many test cases that are.
    """

    purpose: Purpose
    condition: str
    abnormal: str
    threshold: float
    chosen_on: dict[str, float]
    reached: dict[str, Score]
    cases: int


def operating_points(validation: Sequence[GradedCase], test: Sequence[GradedCase]) -> list[OperatingPoint]:
    """Both points of one condition; none when the validation cases hold only one class.

    Raises:
        UsageError: validation cases that are not flagged so, or share a patient with the test.
    """
    require_validation(validation)
    _refuse_shared(validation, test)
    if not any(case.probabilities for case in validation) or not any(case.probabilities for case in test):
        return []
    chosen, measured = Sample.of(validation), Sample.of(test)
    if chosen.abnormal.all() or not chosen.abnormal.any():
        return []
    return [_point(purpose, validation[0].condition, chosen, measured) for purpose in ("screening", "confirming")]


def require_validation(cases: Sequence[GradedCase]) -> None:
    """Refuses to choose anything on cases that are not for choosing.

    Raises:
        UsageError: a case whose split is not `validation`.
    """
    other = next((case for case in cases if case.split != VALIDATION), None)
    if other is not None:
        raise UsageError(
            f"a case of {other.patient} is of the split {other.split or 'not said'!r}",
            f"the split {VALIDATION!r} in every case that something is chosen on",
            "never choose on test cases; flag the validation cases in the column split",
        )


def _refuse_shared(validation: Sequence[GradedCase], test: Sequence[GradedCase]) -> None:
    shared = sorted(
        {(case.source, case.patient) for case in validation} & {(case.source, case.patient) for case in test}
    )
    if shared:
        raise UsageError(
            f"{len(shared)} patients are in validation and test, {shared[0][1]} for one",
            "splits by patient",
            "take them out of one of the two",
        )


def _point(purpose: Purpose, condition: str, chosen: Sample, measured: Sample) -> OperatingPoint:
    threshold = _threshold(purpose, chosen.abnormal, chosen.abnormal_score)
    on_validation = _rates(chosen, threshold)
    whole = np.ones((1, chosen.truth.size))
    return OperatingPoint(
        purpose,
        condition,
        chosen.scale.titles[chosen.scale.abnormal_from],
        threshold,
        {name: float(figure(whole)[0]) for name, figure in on_validation.items()},
        weighted_scores(_rates(measured, threshold), measured.patients),
        measured.truth.size,
    )


def _threshold(purpose: Purpose, truth: Bool[np.ndarray, " n"], score: Float64[np.ndarray, " n"]) -> float:
    """The highest threshold that still finds, or the lowest that no longer calls falsely, as many as wanted."""
    values = np.unique(score)
    sensitivity = np.array([(score[truth] >= value).mean() for value in values])
    specificity = np.array([(score[~truth] < value).mean() for value in values])
    if purpose == "screening":
        return float(values[sensitivity >= LEAST].max())
    enough = values[specificity >= LEAST]
    return float(enough.min()) if enough.size else float(np.nextafter(values.max(), 2.0))


def _rates(sample: Sample, threshold: float) -> dict[str, WeightedFigure]:
    called, truth = sample.abnormal_score >= threshold, sample.abnormal

    def share(part: Bool[np.ndarray, " n"], whole: Bool[np.ndarray, " n"]) -> WeightedFigure:
        above, below = (part & whole).astype(np.float64), whole.astype(np.float64)
        return lambda weights: ratio(weights @ above, weights @ below)

    return {
        "sensitivity": share(called, truth),
        "specificity": share(~called, ~truth),
        "positive predictive value": share(truth, called),
        "negative predictive value": share(~truth, ~called),
    }
