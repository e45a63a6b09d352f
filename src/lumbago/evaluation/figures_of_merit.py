"""Which figures a group of cases gets, by its scale, and their intervals.

Accuracy never stands alone: what "always the commonest grade" reaches stands beside it, with balanced accuracy, recall
of every grade, kappa and log loss.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from lumbago.anatomy.conditions import Scale
from lumbago.evaluation import metrics
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.intervals import (
    Difference,
    Score,
    Values,
    WeightedFigure,
    Weights,
    weighted_differences,
    weighted_scores,
)
from lumbago.evaluation.metrics import Grades, Probabilities


@dataclass(frozen=True, eq=False)
class Sample:
    """Cases of one condition that have an answer, as arrays; `found` are the grades that were given."""

    scale: Scale
    truth: Grades
    probabilities: Probabilities
    found: Grades
    patients: Shaped[np.ndarray, " n"]

    @classmethod
    def of(cls, cases: Sequence[GradedCase]) -> "Sample":
        """The answered ones among cases of one condition; there must be one."""
        answered = [case for case in cases if case.probabilities is not None]
        values = np.array([case.probabilities for case in answered], np.float64)
        return cls(
            answered[0].scale,
            np.array([case.truth_index for case in answered], np.int64),
            values / values.sum(1, keepdims=True),
            np.array([case.found_index for case in answered], np.int64),
            patient_keys(answered),
        )

    @property
    def abnormal(self) -> Bool[np.ndarray, " n"]:
        """Whether the true grade is one that a reader wants to see first."""
        return self.truth >= self.scale.abnormal_from

    @property
    def abnormal_score(self) -> Float64[np.ndarray, " n"]:
        """The predicted probability of that."""
        return np.asarray(self.probabilities[:, self.scale.abnormal_from :].sum(1))

    @property
    def expected(self) -> Float64[np.ndarray, " n"]:
        """Expected grades, in values of the scale."""
        return np.asarray(self.probabilities @ np.array(self.scale.values))


def patient_keys(cases: Sequence[GradedCase]) -> Shaped[np.ndarray, " n"]:
    """The patient of each case, told apart between sources."""
    return np.array([f"{case.source}\0{case.patient}" for case in cases])


def score_cases(cases: Sequence[GradedCase], *, brief: bool = False) -> dict[str, Score]:
    """All figures of cases of one condition, over those with an answer; and the share that has one.

    `brief` leaves out what is said of each single grade.
    """
    found = np.array([case.probabilities is not None for case in cases], np.float64)
    share = {f"found, of {len(cases)}": _mean_of(found)}
    scores = weighted_scores(share, patient_keys(cases))
    if not found.any():
        return scores
    sample = Sample.of(cases)
    figures = main_figures(sample) | ({} if brief else grade_figures(sample))
    return scores | weighted_scores(figures, sample.patients)


def compare_cases(first: Sequence[GradedCase], second: Sequence[GradedCase]) -> dict[str, Difference]:
    """First model less second on the same cases of one condition; both must have an answer to every one of them."""
    one, other = Sample.of(first), Sample.of(second)
    names = [name for name in main_figures(one) if "commonest" not in name]
    return weighted_differences(
        {name: main_figures(one)[name] for name in names},
        {name: main_figures(other)[name] for name in names},
        one.patients,
    )


def _mean_of(values: Float64[np.ndarray, " n"]) -> WeightedFigure:
    return lambda weights: metrics.weighted_mean(values, weights)


def _of_confusion(
    truth: Grades, found: Grades, grades: int, figure: Callable[[metrics.Counts], Values]
) -> WeightedFigure:
    return lambda weights: figure(metrics.confusions(truth, found, grades, weights))


def main_figures(sample: Sample) -> dict[str, WeightedFigure]:
    """Figures of the whole scale."""
    truth, p = sample.truth, sample.probabilities
    figures = {
        **agreement_figures(sample.scale, truth, sample.found),
        "log loss": _mean_of(metrics.log_losses(truth, p)),
        "Brier score": _mean_of(((p - np.eye(p.shape[1])[truth]) ** 2).sum(1)),
        "calibration error": lambda weights: metrics.calibration_errors(truth, p, weights),
        "AUC of any change": lambda weights: metrics.aucs(truth > 0, 1 - p[:, 0], weights),
    }
    if sample.scale.abnormal_from > 1:
        worse = sample.scale.titles[sample.scale.abnormal_from]
        figures[f"AUC of {worse} or worse"] = lambda weights: metrics.aucs(
            sample.abnormal, sample.abnormal_score, weights
        )
    if sample.scale.ordinal and len(sample.scale.grades) > 2:
        values = np.array(sample.scale.values)
        figures["error of the expected grade"] = _mean_of(np.abs(sample.expected - values[truth]))
    return figures


def agreement_figures(scale: Scale, truth: Grades, found: Grades) -> dict[str, WeightedFigure]:
    """Figures of given grades alone: for a model, and for a second reader just so."""
    grades, occurring = len(scale.grades), np.unique(truth)

    def of(figure: Callable[[metrics.Counts], Values]) -> WeightedFigure:
        return _of_confusion(truth, found, grades, figure)

    def mean_of(figure: Callable[[metrics.Counts], Float64[np.ndarray, "tables grades"]]) -> WeightedFigure:
        return of(lambda counts: _mean_over(occurring, figure(counts), counts))

    figures = {
        "accuracy": of(metrics.accuracy_of),
        "accuracy of always the commonest grade": of(_commonest_share),
        "balanced accuracy": mean_of(metrics.recalls_of),
        "macro F1": mean_of(metrics.f1_of),
    }
    if not scale.ordinal or grades <= 2:
        return figures | {"kappa": of(metrics.plain_kappa_of)}
    return figures | {
        "linear kappa": of(lambda counts: metrics.kappa_of(counts, 1)),
        "quadratic kappa": of(lambda counts: metrics.kappa_of(counts, 2)),
        "off by more than one": _mean_of((np.abs(truth - found) > 1).astype(np.float64)),
    }


def _commonest_share(counts: metrics.Counts) -> Values:
    return metrics.ratio(counts.sum(-1).max(-1), counts.sum((-2, -1)))


def _mean_over(occurring: Grades, values: Float64[np.ndarray, "tables grades"], counts: metrics.Counts) -> Values:
    """Mean over the grades that occur in the whole sample; unknown for a resample that has lost one of them, in which
    it would be the mean of fewer."""
    has_all = (counts.sum(-1)[:, occurring] > 0).all(-1)
    return np.where(has_all, values[:, occurring].mean(-1), np.nan)


def grade_figures(sample: Sample) -> dict[str, WeightedFigure]:
    """Recall, precision, F1 and one-against-the-rest AUC of every grade that occurs."""
    figures: dict[str, WeightedFigure] = {}
    for index in np.unique(sample.truth):
        for name, figure in _figures_of_grade(sample, int(index)).items():
            figures[f"{name} of {sample.scale.titles[index]}"] = figure
    return figures


def _figures_of_grade(sample: Sample, index: int) -> dict[str, WeightedFigure]:
    def of(figure: Callable[[metrics.Counts], Float64[np.ndarray, "tables grades"]]) -> WeightedFigure:
        return _of_confusion(
            sample.truth, sample.found, len(sample.scale.grades), lambda counts: np.asarray(figure(counts)[:, index])
        )

    def auc(weights: Weights) -> Values:
        return metrics.aucs(sample.truth == index, sample.probabilities[:, index], weights)

    return {
        "recall": of(metrics.recalls_of),
        "precision": of(metrics.precisions_of),
        "F1": of(metrics.f1_of),
        "AUC": auc,
    }
