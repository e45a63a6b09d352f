"""Figures of merit as pure functions of labels and predictions; grades are indices into their scale.

Figures of a confusion matrix take any leading axes, so that a thousand resamples cost no more code than one table.
"""

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy.typing import ArrayLike

from lumbago.evaluation.intervals import Values, Weights

Grades = Int64[np.ndarray, " n"]
Probabilities = Float64[np.ndarray, "n grades"]
Counts = Float64[np.ndarray, "*tables grades grades"]
"""Confusion matrices: truth down, prediction across; counts or weights."""

_SURE = 1e-6
"""Probabilities are taken to be no surer than this."""


def ratio(part: ArrayLike, whole: ArrayLike) -> Float64[np.ndarray, "..."]:
    """Quotient, not-a-number where the whole is zero."""
    above, below = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0))


def confusion(truth: Grades, found: Grades, grades: int) -> Int64[np.ndarray, "grades grades"]:
    """Counts, truth down and prediction across."""
    return np.bincount(truth * grades + found, minlength=grades**2).reshape(grades, grades)


def confusions(truth: Grades, found: Grades, grades: int, weights: Weights) -> Counts:
    """The confusion matrix under each row of weights."""
    cells = np.eye(grades**2)[truth * grades + found]
    return np.asarray((weights @ cells).reshape(-1, grades, grades))


def accuracy_of(counts: Counts) -> Float64[np.ndarray, "*tables"]:
    """Share on the diagonal."""
    return ratio(np.trace(counts, axis1=-2, axis2=-1), counts.sum((-2, -1)))


def recalls_of(counts: Counts) -> Float64[np.ndarray, "*tables grades"]:
    """Of the cases with each grade, the share that was called so."""
    return ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1))


def precisions_of(counts: Counts) -> Float64[np.ndarray, "*tables grades"]:
    """Of the cases called each grade, the share that has it."""
    return ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-2))


def f1_of(counts: Counts) -> Float64[np.ndarray, "*tables grades"]:
    """Harmonic mean of precision and recall; unknown where a grade neither occurs nor is called."""
    return ratio(2 * np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1) + counts.sum(-2))


def balanced_accuracy_of(counts: Counts) -> Float64[np.ndarray, "*tables"]:
    """Mean recall of the grades that occur."""
    recalls = recalls_of(counts)
    return ratio(np.nansum(recalls, -1), (~np.isnan(recalls)).sum(-1).astype(np.float64))


def kappa_of(counts: Counts, power: int) -> Float64[np.ndarray, "*tables"]:
    """Cohen's kappa with linear (power 1) or quadratic (power 2) weights (Cohen 1968)."""
    steps = np.arange(counts.shape[-1])
    distance = np.abs(np.subtract.outer(steps, steps)).astype(np.float64) ** power
    chance = counts.sum(-1)[..., :, None] * counts.sum(-2)[..., None, :]
    expected = ratio((distance * chance).sum((-2, -1)), counts.sum((-2, -1)))
    return np.asarray(1 - ratio((distance * counts).sum((-2, -1)), expected))


def plain_kappa_of(counts: Counts) -> Float64[np.ndarray, "*tables"]:
    """Cohen's kappa without weights (Cohen 1960)."""
    total = counts.sum((-2, -1))
    chance = ratio((counts.sum(-1) * counts.sum(-2)).sum(-1), total**2)
    return ratio(accuracy_of(counts) - chance, 1 - chance)


def accuracy(truth: Grades, found: Grades) -> float:
    """Share of equal grades."""
    return float((truth == found).mean())


def balanced_accuracy(truth: Grades, found: Grades) -> float:
    """Mean recall of the grades that occur."""
    return float(balanced_accuracy_of(_counts(truth, found, int(max(truth.max(), found.max())) + 1)))


def weighted_kappa(truth: Grades, found: Grades, grades: int, power: int = 1) -> float:
    """Cohen's kappa with linear (power 1) or quadratic (power 2) weights (Cohen 1968)."""
    return float(kappa_of(_counts(truth, found, grades), power))


