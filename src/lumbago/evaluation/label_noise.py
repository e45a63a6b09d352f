"""How noisy a set's labels are, and what linear kappa a grader without error would reach against them.

No set at hand was read twice, so that its labels' noise follows from assumptions alone. Three ways rest on different
ones:

- confident learning (Northcutt, Jiang and Chuang 2021): a wrong label is wrong by chance given the true grade, and
  cross-fitted probabilities that are high enough are right. What a grader is surely wrong of counts as the label's.
- a triad (Spearman 1904): the label and two graders see one hidden degeneration, each with an error of its own; the
  label's share follows from the three correlations. Errors that both graders make count as the label's too, unless
  their correlation is given.
- readers' agreement in the literature: two readings see the hidden degeneration equally well.

The last two are ordinal probit models: a grade is a normal variate, cut. The grader without error tells the hidden
one, cut at the same shares.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import Float64, Int64
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from lumbago.evaluation.metrics import Counts, Grades, Probabilities, kappa_of

Shares = Float64[np.ndarray, " grades"]
Hidden = Float64[np.ndarray, " n"]
Figure = Callable[[Counts], Float64[np.ndarray, ""]]
"""A kappa of one table."""

_POINTS: Final = 1000
"""Quantiles that stand for the hidden degeneration."""
_SURE: Final = 1 - 1e-9


def confident_joint(labels: Grades, probabilities: Probabilities) -> Counts:
    """Estimated shares of label (down) and true grade (across).

    A case counts as truly of a grade whose probability is at least the mean of that over the cases labelled so, of the
    likeliest where there are several; rows are scaled to the labels' shares.

    Args:
        labels: grades as labelled.
        probabilities: by models that have not seen the case's label.
    """
    grades = probabilities.shape[1]
    own = np.eye(grades)[labels]
    least = (own.T @ probabilities).diagonal() / np.maximum(own.sum(0), 1)
    reached = np.where((probabilities >= least) & (own.sum(0) > 0), probabilities, -1.0)
    is_sure = reached.max(1) >= 0
    counts = own[is_sure].T @ np.eye(grades)[reached[is_sure].argmax(1)]
    rows = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return np.asarray(rows * own.mean(0)[:, None])


def normal_scores(values: Hidden) -> Hidden:
    """Values by rank, equal ones alike, as those of a standard normal variate (van der Waerden 1952)."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(count) - (count - 1) / 2
    return np.asarray(ndtri(ranks[place] / (values.size + 1)))


def polyserial(labels: Grades, scores: Hidden) -> float:
    """Correlation of normal scores with the normal variate behind the labels (Olsson, Drasgow and Dorans 1982)."""
    cuts = ndtri(np.cumsum(np.bincount(labels))[:-1] / labels.size)
    heights = np.exp(-(cuts**2) / 2).sum() / np.sqrt(2 * np.pi)
    return float(np.clip(np.corrcoef(labels, scores)[0, 1] * labels.std() / heights, -_SURE, _SURE))


def correlations(labels: Grades, one: Hidden, other: Hidden) -> tuple[float, float, float]:
    """Of the normal variates behind the labels and two graders' expected grades: label and one, label and other, one
    and other."""
    scores = normal_scores(one), normal_scores(other)
    return polyserial(labels, scores[0]), polyserial(labels, scores[1]), float(np.corrcoef(*scores)[0, 1])


def needed_sharing(pairs: tuple[float, float, float]) -> float:
    """How much the graders' errors must correlate for the labels to be without any: their partial correlation given the
    label. Above it no triad has a solution."""
    one, other, both = pairs
    return float((both - one * other) / np.sqrt((1 - one**2) * (1 - other**2)))


def label_truth(pairs: tuple[float, float, float], sharing: float = 0.0) -> float:
    """Correlation of the variate behind the labels with the hidden degeneration, from a triad's `correlations`.

    Args:
        sharing: assumed correlation of the graders' errors; 0 is Spearman's triad.
    """
    one, other, both = pairs
    if sharing >= needed_sharing(pairs):
        return 1.0

    def surplus(label: float) -> float:
        errors = np.sqrt(max(0.0, 1 - (one / label) ** 2) * max(0.0, 1 - (other / label) ** 2))
        return float(one * other / label**2 + sharing * errors - both)

    least = max(one, other)
    return float(brentq(surplus, least, 1.0)) if surplus(least) > 0 else least


def truth_table(shares: Shares, correlation: float) -> Counts:
    """Shares of label (down) and hidden grade (across) where both have these shares of grades."""
    given, hidden = _given(shares, correlation)
    return np.asarray(given.T @ hidden / _POINTS)


def readings_table(shares: Shares, correlation: float) -> Counts:
    """Shares of one reading (down) and another (across) that both correlate with the hidden degeneration so."""
    given, _ = _given(shares, correlation)
    return np.asarray(given.T @ given / _POINTS)


def _given(
    shares: Shares, correlation: float
) -> tuple[Float64[np.ndarray, "n grades"], Float64[np.ndarray, "n grades"]]:
    """At each quantile of the hidden degeneration, chances of each label, and which hidden grade it is."""
    ends = np.cumsum(shares / shares.sum())[:-1]
    quantiles = (np.arange(_POINTS) + 0.5) / _POINTS
    spread = np.sqrt(1 - min(correlation, _SURE) ** 2)
    below = ndtr((ndtri(ends)[None] - correlation * ndtri(quantiles)[:, None]) / spread)
    hidden = np.eye(shares.size)[np.searchsorted(ends, quantiles)]
    return np.diff(below, prepend=0.0, append=1.0, axis=1), hidden


def agreeing(shares: Shares, kappa: float, figure: Figure) -> float:
    """Correlation with the hidden degeneration at which two readings agree with this kappa."""
    return float(brentq(lambda truth: float(figure(readings_table(shares, truth))) - kappa, 0.01, _SURE, xtol=1e-4))


def linear_kappa(table: Counts) -> Float64[np.ndarray, ""]:
    """With linear weights (Cohen 1968)."""
    return kappa_of(table, 1)


def ceiling(shares: Shares, correlation: float) -> float:
    """Linear kappa of the hidden grades against the labels."""
    return float(linear_kappa(truth_table(shares, correlation)))


def recut(labels: Grades, expected: Hidden, part: Int64[np.ndarray, " n"]) -> Grades:
    """Expected grades cut anew, where the labels of all other parts have their shares of grades."""
    found = np.empty_like(labels)
    for number in np.unique(part):
        own = part == number
        ends = np.cumsum(np.bincount(labels[~own]))[:-1] / (~own).sum()
        found[own] = np.searchsorted(np.quantile(expected[~own], ends), expected[own])
    return found
