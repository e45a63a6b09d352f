"""Graded discs as a grader meets them: a picture, a frame from the locator, signal references, and grades.

The frames come from the locator, not from the labels, so that training sees the geometry that analysis will see.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from jaxtyping import Float64

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.levels import Side, bottom_count, level_from_bottom
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Model
from lumbago.labels.picture_slices import LabelledSlice, picture_volume
from lumbago.learning.array_files import StoredArray, digest_of
from lumbago.learning.locator_targets import TrueDisc, true_discs
from lumbago.learning.sample_cache import ALONE, Facts, Piece, Preparation, kept_samples
from lumbago.pipeline.crop_patches import PatchFrame
from lumbago.pipeline.locate_discs import LocatedDisc, SpineLocation, locate_discs
from lumbago.pipeline.measure_spine import SignalReference, fat_references, signal_references
from lumbago.pipeline.measured_features import Measures, measure_place
from lumbago.pipeline.place_patches import canal_frame, disc_frame

FrameOf = Callable[[LocatedDisc, float], PatchFrame]
"""Where a patch lies, by the disc and the scale of its location."""

LEAST_DISCS: Final = 4
"""Fewer in a row cannot be counted."""

ELSEWHERE_MM: Final = 12.0
"""Farther than this from its label a place is another one: a level is 35 mm high, the recesses of a level lie 17 mm
apart, and slices 4 to 5 mm."""


@dataclass(frozen=True, eq=False)
class StoredVolume:
    """A volume whose grey values lie in a file."""

    array: StoredArray
    affine: Float64[np.ndarray, "4 4"]

    def open(self) -> Volume:
        """The volume, without headers and remarks: what a crop needs."""
        return Volume(self.array.read(), self.affine, headers=())


@dataclass(frozen=True, eq=False)
class GradedPatch:
    """One place to grade: where it is, and the grades that are known there, as indices into their scales.

    `series` is the number of what it is seen on, among the series that a grader of a whole study looks at; `measures`
    is what was measured of it, None for nothing.
    """

    source: str
    patient: str
    name: str
    level: str
    held: Volume | StoredVolume
    frame: PatchFrame
    reference: SignalReference | None
    grades: Mapping[str, int]
    scale: float = 1.0
    side: Side | None = None
    series: int = 0
    measures: Measures | None = None

    @property
    def volume(self) -> Volume:
        """The picture that it lies on, read when it is asked for."""
        return self.held if isinstance(self.held, Volume) else self.held.open()

    def parts(self) -> tuple[Facts, dict[str, np.ndarray]]:
        """All but the grey values, and these."""
        volume, frame = self.volume, self.frame
        facts = {
            "place": [self.source, self.patient, self.name, self.level, self.side, self.series],
            "affine": volume.affine.tolist(),
            "slice": frame.slice_index,
            "frame": [vector.tolist() for vector in (frame.center_lps_mm, frame.along, frame.down)],
            "reference": None if self.reference is None else asdict(self.reference),
            "grades": dict(self.grades),
            "scale": self.scale,
            "measures": None if self.measures is None else _known(self.measures),
        }
        return facts, {"volume": volume.array}

    @classmethod
    def of_parts(cls, facts: Facts, arrays: Mapping[str, StoredArray]) -> "GradedPatch":
        """The patch whose `parts` these are; its grey values stay where they lie."""
        source, patient, name, level, side, series = facts["place"]
        center, along, down = (np.array(vector) for vector in facts["frame"])
        return cls(
            source,
            patient,
            name,
            level,
            StoredVolume(arrays["volume"], np.array(facts["affine"])),
            PatchFrame(facts["slice"], center, along, down),
            None if facts["reference"] is None else SignalReference(**facts["reference"]),
            facts["grades"],
            facts["scale"],
            side,
            series,
            None if facts["measures"] is None else np.array(facts["measures"], np.float32),
        )


def _known(measures: Measures) -> list[float | None]:
    """What is unknown is nothing: JSON has no NaN."""
    return [None if np.isnan(value) else value for value in measures.tolist()]


def graded_patches(
    model_of: Callable[[str], Model], rows: Iterable[LabelledSlice], how: Preparation = ALONE, anchor: str = "disc"
) -> list[GradedPatch]:
    """The graded discs of labelled pictures, placed by the locator (of the fold that has not seen the patient); about
    the canal behind them for a grader of canals, which learns beside them.

    A picture is left out when its count of discs is in doubt: too few discs, or no sure name and no label that says
    where they lie; and a disc when the labels say that it lies elsewhere.
    """
    frame_of = canal_frame if anchor == "canal" else disc_frame
    pieces = (_piece(model_of(row.patient), row, frame_of) for row in rows)
    return kept_samples(pieces, GradedPatch.of_parts, replace(how, processes=1), "located pictures")


def _piece(model: Model, row: LabelledSlice, frame_of: FrameOf) -> Piece[GradedPatch]:
    """The locator computes with several threads and does not go to other processes."""
    labels: tuple[Any, ...] = (
        sorted(row.grades.items()),
        {name: corners.tolist() for name, corners in row.bodies.items()},
        row.boxes,
    )
    picture = digest_of(row.image)
    seen = (row.source, row.patient, row.name, row.spacing_mm, row.flips)
    where = () if frame_of is disc_frame else ("canal",)
    return Piece(_located, (model, row, frame_of), (model.card.sha256, picture, *seen, *labels, *where))


def _located(model: Model, row: LabelledSlice, frame_of: FrameOf) -> Iterator[GradedPatch]:
    location = locate_discs(model, picture_volume(row))
    if len(location.discs) >= LEAST_DISCS:
        named = location if location.name_is_sure else _named_by_labels(row, location)
        yield from _patches(row, named, frame_of)


def _named_by_labels(row: LabelledSlice, location: SpineLocation) -> SpineLocation:
    """The discs that lie where the labels have one, by its name."""
    named = (
        replace(disc, level=level_from_bottom(count))
        for count, truth in true_discs(row).items()
        for disc in location.discs
        if not _lies_elsewhere(location, disc, truth)
    )
    return replace(location, discs=tuple({disc.level: disc for disc in named}.values()))


def _patches(row: LabelledSlice, location: SpineLocation, frame_of: FrameOf) -> Iterator[GradedPatch]:
    references = fat_references(location) if row.weighting == "t1" else signal_references(location)
    truth = true_discs(row)
    for disc in location.discs:
        grades = _known_grades(row, disc.level)
        if grades and disc.confidence > 0 and not _lies_elsewhere(location, disc, truth.get(bottom_count(disc.level))):
            yield GradedPatch(
                row.source,
                row.patient,
                row.name,
                disc.level,
                location.volume,
                frame_of(disc, location.scale),
                references[disc.level],
                grades,
                location.scale,
                measures=measure_place(location, disc, references[disc.level]),
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
    place = location.as_stated.to_lps_mm(np.array([0.0, *truth.center]))
    return location.scale * float(np.linalg.norm(disc.center_lps_mm - place)) > ELSEWHERE_MM
