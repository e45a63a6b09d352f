"""Temperature scaling: one number for each condition that makes stated probabilities true (Guo et al. 2017).

Works on probabilities: dividing logits by a temperature is raising probabilities to its inverse and normalising.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Int64
from scipy.optimize import minimize_scalar

from lumbago.errors import UsageError
from lumbago.evaluation import metrics
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.figures_of_merit import Sample
from lumbago.evaluation.intervals import Difference, Score, WeightedFigure, weighted_differences, weighted_scores
from lumbago.evaluation.metrics import Grades, Probabilities
from lumbago.evaluation.operating_points import require_validation

PARTS: Final = 5
_LEAST_PATIENTS: Final = 2 * PARTS
_LOG_RANGE: Final = (-3.0, 3.0)
_SMALLEST: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted temperature and what it does to patients that it was not fitted on.

    Attributes:
        condition, data, split: what it was fitted on; cases, patients: how many.
        temperature: what probabilities are to be softened by (above 1) or sharpened (below 1).
        before, after: log loss and calibration error, by name; `after` by cross-fitting over patients.
        gain: log loss after less before, paired.
    """

    condition: str
    data: str
    split: str
    temperature: float
    cases: int
    patients: int
    before: dict[str, Score]
    after: dict[str, Score]
    gain: Difference

    @property
    def is_better(self) -> bool:
        """Whether log loss falls."""
        return self.gain.score.value < 0


def soften(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Probabilities as their logits divided by the temperature would give them."""
    logits = np.log(np.clip(probabilities, _SMALLEST, 1)) / temperature
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def fit_temperature(truth: Grades, probabilities: Probabilities) -> float:
    """The temperature of the lowest log loss, between 0.05 and 20."""

    def loss(log_temperature: float) -> float:
        return metrics.log_loss(truth, soften(probabilities, float(np.exp(log_temperature))))

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded").x))


def calibrate(cases: Sequence[GradedCase]) -> Calibration:
    """Fits one condition's temperature on validation cases.

    Raises:
        UsageError: a case of another split than `validation`, or too few patients.
    """
    require_validation(cases)
    if not any(case.probabilities for case in cases):
        raise UsageError(f"no case of {cases[0].condition} has an answer", "predictions of the model")
    sample = Sample.of(cases)
    part = patient_parts(sample)
    cross_fitted = _cross_fit(sample, part)
    before, after = (_figures(sample.truth, values) for values in (sample.probabilities, cross_fitted))
    return Calibration(
        condition=cases[0].condition,
        data=", ".join(dict.fromkeys(case.data for case in cases)),
        split=cases[0].split,
        temperature=fit_temperature(sample.truth, sample.probabilities),
        cases=sample.truth.size,
        patients=np.unique(sample.patients).size,
        before=weighted_scores(before, sample.patients),
        after=weighted_scores(after, sample.patients),
        gain=weighted_differences(after, before, sample.patients)["log loss"],
    )


def patient_parts(sample: Sample) -> Int64[np.ndarray, " n"]:
    """The part of cross-fitting that each case is in, whole patients together.

    Raises:
        UsageError: too few patients.
    """
    unique, owner = np.unique(sample.patients, return_inverse=True)
    if unique.size < _LEAST_PATIENTS:
        raise UsageError(f"{unique.size} validation patients are too few to calibrate on", f"{_LEAST_PATIENTS} or more")
    return np.asarray(np.random.default_rng(0).permutation(unique.size)[owner] % PARTS, np.int64)


def _cross_fit(sample: Sample, part: Int64[np.ndarray, " n"]) -> Probabilities:
    """Probabilities of each part by the temperature of the others."""
    softened = np.empty_like(sample.probabilities)
    for number in range(PARTS):
        own = part == number
        temperature = fit_temperature(sample.truth[~own], sample.probabilities[~own])
        softened[own] = soften(sample.probabilities[own], temperature)
    return softened


def _figures(truth: Grades, probabilities: Probabilities) -> dict[str, WeightedFigure]:
    losses = metrics.log_losses(truth, probabilities)
    return {
        "log loss": lambda weights: metrics.weighted_mean(losses, weights),
        "calibration error": lambda weights: metrics.calibration_errors(truth, probabilities, weights),
    }
