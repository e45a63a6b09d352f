"""What a run learns from, as digests kept in its folder: it does not go on with other labels, pictures or locators."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lumbago.errors import SettingsRefused
from lumbago.inference.weights import read_card
from lumbago.labels.labelled_study import LabelledStudy, kind_of
from lumbago.labels.tables import write_whole
from lumbago.learning.experiment import Experiment
from lumbago.learning.label_tables import usable_studies
from lumbago.learning.places import Places

DATA: Final = "data.json"


def checked_data(folder: Path, given: Mapping[str, str], *, is_begun: bool) -> dict[str, str]:
    """Refuses other data than what lies in the folder was begun with; gives what it is to keep.

    A folder of an older version keeps none: it is taken as of these.

    Args:
        given: digests, by what they are of.

    Raises:
        SettingsRefused: it was begun with others.
    """
    path = folder / DATA
    kept = json.loads(path.read_text(encoding="utf8")) if is_begun and path.is_file() else {}
    other = [name for name, digest in given.items() if kept.get(name, digest) != digest]
    if other:
        raise SettingsRefused(
            f"what lies in {folder} was begun with other data: {', '.join(other)}", "the same",
            "put it back, or choose another --out",
        )  # fmt: skip
    return {**kept, **given}


def keep_data(folder: Path, digests: Mapping[str, str]) -> None:
    """Puts digests into the folder.

    Raises:
        OSError: it cannot be written to.
    """
    write_whole(folder / DATA, json.dumps(digests, indent=1) + "\n")


def data_digests(experiment: Experiment, places: Places) -> dict[str, str]:
    """Of the labels of an experiment's sources, and of the locators that place a grader's patches.

    Raises:
        SettingsRefused, UnreadableInput: as `label_tables.labelled_studies`.
        ModelRefused: a locator without a readable card.
    """
    labels = label_digests(places.data, experiment.sources)
    if experiment.kind != "grader" or not experiment.sources:
        return labels
    shown = [fold for fold in range(experiment.folds) if fold != experiment.fold]
    folders = {fold: Path(places.locators.replace("{fold}", str(fold))) for fold in shown}
    there = {fold: folder for fold, folder in folders.items() if places.locators and (folder / "card.toml").is_file()}
    return labels | {f"locator of fold {fold}": read_card(folder).sha256 for fold, folder in there.items()}


def label_digests(data: Path, sources: Sequence[str]) -> dict[str, str]:
    """Of what the labels of each source say, of which images are there, and of what its pictures show; of series and
    volumes, which may be very large, not what they show.

    Raises:
        SettingsRefused, UnreadableInput: as `label_tables.labelled_studies`.
    """
    found = {}
    for source in sources:
        said, shown = hashlib.sha256(), dict[str, str]()
        for study in usable_studies(data, (source,)):
            said.update(repr(_said(study)).encode())
            shown |= {f"{study.name}/{image.name}": digest for image in study.images if (digest := _digest(image.path))}
        found[f"labels of {source}"] = said.hexdigest()[:16]
        if shown:
            found[f"pictures of {source}"] = hashlib.sha256(repr(shown).encode()).hexdigest()[:16]
    return found


def _said(study: LabelledStudy) -> tuple[Any, ...]:
    images = [
        (image.name, image.role, image.spacing_mm, image.upside_down, *(["mirrored"] if image.mirrored else []))
        for image in study.images
    ]
    shapes = [
        (
            shape.kind, shape.points, shape.image, shape.instance, shape.frame, shape.condition, shape.level,
            shape.side, shape.grade, shape.structure, shape.is_certain, shape.values,
            "" if shape.mask is None else _digest(shape.mask),
        )
        for shape in study.shapes
    ]  # fmt: skip
    return study.patient, study.name, images, study.grades, dict(study.absence), shapes


def _digest(path: Path) -> str:
    """Of a picture or of a mask that is one, as networks of single slices learn from; "" of all else."""
    if kind_of(path) != "picture" or not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()
