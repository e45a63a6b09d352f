"""The score of the RSNA 2024 lumbar spine challenge, as its published metric file defines it; lower is better.

Three weighted log losses (canal; foramina; recesses, left and right together), rows weighted 1, 2, 4 by their true
grade, over all rows of all studies; and one for "any severe canal stenosis" of a study, predicted by the largest severe
probability among its canal rows. The score is the plain mean of the four.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from lumbago.anatomy.conditions import CONDITIONS, SEVERITY
from lumbago.errors import UnreadableInput
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.figures_of_merit import patient_keys
from lumbago.evaluation.intervals import Score, Values, WeightedFigure, Weights, weighted_scores
from lumbago.evaluation.metrics import ratio

CANAL: Final = "spinal_canal_stenosis"
RSNA_CONDITIONS: Final = tuple(name for name, row in CONDITIONS.items() if row.scale is SEVERITY)
ANY_SEVERE: Final = "any severe canal stenosis"
RSNA_SCORE: Final = "RSNA 2024 score"
GRADE_WEIGHTS: Final = (1.0, 2.0, 4.0)

_EPSILON: Final = float(np.finfo(np.float64).eps)
"""What scikit-learn's log loss clips at, and so the published metric."""
_UNANSWERED: Final = (1 / 3, 1 / 3, 1 / 3)
"""The challenge knows no missing answer; one is counted as not knowing."""


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of the three conditions as arrays."""

    condition: Shaped[np.ndarray, " n"]
    truth: Int64[np.ndarray, " n"]
    probabilities: Float64[np.ndarray, "n 3"]
    study: Int64[np.ndarray, " n"]

    @property
    def weights(self) -> Float64[np.ndarray, " n"]:
        return np.asarray(np.array(GRADE_WEIGHTS)[self.truth])


def rsna_scores(cases: Sequence[GradedCase]) -> dict[str, Score]:
    """The terms that the cases allow, each with its interval, and their mean when all four are there.

    Cases of other conditions are left out. A place without an answer counts as 1/3 for each grade.
    """
    chosen = [case for case in cases if case.condition in RSNA_CONDITIONS]
    return weighted_scores(rsna_terms(chosen), patient_keys(chosen)) if chosen else {}


def rsna_terms(cases: Sequence[GradedCase]) -> dict[str, WeightedFigure]:
    """The terms as figures of case weights, for intervals and for comparing models."""
    rows = _rows(cases)
    terms: dict[str, WeightedFigure] = {
        CONDITIONS[name].title: _group_loss(rows, name) for name in RSNA_CONDITIONS if (rows.condition == name).any()
    }
    if CONDITIONS[CANAL].title in terms:
        terms[ANY_SEVERE] = _any_severe_loss(rows)
    return terms | ({RSNA_SCORE: _mean_of(dict(terms))} if len(terms) == 4 else {})


def binary_loss(label: Bool[np.ndarray, " n"], probability: Float64[np.ndarray, " n"], weights: Weights) -> Values:
    """Weighted log loss of a yes or no under each row of weights."""
    right = np.where(label, probability, 1 - probability)
    return ratio(weights @ -np.log(np.clip(right, _EPSILON, 1 - _EPSILON)), weights.sum(1))


def _rows(cases: Sequence[GradedCase]) -> _Rows:
    strange = next((case.condition for case in cases if case.condition not in RSNA_CONDITIONS), None)
    if strange is not None:
        raise UnreadableInput(f"a case of {strange} among those of the RSNA score", f"{', '.join(RSNA_CONDITIONS)}")
    values = np.array([case.probabilities or _UNANSWERED for case in cases], np.float64)
    _, study = np.unique([f"{case.source}\0{case.patient}\0{case.study}" for case in cases], return_inverse=True)
    return _Rows(
        np.array([case.condition for case in cases]),
        np.array([case.truth_index for case in cases], np.int64),
        values / values.sum(1, keepdims=True),
        study.astype(np.int64),
    )


def _group_loss(rows: _Rows, condition: str) -> WeightedFigure:
    mine = np.nonzero(rows.condition == condition)[0]
    true = rows.probabilities[mine, rows.truth[mine]]
    losses, own = -np.log(np.clip(true, _EPSILON, 1.0)), rows.weights[mine]
    return lambda weights: ratio(weights[:, mine] @ (own * losses), weights[:, mine] @ own)


def _any_severe_loss(rows: _Rows) -> WeightedFigure:
    canal = np.nonzero(rows.condition == CANAL)[0]
    studies, first, member = np.unique(rows.study[canal], return_index=True, return_inverse=True)
    severe, weight = np.zeros(studies.size), np.zeros(studies.size)
    np.maximum.at(severe, member, rows.probabilities[canal, 2])
    np.maximum.at(weight, member, rows.weights[canal])
    label = weight == GRADE_WEIGHTS[2]
    return lambda weights: binary_loss(label, severe, weights[:, canal[first]] * weight)


def _mean_of(terms: Mapping[str, WeightedFigure]) -> WeightedFigure:
    return lambda weights: np.mean([term(weights) for term in terms.values()], axis=0)
