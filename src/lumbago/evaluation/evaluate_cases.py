"""Everything that is to be said of a table of cases: the entry of the evaluation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lumbago.errors import UsageError
from lumbago.evaluation.acceptability import JudgedSlice, acceptable_share, judge_slices
from lumbago.evaluation.cases import VALIDATION, GradedCase, Group, by_group, disc_wise, has_slices
from lumbago.evaluation.figures_of_merit import agreement_figures, compare_cases, patient_keys, score_cases
from lumbago.evaluation.intervals import Difference, Score, weighted_differences, weighted_scores
from lumbago.evaluation.operating_points import OperatingPoint, operating_points, require_validation
from lumbago.evaluation.rsna_score import RSNA_CONDITIONS, rsna_scores, rsna_terms

ALL_CONDITIONS: Final = "all"
_DECADES: Final = 20


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A figure and all that it must be told with.

    Attributes:
        data, split, condition: what was scored; a phantom's data is called computer-made. `condition` is `all` for
            figures of a whole study or slice.
        by, group: the part of the cases, such as `level` and `L4/L5`; both "" for all of them.
        figure, score: its name, and its value with its interval over patients.
        cases, patients: how many.
    """

    data: str
    split: str
    condition: str
    by: str
    group: str
    figure: str
    score: Score
    cases: int
    patients: int


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """A figure of one model less that of another on the same cases."""

    data: str
    split: str
    condition: str
    figure: str
    difference: Difference
    cases: int
    patients: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All results of one table.

    Attributes:
        cases: those that were scored.
        rows, differences, points: figures, comparisons with another model, operating points by data and split.
        slices: each judged, see `acceptability`.
        left_out: places that only one of two compared tables has, or that only one model answered.
    """

    cases: Sequence[GradedCase]
    rows: Sequence[ScoreRow]
    differences: Sequence[DifferenceRow]
    points: Mapping[Group, Sequence[OperatingPoint]]
    slices: Sequence[JudgedSlice]
    left_out: int = 0

    def score(self, place: Group, figure: str) -> Score | None:
        """A figure of all cases of a group, or None."""
        return next(
            (
                row.score
                for row in self.rows
                if (row.data, row.split, row.condition) == place and not row.by and row.figure == figure
            ),
            None,
        )


def evaluate_cases(
    cases: Sequence[GradedCase], against: Sequence[GradedCase] = (), validation: Sequence[GradedCase] = ()
) -> Evaluation:
    """Scores cases, compares them with another model's of the same places, and finds operating points.

    Cases of the split `validation` are not scored beside others: they join `validation`, on which thresholds are
    chosen. A table of nothing but validation cases is scored, and every score says so.

    Raises:
        UsageError: nothing to score; validation cases that are not flagged so or share a patient with the test; another
            model's table that has another truth, or no place in common.
    """
    require_validation(validation)
    chosen_on = [*validation, *(case for case in cases if case.split == VALIDATION)]
    scored = [case for case in cases if case.split != VALIDATION]
    if not scored and not validation:
        chosen_on, scored = [], list(cases)
    if not scored:
        raise UsageError("there is no case to score", "cases of another split than validation")
    groups, slices = by_group(scored), judge_slices(scored)
    rows = [row for place, members in groups.items() for row in _group_rows(place, members)]
    chosen_keys = {case.key for case in chosen_on}
    others = [case for case in against if case.key not in chosen_keys]
    differences, left_out = _compare(scored, others) if against else ([], 0)
    return Evaluation(scored, [*rows, *_study_rows(scored)], differences, _points(groups, chosen_on), slices, left_out)


def _age_group(case: GradedCase) -> str:
    if case.age_years is None:
        return ""
    start = int(case.age_years // _DECADES) * _DECADES
    return f"{start} to {start + _DECADES - 1}"


GROUPINGS: Final[Mapping[str, Callable[[GradedCase], str]]] = {
    "level": lambda case: case.level,
    "side": lambda case: case.side or "",
    "scanner": lambda case: case.scanner,
    "field strength": lambda case: "" if case.field_strength_t is None else f"{case.field_strength_t:g} T",
    "age": _age_group,
    "sex": lambda case: case.sex,
}
"""How cases are told apart; "" means not known."""


def _rows(
    place: Group, part: tuple[str, str], scores: Mapping[str, Score], cases: Sequence[GradedCase]
) -> list[ScoreRow]:
    patients = np.unique(patient_keys(cases)).size
    return [ScoreRow(*place, *part, name, score, len(cases), patients) for name, score in scores.items()]


def _group_rows(place: Group, cases: Sequence[GradedCase]) -> list[ScoreRow]:
    rows = _rows(place, ("", ""), score_cases(cases), cases)
    for by, value_of in GROUPINGS.items():
        parts: dict[str, list[GradedCase]] = {}
        for case in cases:
            parts.setdefault(value_of(case), []).append(case)
        known = {value: members for value, members in parts.items() if value}
        if len(known) > 1 or (len(known) == 1 and len(parts) > 1):
            for value in sorted(known):
                rows += _rows(place, (by, value), score_cases(known[value], brief=True), known[value])
    if has_slices(cases):
        discs = disc_wise(cases)
        rows += _rows(place, ("unit", "disc-wise"), score_cases(discs, brief=True), discs)
    return rows + _reader_rows(place, cases)


def _reader_rows(place: Group, cases: Sequence[GradedCase]) -> list[ScoreRow]:
    """A second reader, and the model on the very cases that he graded too and it answered."""
    read = [case for case in cases if case.second_reader is not None and case.probabilities is not None]
    if not read:
        return []
    scale, patients = read[0].scale, patient_keys(read)
    truth = np.array([case.truth_index for case in read], np.int64)
    given = {
        "second reader": [scale.grades.index(case.second_reader or "") for case in read],
        "model, same cases": [case.found_index or 0 for case in read],
    }
    return [
        row
        for who, grades in given.items()
        for row in _rows(
            place,
            ("reader", who),
            weighted_scores(agreement_figures(scale, truth, np.array(grades, np.int64)), patients),
            read,
        )
    ]


def _study_rows(cases: Sequence[GradedCase]) -> list[ScoreRow]:
    """Figures of whole slices and studies: acceptability, and the RSNA score where its conditions are there."""
    rows: list[ScoreRow] = []
    for data, split in dict.fromkeys((case.data, case.split) for case in cases):
        mine = [case for case in cases if (case.data, case.split) == (data, split)]
        place, slices = (data, split, ALL_CONDITIONS), judge_slices(mine)
        if slices:
            share = {f"clinically acceptable slices, of {len(slices)}": acceptable_share(slices)}
            rows += _rows(place, ("", ""), share, mine)
        graded = [case for case in mine if case.condition in RSNA_CONDITIONS]
        losses = {f"RSNA 2024, {name}" if "RSNA" not in name else name: s for name, s in rsna_scores(graded).items()}
        rows += _rows(place, ("", ""), losses, graded) if graded else []
    return rows


def _points(
    groups: Mapping[Group, Sequence[GradedCase]], chosen_on: Sequence[GradedCase]
) -> dict[Group, list[OperatingPoint]]:
    points = {}
    for place, cases in groups.items():
        validation = [case for case in chosen_on if case.condition == place[2]]
        if validation:
            points[place] = operating_points(validation, cases)
    return points


def _compare(cases: Sequence[GradedCase], against: Sequence[GradedCase]) -> tuple[list[DifferenceRow], int]:
    """Differences on the places that both tables have and both models answered, and how many others there are."""
    others = {case.key: case for case in against}
    both = [case for case in cases if case.key in others]
    if not both:
        raise UsageError("the two tables have no place in common", "two models' cases of the same data")
    strange = next((case for case in both if others[case.key].truth != case.truth), None)
    if strange is not None:
        raise UsageError(f"the two tables differ on the truth of {strange.study} {strange.place}", "one truth for both")
    answered = [case for case in both if case.probabilities and others[case.key].probabilities]
    rows = [row for place, mine in by_group(answered).items() for row in _differences(place, mine, others)]
    return rows + _rsna_differences(both, others), len({case.key for case in cases} | set(others)) - len(answered)


def _differences(
    place: Group, cases: Sequence[GradedCase], others: Mapping[tuple[str, ...], GradedCase]
) -> list[DifferenceRow]:
    patients = np.unique(patient_keys(cases)).size
    found = compare_cases(cases, [others[case.key] for case in cases])
    return [DifferenceRow(*place, name, difference, len(cases), patients) for name, difference in found.items()]


def _rsna_differences(cases: Sequence[GradedCase], others: Mapping[tuple[str, ...], GradedCase]) -> list[DifferenceRow]:
    rows: list[DifferenceRow] = []
    for data, split in dict.fromkeys((case.data, case.split) for case in cases):
        mine = [
            case for case in cases if (case.data, case.split) == (data, split) and case.condition in RSNA_CONDITIONS
        ]
        if mine:
            keys = patient_keys(mine)
            theirs = [replace(others[case.key], split=split) for case in mine]
            terms = weighted_differences(rsna_terms(mine), rsna_terms(theirs), keys)
            place = (data, split, ALL_CONDITIONS)
            rows += [
                DifferenceRow(*place, f"RSNA 2024: {name}", found, len(mine), np.unique(keys).size)
                for name, found in terms.items()
            ]
    return rows
