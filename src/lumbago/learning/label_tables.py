"""Labelled slices of the label sources that an experiment names, and the folds that their patients are in."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from lumbago.errors import SettingsRefused
from lumbago.labels.label_names import names_in
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.picture_slices import LabelledSlice, labelled_slices
from lumbago.labels.sources import SOURCES

Tell = Callable[[str], None]
"""Called with a sentence on what a person should know."""

_SHOWN: Final = 5


def not_told(_: str) -> None:
    """Tells nobody."""


def read_labels(data: Path, sources: tuple[str, ...], tell: Tell = not_told) -> list[LabelledSlice]:
    """All sagittal pictures of the named sources under the folder `data`, each in the sub-folder of its name.

    Raises:
        SettingsRefused: a source of another name than there are.
        UnreadableInput: a table of a source is not there.
    """
    return [row for study in usable_studies(data, sources, tell) for row in labelled_slices(study)]


def labelled_studies(data: Path, source: str) -> Iterator[LabelledStudy]:
    """The studies of a source under the folder `data`, as its labels tell of them.

    Raises:
        SettingsRefused: there is no such source, or its folder's names.toml makes no sense.
        UnreadableInput: a table of the source is not there.
    """
    if source not in SOURCES:
        raise SettingsRefused(f"there is no label source {source}", f"some of {', '.join(SOURCES)}")
    return SOURCES[source].read(data / source, names_in(data / source))


def usable_studies(data: Path, sources: Sequence[str], tell: Tell = not_told) -> Iterator[LabelledStudy]:
    """The studies of sources, without images that are not there; who lacks images or labels is told, by source.

    Raises:
        SettingsRefused, UnreadableInput: as `labelled_studies`.
    """
    for source in sources:
        lost, unlabelled = [], []
        for study in labelled_studies(data, source):
            there = tuple(image for image in study.images if image.path.exists())
            if not (study.truth.findings or study.shapes or study.absence):
                unlabelled.append(study.name)
            elif len(there) < len(study.images) or not there:
                lost.append(study.name)
            yield replace(study, images=there)
        _tell_some(f"labelled studies of {source} lack images, which are left out", lost, tell)
        _tell_some(f"studies of {source} have no labels and teach nothing", unlabelled, tell)


def _tell_some(what: str, names: Sequence[str], tell: Tell) -> None:
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        tell(f"{len(names)} {what}: {', '.join(names[:_SHOWN])}{more}; lumbago labels check says more.")


def fold_of(patient: str, folds: int) -> int:
    """The fold a patient is in where no file of a split is named; it follows from his key alone, so every table and
    every run agree."""
    return int.from_bytes(hashlib.sha256(patient.encode()).digest()[:8], "big") % folds
