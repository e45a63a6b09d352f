"""Labelled slices of the label sources that an experiment names, and the folds that their patients are in."""

import hashlib
from pathlib import Path

from lumbago.errors import SettingsRefused
from lumbago.labels.label_names import read_names
from lumbago.labels.picture_slices import LabelledSlice, labelled_slices
from lumbago.labels.sources import SOURCES


def read_labels(data: Path, sources: tuple[str, ...]) -> list[LabelledSlice]:
    """All sagittal pictures of the named sources under the folder `data`, each in the sub-folder of its name.

    Raises:
        SettingsRefused: a source of another name than there are.
        UnreadableInput: a table of a source is not there.
    """
    unknown = sorted(set(sources) - set(SOURCES))
    if unknown:
        raise SettingsRefused(f"there is no label source {', '.join(unknown)}", f"some of {', '.join(SOURCES)}")
    names = read_names()
    studies = (study for source in sources for study in SOURCES[source].read(data / source, names))
    return [row for study in studies for row in labelled_slices(study)]


def fold_of(patient: str, folds: int) -> int:
    """The fold a patient is in; it follows from his key alone, so every table and every run agree."""
    return int.from_bytes(hashlib.sha256(patient.encode()).digest()[:8], "big") % folds
