"""Temperatures on a model's card, fitted on validation patients that it has not seen."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli_w

from lumbago.errors import UsageError
from lumbago.evaluation.calibration import Calibration, calibrate
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.intervals import Score
from lumbago.inference.weights import read_card
from lumbago.learning.seen_patients import seen_by


def calibrate_card(folder: Path, cases: Sequence[GradedCase], command: str) -> list[Calibration]:
    """Fits the temperature of every condition that the model grades and the cases hold, and puts it on the card.

    The cases are what this very model says with the temperatures now on its card. A temperature that does not lower the
    cross-fitted log loss is reported and not kept.

    Raises:
        UsageError: no case of the model's conditions, cases of another split than `validation`, or too few patients.
        ModelRefused: no readable card, or a patient that the model was trained on.
    """
    card = read_card(folder)
    mine = [case for case in cases if case.condition in card.conditions]
    if not mine:
        raise UsageError(f"no case is of what {card.name} grades", ", ".join(card.conditions) or "a grader's card")
    seen = seen_by(folder)
    for patient in dict.fromkeys(case.patient for case in mine):
        seen.require_unseen(patient)
    fitted = [
        calibrate([case for case in mine if case.condition == name])
        for name in dict.fromkeys(case.condition for case in mine)
    ]
    _write([item for item in fitted if item.is_better], folder / "card.toml", command)
    return fitted


def _write(kept: Sequence[Calibration], path: Path, command: str) -> None:
    card = tomllib.loads(path.read_text(encoding="utf8"))
    rows = []
    for item in kept:
        temperature = round(card["calibration"].get(item.condition, 1.0) * item.temperature, 4)
        card["calibration"][item.condition] = temperature
        rows.append(_row(item, temperature, command))
    names = {item.condition for item in kept}
    older = [row for row in card["proof"].get("calibration", []) if row["condition"] not in names]
    if rows:
        card["proof"]["calibration"] = older + rows
        path.write_text(tomli_w.dumps(card, multiline_strings=True), encoding="utf8")


def _row(item: Calibration, temperature: float, command: str) -> dict[str, Any]:
    return {
        "condition": item.condition,
        "temperature": temperature,
        "data": item.data,
        "split": item.split,
        "cases": item.cases,
        "patients": item.patients,
        "before": {name: _numbers(score) for name, score in item.before.items()},
        "after_cross_fitted": {name: _numbers(score) for name, score in item.after.items()},
        "command": command,
    }


def _numbers(score: Score) -> list[float]:
    return [round(value, 4) for value in (score.value, score.low, score.high)]
