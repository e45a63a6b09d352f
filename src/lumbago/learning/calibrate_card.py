"""Temperatures and call points on a model's card, fitted on patients that it, or a model of its folds, never saw."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from lumbago.errors import UsageError
from lumbago.evaluation.calibration import calibrate, soften
from lumbago.evaluation.call_points import choose_call_point
from lumbago.evaluation.cases import OUT_OF_FOLD, GradedCase
from lumbago.evaluation.choices import Choice
from lumbago.evaluation.intervals import Score
from lumbago.inference.weights import read_card
from lumbago.labels.tables import write_whole
from lumbago.learning.seen_patients import seen_by


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was fitted for one condition; no call point where the cases hold one class."""

    temperature: Choice
    call: Choice | None


def calibrate_card(
    folder: Path, cases: Sequence[GradedCase], command: str, *, are_out_of_fold: bool = False, only_soften: bool = False
) -> list[Fitted]:
    """Fits the temperature of every condition that the model grades and the cases hold, then the point from which on an
    abnormal grade is called, and puts them on the card.

    The cases are what this very model says with the temperatures now on its card, or what models of its folds say
    without any. What does not lower the cross-fitted log loss, or raise the cross-fitted kappa beyond chance, is
    reported and not kept: then the card's temperature stays, if the cases were given it, and is 1 if they were given
    none.

    Args:
        are_out_of_fold: the cases are what the models of its folds say, each of patients that it has not seen; trained
            alike and on most of the same patients, they stand for this one, which has seen them all.
        only_soften: keep no temperature below 1, which states more than the model says: what is right within a set is
            overconfident on patients of another.

    Raises:
        UsageError: no case of the model's conditions, cases of another split than `validation`, or too few patients; or
            the card cannot be written.
        ModelRefused: no readable card, or a patient that the model was trained on.
    """
    card = read_card(folder)
    mine = [case for case in cases if case.condition in card.conditions]
    if not mine:
        raise UsageError(f"no case is of what {card.name} grades", ", ".join(card.conditions) or "a grader's card")
    seen = seen_by(folder)
    for patient in () if are_out_of_fold else dict.fromkeys(case.patient for case in mine):
        seen.require_unseen(patient)
    fitted = [
        _fit([case for case in mine if case.condition == name], 1.0 if only_soften else 0.0)
        for name in dict.fromkeys(case.condition for case in mine)
    ]
    known = {} if are_out_of_fold else card.calibration
    origin = {"split": OUT_OF_FOLD} if are_out_of_fold else {}
    _write(fitted, folder / "card.toml", known, {**origin, "command": command})
    return fitted


def _fit(cases: Sequence[GradedCase], least: float) -> Fitted:
    """Of one condition, with no temperature below the least. The call point is one of the probabilities that the card
    will give."""
    temperature = calibrate(cases)
    temperature = replace(temperature, is_better=temperature.is_better and temperature.value >= least)
    factor = temperature.value if temperature.is_better else 1.0
    return Fitted(temperature, choose_call_point([_softened(case, factor) for case in cases]))


def _softened(case: GradedCase, temperature: float) -> GradedCase:
    if case.probabilities is None:
        return case
    (values,) = soften(np.array([case.probabilities], np.float64), temperature)
    return replace(case, probabilities=tuple(float(value) for value in values), called="")


def _write(fitted: Sequence[Fitted], path: Path, known: Mapping[str, float], told: Mapping[str, str]) -> None:
    """A new temperature changes what a call point means, so an older one goes with it.

    Args:
        known: temperatures that the cases have already been given; of a condition without one the card's is not kept.
        told: what every row of the proof tells besides.
    """
    card = tomllib.loads(path.read_text(encoding="utf8"))
    before = tomllib.loads(path.read_text(encoding="utf8"))
    temperatures, calls = [], []
    card_calls = card.pop("calls", {})
    for item in fitted:
        name = item.temperature.condition
        card_calls.pop(name, None)
        if item.temperature.is_better:
            temperature = round(known.get(name, 1.0) * item.temperature.value, 4)
            card["calibration"][name] = temperature
            temperatures.append(_row(item.temperature, {"temperature": temperature}, told))
        elif name not in known:
            card["calibration"][name] = 1.0
        if item.call is not None and item.call.is_better:
            card_calls[name] = item.call.value
            calls.append(_row(item.call, {"least": item.call.value}, told))
    names = {item.temperature.condition for item in fitted}
    _put(card["proof"], "calibration", temperatures, {row["condition"] for row in temperatures} | names - known.keys())
    _put(card["proof"], "calls", calls, names)
    if card_calls:
        card |= {"calls": card_calls, "proof": card.pop("proof")}
    if card != before:
        try:
            write_whole(path, tomli_w.dumps(card, multiline_strings=True))
        except OSError as error:
            raise UsageError(f"{path} cannot be written ({error.strerror})", "a model's folder of one's own") from error


def _put(proof: dict[str, Any], key: str, rows: list[dict[str, Any]], names: set[str]) -> None:
    """These rows in place of older ones of the same conditions."""
    kept = [row for row in proof.pop(key, []) if row["condition"] not in names] + rows
    if kept:
        proof[key] = kept


def _row(item: Choice, chosen: Mapping[str, float], told: Mapping[str, str]) -> dict[str, Any]:
    return {
        "condition": item.condition,
        **chosen,
        "data": item.data,
        "split": item.split,
        "cases": item.cases,
        "patients": item.patients,
        "before": {name: _numbers(score) for name, score in item.before.items()},
        "after_cross_fitted": {name: _numbers(score) for name, score in item.after.items()},
        **told,
    }


def _numbers(score: Score) -> list[float]:
    return [round(value, 4) for value in (score.value, score.low, score.high)]
