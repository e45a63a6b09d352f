"""Foramina on sagittal slices, and recesses on axial ones: carried there by patient geometry, then refined by the
locator.

Where the locator sees nothing that it is sure of, the geometric guess stands; `confidence` says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float32, Float64

from lumbago.anatomy.levels import SIDES, Side
from lumbago.dicom.patient_geometry import SliceChoice, choose_slice, is_inside_slice, slice_normal
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Model
from lumbago.pipeline.locate_discs import PIXEL_MM, LocatedDisc, SliceReader, SpineLocation, channel

Vector = Float64[np.ndarray, "3"]
Heat = Float32[np.ndarray, "rows columns"]

_FORAMEN_OUT_MM, _FORAMEN_SPREAD_MM = 17.0, 5.0
_FORAMEN_RANGE_MM: Final = (9.0, 27.0)
_FORAMEN_UP_MM, _FORAMEN_BACK_MM = 8.0, 2.0
_RECESS_OUT_MM, _RECESS_FORWARD_MM = 8.5, 1.0
_REACH_MM, _SPREAD_MM = 14.0, 7.0
_SEEN: Final = 0.2
_AXIAL_TOLERANCE_MM: Final = 5.0
_CANAL_REACH_MM, _LEAST_CANAL_MM2 = 18.0, 40.0
STEEPEST_AXIAL_DEGREES: Final = 40.0
"""To the disc; on slices more tilted than that it is not read."""


@dataclass(frozen=True, eq=False)
class LocatedPoint:
    """A point on one slice of a volume; `confidence` 0 means that it is a guess from the anatomy around it, `is_blind`
    that nothing of that anatomy is seen on its slices either: no canal beside a recess, no disc below a foramen."""

    volume: Volume
    slice_index: int
    point_lps_mm: Vector
    confidence: float
    is_blind: bool = False


def _outward(side: Side) -> float:
    """Sign of LPS x on a side of the patient."""
    return 1.0 if side == "left" else -1.0


def locate_foramina(model: Model, location: SpineLocation | None) -> dict[tuple[str, Side], LocatedPoint]:
    """The foramen of each disc and side on a sagittal series that has slices there; nothing where it has none, or where
    its sides are not known.

    The point is the exiting root in the upper foramen, about 8 mm above the disc and 17 mm beside the middle of the
    canal. Of several parts of the series the one counts on which it is seen best.
    """
    if location is None or not location.sides_are_known:
        return {}
    reader = SliceReader(model, location.volume, location.scale)
    reader.maps.update(location.maps)
    further = [SliceReader(model, volume, location.scale) for volume in location.further]
    points: dict[tuple[str, Side], LocatedPoint] = {}
    for disc in location.discs:
        readers = [reader, *(one for one in further if is_inside_slice(one.volume, disc.center_lps_mm))]
        for side in SIDES:
            found = [point for one in readers if (point := _foramen(one, disc, side)) is not None]
            if found:
                points[disc.level, side] = max(found, key=lambda point: _foramen_score(point, disc, side))
    return points


def _foramen_score(point: LocatedPoint, disc: LocatedDisc, side: Side) -> float:
    offsets = _sideways_mm(point.volume, disc.canal_lps_mm) * _outward(side)
    return point.confidence * _foramen_prior(float(offsets[point.slice_index]))


def _foramen_prior(offset_mm: float) -> float:
    """How likely a foramen is seen on a slice so far beside the middle of the canal."""
    return float(np.exp(-(((offset_mm - _FORAMEN_OUT_MM) / _FORAMEN_SPREAD_MM) ** 2) / 2))


def _foramen(reader: SliceReader, disc: LocatedDisc, side: Side) -> LocatedPoint | None:
    offsets = _sideways_mm(reader.volume, disc.canal_lps_mm) * _outward(side)
    indices = [int(i) for i in np.nonzero((offsets >= _FORAMEN_RANGE_MM[0]) & (offsets <= _FORAMEN_RANGE_MM[1]))[0]]
    if not indices:
        return None
    expected = (
        disc.center_lps_mm
        + (disc.frame.depth_mm / 2 + _FORAMEN_BACK_MM / reader.scale) * disc.frame.back
        - _FORAMEN_UP_MM / reader.scale * disc.frame.down
    )
    prior = {i: _foramen_prior(float(offsets[i])) for i in indices}
    heats = {index: channel(maps, "foramen") for index, maps in reader.read(indices).items()}
    found = _best_point(reader, expected, heats, prior)
    return replace(found, is_blind=found.confidence == 0.0 and not _is_disc_seen(reader, indices, disc))


def _is_disc_seen(reader: SliceReader, indices: Sequence[int], disc: LocatedDisc) -> bool:
    """Whether any of the slices shows a disc where this one lies."""
    row, column = reader.to_grid(disc.center_lps_mm)
    return any(_peak_near(channel(maps, "disc"), row, column)[1] > _SEEN for maps in reader.read(indices).values())


def _sideways_mm(volume: Volume, origin: Vector) -> Float64[np.ndarray, " slices"]:
    """How far to the patient's left of a point each slice of a canonical sagittal volume lies, along the slice
    normal."""
    normal = slice_normal(volume)
    starts = volume.affine[:3, 3] + np.arange(volume.array.shape[0])[:, None] * volume.affine[:3, 0]
    return np.asarray((starts - origin) @ normal)


def _best_point(reader: SliceReader, expected: Vector, heats: dict[int, Heat], prior: dict[int, float]) -> LocatedPoint:
    """The strongest place near the expected one on the slices' maps, weighed by the prior of its slice."""
    best = LocatedPoint(reader.volume, max(prior, key=lambda i: prior[i]), expected, 0.0)
    best_score = 0.0
    for index, heat in heats.items():
        row, column = reader.to_grid(expected)
        peak, height = _peak_near(heat, row, column)
        if height > _SEEN and height * prior[index] > best_score:
            best_score = height * prior[index]
            best = LocatedPoint(reader.volume, index, reader.to_lps_mm(index, *peak), height)
    if best.confidence == 0.0:
        row, column = reader.to_grid(expected)
        return LocatedPoint(reader.volume, best.slice_index, reader.to_lps_mm(best.slice_index, row, column), 0.0)
    return best


