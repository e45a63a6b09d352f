"""Systems side by side: for every condition of every data set a table of rows, each with its interval, and with its
difference to ours on the same places.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from lumbago.evaluation.cases import GradedCase, Group, by_group
from lumbago.evaluation.figures_of_merit import agreement_figures, compare_cases, patient_keys, score_cases
from lumbago.evaluation.intervals import Difference, Score, weighted_scores
from lumbago.evaluation.rsna_score import RSNA_CONDITIONS, rsna_scores
from lumbago.systems import OURS

FoundShares = Mapping[str, Score]

COMMONEST: Final = "always the commonest grade"
READER: Final = "a reader who misjudges sizes a little"
FIGURES: Final = ("balanced accuracy", "kappa", "AUC", "macro F1", "log loss")
"""Columns of every table. Kappa is linear where the scale has an order and more than two grades; AUC is of any change.
"""

READERS: Final[Mapping[str, str]] = {
    "pfirrmann": "Two readers of other patients agree with a kappa of about 0.6, one with himself of 0.8; 0.79 and "
    "0.85 against a consensus are stated for a student and an attending surgeon (linear weights).",
}
"""What the literature says of readers, by condition. They read other patients than those of these tables."""


@dataclass(frozen=True, eq=False)
class RowFacts:
    """What is told of a row beside its scores.

    Attributes:
        parts: by model: network, parameters, size, picture, steps, epochs, seconds, losses by step.
        milliseconds: to analyze a study.
        located: how well its locator finds and names discs, by source and sequence.
    """

    parts: Mapping[str, Mapping[str, Any]]
    milliseconds: float
    located: FoundShares

    @property
    def parameters(self) -> int:
        """Of all its models."""
        return sum(int(part["parameters"]) for part in self.parts.values())


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """A line of a table; `difference` is of `kappa`, this row less ours, on places that both answered."""

    name: str
    found: Score | None
    figures: Mapping[str, Score]
    difference: Difference | None


@dataclass(frozen=True, eq=False)
class Compared:
    """All rows on all data.

    Attributes:
        cases: of each row; facts: of each row.
        budget: what every row was given, in a sentence.
        lacking: why cells could not be filled, a sentence each.
    """

    cases: Mapping[str, Sequence[GradedCase]]
    facts: Mapping[str, RowFacts]
    budget: str
    lacking: Sequence[str] = ()

    @cached_property
    def grouped(self) -> dict[str, dict[Group, list[GradedCase]]]:
        """Cases of each row by data, split and condition."""
        return {name: by_group(cases) for name, cases in self.cases.items()}

    @property
    def groups(self) -> list[Group]:
        """Every data, split and condition that some row was scored on; patients before phantoms."""
        merged = [case for cases in self.cases.values() for case in cases]
        return list(by_group(merged))

    def table(self, place: Group) -> list[ComparedRow]:
        """The rows of a group, ours first, what needs no picture last."""
        mine = {name: groups[place] for name, groups in self.grouped.items() if place in groups}
        ours = mine.get(OURS)
        rows = [_row(name, cases, ours if name != OURS else None) for name, cases in mine.items()]
        return [*rows, *_references(next(iter(mine.values())))]

    def rsna(self) -> dict[str, Score]:
        """The RSNA 2024 score of every row that has all its conditions."""
        scores = {}
        for name, cases in self.cases.items():
            graded = [case for case in cases if case.condition in RSNA_CONDITIONS]
            if {case.condition for case in graded} == set(RSNA_CONDITIONS):
                found = rsna_scores(graded)
                scores[name] = next(score for title, score in found.items() if "RSNA" in title)
        return scores


def _row(name: str, cases: Sequence[GradedCase], ours: Sequence[GradedCase] | None) -> ComparedRow:
    scores = score_cases(cases, brief=True)
    found = next((score for title, score in scores.items() if title.startswith("found")), None)
    return ComparedRow(name, found, _chosen(scores), _difference(cases, ours) if ours is not None else None)


def _chosen(scores: Mapping[str, Score]) -> dict[str, Score]:
    """The figures of `FIGURES`, whatever they are called for the scale."""
    kappa = "linear kappa" if "linear kappa" in scores else "kappa"
    titles = {"kappa": kappa, "AUC": "AUC of any change"}
    return {name: scores[titles.get(name, name)] for name in FIGURES if titles.get(name, name) in scores}


def _difference(cases: Sequence[GradedCase], ours: Sequence[GradedCase]) -> Difference | None:
    others = {case.key: case for case in ours if case.probabilities}
    both = [case for case in cases if case.probabilities and case.key in others]
    if not both:
        return None
    found = compare_cases(both, [others[case.key] for case in both])
    return found.get("linear kappa", found.get("kappa"))


def _references(cases: Sequence[GradedCase]) -> list[ComparedRow]:
    """The commonest grade for all, and a second reader where there is one."""
    scale, patients = cases[0].scale, patient_keys(cases)
    truth = np.array([case.truth_index for case in cases], np.int64)
    commonest = np.full_like(truth, np.bincount(truth).argmax())
    rows = [(COMMONEST, truth, commonest, patients)]
    read = [case for case in cases if case.second_reader is not None]
    if read:
        own = np.array([case.truth_index for case in read], np.int64)
        given = np.array([scale.grades.index(case.second_reader or "") for case in read], np.int64)
        rows.append((READER, own, given, patient_keys(read)))
    return [
        ComparedRow(name, None, _chosen(weighted_scores(agreement_figures(scale, true, found), keys)), None)
        for name, true, found, keys in rows
    ]
