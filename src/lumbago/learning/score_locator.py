"""How well discs are found and named on labelled pictures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lumbago.anatomy.levels import LEVELS, bottom_count
from lumbago.evaluation.detection import Marked
from lumbago.evaluation.intervals import Score, over_patients
from lumbago.evaluation.place_table import PlaceTable
from lumbago.inference.weights import Model
from lumbago.labels.picture_slices import LabelledSlice, picture_volume
from lumbago.learning.locator_targets import TrueDisc, true_discs
from lumbago.pipeline.locate_discs import SpineLocation, locate_discs


@dataclass(frozen=True, slots=True)
class FoundDisc:
    """A labelled lumbar disc and what the locator made of it.

    Attributes:
        kind: label source and sequence, as in `spider t2_SPACE`.
        error_mm: distance to the nearest found disc, infinite when none was found at all.
        half_height_mm: of the disc, the tolerance.
        is_named_right: the nearest found disc lies within tolerance and bears its name.
    """

    kind: str
    patient: str
    name: str
    level: str
    error_mm: float
    half_height_mm: float
    is_named_right: bool

    @property
    def is_found(self) -> bool:
        """Within half a disc height."""
        return self.error_mm <= self.half_height_mm


@dataclass(frozen=True, eq=False)
class LocatedPicture:
    """A labelled picture, what the locator saw on it, and the labelled discs by level."""

    row: LabelledSlice
    location: SpineLocation
    truth: Mapping[str, TrueDisc]

    @property
    def kind(self) -> str:
        """Label source and sequence."""
        return f"{self.row.source} {self.row.name.partition('_')[2]}"

    def true_lps_mm(self, level: str) -> tuple[float, ...]:
        """Middle of a labelled disc."""
        return tuple(self.location.as_stated.to_lps_mm(np.array([0.0, *self.truth[level].center])).tolist())


def locate_pictures(model_of: Callable[[str], Model], rows: Iterable[LabelledSlice]) -> list[LocatedPicture]:
    """Runs the locator (of the fold that has not seen the patient) on every picture with labelled discs."""
    located = []
    for row in rows:
        if true_discs(row):
            located.append(
                LocatedPicture(row, locate_discs(model_of(row.patient), picture_volume(row)), true_levels(row))
            )
    return located


def true_levels(row: LabelledSlice) -> dict[str, TrueDisc]:
    """Labelled lumbar discs of a slice by level."""
    by_count = true_discs(row)
    return {level: by_count[bottom_count(level)] for level in LEVELS if bottom_count(level) in by_count}


def places_of(pictures: Sequence[LocatedPicture]) -> list[PlaceTable]:
    """Labelled and found discs by kind, as points in millimetres."""
    return [
        PlaceTable(
            kind,
            "mm",
            tuple(
                Marked(one.row.patient, one.row.name, level, one.true_lps_mm(level))
                for one in pictures if one.kind == kind for level in one.truth
            ),
            tuple(
                Marked(one.row.patient, one.row.name, disc.level, tuple(disc.center_lps_mm.tolist()), disc.confidence)
                for one in pictures if one.kind == kind for disc in one.location.discs if disc.level in one.truth
            ),
        )
        for kind in dict.fromkeys(one.kind for one in pictures)
    ]  # fmt: skip


def _compare(picture: LocatedPicture, level: str) -> FoundDisc:
    row, location, truth = picture.row, picture.location, picture.truth[level]
    place = np.array(picture.true_lps_mm(level))
    distances = {disc.level: float(np.linalg.norm(disc.center_lps_mm - place)) for disc in location.discs}
    nearest = min(distances, key=lambda name: distances[name]) if distances else ""
    error, half = distances.get(nearest, float("inf")), truth.half_height * row.spacing_mm
    return FoundDisc(picture.kind, row.patient, row.name, level, error, half, nearest == level and error <= half)


def score_locator(pictures: Sequence[LocatedPicture]) -> dict[str, Score]:
    """Scores by source and weighting."""
    found = [_compare(picture, level) for picture in pictures for level in picture.truth]
    scores: dict[str, Score] = {}
    for kind in dict.fromkeys(disc.kind for disc in found):
        of_kind = [disc for disc in found if disc.kind == kind]
        scores |= {f"{kind}, {len(of_kind)} discs: {name}": score for name, score in summarize(of_kind).items()}
    return scores


def summarize(found: list[FoundDisc]) -> dict[str, Score]:
    """Shares with intervals over patients: found within half a disc height, named right; and the mean error of the
    found."""
    patients = np.array([disc.patient for disc in found])
    hit = np.array([disc.is_found for disc in found], float)
    named = np.array([disc.is_named_right for disc in found], float)
    error = np.array([disc.error_mm for disc in found])

    def mean_error(rows: np.ndarray) -> float:
        near = error[rows][hit[rows] > 0]
        return float(near.mean()) if near.size else float("nan")

    return {
        "found within half a disc height": over_patients(lambda rows: float(hit[rows].mean()), patients),
        "found and named right": over_patients(lambda rows: float(named[rows].mean()), patients),
        "mean error of found discs, mm": over_patients(mean_error, patients),
    }
