"""Rules on measures: what scikit-learn says where it can say it, thresholds that rise, and no wrong direction."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import SettingsRefused
from lumbago.learning.fit_rules import NAMES, PENALTY, RULES, fit_rules
from lumbago.networks.export_onnx import export_onnx
from lumbago.networks.ordinal_rules import OrdinalRules, OrdinalRulesForExport

CONDITIONS_HERE = ("pfirrmann", "spondylolisthesis", "modic")
PLACES = 300


@pytest.fixture(scope="module")
def places() -> tuple[np.ndarray, np.ndarray]:
    """Measures that go with the grades: a lower nucleus with a higher Pfirrmann grade, a slip with a slip."""
    rng = np.random.default_rng(2)
    grades = np.stack([rng.integers(0, 5, PLACES), rng.integers(0, 2, PLACES), rng.integers(0, 4, PLACES)], axis=1)
    measures = rng.normal(0, 1, (PLACES, len(NAMES)))
    measures[:, NAMES.index("nucleus")] -= 1.0 * grades[:, 0]
    measures[:, NAMES.index("slip_size")] += 1.5 * grades[:, 1]
    measures[:, NAMES.index("marrow_bright")] += 2.0 * (grades[:, 2] == 2)
    measures[::9] = np.where(rng.random((len(measures[::9]), len(NAMES))) < 0.3, np.nan, measures[::9])
    return (0.1 * measures + 0.5).astype(np.float32), grades


@pytest.fixture(scope="module")
def rules(places: tuple[np.ndarray, np.ndarray]) -> OrdinalRules:
    return fit_rules(*places, CONDITIONS_HERE)


def test_every_condition_looks_at_measures_that_there_are() -> None:
    assert set(RULES) == set(CONDITIONS)
    assert all({row.lstrip("+-") for row in rows} <= set(NAMES) and len(set(rows)) == len(rows)
               for rows in RULES.values())  # fmt: skip


def test_two_grades_are_a_logistic_regression(rules: OrdinalRules, places: tuple[np.ndarray, np.ndarray]) -> None:
    measures, grades = places
    known = grades[:, 1] != -1
    used = np.flatnonzero(rules.weights_1[:, 0].numpy())
    scaled = rules.scaled(torch.from_numpy(measures)).numpy()[:, used].astype(np.float64)
    asked = np.concatenate([scaled[known], np.zeros((2, len(used)))])
    model = LogisticRegression(C=1 / PENALTY, tol=1e-8, max_iter=1000)
    rarer = np.bincount(grades[known, 1])[grades[known, 1]] ** -0.5
    model.fit(asked, [*grades[known, 1], 0, 1], [*(rarer / rarer.mean()), 0.5, 0.5])
    found = rules.each(torch.from_numpy(measures))[1].exp().numpy()
    np.testing.assert_allclose(found, model.predict_proba(scaled), atol=1e-4)


def test_grades_with_an_order_have_rising_thresholds(
    rules: OrdinalRules, places: tuple[np.ndarray, np.ndarray]
) -> None:
    thresholds, weights = rules.thresholds_0.numpy(), rules.weights_0.numpy()
    assert (np.diff(thresholds) > 0).all() and weights.shape == (len(NAMES), 1)
    sums = rules.scaled(torch.from_numpy(places[0])).numpy() @ weights
    wanted = np.diff(expit(np.pad(thresholds[None] - sums, ((0, 0), (1, 1)), constant_values=((0, 0), (-99, 99)))))
    found = rules.each(torch.from_numpy(places[0]))[0].exp().numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert (found.argmax(1) == places[1][:, 0]).mean() > 0.5


@pytest.mark.parametrize("number, condition", [*enumerate(CONDITIONS_HERE)])
def test_no_measure_counts_the_wrong_way(rules: OrdinalRules, number: int, condition: str) -> None:
    weights = getattr(rules, f"weights_{number}").numpy()
    looked_at = {NAMES.index(row.lstrip("+-")): row[0] for row in RULES[condition]}
    assert not np.delete(weights, list(looked_at), axis=0).any()
    assert all((weights[place] >= 0).all() for place, sign in looked_at.items() if sign == "+")
    assert all((weights[place] <= 0).all() for place, sign in looked_at.items() if sign == "-")


def test_a_lower_nucleus_never_makes_a_disc_better(rules: OrdinalRules) -> None:
    measures = np.full((20, len(NAMES)), np.nan, np.float32)
    measures[:, NAMES.index("nucleus")] = np.linspace(2, -2, 20)
    chances = rules.each(torch.from_numpy(measures))[0].exp().numpy()
    assert (np.diff(chances @ np.arange(5)) >= -1e-6).all() and np.ptp(chances @ np.arange(5)) > 1


def test_what_nobody_has_shown_keeps_a_chance() -> None:
    measures, grades = np.full((6, len(NAMES)), np.nan, np.float32), np.array([[3, -1]] * 6)
    found = fit_rules(measures, grades, ("pfirrmann", "bulging")).each(torch.from_numpy(measures))
    np.testing.assert_allclose(found[0][0].exp().numpy(), np.array([0.5, 0.5, 0.5, 6.5, 0.5]) / 8.5, atol=0.02)
    np.testing.assert_allclose(found[1][0].exp().numpy(), [0.5, 0.5], atol=1e-3)


def test_rules_say_the_same_as_onnx(rules: OrdinalRules, places: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    export_onnx(OrdinalRulesForExport(rules), torch.from_numpy(places[0][:2]), CONDITIONS_HERE, {0: 1}, tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    found = np.concatenate(session.run(list(CONDITIONS_HERE), {"input": places[0]}), axis=1)
    np.testing.assert_allclose(found, rules(torch.from_numpy(places[0])).numpy(), atol=1e-4)


def test_no_place_is_refused() -> None:
    with pytest.raises(SettingsRefused, match="expected graded places to learn from"):
        fit_rules(np.zeros((0, len(NAMES)), np.float32), np.zeros((0, 1), np.int64), ("pfirrmann",))
