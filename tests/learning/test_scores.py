"""Scores by source and condition: over the discs that were found, and how many those were."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.dicom.decoder import open_decoder
from lumbago.errors import UnreadableInput
from lumbago.evaluation import intervals
from lumbago.evaluation.case_table import read_cases
from lumbago.evaluation.cases import GradedCase
from lumbago.inference.weights import Model
from lumbago.labels.picture_slices import LabelledSlice
from lumbago.learning import score_grader, score_locator
from lumbago.learning.case_pictures import labelled_pictures
from lumbago.learning.score_locator import FoundDisc
from lumbago.learning.score_studies import predict_phantoms
from lumbago.pipeline.analyze_study import Models


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "RESAMPLES", 100)


def predicted(condition: str, count: int = 60, source: str = "spider") -> list[GradedCase]:
    """Three discs a patient; every tenth was not found."""
    names = CONDITIONS[condition].scale.grades
    grades = len(names)
    rng = np.random.default_rng(grades)
    rows = []
    for number in range(count):
        truth = int(rng.integers(grades))
        values = rng.dirichlet(1 + 3 * (np.arange(grades) == truth))
        given = None if number % 10 == 9 else tuple(float(value) for value in values)
        rows.append(
            GradedCase(source, f"{source}:{number // 3}", f"p{number}", condition, "L4/L5", None, names[truth], given)
        )
    return rows


def test_figures_are_those_of_the_found_discs() -> None:
    rows = predicted("pfirrmann")
    scores = score_grader.summarize(rows)
    found = [row for row in rows if row.probabilities is not None]
    truth = np.array([row.truth_index for row in found])
    best = np.array([row.probabilities for row in found]).argmax(1)

    def value(name: str) -> float:
        return scores[f"spider pfirrmann: {name}"].value

    assert value("found, of 60") == pytest.approx(0.9)
    assert value("balanced accuracy") == pytest.approx(balanced_accuracy_score(truth, best))
    assert value("quadratic kappa") == pytest.approx(cohen_kappa_score(truth, best, weights="quadratic"))
    assert value("linear kappa") == pytest.approx(cohen_kappa_score(truth, best, weights="linear"))
    assert value("accuracy of always the commonest grade") == pytest.approx(np.bincount(truth).max() / truth.size)
    assert value("off by more than one") == pytest.approx((abs(truth - best) > 1).mean())


def test_accuracy_never_stands_alone() -> None:
    scores = score_grader.summarize(predicted("bulging"))
    names = {name.partition(": ")[2] for name in scores}
    assert names >= {"accuracy", "accuracy of always the commonest grade", "balanced accuracy", "log loss"}
    assert all(score.low <= score.value <= score.high for score in scores.values())


def test_sources_and_conditions_are_scored_apart() -> None:
    rows = [*predicted("bulging"), *predicted("modic"), *predicted("modic", source="sudirman")]
    heads = {name.partition(":")[0] for name in score_grader.summarize(rows)}
    assert heads == {"spider bulging", "spider modic", "sudirman modic"}


def test_a_grader_that_found_nothing_has_no_further_figures() -> None:
    rows = [GradedCase("spider", f"spider:{n}", "x", "modic", "L4/L5", None, "0", None) for n in range(4)]
    scores = score_grader.summarize(rows)
    assert {name: score.value for name, score in scores.items()} == {"spider modic: found, of 4": 0.0}


def test_every_prediction_is_written(tmp_path: Path) -> None:
    rows = predicted("bulging", count=10)
    score_grader.score_grades(rows, tmp_path / "new")
    read = read_cases(tmp_path / "new" / "predictions.csv")
    assert [(case.key, case.truth) for case in read] == [(row.key, row.truth) for row in rows]
    assert read[9].probabilities is None and read[0].probabilities == pytest.approx(rows[0].probabilities, abs=1e-5)


def disc(error_mm: float, number: int, named: bool = True) -> FoundDisc:
    return FoundDisc("spider t2", f"spider:{number}", "x", "L4/L5", error_mm, 4.0, named and error_mm <= 4.0)


def test_discs_are_found_within_half_their_height() -> None:
    scores = score_locator.summarize([disc(1.0, 0), disc(3.0, 1, named=False), disc(4.5, 2), disc(float("inf"), 3)])
    assert scores["found within half a disc height"].value == 0.5
    assert scores["found and named right"].value == 0.25
    assert scores["mean error of found discs, mm"].value == 2.0


def test_a_locator_that_found_nothing_has_no_error() -> None:
    scores = score_locator.summarize([disc(float("inf"), number) for number in range(3)])
    assert scores["found within half a disc height"].value == 0
    assert np.isnan(scores["mean error of found discs, mm"].value)


def test_no_phantoms_to_score_on(tmp_path: Path) -> None:
    with open_decoder() as decoder, pytest.raises(UnreadableInput, match="no phantom study"):
        predict_phantoms(Models.load(), tmp_path, decoder)


def test_a_case_is_shown_on_its_own_patients_picture(tmp_path: Path) -> None:
    """Sources may call one picture of each patient alike."""

    def asked(patient: str) -> Model:
        raise LookupError(patient)

    rows = [
        LabelledSlice("csv", f"csv:{name}", "csv:t2", tmp_path / f"{name}.png", 1.0, "t2") for name in ("ann", "bob")
    ]
    picture_of = labelled_pictures(asked, rows)
    case = GradedCase("csv", "csv:ann", "csv:t2", "bulging", "L4/L5", None, "absent", None, "csv:t2")
    with pytest.raises(LookupError, match="csv:ann"):
        picture_of(case)
    assert picture_of(replace(case, patient="csv:eve")) is None
