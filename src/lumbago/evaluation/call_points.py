"""From which probability on an abnormal grade is called, where the likeliest grade would miss what is rare.

A grade that few discs have is seldom the likeliest one, however well it is told from the others: its area under the
curve is good, and it is never called. A call point is the probability of any abnormal grade from which on the likeliest
of these is given. It is chosen for the highest kappa on cases for choosing, and judged by cross-fitting over patients.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Int64

from lumbago.anatomy.conditions import Scale
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.choices import PARTS, Choice, patient_parts, weigh_choice
from lumbago.evaluation.figures_of_merit import Sample, agreement_figures
from lumbago.evaluation.intervals import WeightedFigure
from lumbago.evaluation.metrics import Grades, Probabilities
from lumbago.evaluation.operating_points import require_validation

_CANDIDATES: Final = np.round(np.arange(0.04, 0.97, 0.01), 2)
_FIGURES: Final = ("kappa", "linear kappa", "balanced accuracy", "macro F1")
"""A scale has one of the kappas, and that is what is to rise: it stands first."""


def call_grades(scale: Scale, probabilities: Probabilities, least: float) -> Grades:
    """The grade of each row by `Scale.called`, as its place in the scale."""
    first = scale.abnormal_from
    is_called = probabilities[:, first:].sum(1) >= least
    worse = first + probabilities[:, first:].argmax(1)
    return np.asarray(np.where(is_called, worse, probabilities[:, :first].argmax(1)))


def choose_call_point(cases: Sequence[GradedCase]) -> Choice | None:
    """The call point of one condition, chosen on validation cases; None where they hold one class or no answer. It is
    better where kappa (linear for ordered scales) rises by more than chance would have it.

    Raises:
        UsageError: a case of another split than `validation`, or too few patients.
    """
    require_validation(cases)
    if not any(case.probabilities for case in cases):
        return None
    sample = Sample.of(cases)
    if sample.abnormal.all() or not sample.abnormal.any():
        return None
    likeliest, called = sample.probabilities.argmax(1), _cross_chosen(sample, patient_parts(sample))
    before, after = (_figures(sample.scale, sample.truth, np.asarray(found)) for found in (likeliest, called))
    least = _chosen(sample, np.ones(sample.truth.size, np.bool_))
    return weigh_choice(cases, least, (before, after), lambda gain: gain.low > 0)


def _cross_chosen(sample: Sample, part: Int64[np.ndarray, " n"]) -> Grades:
    """Grades of each part by the call point of the others."""
    called = np.empty_like(sample.truth)
    for number in range(PARTS):
        own = part == number
        called[own] = call_grades(sample.scale, sample.probabilities[own], _chosen(sample, ~own))
    return called


def _chosen(sample: Sample, among: Bool[np.ndarray, " n"]) -> float:
    """The candidate of the highest kappa; of equal ones the middle one."""
    truth, probabilities = sample.truth[among], sample.probabilities[among]
    kappas = []
    for least in _CANDIDATES:
        figures = _figures(sample.scale, truth, call_grades(sample.scale, probabilities, float(least)))
        kappas.append(float(next(iter(figures.values()))(np.ones((1, truth.size)))[0]))
    best = np.flatnonzero(np.array(kappas) >= np.nanmax(kappas) - 1e-9)
    return float(_CANDIDATES[best[len(best) // 2]])


def _figures(scale: Scale, truth: Grades, found: Grades) -> dict[str, WeightedFigure]:
    figures = agreement_figures(scale, truth, found)
    return {name: figures[name] for name in _FIGURES if name in figures}
