"""The RSNA score: published floors of constant answers, and scikit-learn on random tables."""

from collections.abc import Mapping

import numpy as np
import pytest
from made_up_cases import made_up, truths, values
from sklearn.metrics import log_loss

from lumbago.anatomy.conditions import SEVERITY
from lumbago.anatomy.levels import LEVELS, Side
from lumbago.errors import UnreadableInput
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.rsna_score import (
    ANY_SEVERE,
    GRADE_WEIGHTS,
    RSNA_CONDITIONS,
    RSNA_SCORE,
    binary_loss,
    rsna_scores,
    rsna_terms,
)

CANAL, FORAMEN, RECESS = RSNA_CONDITIONS
TERMS = ("spinal canal stenosis", "neural foraminal narrowing", "subarticular stenosis", ANY_SEVERE)
PERCENT = {
    CANAL: ((95.5, 3.4, 1.1), (89.6, 7.7, 2.7), (82.2, 11.7, 6.2), (75.1, 12.0, 12.9), (96.4, 2.6, 1.0)),
    FORAMEN: ((96.4, 3.2, 0.4), (91.0, 8.6, 0.4), (77.1, 20.9, 2.0), (61.2, 31.9, 6.9), (64.2, 25.8, 10.0)),
    RECESS: ((93.0, 5.6, 1.4), (82.8, 13.1, 4.1), (67.1, 23.0, 9.9), (45.0, 31.6, 23.4), (71.4, 20.5, 8.1)),
}
"""Published shares of normal/mild, moderate, severe by level, in percent."""
STUDIES, ANY_SEVERE_STUDIES, ANY_CHANGED_STUDIES = 1000, 184, 360
RECESS_AT_TOP = 919
"""Axial blocks often start lower: 3,621 of 3,940 places are labelled there."""


def canal_grades() -> np.ndarray:
    """Studies by levels with the published shares of each level, of any severe and of any moderate or worse."""
    grades = np.zeros((STUDIES, len(LEVELS)), int)
    next_severe, next_moderate = 0, 0
    for level, (_, moderate, severe) in enumerate(PERCENT[CANAL]):
        for _ in range(round(severe * 10)):
            grades[next_severe % ANY_SEVERE_STUDIES, level] = 2
            next_severe += 1
        left = round(moderate * 10)
        while left:
            study = ANY_SEVERE_STUDIES + next_moderate if next_moderate < 176 else next_moderate % ANY_CHANGED_STUDIES
            next_moderate += 1
            if grades[study, level] == 0:
                grades[study, level] = 1
                left -= 1
    return grades


def side_grades(condition: str, level: int, count: int) -> np.ndarray:
    moderate, severe = (round(share * count / 100) for share in PERCENT[condition][level][1:])
    return np.repeat([0, 1, 2], [count - moderate - severe, moderate, severe])


Answer = Mapping[tuple[str, str], tuple[float, float, float]]


Table = tuple[list[GradedCase], np.ndarray]
"""Cases, and how often each occurs."""


def table(answer: Answer) -> Table:
    """A label distribution like the challenge's, every place of a level answered alike. Canal rows are one by one, as
    studies matter there; the others are one row for each grade."""
    canal = canal_grades()
    rows: list[tuple[int, str, str, Side | None, int, int]] = [
        (study, CANAL, LEVELS[level], None, int(canal[study, level]), 1) for study, level in np.ndindex(*canal.shape)
    ]
    for condition in (FORAMEN, RECESS):
        for number, level in enumerate(LEVELS):
            count = RECESS_AT_TOP if condition == RECESS and number == 0 else STUDIES
            times = np.bincount(side_grades(condition, number, count), minlength=3)
            rows += [(grade, condition, level, "left", grade, 2 * int(times[grade])) for grade in range(3)]
    cases = [
        GradedCase("rsna", str(study), str(study), condition, level, side, SEVERITY.grades[grade],
                   answer[condition, level])
        for study, condition, level, side, grade, _ in rows
    ]  # fmt: skip
    return cases, np.array([row[-1] for row in rows], float)


EVEN: Answer = {(condition, level): (1 / 3, 1 / 3, 1 / 3) for condition in PERCENT for level in LEVELS}


@pytest.fixture(scope="module")
def labels() -> Table:
    return table(EVEN)


def test_the_distribution_is_the_published_one(labels: Table) -> None:
    worst: dict[str, int] = {}
    for case in labels[0]:
        if case.condition == CANAL:
            worst[case.study] = max(worst.get(case.study, 0), case.truth_index)
    assert sum(grade == 2 for grade in worst.values()) == ANY_SEVERE_STUDIES
    assert sum(grade > 0 for grade in worst.values()) == ANY_CHANGED_STUDIES
    shares = [grade_counts(labels, name) for name in PERCENT]
    wanted = [(87.7, 7.5, 4.8), (78.0, 18.1, 3.9), (71.4, 19.0, 9.6)]
    for counts, percent in zip(shares, wanted, strict=True):
        assert 100 * counts / counts.sum() == pytest.approx(percent, abs=0.15)


