"""Figures of merit, each with an interval over patients.

Pure functions of labels and predictions; grades are indices into their scale.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64, Int64
from sklearn.metrics import roc_auc_score

Grades = Int64[np.ndarray, " n"]
Probabilities = Float64[np.ndarray, "n grades"]

RESAMPLES: Final = 1000


@dataclass(frozen=True, slots=True)
class Score:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def over_patients(figure: Callable[[np.ndarray], float], patients: np.ndarray, seed: int = 0) -> Score:
    """A figure of chosen rows, with a percentile bootstrap over patients (Efron 1979).

    Args:
        figure: takes row indices, gives the figure; not-a-number where it is undefined, which the interval leaves out.
        patients: key of each row's patient.
    """
    rng = np.random.default_rng(seed)
    unique, owner = np.unique(patients, return_inverse=True)
    rows_of = [np.nonzero(owner == index)[0] for index in range(unique.size)]
    values = [
        figure(np.concatenate([rows_of[index] for index in rng.integers(unique.size, size=unique.size)]))
        for _ in range(RESAMPLES)
    ]
    known = [value for value in values if not np.isnan(value)]
    low, high = np.percentile(known, [2.5, 97.5]) if known else (np.nan, np.nan)
    return Score(float(figure(np.arange(patients.size))), float(low), float(high))


def confusion(truth: Grades, found: Grades, grades: int) -> Int64[np.ndarray, "grades grades"]:
    """Counts, truth down and prediction across."""
    return np.bincount(truth * grades + found, minlength=grades**2).reshape(grades, grades)


def accuracy(truth: Grades, found: Grades) -> float:
    """Share of equal grades."""
    return float((truth == found).mean())


def balanced_accuracy(truth: Grades, found: Grades) -> float:
    """Mean recall of the grades that occur."""
    return float(np.mean([(found[truth == grade] == grade).mean() for grade in np.unique(truth)]))


def weighted_kappa(truth: Grades, found: Grades, grades: int, power: int = 1) -> float:
    """Cohen's kappa with linear (power 1) or quadratic (power 2) weights (Cohen 1968)."""
    counts = confusion(truth, found, grades).astype(np.float64)
    distance = np.abs(np.subtract.outer(np.arange(grades), np.arange(grades))) ** power
    by_chance = np.outer(counts.sum(1), counts.sum(0)) / counts.sum()
    expected = float((distance * by_chance).sum())
    return float("nan") if expected == 0 else 1 - float((distance * counts).sum()) / expected


def far_off(truth: Grades, found: Grades) -> float:
    """Share of errors by more than one grade."""
    return float((np.abs(truth - found) > 1).mean())


def log_loss(truth: Grades, probabilities: Probabilities) -> float:
    """Mean negative log of the true grade's probability, clipped at 1e-6."""
    return float(-np.log(np.clip(probabilities[np.arange(truth.size), truth], 1e-6, 1)).mean())


def auc(truth: Bool[np.ndarray, " n"], score: Float64[np.ndarray, " n"]) -> float:
    """Area under the ROC curve; not-a-number when only one class occurs."""
    return float("nan") if truth.all() or not truth.any() else float(roc_auc_score(truth, score))


def calibration_error(truth: Grades, probabilities: Probabilities, bins: int = 15) -> float:
    """Expected calibration error of the most probable grade (Guo et al. 2017)."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == truth
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[index == b].mean() - right[index == b].mean()) * (index == b).mean() for b in np.unique(index)
    ]
    return float(sum(gaps))
