"""Would a disc's grade gain from its neighbours', or from its level? `python bench/neighbours.py predictions.csv`.

On predictions out of fold, a logistic regression per condition is given the logarithms of the disc's own probabilities
and what data they are from; then also the mean expected grade of the discs above and below; then the level. Each is
fitted and judged by cross-fitting over patients, and stands as a paired difference to the first. Brackets: 95 %
bootstrap over patients.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.levels import LEVELS
from lumbago.evaluation.case_table import read_cases
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.choices import PARTS, patient_parts
from lumbago.evaluation.figures_of_merit import Sample, compare_cases

FIGURES = ("linear kappa", "kappa", "AUC of any change", "log loss")
_LEAST = 1e-4
_STRENGTH = 0.3
"""Inverse of the regression's penalty."""


def expected_index(case: GradedCase) -> float:
    return float(np.arange(len(case.scale.grades)) @ np.array(case.probabilities))


def around(cases: Sequence[GradedCase]) -> np.ndarray:
    """The mean expected grade of the neighbours that were graded, the disc's own where none was."""
    known = {(case.study, LEVELS.index(case.level)): expected_index(case) for case in cases}
    found = []
    for case in cases:
        at = LEVELS.index(case.level)
        beside = [known[case.study, place] for place in (at - 1, at + 1) if (case.study, place) in known]
        found.append(np.mean(beside) if beside else known[case.study, at])
    return np.array(found)[:, None]


def refitted(cases: Sequence[GradedCase], features: np.ndarray) -> list[GradedCase]:
    """The cases as the regression has them, each by one that has not seen its patient."""
    sample = Sample.of(cases)
    part, values = patient_parts(sample), np.full(sample.probabilities.shape, 1e-5)
    for number in range(PARTS):
        own = part == number
        fitted = LogisticRegression(C=_STRENGTH, max_iter=2000).fit(features[~own], sample.truth[~own])
        values[np.ix_(own, fitted.classes_)] = fitted.predict_proba(features[own])
    values /= values.sum(1, keepdims=True)
    return [
        replace(case, probabilities=tuple(map(float, row)), called="") for case, row in zip(cases, values, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    cases = [case for case in read_cases(parser.parse_args().table) if case.probabilities and case.level in LEVELS]
    sources = sorted({case.source for case in cases})
    for condition in dict.fromkeys(case.condition for case in cases):
        here = [case for case in cases if case.condition == condition]
        own = np.log(np.clip([case.probabilities for case in here], _LEAST, 1))
        origin = np.eye(len(sources))[[sources.index(case.source) for case in here]]
        level = np.eye(len(LEVELS))[[LEVELS.index(case.level) for case in here]]
        alone = refitted(here, np.hstack([own, origin]))
        for name, more in (("neighbours", around(here)), ("level", level)):
            gains = compare_cases(refitted(here, np.hstack([own, origin, more])), alone)
            said = "; ".join(f"{figure} {gains[figure]}" for figure in FIGURES if figure in gains)
            print(f"{CONDITIONS[condition].title}, {len(here)} places, {name}: {said}")


if __name__ == "__main__":
    main()
