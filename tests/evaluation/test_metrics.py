"""Figures agree with scikit-learn's, and intervals count patients, not discs."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as sklearn

from lumbago.evaluation import metrics
from lumbago.evaluation.intervals import Score, over_patients

GRADES = 5


@pytest.fixture(scope="module", params=range(3))
def case(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """Truth, and probabilities that know something of it; in the last case one grade never occurs."""
    rng = np.random.default_rng(request.param)
    truth = rng.integers(0 if request.param < 2 else 1, GRADES, 200)
    logits = -np.abs(np.arange(GRADES) - truth[:, None]) + rng.normal(0, 1.5, (200, GRADES))
    values = np.exp(logits)
    return truth, values / values.sum(1, keepdims=True)


Case = tuple[np.ndarray, np.ndarray]


@pytest.mark.parametrize("power, weights", [(1, "linear"), (2, "quadratic")])
def test_kappa(case: Case, power: int, weights: str) -> None:
    truth, found = case[0], case[1].argmax(1)
    wanted = sklearn.cohen_kappa_score(truth, found, weights=weights, labels=range(GRADES))
    assert metrics.weighted_kappa(truth, found, GRADES, power) == pytest.approx(wanted)


def test_kappa_knows_its_ends() -> None:
    truth = np.array([0, 1, 2, 3, 4])
    assert metrics.weighted_kappa(truth, truth, 5) == 1
    assert metrics.weighted_kappa(truth, truth[::-1].copy(), 5, 2) == pytest.approx(-1)
    assert np.isnan(metrics.weighted_kappa(np.zeros(4, int), np.zeros(4, int), 5)), "agreement that says nothing"


def test_confusion_and_accuracies(case: Case) -> None:
    truth, found = case[0], case[1].argmax(1)
    assert np.array_equal(
        metrics.confusion(truth, found, GRADES), sklearn.confusion_matrix(truth, found, labels=range(GRADES))
    )
    assert metrics.accuracy(truth, found) == pytest.approx(sklearn.accuracy_score(truth, found))
    wanted = sklearn.recall_score(truth, found, average="macro", labels=np.unique(truth))
    assert metrics.balanced_accuracy(truth, found) == pytest.approx(wanted)


def test_always_the_commonest_is_no_better_than_chance() -> None:
    truth = np.array([0] * 90 + [1] * 10)
    assert metrics.accuracy(truth, np.zeros(100, int)) == 0.9
    assert metrics.balanced_accuracy(truth, np.zeros(100, int)) == 0.5


def test_log_loss_and_auc(case: Case) -> None:
    truth, values = case
    assert metrics.log_loss(truth, values) == pytest.approx(sklearn.log_loss(truth, values, labels=range(GRADES)))
    is_worse = truth > 2
    assert metrics.auc(is_worse, 1 - values[:, :3].sum(1)) == pytest.approx(
        sklearn.roc_auc_score(is_worse, values[:, 3:].sum(1))
    )


def test_auc_of_one_class_is_unknown() -> None:
    for value in (False, True):
        assert np.isnan(metrics.auc(np.full(3, value), np.array([0.1, 0.2, 0.3])))


def test_log_loss_of_a_sure_error_is_finite() -> None:
    assert metrics.log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-np.log(1e-6))


def test_errors_by_more_than_one_grade() -> None:
    assert metrics.far_off(np.array([0, 0, 0, 4]), np.array([0, 1, 2, 0])) == 0.5


def test_calibration_error() -> None:
    """A hundred times "80 %" and right 60 times is off by 0.2."""
    values = np.tile([0.8, 0.2], (100, 1))
    truth = np.array([0] * 60 + [1] * 40)
    assert metrics.calibration_error(truth, values) == pytest.approx(0.2)
    sure = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert metrics.calibration_error(np.array([0, 1]), sure) == 0


def share_of(hit: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda rows: float(hit[rows].mean())


def test_an_interval_holds_its_value() -> None:
    rng = np.random.default_rng(3)
    hit = (rng.random(400) < 0.7).astype(float)
    score = over_patients(share_of(hit), np.arange(400))
    assert score.value == hit.mean()
    spread = np.sqrt(0.7 * 0.3 / 400)
    assert score.low == pytest.approx(score.value - 1.96 * spread, abs=0.012)
    assert score.high == pytest.approx(score.value + 1.96 * spread, abs=0.012)


def test_discs_of_one_patient_count_as_one() -> None:
    """Ten copies of every patient's disc tell no more than one: the interval stays as wide."""
    rng = np.random.default_rng(4)
    hit = (rng.random(50) < 0.6).astype(float)
    alone = over_patients(share_of(hit), np.arange(50))
    copied = over_patients(share_of(np.repeat(hit, 10)), np.repeat(np.arange(50), 10))
    as_if_independent = over_patients(share_of(np.repeat(hit, 10)), np.arange(500))
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, abs=1e-9)
    assert as_if_independent.high - as_if_independent.low < 0.5 * (copied.high - copied.low)


