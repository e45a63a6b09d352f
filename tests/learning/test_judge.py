"""Good or Bad by criteria that were written before, each with a sentence that says why."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.levels import LEVELS
from lumbago.errors import SettingsRefused
from lumbago.evaluation import intervals, metrics
from lumbago.evaluation.cases import GradedCase
from lumbago.learning.judge import Comparison, Criteria, Floor, difference, judge, read_criteria

CANAL = "spinal_canal_stenosis"
GRADES = CONDITIONS[CANAL].scale.grades


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "RESAMPLES", 200)


def predicted(skill: float, patients: int = 30, lost: int = 0) -> list[GradedCase]:
    """Three places a patient, each told right with the chance `skill`; the first `lost` were not found."""
    rng, rows = np.random.default_rng(1), []
    for number in range(3 * patients):
        truth = number % 3
        given = truth if rng.random() < skill else int(rng.integers(3))
        values = tuple(0.8 if grade == given else 0.1 for grade in range(3))
        name = f"p{number // 3}"
        rows.append(
            GradedCase("x", name, name, CANAL, LEVELS[truth], None, GRADES[truth], None if number < lost else values)
        )  # fmt: skip
    return rows


def indices(rows: list[GradedCase]) -> tuple[np.ndarray, np.ndarray]:
    """True grades and those most probable."""
    return np.array([row.truth_index for row in rows]), np.array([row.found_index for row in rows])


def floors(*limits: tuple[str, float], bound: str = "value") -> Criteria:
    return Criteria(tuple(Floor(CANAL, metric, limit, bound) for metric, limit in limits))


def test_good_when_every_floor_is_reached() -> None:
    verdict = judge(floors(("linear kappa", 0.6), ("log loss", 1.0)), predicted(0.95), None)
    assert verdict.is_good and verdict.shortfall == 0
    assert len(verdict.sentences) == 3 and all(text.startswith("Good: ") for text in verdict.sentences)


def test_bad_says_which_floor_and_by_how_much() -> None:
    rows = predicted(0.3)
    verdict = judge(floors(("linear kappa", 0.6), ("accuracy", 0.1)), rows, None)
    kappa = metrics.weighted_kappa(*indices(rows), 3)
    assert not verdict.is_good and verdict.shortfall == pytest.approx(0.6 - kappa)
    (bad,) = [text for text in verdict.sentences if text.startswith("Bad")]
    assert f"linear kappa of {CANAL} is {kappa:.3f} [" in bad and "at least 0.6" in bad


def test_of_a_loss_lower_is_better() -> None:
    assert not judge(floors(("log loss", 0.2)), predicted(0.9), None).is_good
    assert "at most 0.2" in judge(floors(("log loss", 0.2)), predicted(0.9), None).sentences[1]


def test_the_interval_is_a_harder_bound() -> None:
    rows = predicted(0.7)
    just_under = metrics.accuracy(*indices(rows)) - 0.01
    assert judge(floors(("accuracy", just_under)), rows, None).is_good
    assert not judge(floors(("accuracy", just_under), bound="interval"), rows, None).is_good


def test_places_that_are_not_found_do_not_make_it_better() -> None:
    verdict = judge(floors(("accuracy", 0.1)), predicted(0.99, lost=20), None)
    assert not verdict.is_good and "77.8% of 90 places were graded" in verdict.sentences[0]
    assert not judge(floors(("accuracy", 0.1)), [], None).is_good
    assert not judge(floors(("accuracy", 0.1)), predicted(1.0, lost=90), None).is_good


def test_a_figure_that_cannot_be_computed_is_not_reached() -> None:
    rows = [replace(row, truth=GRADES[0]) for row in predicted(1.0)]
    assert not judge(floors(("AUC of any change", 0.5)), rows, None).is_good


def test_of_two_grades_every_kappa_is_the_same() -> None:
    rows = [
        GradedCase(
            "x",
            f"p{n}",
            "s",
            "bulging",
            "L4/L5",
            None,
            ("absent", "present")[n % 2],
            (0.7, 0.3) if n % 3 else (0.2, 0.8),
        )
        for n in range(24)
    ]
    kappa = metrics.weighted_kappa(*indices(rows), 2)
    for metric in ("linear kappa", "quadratic kappa"):
        verdict = judge(Criteria((Floor("bulging", metric, kappa - 1e-9),)), rows, None)
        assert verdict.is_good and f"is {kappa:.3f} [" in verdict.sentences[1]
        assert difference(metric, rows, rows).value == 0


COMPARE = replace(floors(("accuracy", 0.1)), compare=Comparison("deployed", "linear kappa", 0.05))


def test_not_worse_than_itself() -> None:
    verdict = judge(COMPARE, predicted(0.8), predicted(0.8))
    assert verdict.is_good and "0.000 [0.000, 0.000]" in verdict.sentences[-1]


def test_worse_than_the_model_in_use_is_bad() -> None:
    verdict = judge(COMPARE, predicted(0.4), predicted(0.95))
    assert not verdict.is_good and "must not fall below -0.05" in verdict.sentences[-1]
    assert judge(COMPARE, predicted(0.95), predicted(0.4)).is_good


def test_without_a_model_in_use_there_is_nothing_to_be_worse_than() -> None:
    verdict = judge(COMPARE, predicted(0.8), None)
    assert verdict.is_good and "no model of that name is in use" in verdict.sentences[-1]


def test_only_what_both_graded_is_compared() -> None:
    verdict = judge(COMPARE, predicted(0.8, lost=4), predicted(0.8))
    assert "same 86 places" in verdict.sentences[-1]
    assert not judge(COMPARE, predicted(0.8), predicted(0.8, lost=90)).is_good


def test_a_paired_difference_is_surer_than_its_parts() -> None:
    """Two models that err on the same places differ little, whatever their own intervals are."""
    rows = predicted(0.6)
    changed = [*rows]
    wrong = next(n for n, row in enumerate(rows) if row.probabilities and row.found_index != row.truth_index)
    changed[wrong] = replace(rows[wrong], probabilities=tuple(float(g == rows[wrong].truth_index) for g in range(3)))
    score = difference("accuracy", changed, rows)
    assert score.value == pytest.approx(1 / 90)
    assert score.low >= 0 and score.high < 0.05
    loss = difference("log loss", changed, rows)
    assert loss.value > 0, "a lower loss is the better"


def written(folder: Path, text: str) -> Path:
    path = folder / "criteria.toml"
    path.write_text(text)
    return path


FLOOR = f'[[floor]]\ncondition = "{CANAL}"\nmetric = "linear kappa"\nlimit = 0.5\n'


def test_criteria_are_read(tmp_path: Path) -> None:
    text = FLOOR + 'bound = "interval"\n[compare]\nnot_worse_than = "deployed"\nmetric = "log loss"\nmargin = 0.1\n'
    assert read_criteria(written(tmp_path, text)) == Criteria(
        (Floor(CANAL, "linear kappa", 0.5, "interval"),), Comparison("deployed", "log loss", 0.1)
    )


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "no floor"),
        (FLOOR.replace("linear kappa", "charm"), "metric of accuracy"),
        (FLOOR.replace(CANAL, "gout"), "'gout'"),
        (FLOOR.replace("limit", "limits"), "limits"),
        (FLOOR.replace("limit = 0.5", ""), "limit"),
        (FLOOR + 'bound = "mean"', "'mean'"),
        (FLOOR + '[compare]\nnot_worse_than = "yesterday"\nmetric = "accuracy"', "'yesterday'"),
        (FLOOR + "[ceiling]\n", "ceiling"),
    ],
)
def test_criteria_that_make_no_sense(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(SettingsRefused, match=reason):
        read_criteria(written(tmp_path, text))
