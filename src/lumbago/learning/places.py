"""Where the things of a run lie, and which model a patient may be shown to."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lumbago.errors import UsageError
from lumbago.inference.weights import Model, load_model
from lumbago.learning.sample_cache import ALONE, Preparation
from lumbago.learning.seen_patients import Seen, seen_by
from lumbago.learning.splits import FoldOf

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
        preparing: how training prepares its samples.
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
    preparing: Preparation = ALONE
    few_shot: str = ""

    @property
    def sources(self) -> "Places":
        """What samples are read from, alone."""
        return Places(self.data, Path(), self.locators, preparing=self.preparing)


def model_of(folder: str, fold_of: FoldOf) -> ModelOf:
    """The model in a folder, or, with `{fold}` in its name, for each patient that of his fold.

    Raises:
        UsageError: no folder.
        ModelRefused, when called with a patient: the model has seen him.
    """
    if not folder:
        raise UsageError("places are found by a locator, and none is given", "its folder", "add --locators")

    @cache
    def load(place: Path) -> tuple[Model, Seen]:
        return load_model(place.name, place.parent), seen_by(place)

    def unseen(patient: str) -> Model:
        place = folder.format(fold=fold_of(patient)) if "{fold}" in folder else folder
        model, seen = load(Path(place))
        seen.require_unseen(patient)
        return model

    return unseen