def _peak_near(heat: Heat, row: float, column: float) -> tuple[tuple[float, float], float]:
    """Centroid and height of the strongest bump near a place, far ones counting less."""
    reach = round(_REACH_MM / PIXEL_MM)
    top, left = max(0, round(row) - reach), max(0, round(column) - reach)
    bottom, right = max(0, round(row) + reach + 1), max(0, round(column) + reach + 1)
    window = heat[top:bottom, left:right]
    if window.size == 0:
        return (row, column), 0.0
    rows, columns = np.indices(window.shape)
    near = np.exp(-((rows + top - row) ** 2 + (columns + left - column) ** 2) / (2 * (_SPREAD_MM / PIXEL_MM) ** 2))
    r, c = np.unravel_index(int(np.argmax(window * near)), window.shape)
    mass = np.where(np.hypot(rows - r, columns - c) < 4 / PIXEL_MM, window.astype(np.float64) ** 2, 0.0)
    total = max(float(mass.sum()), 1e-12)
    return (top + float((mass * rows).sum()) / total, left + float((mass * columns).sum()) / total), float(window[r, c])


def locate_recesses(
    model: Model, discs: Sequence[LocatedDisc], axials: Sequence[Volume]
) -> dict[tuple[str, Side], LocatedPoint]:
    """The lateral recess of each disc and side on canonical axial volumes; nothing at a level that no slice passes
    through.

    The point is the descending root, about 8.5 mm beside the middle of the canal, on the slice that lies nearest the
    disc.
    """
    readers = [SliceReader(model, volume) for volume in axials]
    points: dict[tuple[str, Side], LocatedPoint] = {}
    for disc in discs:
        choice = axial_slice_of(disc, axials)
        if choice is not None:
            reader, index = readers[choice[0]], choice[1]
            for side in SIDES:
                points[disc.level, side] = _recess(reader, index, disc, side)
    return points


def axial_slice_of(disc: LocatedDisc, axials: Sequence[Volume]) -> tuple[int, int] | None:
    """(volume, slice) on which the disc's level is seen, None when no slice passes near it or all are too tilted."""
    choice = _slice_near(disc, axials)
    if choice is None or choice.angle_degrees > STEEPEST_AXIAL_DEGREES:
        return None
    return choice.volume, choice.slice


def is_too_steep(disc: LocatedDisc, axials: Sequence[Volume]) -> bool:
    """Whether an axial slice passes near the disc's level, but too tilted to read it."""
    choice = _slice_near(disc, axials)
    return choice is not None and choice.angle_degrees > STEEPEST_AXIAL_DEGREES


def _slice_near(disc: LocatedDisc, axials: Sequence[Volume]) -> SliceChoice | None:
    choice = choose_slice(axials, disc.canal_lps_mm, disc.frame.down)
    return None if choice is None or choice.distance_mm > _AXIAL_TOLERANCE_MM else choice


def _recess(reader: SliceReader, index: int, disc: LocatedDisc, side: Side) -> LocatedPoint:
    forward = -reader.volume.affine[:3, 1] / reader.volume.spacing_mm[1]
    sideways = reader.volume.affine[:3, 2] / reader.volume.spacing_mm[2]
    seen = canal_on_axial(reader, index, disc)
    canal = disc.canal_lps_mm if seen is None else seen
    expected = canal + _RECESS_FORWARD_MM * forward + _outward(side) * _RECESS_OUT_MM * sideways
    heat = channel(reader.read([index])[index], "recess")
    found = _best_point(reader, expected, {index: _own_side(heat, reader.to_grid(canal)[1], side)}, {index: 1.0})
    return replace(found, is_blind=found.confidence == 0.0 and seen is None)


def _own_side(heat: Heat, middle: float, side: Side) -> Heat:
    """A map of an axial slice without what lies beyond the middle column of the canal: where the own recess is faint,
    the flank of the other side's would be taken for it."""
    beyond = (np.arange(heat.shape[1]) - middle) * _outward(side) < 0
    return np.where(beyond, np.float32(0), heat)


def canal_on_axial(reader: SliceReader, index: int, disc: LocatedDisc) -> Vector | None:
    """Middle of the canal, in patient millimetres, as seen on an axial slice near where the sagittal series has it;
    None where little of it is seen."""
    seen = channel(reader.read([index])[index], "canal")
    row, column = reader.to_grid(disc.canal_lps_mm)
    rows, columns = np.nonzero(seen > 0.5)
    near = np.hypot(rows - row, columns - column) < _CANAL_REACH_MM / PIXEL_MM
    if near.sum() * PIXEL_MM**2 < _LEAST_CANAL_MM2:
        return None
    return reader.to_lps_mm(index, float(rows[near].mean()), float(columns[near].mean()))
