"""Temperatures and call points come onto a card, from patients that the model has not seen, and are used."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lumbago.anatomy.conditions import SEVERITY
from lumbago.anatomy.levels import LEVELS
from lumbago.errors import ModelRefused, UsageError
from lumbago.evaluation import intervals
from lumbago.evaluation.calibration import soften
from lumbago.evaluation.cases import GradedCase
from lumbago.inference.weights import SHIPPED, load_model, read_card
from lumbago.learning.calibrate_card import calibrate_card
from lumbago.learning.seen_patients import seen_by

COMMAND = "lumbago calibrate canal --cases predictions.csv"


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "RESAMPLES", 100)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of a shipped grader that was trained on phantoms 2,000,000 and on."""
    return Path(shutil.copytree(SHIPPED / "canal-grader", tmp_path / "canal-grader"))


def cases(temperature: float, patients: int = 80) -> list[GradedCase]:
    """Validation phantoms whose probabilities are true but for this temperature."""
    rng = np.random.default_rng(0)
    true = rng.dirichlet((2.0, 1.0, 1.0), patients * len(LEVELS))
    said = soften(true, 1 / temperature)
    return [
        GradedCase(
            "phantoms", f"phantom-7000-{number // 5:03d}", "s", "spinal_canal_stenosis", LEVELS[number % 5], None,
            SEVERITY.grades[int(rng.choice(3, p=true[number]))], tuple(map(float, said[number])), split="validation",
        )
        for number in range(len(true))
    ]  # fmt: skip


def test_a_temperature_comes_onto_the_card_with_its_proof(model: Path) -> None:
    before = read_card(model).calibration["spinal_canal_stenosis"]
    found = calibrate_card(model, cases(2.0), COMMAND)[0].temperature
    card = read_card(model)
    assert card.calibration["spinal_canal_stenosis"] == pytest.approx(before * found.value, abs=1e-4)
    assert 1.6 < found.value < 2.5
    (row,) = card.proof["calibration"]
    assert row["command"] == COMMAND and row["split"] == "validation" and "computer-made" in row["data"]
    assert row["after_cross_fitted"]["log loss"][0] < row["before"]["log loss"][0]
    load_model(model.name, model.parent)


def rare(patients: int = 200, least: float = 0.12) -> list[GradedCase]:
    """Herniations that are told well and are never the likeliest, on patients that the disc grader was trained on."""
    rng = np.random.default_rng(3)
    said = np.where(rng.random(patients) < 0.1, rng.uniform(least, 0.4, patients), rng.uniform(0.0, least, patients))
    return [
        GradedCase(
            "spider", f"spider:{number}", "s", "herniation", "L4/L5", None,
            "present" if (share >= least) == (rng.random() < 0.95) else "absent",
            (float(1 - share), float(share)), split="validation",
        )
        for number, share in enumerate(said)
    ]  # fmt: skip


def test_a_call_point_comes_onto_the_card_and_is_used(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SHIPPED / "disc-grader", tmp_path / "disc-grader"))
    with pytest.raises(ModelRefused, match="trained on spider:0"):
        calibrate_card(folder, rare(), COMMAND)
    (found,) = calibrate_card(folder, rare(), COMMAND, are_out_of_fold=True)
    card = read_card(folder)
    assert found.call is not None and found.call.is_better and found.call.before["kappa"].value == 0
    assert card.calls["herniation"] == found.call.value < 0.5
    row = next(row for row in card.proof["calls"] if row["condition"] == "herniation")
    assert row["split"] == "out of fold" and row["after_cross_fitted"]["kappa"][0] > 0.4
    load_model(folder.name, folder.parent)

    likely = [replace(case, probabilities=(0.9, 0.1) if case.truth == "absent" else (0.1, 0.9)) for case in rare()]
    calibrate_card(folder, likely, COMMAND, are_out_of_fold=True)
    card = read_card(folder)
    assert "herniation" not in card.calls, "what was chosen on other temperatures is gone"
    assert all(row["condition"] != "herniation" for row in card.proof.get("calls", []))


def test_only_softening_keeps_no_temperature_below_one(model: Path) -> None:
    before = read_card(model).calibration
    (found,) = calibrate_card(model, cases(0.6), COMMAND, only_soften=True)
    assert found.temperature.value < 1 and read_card(model).calibration == before
    calibrate_card(model, cases(0.6), COMMAND)
    assert read_card(model).calibration["spinal_canal_stenosis"] < before["spinal_canal_stenosis"]


