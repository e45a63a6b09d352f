"""Whether a model has seen a patient, by what its card says of its training."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lumbago.errors import ModelRefused
from lumbago.inference.weights import Card
from lumbago.learning.label_tables import fold_of

_PHANTOM: Final = re.compile(r"phantom-(\d+)-(\d+)$")
"""Name of a phantom study: the first seed of its series, and its number in it."""


def require_unseen(card: Card, patient: str) -> None:
    """The card says from which sources, without which fold, a model was trained; patients are named by source.

    Raises:
        ModelRefused: the model was trained on the patient, or on the phantom of that seed.
    """
    if any(_has_seen(settings, patient) for settings in _trainings(card.proof)):
        raise ModelRefused(
            f"the model {card.name} was trained on {patient}",
            "a model that has not seen the patients that it is used on",
            "name the folders of the folds' models, with {fold} for the number of the fold",
        )


def _trainings(proof: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Settings of the training, and of those that its frozen weights come from."""
    yield proof.get("settings", {})
    if "start" in proof:
        yield from _trainings(proof["start"])


def _has_seen(settings: dict[str, Any], patient: str) -> bool:
    trained_on = {source.split("_")[0] for source in settings.get("sources", ())}
    is_patient = patient.partition(":")[0] in trained_on and fold_of(patient, settings["folds"]) != settings["fold"]
    return is_patient or _is_training_phantom(settings, patient)


def _is_training_phantom(settings: dict[str, Any], patient: str) -> bool:
    match = _PHANTOM.match(patient)
    if match is None:
        return False
    first, count = settings.get("phantom_seed", 0), settings.get("phantoms", 0)
    return bool(first <= int(match.group(1)) + int(match.group(2)) < first + count)
