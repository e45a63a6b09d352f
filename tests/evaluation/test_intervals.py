"""Fast intervals are the slow ones; differences are paired."""

import time
from dataclasses import replace

import numpy as np
import pytest
from made_up_cases import made_up, truths, values

from lumbago.evaluation import metrics
from lumbago.evaluation.figures_of_merit import Sample, main_figures, patient_keys, score_cases
from lumbago.evaluation.html_parts import score_cell
from lumbago.evaluation.intervals import over_patients, unpaired_differences, weighted_differences, weighted_scores
from lumbago.evaluation.score_tables import short


def test_weights_give_the_intervals_of_chosen_rows() -> None:
    cases = [case for case in made_up(patients=12) if case.probabilities]
    truth, p, patients = truths(cases), values(cases), patient_keys(cases)
    fast = weighted_scores(main_figures(Sample.of(cases)), patients)

    def balanced(rows: np.ndarray) -> float:
        has_all = set(truth[rows]) == set(truth)
        return metrics.balanced_accuracy(truth[rows], p[rows].argmax(1)) if has_all else float("nan")

    slow = {
        "accuracy": lambda rows: metrics.accuracy(truth[rows], p[rows].argmax(1)),
        "balanced accuracy": balanced,
        "quadratic kappa": lambda rows: metrics.weighted_kappa(truth[rows], p[rows].argmax(1), 5, 2),
        "log loss": lambda rows: metrics.log_loss(truth[rows], p[rows]),
        "calibration error": lambda rows: metrics.calibration_error(truth[rows], p[rows]),
        "AUC of any change": lambda rows: metrics.auc(truth[rows] > 0, 1 - p[rows, 0]),
        "off by more than one": lambda rows: metrics.far_off(truth[rows], p[rows].argmax(1)),
    }
    for name, figure in slow.items():
        wanted = over_patients(figure, patients)
        found = (fast[name].value, fast[name].low, fast[name].high)
        assert found == pytest.approx((wanted.value, wanted.low, wanted.high)), name


def test_two_thousand_cases_take_seconds() -> None:
    cases = made_up(patients=400)
    start = time.perf_counter()
    scores = score_cases(cases)
    assert len(cases) == 2000 and len(scores) > 30
    assert time.perf_counter() - start < 15


def difference(first: float, second: float) -> tuple[float, float, float]:
    """Of accuracy, of models of some skill on the same 40 patients: value, p, and the width of its interval."""
    one, other = (Sample.of([c for c in made_up(patients=40, skill=s) if c.probabilities]) for s in (first, second))
    found = weighted_differences(
        {"accuracy": main_figures(one)["accuracy"]}, {"accuracy": main_figures(other)["accuracy"]}, one.patients
    )["accuracy"]
    return found.score.value, found.p, found.score.high - found.score.low


def test_a_better_model_is_seen_to_be_better() -> None:
    better, p, _ = difference(20.0, 1.0)
    worse, same_p, _ = difference(1.0, 20.0)
    assert better == -worse > 0.2
    assert p == same_p < 0.01


def test_a_model_does_not_differ_from_itself() -> None:
    assert difference(3.0, 3.0) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("patients, least", [(1, 1.0), (2, 0.5), (5, 0.0625), (20, 2 / 1001)])
def test_few_patients_prove_nothing(patients: int, least: float) -> None:
    owners = np.repeat(np.arange(patients), 5)
    better, worse = ({"": lambda weights, figure=figure: figure * np.ones(len(weights))} for figure in (0.9, 0.5))
    assert weighted_differences(better, worse, owners)[""].p == pytest.approx(least)
    assert unpaired_differences(better, worse, (owners[:5], owners))[""].p == pytest.approx(
        max(2 / (patients + 1), 2 / 1001)
    )


def test_one_patient_has_no_interval() -> None:
    """All resamples are the same: it looked like certainty."""
    cases = [case for case in made_up(patients=1) if case.probabilities]
    score = score_cases(cases)["accuracy"]
    assert np.isnan([score.low, score.high]).all() and not score.has_interval
    assert str(score) == f"{score.value:.3f} [no interval]" and short(score) == f"{score.value:.2f} [no interval]"
    assert score_cell(score) == f"{score.value:.2f}<small>no interval</small>"
    owners, hit = patient_keys(cases), np.arange(len(cases)) % 2.0
    assert not over_patients(lambda rows: float(hit[rows].mean()), owners).has_interval
    figure = {"": lambda weights: metrics.weighted_mean(hit, weights)}
    found = weighted_differences(figure, figure, owners)[""]
    assert str(found) == "0.000 [no interval], p 1.000"
    others = np.arange(hit.size)
    assert not unpaired_differences(figure, figure, (owners, others))[""].score.has_interval
    assert unpaired_differences(figure, figure, (others, others))[""].score.has_interval


def test_differences_of_chance_models_are_seldom_significant() -> None:
    """Of twenty pairs of equally blind models, few differ with p below 0.05."""
    rng, significant = np.random.default_rng(0), 0
    patients = np.repeat(np.arange(40), 5)
    for _ in range(20):
        one, other = (rng.random(200) < 0.5 for _ in range(2))
        found = weighted_differences(
            {"": lambda w, hit=one: metrics.weighted_mean(hit.astype(float), w)},  # type: ignore[misc]
            {"": lambda w, hit=other: metrics.weighted_mean(hit.astype(float), w)},  # type: ignore[misc]
            patients,
        )
        significant += found[""].p < 0.05
    assert significant <= 4


def test_differences_of_other_patients_are_as_wide_as_both_together() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.normal(1.0, 1.0, 80), rng.normal(0.0, 1.0, 120)
    figures = [{"mean": lambda weights, own=own: metrics.weighted_mean(own, weights)} for own in (first, second)]
    found = unpaired_differences(*figures, (np.arange(80), np.arange(120)))["mean"]
    assert found.score.value == pytest.approx(first.mean() - second.mean())
    half = 1.96 * np.sqrt(first.var() / 80 + second.var() / 120)
    assert (found.score.high - found.score.low) / 2 == pytest.approx(half, rel=0.15)
    same = unpaired_differences(figures[0], figures[0], (np.arange(80), np.arange(80)))["mean"]
    assert same.score.low < -0.1 < 0.1 < same.score.high and same.p > 0.5


def test_resamples_that_lost_a_rare_grade_do_not_widen_its_mean() -> None:
    """Grade 5 occurs in one patient of thirty; always grade 1 is right once in five grades, whoever is drawn."""
    cases = [
        replace(case, truth=str(1 + int(case.patient.split(":")[1]) % 4), probabilities=(0.9, 0.1, 0.0, 0.0, 0.0))
        for case in made_up(patients=30)
    ]
    cases[0] = replace(cases[0], truth="5")
    for name, wanted in (("balanced accuracy", 0.2), ("macro F1", None)):
        score = score_cases(cases)[name]
        assert score.low <= score.value <= score.high
        if wanted is not None:
            assert (score.value, score.low, score.high) == pytest.approx((wanted,) * 3)