def test_the_same_data_give_the_same_interval() -> None:
    hit = np.arange(20) % 3 / 2
    assert over_patients(share_of(hit), np.arange(20)) == over_patients(share_of(hit), np.arange(20))


def test_resamples_without_a_figure_are_left_out() -> None:
    """A rare class is missing from some resamples; and a figure that never is has no interval."""
    truth = np.array([True] + [False] * 4)
    score = over_patients(lambda rows: metrics.auc(truth[rows], np.arange(5.0)[::-1][rows]), np.arange(5))
    assert score == Score(1.0, 1.0, 1.0)
    unknown = over_patients(lambda rows: float("nan"), np.arange(5))
    assert np.isnan([unknown.value, unknown.low, unknown.high]).all()


def test_a_score_is_said_with_its_interval() -> None:
    assert str(Score(0.5, 0.25, 0.75)) == "0.500 [0.250, 0.750]"


def ones(case: Case) -> np.ndarray:
    return np.ones((1, case[0].size))


def test_recall_precision_and_f1_of_each_grade(case: Case) -> None:
    truth, found = case[0], case[1].argmax(1)
    counts = metrics.confusions(truth, found, GRADES, ones(case))[0]
    wanted = sklearn.precision_recall_fscore_support(truth, found, labels=range(GRADES), zero_division=np.nan)
    occurs = np.isin(np.arange(GRADES), truth)
    for figure, values in zip((metrics.precisions_of, metrics.recalls_of, metrics.f1_of), wanted, strict=False):
        assert figure(counts)[occurs] == pytest.approx(values[occurs])


def test_weights_count_cases_as_often(case: Case) -> None:
    """Every figure under weights equals scikit-learn's with those sample weights."""
    truth, values = case
    found, weights = values.argmax(1), np.random.default_rng(5).integers(0, 4, truth.size).astype(float)
    counts = metrics.confusions(truth, found, GRADES, weights[None])
    kappa = sklearn.cohen_kappa_score(truth, found, labels=range(GRADES), weights="quadratic", sample_weight=weights)
    assert metrics.kappa_of(counts, 2)[0] == pytest.approx(kappa)
    right = sklearn.accuracy_score(truth, found, sample_weight=weights)
    assert metrics.accuracy_of(counts)[0] == pytest.approx(right)
    rounded = np.round(values[:, -1], 1)
    wanted = sklearn.roc_auc_score(truth == 4, rounded, sample_weight=weights)
    assert metrics.aucs(truth == 4, rounded, weights[None])[0] == pytest.approx(wanted)
    copies = np.repeat(np.arange(truth.size), weights.astype(int))
    assert metrics.calibration_errors(truth, values, weights[None])[0] == pytest.approx(
        metrics.calibration_error(truth[copies], values[copies])
    )


def test_roc_curve(case: Case) -> None:
    """scikit-learn's points, all of them, ties included; the area below is the AUC."""
    truth, score = case[0] > 2, np.round(case[1][:, 3:].sum(1), 1)
    alarms, hits = metrics.roc_curve(truth, score)
    wanted = sklearn.roc_curve(truth, score, drop_intermediate=False)
    assert alarms == pytest.approx(wanted[0]) and hits == pytest.approx(wanted[1])
    assert np.trapezoid(hits, alarms) == pytest.approx(metrics.auc(truth, score))


def test_a_reliability_curve_holds_every_case(case: Case) -> None:
    confidence, right, cases = metrics.reliability_curve(*case)
    assert cases.sum() == case[0].size
    assert (right * cases).sum() / case[0].size == pytest.approx(metrics.accuracy(case[0], case[1].argmax(1)))
    assert (confidence * cases).sum() / case[0].size == pytest.approx(case[1].max(1).mean())
    assert (np.diff(confidence) > 0).all()


def test_a_grade_that_never_occurs_has_no_recall() -> None:
    counts = np.array([[3.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 2.0, 2.0]])
    assert np.isnan(metrics.recalls_of(counts)).tolist() == [False, True, False]
    assert metrics.balanced_accuracy_of(counts) == pytest.approx((0.75 + 0.5) / 2)
