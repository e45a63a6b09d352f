"""Temperature scaling: one number for each condition that makes stated probabilities true (Guo et al. 2017).

Works on probabilities: dividing logits by a temperature is raising probabilities to its inverse and normalising.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Int64
from scipy.optimize import minimize_scalar

from lumbago.errors import UsageError
from lumbago.evaluation import metrics
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.choices import PARTS, Choice, patient_parts, weigh_choice
from lumbago.evaluation.figures_of_merit import Sample
from lumbago.evaluation.intervals import WeightedFigure
from lumbago.evaluation.metrics import Grades, Probabilities
from lumbago.evaluation.operating_points import require_validation

_LOG_RANGE: Final = (-3.0, 3.0)
_SMALLEST: Final = 1e-6


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


def calibrate(cases: Sequence[GradedCase]) -> Choice:
    """Fits one condition's temperature on validation cases; better where log loss falls.

    Raises:
        UsageError: a case of another split than `validation`, or too few patients.
    """
    require_validation(cases)
    if not any(case.probabilities for case in cases):
        raise UsageError(f"no case of {cases[0].condition} has an answer", "predictions of the model")
    sample = Sample.of(cases)
    softened = _cross_fit(sample, patient_parts(sample))
    before, after = (_figures(sample.truth, values) for values in (sample.probabilities, softened))
    value = fit_temperature(sample.truth, sample.probabilities)
    return weigh_choice(cases, value, (before, after), lambda gain: gain.value < 0)


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
