"""Graded discs as a grader meets them: a picture, a frame from the locator, signal references, and grades.

The frames come from the locator, not from the labels, so that training sees the geometry that analysis will see.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.levels import bottom_count
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Model
from lumbago.labels.picture_slices import LabelledSlice, picture_volume
from lumbago.learning.locator_targets import TrueDisc, true_discs
from lumbago.pipeline.crop_patches import PatchFrame
from lumbago.pipeline.locate_discs import LocatedDisc, SpineLocation, locate_discs
from lumbago.pipeline.measure_spine import SignalReference, signal_references
from lumbago.pipeline.place_patches import disc_frame

_LEAST_DISCS = 4
_ELSEWHERE_MM = 12.0


@dataclass(frozen=True, eq=False)
class GradedPatch:
    """One place to grade: where it is, and the grades that are known there, as indices into their scales."""

    source: str
    patient: str
    name: str
    level: str
    volume: Volume
    frame: PatchFrame
    reference: SignalReference | None
    grades: Mapping[str, int]
    scale: float = 1.0


def graded_patches(model_of: Callable[[str], Model], rows: Iterable[LabelledSlice]) -> Iterator[GradedPatch]:
    """The graded discs of labelled pictures, placed by the locator (of the fold that has not seen the patient).

    A picture is left out when its count of discs is in doubt: no sure name, or too few discs; and a disc when the
    labels
    say that it lies elsewhere.
    """
    for row in rows:
        location = locate_discs(model_of(row.patient), picture_volume(row))
        if location.name_is_sure and len(location.discs) >= _LEAST_DISCS:
            yield from _patches(row, location)


def _patches(row: LabelledSlice, location: SpineLocation) -> Iterator[GradedPatch]:
    references, truth = signal_references(location), true_discs(row)
    for disc in location.discs:
        grades = _known_grades(row, disc.level)
        if grades and disc.confidence > 0 and not _lies_elsewhere(location, disc, truth.get(bottom_count(disc.level))):
            yield GradedPatch(
                row.source,
                row.patient,
                row.name,
                disc.level,
                location.volume,
                disc_frame(disc, location.scale),
                references[disc.level],
                grades,
                location.scale,
            )


def _known_grades(row: LabelledSlice, level: str) -> dict[str, int]:
    return {
        condition: CONDITIONS[condition].scale.grades.index(grade)
        for (condition, place), grade in row.grades.items()
        if place == level
    }


def _lies_elsewhere(location: SpineLocation, disc: LocatedDisc, truth: TrueDisc | None) -> bool:
    if truth is None:
        return False
    place = location.volume.to_lps_mm(np.array([0.0, *truth.center]))
    return location.scale * float(np.linalg.norm(disc.center_lps_mm - place)) > _ELSEWHERE_MM