def _counts(truth: Grades, found: Grades, grades: int) -> Float64[np.ndarray, "grades grades"]:
    return confusion(truth, found, grades).astype(np.float64)


def far_off(truth: Grades, found: Grades) -> float:
    """Share of errors by more than one grade."""
    return float((np.abs(truth - found) > 1).mean())


def log_losses(truth: Grades, probabilities: Probabilities) -> Float64[np.ndarray, " n"]:
    """Negative log of each true grade's probability, clipped at 1e-6."""
    return np.asarray(-np.log(np.clip(probabilities[np.arange(truth.size), truth], _SURE, 1)))


def log_loss(truth: Grades, probabilities: Probabilities) -> float:
    """Mean negative log of the true grade's probability, clipped at 1e-6."""
    return float(log_losses(truth, probabilities).mean())


def weighted_mean(values: Float64[np.ndarray, " n"], weights: Weights) -> Values:
    """Mean of the values under each row of weights."""
    return ratio(weights @ values, weights.sum(1))


def aucs(truth: Bool[np.ndarray, " n"], score: Float64[np.ndarray, " n"], weights: Weights) -> Values:
    """Area under the ROC curve under each row of weights: how often a true case outranks a false one, ties half."""
    _, group = np.unique(score, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.nonzero(np.diff(group[order], prepend=-1))[0]
    positive = np.add.reduceat((weights * truth)[:, order], starts, axis=1)
    negative = np.add.reduceat((weights * ~truth)[:, order], starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    return ratio((positive * below).sum(1), positive.sum(1) * negative.sum(1))


def auc(truth: Bool[np.ndarray, " n"], score: Float64[np.ndarray, " n"]) -> float:
    """Area under the ROC curve; not-a-number when only one class occurs."""
    return float(aucs(truth, score, np.ones((1, truth.size)))[0])


def roc_curve(
    truth: Bool[np.ndarray, " n"], score: Float64[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " points"], Float64[np.ndarray, " points"]]:
    """(false positive rate, true positive rate) from the strictest threshold to the laxest."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.nonzero(np.diff(score[order]))[0], truth.size - 1)
    hits = np.concatenate([[0.0], np.cumsum(truth[order])[ends]])
    alarms = np.concatenate([[0.0], np.cumsum(~truth[order])[ends]])
    return ratio(alarms, alarms[-1]), ratio(hits, hits[-1])


def confidence_bins(probabilities: Probabilities, bins: int) -> Int64[np.ndarray, " n"]:
    """The bin, of equal widths, that each case's highest probability falls into."""
    return np.asarray(np.minimum((probabilities.max(1) * bins).astype(np.int64), bins - 1))


def calibration_errors(truth: Grades, probabilities: Probabilities, weights: Weights, bins: int = 15) -> Values:
    """Expected calibration error of the most probable grade (Guo et al. 2017) under each row of weights."""
    gap = probabilities.max(1) - (probabilities.argmax(1) == truth)
    by_bin = np.eye(bins)[confidence_bins(probabilities, bins)] * gap[:, None]
    return ratio(np.abs(weights @ by_bin).sum(1), weights.sum(1))


def calibration_error(truth: Grades, probabilities: Probabilities, bins: int = 15) -> float:
    """Expected calibration error of the most probable grade (Guo et al. 2017)."""
    return float(calibration_errors(truth, probabilities, np.ones((1, truth.size)), bins)[0])


def reliability_curve(
    truth: Grades, probabilities: Probabilities, bins: int = 10
) -> tuple[Float64[np.ndarray, " used"], Float64[np.ndarray, " used"], Int64[np.ndarray, " used"]]:
    """(mean confidence, share that is right, cases) of each bin that holds cases."""
    index = confidence_bins(probabilities, bins)
    cases = np.bincount(index, minlength=bins)
    used = cases > 0
    right = (probabilities.argmax(1) == truth).astype(np.float64)
    confidence = np.bincount(index, probabilities.max(1), bins)[used] / cases[used]
    return confidence, np.bincount(index, right, bins)[used] / cases[used], cases[used]
