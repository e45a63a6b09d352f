"""A piece of one sagittal slice laid straight with a disc: grey values, and which tissue each pixel is.

What is measured of a place (`measured_features`) is read off this, whoever drew the tissues: a segmenting network in an
analysis, the phantom's truth in training.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, Float64

from lumbago.dicom.patient_geometry import sample_plane
from lumbago.dicom.volume import Volume
from lumbago.pipeline.locate_discs import LocatedDisc, SpineLocation, channel

Vector = Float64[np.ndarray, "3"]
Mask = Bool[np.ndarray, "rows columns"]

SECTION_MM: Final = 0.5
"""Pixel size of a section."""

_UP_MM, _FRONT_MM, _BACK_MM = 45.0, 30.0, 45.0
_SHAPE: Final = (round(2 * _UP_MM / SECTION_MM) + 1, round((_FRONT_MM + _BACK_MM) / SECTION_MM) + 1)
CENTER: Final = (round(_UP_MM / SECTION_MM), round(_FRONT_MM / SECTION_MM))
"""(row, column) of the middle of the disc."""

_INSIDE: Final = 0.5
TISSUES: Final = ("disc", "body", "canal")


@dataclass(frozen=True, eq=False)
class Section:
    """Rows run from head to feet across the disc, columns from front to back along it, on pixels of `SECTION_MM`.

    Attributes:
        image: grey values, 0 beyond the picture.
        disc, body, canal: which tissue each pixel is; bodies with the sacrum.
        seen: what lies on the picture.
    """

    image: Float32[np.ndarray, "rows columns"]
    disc: Mask
    body: Mask
    canal: Mask
    seen: Mask


@dataclass(frozen=True, eq=False)
class SectionPlace:
    """Where a section lies: on which slice of a volume, its middle, unit vectors to the back and to the feet, and by
    how much the stated pixel size is to be multiplied (`SpineLocation.scale`)."""

    slice_index: int
    center_lps_mm: Vector
    back: Vector
    down: Vector
    scale: float = 1.0


def cut_section(volume: Volume, tissues: Mapping[str, Volume], place: SectionPlace) -> Section:
    """The section of a volume; `tissues` has a volume of chances, 0 to 1, of one slice for each of `TISSUES`."""
    masks = {name: _sampled(tissues[name], 0, place) > _INSIDE for name in TISSUES}
    everywhere = replace(volume, array=np.ones_like(volume.array))
    seen = _sampled(everywhere, place.slice_index, place) > _INSIDE
    return Section(_sampled(volume, place.slice_index, place), **masks, seen=seen)


def located_section(location: SpineLocation, disc: LocatedDisc) -> Section:
    """The section of a located disc, with the tissues that the locator drew on its slice."""
    maps = location.maps[disc.slice_index]
    body = np.maximum(channel(maps, "vertebra"), channel(maps, "sacrum"))
    drawn = {"disc": channel(maps, "disc"), "body": body, "canal": channel(maps, "canal")}
    tissues = {name: _as_volume(location.volume, disc.slice_index, values) for name, values in drawn.items()}
    place = SectionPlace(disc.slice_index, disc.center_lps_mm, disc.frame.back, disc.frame.down, location.scale)
    return cut_section(location.volume, tissues, place)


def _as_volume(volume: Volume, slice_index: int, drawn: Float32[np.ndarray, "grid_rows grid_columns"]) -> Volume:
    """A map in patient space: its pixels cover the slice's edge to edge, see `normalise.resample_image`."""
    by_row, by_column = (old / new for old, new in zip(volume.array.shape[1:], drawn.shape, strict=True))
    to_slice = np.diag([1.0, by_row, by_column, 1.0])
    to_slice[:3, 3] = (slice_index, 0.5 * by_row - 0.5, 0.5 * by_column - 0.5)
    return Volume(np.ascontiguousarray(drawn[None]), volume.affine @ to_slice, headers=())


def _sampled(volume: Volume, slice_index: int, place: SectionPlace) -> Float32[np.ndarray, "rows columns"]:
    step = SECTION_MM / place.scale
    down, back = step * place.down, step * place.back
    origin = place.center_lps_mm - CENTER[0] * down - CENTER[1] * back
    return sample_plane(volume, slice_index, origin, down, back, _SHAPE)