def test_folds_know_nothing_of_the_card(model: Path) -> None:
    """Said twice, what models of folds say gives the same card."""
    for _ in range(2):
        (found,) = calibrate_card(model, cases(2.0), COMMAND, are_out_of_fold=True)
        assert read_card(model).calibration["spinal_canal_stenosis"] == pytest.approx(found.temperature.value, abs=1e-4)


def test_folds_that_need_no_temperature_leave_none(model: Path) -> None:
    """The call point is chosen on what the folds say without one, so an older one may not stay."""
    blind = [replace(case, probabilities=(1 / 3, 1 / 3, 1 / 3)) for case in cases(1.0)]
    for again, only_soften in ((cases(0.6), True), (blind, False)):
        calibrate_card(model, cases(2.0), COMMAND, are_out_of_fold=True)
        assert read_card(model).calibration["spinal_canal_stenosis"] > 1.6
        (found,) = calibrate_card(model, again, COMMAND, are_out_of_fold=True, only_soften=only_soften)
        card = read_card(model)
        assert not found.temperature.is_better and card.calibration["spinal_canal_stenosis"] == 1.0
        assert "calibration" not in card.proof
        load_model(model.name, model.parent)


def test_a_temperature_that_the_cases_were_given_stays_with_its_proof(model: Path) -> None:
    calibrate_card(model, cases(2.0), COMMAND)
    before = read_card(model)
    (found,) = calibrate_card(model, cases(0.6), COMMAND, only_soften=True)
    card = read_card(model)
    assert not found.temperature.is_better and card.calibration == before.calibration
    assert card.proof["calibration"] == before.proof["calibration"]


def test_a_second_fit_replaces_the_first(model: Path) -> None:
    calibrate_card(model, cases(2.0), COMMAND)
    first = read_card(model).calibration["spinal_canal_stenosis"]
    calibrate_card(model, cases(1.5), COMMAND)
    card = read_card(model)
    assert len(card.proof["calibration"]) == 1 and card.calibration["spinal_canal_stenosis"] > 1.2 * first


def test_what_does_not_help_is_not_kept(model: Path) -> None:
    text = (model / "card.toml").read_text()
    worse = [replace(case, truth=SEVERITY.grades[number % 3]) for number, case in enumerate(cases(1.0))]
    blind = [replace(case, probabilities=(1 / 3, 1 / 3, 1 / 3)) for case in worse]
    (found,) = calibrate_card(model, blind, COMMAND)
    assert not found.temperature.is_better and found.call is not None and not found.call.is_better
    assert (model / "card.toml").read_text() == text


@pytest.mark.parametrize("patient", ["phantom-2000000-000", "phantom-1999999-001", "phantom-2000000-899"])
def test_training_phantoms_are_refused(model: Path, patient: str) -> None:
    text = (model / "card.toml").read_text()
    mine = cases(2.0)
    with pytest.raises(ModelRefused, match=f"trained on {patient}"):
        calibrate_card(model, [*mine, replace(mine[0], patient=patient)], COMMAND)
    assert (model / "card.toml").read_text() == text
    seen_by(model).require_unseen("phantom-2000000-900")


def test_training_patients_are_refused() -> None:
    """The shipped disc grader was trained on every fold of these."""
    with pytest.raises(ModelRefused, match="trained on spider:1"):
        seen_by(SHIPPED / "disc-grader").require_unseen("spider:1")


def test_test_cases_are_refused(model: Path) -> None:
    with pytest.raises(UsageError, match="never choose on test cases"):
        calibrate_card(model, [replace(case, split="test") for case in cases(2.0)], COMMAND)


def test_cases_of_another_condition(model: Path) -> None:
    other = GradedCase("a", "1", "1", "pfirrmann", "L4/L5", None, "1", None, split="validation")
    with pytest.raises(UsageError, match="grades"):
        calibrate_card(model, [other], COMMAND)


def test_a_card_that_cannot_be_written_is_whole(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (model / "card.toml").read_bytes()

    def full(path: Path, *_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UsageError, match=r"card\.toml cannot be written"):
        calibrate_card(model, cases(2.0), COMMAND)
    assert (model / "card.toml").read_bytes() == before
