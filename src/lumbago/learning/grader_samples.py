"""What an experiment of a grader learns from, and what it is validated and scored on."""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Final

from lumbago.labels.picture_slices import LabelledSlice
from lumbago.learning.disc_samples import GradedPatch, graded_patches
from lumbago.learning.experiment import Experiment
from lumbago.learning.label_tables import Tell, not_told, read_labels
from lumbago.learning.phantom_patches import phantom_patches
from lumbago.learning.phantom_studies import phantom_studies
from lumbago.learning.places import Places, model_of
from lumbago.learning.splits import HELD_OUT, VALIDATION, fold_rule, part_of
from lumbago.learning.study_samples import study_samples
from lumbago.pipeline.crop_patches import PLACE
from lumbago.pipeline.place_patches import SEEN_ON

_COURSE: Final = Experiment("", "grader")
_NOT_DATA: Final = (
    "name", "members", "steps", "batch", "learning_rate", "weight_decay", "pretrained", "start", "feature_layers",
    "loss", "class_weights", "precision", "save_every", "validate_every", "patience", "augmentation", "seed",
    "shift_freedom", "slice_shift_mm", "resolution", "sharpening", "mirror", "mixup", "cutmix", "mix_alpha", "network",
    "views", "weight", "beside",
)  # fmt: skip


def data_of(experiment: Experiment) -> Experiment:
    """The experiment without what its samples do not depend on, so that tries over one data set share them."""
    return replace(experiment, **{name: getattr(_COURSE, name) for name in _NOT_DATA})


@lru_cache(maxsize=1)
def grader_samples(data: Experiment, places: Places) -> tuple[tuple[GradedPatch, ...], tuple[GradedPatch, ...]]:
    """Samples to learn from, and those to validate on."""
    rows: dict[bool, list[LabelledSlice]] = {True: [], False: []}
    fold_of = fold_rule(data)
    for row in graded_rows(data.sources, places, data.anchor, places.preparing.tell):
        part = part_of(data, fold_of(row.patient))
        if part != HELD_OUT:
            rows[part == VALIDATION].append(row)
    unseen = replace(
        data,
        phantom_seed=data.phantom_seed + data.phantoms,
        phantoms=data.validation_phantoms,
        validation_phantoms=0,
        reader_noise=False,
    )
    locators, how = model_of(places.locators, fold_of) if data.sources else None, places.preparing
    learned, validating = study_samples(data, places) if data.sources else ([], [])
    of_phantoms = phantom_patches if data.sees == PLACE else phantom_studies

    def of_pictures(is_validation: bool) -> list[GradedPatch]:
        return graded_patches(locators, rows[is_validation], how, data.anchor) if locators else []

    return (
        (*of_pictures(False), *learned, *of_phantoms(data, how)),
        (*of_pictures(True), *validating, *of_phantoms(unseen, how)),
    )


def graded_rows(
    sources: tuple[str, ...], places: Places, anchor: str = "disc", tell: Tell = not_told
) -> Iterable[LabelledSlice]:
    """The graded pictures that show a disc as the anchor's series does."""
    wanted = "t1" if SEEN_ON[anchor] == "sagittal_t1" else "t2"
    return [row for row in read_labels(places.data, sources, tell) if row.weighting == wanted and row.grades]
