"""Where the things of a run lie, and which model a patient may be shown to."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lumbago.errors import UsageError
from lumbago.inference.weights import Model, load_model
from lumbago.learning.label_tables import fold_of
from lumbago.learning.seen_patients import require_unseen

ModelOf = Callable[[str], Model]
"""Gives the model for a patient: of the fold that has not seen him."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie.

    Attributes:
        data: folder with the label sources; run: folder of the run.
        locators: folder with the locator's model, `{fold}` in it standing for a patient's fold.
        threads: processor threads.
        device: what to train on, see `hardware.DEVICES`; workers: threads that make batches.
        command: how this was called, for the card.
        card: model folder whose card is to hold the scores, or None.
        few_shot: the frozen network that small heads are fitted on, see `few_shot.frozen_network`; "" for none.
    """

    data: Path
    run: Path
    locators: str = ""
    threads: int = 2
    device: str = "auto"
    workers: int = 1
    command: str = ""
    card: Path | None = None
    few_shot: str = ""

    @property
    def sources(self) -> "Places":
        """What samples are read from, alone."""
        return Places(self.data, Path(), self.locators)


def model_of(folder: str, folds: int) -> ModelOf:
    """The model in a folder, or, with `{fold}` in its name, for each patient that of his fold.

    Raises:
        UsageError: no folder.
        ModelRefused, when called with a patient: by its card, the model has seen him.
    """
    if not folder:
        raise UsageError("places are found by a locator, and none is given", "its folder", "add --locators")

    @cache
    def load(fold: int) -> Model:
        place = Path(folder.format(fold=fold))
        return load_model(place.name, place.parent)

    def unseen(patient: str) -> Model:
        model = load(fold_of(patient, folds))
        require_unseen(model.card, patient)
        return model

    return unseen
