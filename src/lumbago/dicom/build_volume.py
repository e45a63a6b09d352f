"""Slices to volumes in patient millimetres: what forms a regular grid is stacked, what does not is refused.

Geometry after DICOM PS3.3 sections C.7.6.2.1.1 (equation C.7.6.2.1-1) and C.7.6.3.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float64

from lumbago.dicom.decoder import DecodedSlices, Decoder, Picture
from lumbago.dicom.slice_blocks import DISTINGUISHING, Block, PlacedSlice, Vector, find_blocks, place_slice
from lumbago.dicom.study import Series, SkippedFile, SliceHeader
from lumbago.dicom.volume import Volume
from lumbago.errors import NotAGrid

ASSUMED_FIELD_OF_VIEW_MM: Final = 300.0
_ASSUMED_STEP_MM: Final = 4.0
_ORIGIN: Final = (0.0, 0.0, 0.0)
_SAGITTAL: Final = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
"""Rows of the image run head to feet, columns front to back."""


@dataclass(frozen=True, eq=False, slots=True)
class BuiltVolumes:
    """What became of a series.

    Attributes:
        volumes: the grids, single slices among them.
        skipped: files whose pixels could not be decoded.
        refused: why slices form no grid; an error each, to be shown or raised.
    """

    volumes: tuple[Volume, ...]
    skipped: tuple[SkippedFile, ...]
    refused: tuple[NotAGrid, ...]


def _pixel_spacing(header: SliceHeader) -> tuple[float, float]:
    if header.pixel_spacing is not None:
        return header.pixel_spacing
    spacing = ASSUMED_FIELD_OF_VIEW_MM / max(header.rows, header.columns)
    return spacing, spacing


def _affine(first: PlacedSlice, step: Float64[np.ndarray, " 3"]) -> Float64[np.ndarray, "4 4"]:
    between_rows, between_columns = _pixel_spacing(first.header)
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = first.along_column * between_rows
    affine[:3, 2] = first.along_row * between_columns
    affine[:3, 3] = first.origin
    return affine


def _volume(block: Block, pictures: Sequence[Picture], remarks: tuple[str, ...] = (), assumed: bool = False) -> Volume:
    first = block.slices[0]
    if first.header.pixel_spacing is None:
        remarks += (
            f"the files state no pixel spacing; a field of view of {ASSUMED_FIELD_OF_VIEW_MM:.0f} mm is assumed",
        )
    return Volume(
        array=np.stack([pictures[one.index] for one in block.slices]),
        affine=_affine(first, block.step),
        headers=tuple(one.header for one in block.slices),
        geometry_is_assumed=assumed or first.header.pixel_spacing is None,
        remarks=block.remarks + remarks,
    )


def _place_all(headers: Sequence[SliceHeader]) -> tuple[list[PlacedSlice], tuple[NotAGrid, ...]]:
    """The slices with usable geometry, and one refusal for all that lack it."""
    placed: list[PlacedSlice] = []
    errors: list[NotAGrid] = []
    for index, header in enumerate(headers):
        try:
            placed.append(place_slice(index, header))
        except NotAGrid as error:
            errors.append(error)
    if len(errors) > 1:
        first = errors[0]
        errors = [
            NotAGrid(f"{len(errors)} of {len(headers)} slices have no usable geometry ({first.found})", first.expected)
        ]
    return placed, tuple(errors)


def _lone_slice(header: SliceHeader, pictures: Sequence[Picture]) -> Volume:
    """The only image of a series without geometry, taken for a sagittal one and centred on the origin."""
    between_rows, between_columns = _pixel_spacing(header)
    corner = (0.0, -between_columns * (header.columns - 1) / 2, between_rows * (header.rows - 1) / 2)
    assumed = replace(header, image_orientation=_SAGITTAL, image_position=corner)
    (block,), _ = find_blocks([place_slice(0, assumed)])
    volume = _volume(
        block, pictures, ("the file states no position or orientation; a sagittal image is assumed",), True
    )
    return replace(volume, headers=(header,))


def _has_lost_positions(headers: Sequence[SliceHeader]) -> bool:
    """Whether slices that lie alike state no place at all, or all that of the origin, as some programs that remove
    identities leave them, and are numbered; several echoes or moments of one place are no stack."""
    alike = {(header.image_orientation, header.rows, header.columns, header.pixel_spacing) for header in headers}
    moments = {tuple(getattr(header, name) for name in DISTINGUISHING) for header in headers}
    numbers = {header.instance_number for header in headers} - {None}
    is_lost = {header.image_position for header in headers} in ({None}, {_ORIGIN})
    is_one = len(alike) == len(moments) == 1 and headers[0].image_orientation is not None
    return is_lost and is_one and len(numbers) == len(headers) > 1


def _by_number(decoded: DecodedSlices) -> BuiltVolumes:
    """Slices without a place, in the order of their numbers, centred on the origin."""
    headers = decoded.headers
    step_mm = abs(headers[0].spacing_between_slices or 0.0) or headers[0].slice_thickness or _ASSUMED_STEP_MM
    numbers = sorted(header.instance_number or 0 for header in headers)
    stacked, without_geometry = _place_all([replace(header, image_position=_ORIGIN) for header in headers])
    placed = [
        replace(one, origin=_centred(one, (numbers.index(one.header.instance_number or 0), len(numbers)), step_mm))
        for one in stacked
    ]
    blocks, irregular = find_blocks(placed)
    remark = f"the files state no position; the slices were taken in the order of their numbers, {step_mm:.1f} mm apart"
    volumes = [_volume(block, decoded.arrays, (remark,), True) for block in blocks]
    unplaced = tuple(
        replace(volume, headers=tuple(replace(header, image_position=None) for header in volume.headers))
        for volume in volumes
    )
    return BuiltVolumes(unplaced, decoded.skipped, without_geometry + irregular)


def _centred(one: PlacedSlice, rank: tuple[int, int], step_mm: float) -> Vector:
    """Where the corner of a slice lies, by its place among how many, when the middle of all is the origin."""
    place, count = rank
    rows_mm, columns_mm = np.multiply(_pixel_spacing(one.header), (one.header.rows - 1, one.header.columns - 1))
    along = (place - (count - 1) / 2) * step_mm
    corner: Vector = along * one.normal - rows_mm / 2 * one.along_column - columns_mm / 2 * one.along_row
    return corner


def _has_no_geometry(header: SliceHeader) -> bool:
    return header.image_orientation is None or header.image_position is None


def stack_slices(decoded: DecodedSlices) -> BuiltVolumes:
    """Volumes of decoded slices that belong to one series; see `build_volumes`."""
    headers = decoded.headers
    if len(headers) == 1 and _has_no_geometry(headers[0]):
        return BuiltVolumes((_lone_slice(headers[0], decoded.arrays),), decoded.skipped, ())
    if _has_lost_positions(headers):
        return _by_number(decoded)
    placed, without_geometry = _place_all(headers)
    blocks, irregular = find_blocks(placed)
    volumes = tuple(_volume(block, decoded.arrays) for block in blocks)
    return BuiltVolumes(volumes, decoded.skipped, without_geometry + irregular)


def build_volumes(series: Series, decoder: Decoder) -> BuiltVolumes:
    """Reads the pixels of a series and stacks them: one volume per orientation, size, station, echo, and unbroken run
    of slices.

    Every affine is true for every slice of its volume, within 0.1 mm or 5 % of the slice distance: where slices are
    missing the series is split, never resampled. Places that are uneven only because they are stated in whole
    millimetres or tenths are made even first. A single slice is a volume, as thick as it says, or 4 mm; so are axial
    slices that form no grid, each. Without position or orientation only the lone image of a series is taken, as a
    sagittal one; without positions alone a stack, in the order of its numbers; without pixel spacing a field of view of
    300 mm is assumed; all three set `geometry_is_assumed`.
    """
    return stack_slices(decoder.read_pixels(series.slices))