def grade_counts(labels: Table, condition: str, level: str = "") -> np.ndarray:
    cases, times = labels
    mine = np.array([c.condition == condition and level in ("", c.level) for c in cases])
    return np.bincount(truths(cases)[mine], times[mine], minlength=3)


def shares_of(labels: Table, *, weighted: bool, by_level: bool) -> Answer:
    answer = {}
    for condition, level in EVEN:
        counts = grade_counts(labels, condition, level if by_level else "")
        counts = counts * (np.array(GRADE_WEIGHTS) if weighted else 1.0)
        share = counts / counts.sum()
        answer[condition, level] = (float(share[0]), float(share[1]), float(share[2]))
    return answer


def points(cases: list[GradedCase], times: np.ndarray | None = None) -> dict[str, float]:
    weights = np.ones(len(cases)) if times is None else times
    return {name: float(term(weights[None])[0]) for name, term in rsna_terms(cases).items()}


def test_floor_of_a_third_everywhere(labels: Table) -> None:
    found = points(*labels)
    assert [found[name] for name in TERMS] == pytest.approx([1.099, 1.099, 1.099, 0.701], abs=0.003)
    assert found[RSNA_SCORE] == pytest.approx(0.999, abs=0.003)


@pytest.mark.parametrize(
    "weighted, by_level, floors, score",
    [
        (False, False, (0.892, 1.018, 1.198), 0.947),
        (True, False, (0.786, 0.918, 1.051), 0.859),
        (True, True, (0.710, 0.803, 0.951), 0.787),
    ],
    ids=["raw shares", "weighted shares", "weighted shares by level"],
)
def test_floors_of_constant_answers(
    labels: Table, weighted: bool, by_level: bool, floors: tuple[float, ...], score: float
) -> None:
    """The any-severe term has its own constant, 0.427, in the published floors."""
    found = points(*table(shares_of(labels, weighted=weighted, by_level=by_level)))
    assert [found[name] for name in TERMS[:3]] == pytest.approx(floors, abs=0.003)
    worst = canal_grades().max(1)
    weights = np.array(GRADE_WEIGHTS)[worst]
    any_severe = float(binary_loss(worst == 2, np.full(STUDIES, 0.427), weights[None])[0])
    assert any_severe == pytest.approx(0.682, abs=0.003)
    assert np.mean([*(found[name] for name in TERMS[:3]), any_severe]) == pytest.approx(score, abs=0.003)


def with_scikit_learn(cases: list[GradedCase]) -> list[float]:
    """The published metric file, step by step."""
    losses = []
    for condition in RSNA_CONDITIONS:
        rows = [case for case in cases if case.condition == condition]
        weights = np.array(GRADE_WEIGHTS)[truths(rows)]
        losses.append(log_loss(truths(rows), values(rows), sample_weight=weights, labels=[0, 1, 2]))
    by_study: dict[str, list[GradedCase]] = {}
    for case in cases:
        if case.condition == CANAL:
            by_study.setdefault(case.study, []).append(case)
    label = [int(any(c.truth == "severe" for c in rows)) for rows in by_study.values()]
    severe = [max(values(rows)[:, 2]) for rows in by_study.values()]
    weight = [max(np.array(GRADE_WEIGHTS)[truths(rows)]) for rows in by_study.values()]
    losses.append(log_loss(label, severe, sample_weight=weight, labels=[0, 1]))
    return [*losses, float(np.mean(losses))]


@pytest.mark.parametrize("seed", range(100))
def test_random_tables_agree_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cases = [
        case
        for condition in RSNA_CONDITIONS
        for case in made_up(condition, int(rng.integers(1, 9)), seed, float(rng.uniform(0, 20)))
        if case.probabilities and rng.random() < 0.9
    ]
    found = points(cases)
    assert [found[name] for name in (*TERMS, RSNA_SCORE)] == pytest.approx(with_scikit_learn(cases), abs=1e-9)


def test_a_place_without_an_answer_counts_as_not_knowing() -> None:
    answered = GradedCase("a", "1", "1", CANAL, "L4/L5", None, "severe", (1 / 3, 1 / 3, 1 / 3))
    silent = GradedCase("a", "1", "1", CANAL, "L4/L5", None, "severe", None)
    assert points([answered]) == points([silent])


def test_without_all_three_conditions_there_is_no_score() -> None:
    assert set(rsna_scores(made_up(FORAMEN, 3))) == {"neural foraminal narrowing"}
    assert set(rsna_scores(made_up(CANAL, 3))) == {"spinal canal stenosis", ANY_SEVERE}
    assert rsna_scores(made_up("pfirrmann", 3)) == {}
    with pytest.raises(UnreadableInput, match="pfirrmann"):
        rsna_terms(made_up("pfirrmann", 3))


def test_intervals_hold_their_value() -> None:
    cases = [case for condition in RSNA_CONDITIONS for case in made_up(condition, 12)]
    for score in rsna_scores(cases).values():
        assert score.low < score.value < score.high
