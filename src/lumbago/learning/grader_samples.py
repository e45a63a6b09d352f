"""What an experiment of a grader learns from, and what it is validated and scored on."""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Final

from lumbago.labels.picture_slices import LabelledSlice
from lumbago.learning.disc_samples import GradedPatch, graded_patches
from lumbago.learning.experiment import Experiment
from lumbago.learning.label_tables import fold_of, read_labels
from lumbago.learning.phantom_patches import phantom_patches
from lumbago.learning.places import Places, model_of

_COURSE: Final = Experiment("", "grader")
_NOT_DATA: Final = (
    "name", "members", "steps", "batch", "learning_rate", "weight_decay", "pretrained", "feature_layers", "loss",
    "class_weights", "precision", "save_every", "validate_every", "patience", "augmentation", "seed", "shift_freedom",
    "slice_shift_mm", "resolution", "mirror", "mixup", "cutmix", "mix_alpha",
)  # fmt: skip


def data_of(experiment: Experiment) -> Experiment:
    """The experiment without what its samples do not depend on, so that tries over one data set share them."""
    return replace(experiment, **{name: getattr(_COURSE, name) for name in _NOT_DATA})


@lru_cache(maxsize=1)
def grader_samples(data: Experiment, places: Places) -> tuple[tuple[GradedPatch, ...], tuple[GradedPatch, ...]]:
    """Samples to learn from, and those to validate on."""
    rows: dict[bool, list[LabelledSlice]] = {True: [], False: []}
    for row in graded_rows(data.sources, places):
        fold = fold_of(row.patient, data.folds)
        if fold != data.fold:
            rows[fold == data.validation_fold].append(row)
    unseen = replace(
        data,
        phantom_seed=data.phantom_seed + data.phantoms,
        phantoms=data.validation_phantoms,
        validation_phantoms=0,
        reader_noise=False,
    )
    locators = model_of(places.locators, data.folds) if data.sources else None
    return (
        (*(graded_patches(locators, rows[False]) if locators else ()), *phantom_patches(data)),
        (*(graded_patches(locators, rows[True]) if locators else ()), *phantom_patches(unseen)),
    )


def graded_rows(sources: tuple[str, ...], places: Places) -> Iterable[LabelledSlice]:
    return [row for row in read_labels(places.data, sources) if row.weighting == "t2" and row.grades]
