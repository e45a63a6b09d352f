"""Which axial volumes may be matched to discs: those whose place in the patient, in millimetres, is also the sagittal
series' own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lumbago.anatomy.findings import QualityRemark
from lumbago.dicom.patient_geometry import share_frame
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Model
from lumbago.pipeline.locate_discs import SliceReader, SpineLocation
from lumbago.pipeline.locate_points import axial_slice_of, canal_on_axial

_ALIKE_MM: Final = 2.5
"""Spread over the levels, front to back, of where the canal is seen from where it is expected. On 8 phantoms (seeds
from 5000) it was at most 0.8 mm; with the axial slices moved by 34 mm, up or down, it was 2.8 or more in 15 of 16:
the canal's curve is another there."""
_LONG_MM: Final = 45.0
"""Between neighbouring discs, as a median. On 12 phantoms (seeds from 5000) it was 30 to 42 mm."""


@dataclass(frozen=True, eq=False)
class MatchedAxials:
    """The volumes that may be matched, and why others may not, "" when all may."""

    volumes: tuple[Volume, ...]
    doubt: str = ""


def match_axials(model: Model, location: SpineLocation, axials: Sequence[Volume]) -> MatchedAxials:
    """The canonical axial volumes that lie in the coordinates of a sagittal series.

    Nothing lies in coordinates that are assumed, or of a pixel size or orientation that is not believed. Volumes of
    another stated frame of reference, and all where the discs are farther apart than in most people, count when the
    canal that they show runs as it does on the sagittal series: anonymised files often state a new frame for every
    series.
    """
    if location.turned:
        return MatchedAxials(
            (), "the sagittal series lies otherwise than it states, so that axial slices cannot be matched to its discs"
        )
    if location.volume.geometry_is_assumed or location.scale != 1.0:
        return MatchedAxials(
            (), "the sagittal series gives no true millimetres, so that axial slices cannot be matched to its discs"
        )
    stated = [volume for volume in axials if not volume.geometry_is_assumed]
    is_long = _is_long(location)
    unsure = [volume for volume in stated if is_long or not share_frame(location.volume, volume)]
    if unsure and not _runs_alike(model, location, unsure):
        kept = tuple(volume for volume in stated if volume not in unsure)
        return MatchedAxials(kept, "the axial slices do not show the canal where the sagittal series has it")
    unstated = len(stated) < len(axials)
    doubt = "axial slices without a stated position and pixel size cannot be matched to discs" if unstated else ""
    return MatchedAxials(tuple(stated), doubt)


def frame_remarks(location: SpineLocation, axials: Sequence[Volume]) -> list[QualityRemark]:
    """What a reader must know of matched volumes of another frame of reference."""
    if all(share_frame(location.volume, volume) for volume in axials):
        return []
    text = (
        "axial T2: another frame of reference than the sagittal series'; its slices were matched by the canal's place."
    )
    return [QualityRemark("warning", text)]


def _is_long(location: SpineLocation) -> bool:
    """Whether the discs are so far apart that the stated pixel size may be too large."""
    centers = np.array([disc.center_lps_mm for disc in location.discs])
    return len(centers) > 1 and float(np.median(np.linalg.norm(np.diff(centers, axis=0), axis=1))) > _LONG_MM


def _runs_alike(model: Model, location: SpineLocation, axials: Sequence[Volume]) -> bool:
    """Whether the canal is seen at most discs that a slice passes through, and as far before or behind its expected
    place at each."""
    readers = [SliceReader(model, volume) for volume in axials]
    choices = [(disc, axial_slice_of(disc, axials)) for disc in location.discs if disc.confidence > 0]
    passed = [(disc, readers[choice[0]], choice[1]) for disc, choice in choices if choice is not None]
    seen = [(disc, reader, canal_on_axial(reader, index, disc)) for disc, reader, index in passed]
    behind_mm = [
        float((canal - disc.canal_lps_mm) @ reader.volume.affine[:3, 1] / reader.volume.spacing_mm[1])
        for disc, reader, canal in seen
        if canal is not None
    ]
    return 2 * len(behind_mm) >= len(passed) and float(np.std(behind_mm or [0.0])) < _ALIKE_MM
