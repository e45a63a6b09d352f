"""Fitting the support vector machine on classical features (`pipeline.classical_features`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from lumbago.errors import SettingsRefused
from lumbago.networks.rbf_svm import FittedMachines, RbfSvm

_FOLDS = 5

Features = Float32[np.ndarray, "samples features"]


@dataclass(frozen=True, eq=False)
class _Machine:
    """One grade against the rest: weight of every sample, intercept, slope and offset of the logistic curve."""

    weights: Float64[np.ndarray, " samples"]
    intercept: float
    slope: float
    offset: float


def fit_svm(
    features: Features,
    grades: Int64[np.ndarray, "samples conditions"],
    patients: Sequence[str],
    heads: Mapping[str, int],
    softness: float = 1.0,
) -> RbfSvm:
    """Fits one machine a grade; rare grades weigh more, by how rare they are.

    Args:
        grades: -1 where unknown. patients: of each sample; a logistic curve is fitted to decisions about patients that
            their machine has not seen.
        heads: number of grades of each condition, in the order of the columns of `grades`.
        softness: how dear a sample on the wrong side is (C).

    A grade that too few patients have to leave any out keeps its share of the samples as its chance.

    Raises:
        SettingsRefused: no sample.
    """
    if not len(features):
        raise SettingsRefused("a support vector machine was given no sample", "graded places to learn from")
    mean, spread = features.mean(0), np.maximum(features.std(0), 1e-6)
    scaled = ((features - mean) / spread).astype(np.float64)
    gamma = 1 / features.shape[1]
    model = SVC(C=softness, gamma=gamma, class_weight="balanced")
    machines = [
        _fit_grade(model, scaled, _Question(column != -1, column == grade, np.array(patients)))
        for column, count in zip(grades.T, heads.values(), strict=True)
        for grade in range(count)
    ]
    weights = np.stack([machine.weights for machine in machines], axis=1)
    used = np.flatnonzero(weights.any(1))
    numbers = np.array([(machine.intercept, machine.slope, machine.offset) for machine in machines])
    tables = (mean, spread, scaled[used], weights[used], *numbers.T)
    fitted = FittedMachines(*(torch.from_numpy(np.ascontiguousarray(table, np.float32)) for table in tables))
    return RbfSvm(heads, fitted, gamma).eval()


@dataclass(frozen=True, eq=False)
class _Question:
    """Which samples a machine learns from, what their answers are, and whose they are."""

    is_known: Bool[np.ndarray, " samples"]
    is_yes: Bool[np.ndarray, " samples"]
    patients: np.ndarray


def _fit_grade(model: SVC, scaled: Float64[np.ndarray, "samples features"], question: _Question) -> _Machine:
    known = np.flatnonzero(question.is_known)
    weights = np.zeros(len(scaled))
    answers = question.is_yes[known]
    decisions = _unseen_decisions(model, scaled[known], answers, question.patients[known])
    if decisions is None:
        share = (answers.sum() + 0.5) / (len(answers) + 1)
        return _Machine(weights, 0.0, 0.0, float(np.log(share / (1 - share))))
    model.fit(scaled[known], answers)
    weights[known[model.support_]] = model.dual_coef_[0]
    curve = LogisticRegression(C=1e3).fit(decisions[:, None], answers)
    return _Machine(weights, float(model.intercept_[0]), float(curve.coef_[0, 0]), float(curve.intercept_[0]))


def _unseen_decisions(
    model: SVC,
    scaled: Float64[np.ndarray, "samples features"],
    answers: Bool[np.ndarray, " samples"],
    patients: np.ndarray,
) -> Float64[np.ndarray, " samples"] | None:
    """The decision about each sample of a machine that was fitted without its patient; None when one cannot be."""
    fold = _folds(answers, patients)
    decisions = np.zeros(len(answers))
    for number in range(_FOLDS):
        held = fold == number
        if not held.any():
            continue
        if len(np.unique(answers[~held])) < 2:
            return None
        decisions[held] = model.fit(scaled[~held], answers[~held]).decision_function(scaled[held])
    return decisions if len(answers) else None


def _folds(answers: Bool[np.ndarray, " samples"], patients: np.ndarray) -> Int64[np.ndarray, " samples"]:
    """Patients dealt out in turn, those with a yes first, so that each fold gets its part of them."""
    with_yes = sorted(set(patients[answers]))
    ordered = with_yes + sorted(set(patients) - set(with_yes))
    place = {name: number % _FOLDS for number, name in enumerate(ordered)}
    return np.array([place[name] for name in patients], np.int64)
