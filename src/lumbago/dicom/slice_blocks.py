"""Which slices form a regular grid together, from their headers alone.

A series may hold several: blocks of axial slices angled to each disc, stations, several echoes, several sizes.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import attrgetter
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64

from lumbago.dicom.study import SliceHeader
from lumbago.errors import NotAGrid

SAME_DIRECTION_DEGREES: Final = 0.25
"""Slices tilted by more against each other are no grid: 0.25 degrees are 0.4 mm at the edge of a 200 mm image."""
POSITION_TOLERANCE_MM: Final = 0.1
POSITION_TOLERANCE_SHARE: Final = 0.05
_ORTHOGONAL: Final = 0.01
_NEARLY_ORTHOGONAL: Final = 0.05
"""Of directions that were rounded to two digits or less: made orthonormal they are off by 3 degrees at most."""
_ROUGH: Final = (
    "the stated row and column directions are not quite of unit length and at right angles; they were made so"
)
_BESIDE_MM: Final = 2.0
"""Slices that lie further beside each other are another station, or another acquisition; rounding is less."""
_SAME_PLACE_MM: Final = 0.02
_WIDEST_STEP_MM: Final = 12.0
_WIDEST_STEP_THICKNESSES: Final = 3.0
_NEARLY_ALL: Final = 0.75
_ROUNDINGS_MM: Final = (1.0, 0.1)
_GAP_SHARE: Final = 0.6
_ROUNDED_OFF: Final = 0.75
"""Of the unit that places are rounded to: a half, and what the common distance is off by."""
DISTINGUISHING: Final = (
    "echo_time", "temporal_position", "image_type", "inversion_time", "diffusion_b_value", "acquisition_number",
    "flip_angle", "repetition_time",
)  # fmt: skip

Vector = Float64[np.ndarray, " 3"]


@dataclass(frozen=True, eq=False, slots=True)
class PlacedSlice:
    """A slice in patient millimetres. `index` is its place in the list that it came from.

    `along_row` is the unit vector of increasing column index, `along_column` that of increasing row index; `remark`
    says how they differ from what is stated, "" for not at all.
    """

    index: int
    header: SliceHeader
    along_row: Vector
    along_column: Vector
    origin: Vector
    remark: str = ""

    @property
    def normal(self) -> Vector:
        """Unit normal, right-handed with rows and columns."""
        cross: Vector = np.cross(self.along_row, self.along_column)
        return cross


@dataclass(frozen=True, eq=False, slots=True)
class Block:
    """Slices that form a grid, in order along their normal; `step` leads from one origin to the next."""

    slices: tuple[PlacedSlice, ...]
    step: Vector
    remarks: tuple[str, ...]


Blocks = tuple[tuple[Block, ...], tuple[NotAGrid, ...]]


def place_slice(index: int, header: SliceHeader) -> PlacedSlice:
    """A slice with its directions made orthonormal.

    Raises:
        NotAGrid: no position or orientation, or row and column directions that are not at right angles.
    """
    name = header.source.name
    if header.image_orientation is None or header.image_position is None:
        raise NotAGrid(f"{name} states no position or orientation", "both in every slice of a series")
    directions = np.array(header.image_orientation, np.float64).reshape(2, 3)
    lengths = np.linalg.norm(directions, axis=1)
    if not np.isfinite(directions).all() or np.abs(lengths - 1.0).max() > _NEARLY_ORTHOGONAL:
        raise NotAGrid(
            f"the row and column directions of {name} have lengths {lengths.round(3).tolist()}", "unit length"
        )
    row, column = directions / lengths[:, None]
    skew = abs(float(row @ column))
    if skew > _NEARLY_ORTHOGONAL:
        raise NotAGrid(f"the rows and columns of {name} are not at right angles", "a rectangular image")
    column = column - (column @ row) * row
    origin = np.array(header.image_position, np.float64)
    remark = _ROUGH if max(skew, float(np.abs(lengths - 1.0).max())) > _ORTHOGONAL else ""
    return PlacedSlice(index, header, row, column / np.linalg.norm(column), origin, remark)


def _grouped(
    slices: Iterable[PlacedSlice], key: Callable[[PlacedSlice], Hashable]
) -> tuple[tuple[PlacedSlice, ...], ...]:
    groups: dict[Hashable, list[PlacedSlice]] = defaultdict(list)
    for one in slices:
        groups[key(one)].append(one)
    return tuple(tuple(group) for group in groups.values())


def _format_of(one: PlacedSlice) -> Hashable:
    header = one.header
    spacing = header.pixel_spacing and tuple(round(value, 4) for value in header.pixel_spacing)
    return header.rows, header.columns, spacing


def _by_format(slices: Iterable[PlacedSlice]) -> tuple[tuple[PlacedSlice, ...], ...]:
    """Slices of one size and frame of reference; a frame for every slice or two, as some programs that remove
    identities write, is none."""
    slices = tuple(slices)
    frames = {one.header.frame_of_reference_uid for one in slices}
    if 2 * len(frames) > len(slices):
        return _grouped(slices, _format_of)
    return _grouped(slices, lambda one: (_format_of(one), one.header.frame_of_reference_uid))


def _by_direction(slices: Iterable[PlacedSlice]) -> tuple[tuple[PlacedSlice, ...], ...]:
    """Slices whose rows and columns point the same way, within the tolerance."""
    limit = np.radians(SAME_DIRECTION_DEGREES)
    groups: list[list[PlacedSlice]] = []
    for one in slices:
        for group in groups:
            first = group[0]
            turned = (one.along_row - first.along_row, one.along_column - first.along_column)
            if max(float(np.linalg.norm(turn)) for turn in turned) <= limit:
                group.append(one)
                break
        else:
            groups.append([one])
    return tuple(tuple(group) for group in groups)


def _places(slices: Sequence[PlacedSlice]) -> Float64[np.ndarray, "slices 3"]:
    """Origins in the frame of the first slice: along row, along column, along normal."""
    first = slices[0]
    frame = np.stack([first.along_row, first.along_column, first.normal], axis=1)
    places: Float64[np.ndarray, "slices 3"] = np.array([one.origin for one in slices]) @ frame
    return places


def _runs(values_mm: Float64[np.ndarray, " slices"]) -> list[int]:
    """The number of the run of near neighbours that each value lies in."""
    order = np.argsort(values_mm, kind="stable")
    runs = np.zeros(len(values_mm), int)
    runs[order[1:]] = np.cumsum(np.diff(values_mm[order]) > _BESIDE_MM)
    numbers: list[int] = runs.tolist()
    return numbers


def _by_offset(slices: Sequence[PlacedSlice]) -> tuple[tuple[PlacedSlice, ...], ...]:
    """Parallel slices that lie beside each other in their plane, as stations and repeats do; slices that drift, or of
    which hardly two lie above each other, stay together."""
    places = _places(slices)
    runs = {one.index: run for one, *run in zip(slices, _runs(places[:, 0]), _runs(places[:, 1]), strict=True)}
    stations = _grouped(slices, lambda one: tuple(runs[one.index]))
    return stations if 2 * len(stations) <= len(slices) else (tuple(slices),)


def _repeats(slices: Sequence[PlacedSlice]) -> int:
    """How many slices lie at the place of another."""
    places = _places(slices)
    ordered = places[np.argsort(places[:, 2], kind="stable")]
    return int((np.linalg.norm(np.diff(ordered, axis=0), axis=1) < _SAME_PLACE_MM).sum())


def _telling(slices: Sequence[PlacedSlice]) -> dict[str, tuple[tuple[PlacedSlice, ...], ...]]:
    """The groups of each attribute that tells images of a place apart: one of them has nearly all places, which a
    number for every slice, or two for the odd and the even ones, has not."""
    places = len(slices) - _repeats(slices)
    groups = {name: _grouped(slices, attrgetter(f"header.{name}")) for name in DISTINGUISHING}
    return {
        name: parts
        for name, parts in groups.items()
        if len(parts) > 1 and max(len(part) - _repeats(part) for part in parts) >= _NEARLY_ALL * places
    }


def _by_repeat(slices: Sequence[PlacedSlice]) -> tuple[tuple[tuple[PlacedSlice, ...], ...], str]:
    """Slices at the same place taken apart: by the first attribute that tells them apart, else by their order."""
    if not _repeats(slices):
        return (tuple(slices),), ""
    telling = _telling(slices)
    for name, groups in telling.items():
        if not any(map(_repeats, groups)):
            return groups, f"the series holds {len(groups)} images of every place, told apart by {name}"
    together = _grouped(slices, lambda one: tuple(getattr(one.header, name) for name in telling))
    apart = tuple(part for group in together for part in _by_occurrence(group))
    return apart, f"the series holds up to {len(apart)} images of a place, told apart by their order"


def _by_occurrence(slices: Sequence[PlacedSlice]) -> tuple[tuple[PlacedSlice, ...], ...]:
    counts: dict[Hashable, int] = defaultdict(int)
    ranks: dict[int, int] = {}
    for one, place in zip(slices, _places(slices), strict=True):
        key = tuple(np.round(place / (2 * _SAME_PLACE_MM)).astype(int).tolist())
        ranks[one.index] = counts[key]
        counts[key] += 1
    return _grouped(slices, lambda one: ranks[one.index])


def _usual_step(steps: Float64[np.ndarray, " steps"]) -> tuple[float, int]:
    """The step that most others agree with (the smallest of several), and how many do."""
    tolerance = np.maximum(POSITION_TOLERANCE_MM, POSITION_TOLERANCE_SHARE * steps)
    agreeing = (np.abs(steps[None, :] - steps[:, None]) <= tolerance[:, None]).sum(axis=1)
    best = min(range(len(steps)), key=lambda place: (-agreeing[place], steps[place]))
    return float(np.median(steps[np.abs(steps - steps[best]) <= tolerance[best]])), int(agreeing[best])


def _tolerance_mm(step: float) -> float:
    return max(POSITION_TOLERANCE_MM, POSITION_TOLERANCE_SHARE * step)


def _refuse_irregular(steps: Float64[np.ndarray, "steps 3"], usual: float, agreeing: int, thickness: float) -> None:
    """Raises NotAGrid for slices that shift sideways steadily, or that lie close but at ever changing distances."""
    along, sideways = steps[:, 2], np.linalg.norm(steps[:, :2], axis=1)
    tolerance = _tolerance_mm(usual)
    sheared = (np.abs(along - usual) <= tolerance) & (sideways > tolerance)
    uneven = (np.abs(along - usual) > tolerance) & (along < 1.5 * max(usual, thickness))
    if 2 * int(sheared.sum()) > len(steps):
        shift = float(np.median(sideways[sheared]))
        raise NotAGrid(
            f"each slice is shifted sideways by {shift:.2f} mm against the one before", "slices that face each other"
        )
    if len(steps) >= 2 and (2 * int(uneven.sum()) > len(steps) or (agreeing < 2 and uneven.any())):
        found = f"the distances between slices vary from {along.min():.2f} to {along.max():.2f} mm"
        raise NotAGrid(found, "slices at equal distances")


def _gap_remarks(gaps: Sequence[float], usual: float, unit_mm: float) -> tuple[str, ...]:
    """One remark for every gap that looks like missing slices, as far as places rounded to a unit tell."""
    whole = [(gap, round(gap / usual)) for gap in gaps]
    off_mm = [(abs(gap - count * usual) - _tolerance_mm(gap), count) for gap, count in whole]
    missing = [count - 1 for off, count in off_mm if 2 <= count <= 4 and off <= unit_mm]
    return tuple(f"{count} slice{'s' if count > 1 else ''} missing: the series was split there" for count in missing)


def _cut(slices: Sequence[PlacedSlice], breaks: Iterable[int]) -> list[Sequence[PlacedSlice]]:
    edges = [0, *(place + 1 for place in breaks), len(slices)]
    return [slices[start:end] for start, end in pairwise(edges)]


def _one_slice_step(one: PlacedSlice) -> Vector:
    """Of a single slice: its thickness, or 4 mm."""
    step: Vector = one.normal * (one.header.slice_thickness or 4.0)
    return step


def _block(slices: Sequence[PlacedSlice], remarks: tuple[str, ...]) -> Block:
    """Checks at last that the affine is true for every slice."""
    if len(slices) == 1:
        return Block(tuple(slices), _one_slice_step(slices[0]), remarks)
    origins = np.array([one.origin for one in slices])
    step = (origins[-1] - origins[0]) / (len(slices) - 1)
    off = np.linalg.norm(origins - origins[0] - np.arange(len(slices))[:, None] * step, axis=1).max()
    if off > 2 * _tolerance_mm(float(np.linalg.norm(step))):
        raise NotAGrid(f"slices lie up to {off:.2f} mm beside a regular grid", "slices at equal distances")
    return Block(tuple(slices), step, remarks)


def _rounding_mm(origins: Float64[np.ndarray, "slices 3"]) -> float | None:
    """The unit that all places are whole numbers of, None for none."""
    units = (unit for unit in _ROUNDINGS_MM if np.abs(origins / unit - np.round(origins / unit)).max() < 1e-6)
    return next(units, None)


def _even_places(
    origins: Float64[np.ndarray, "slices 3"], normal: Vector, is_gap: Bool[np.ndarray, " steps"]
) -> Float64[np.ndarray, "slices 3"]:
    """Places at one distance from each other along the normal, near those that are stated; each run between gaps lies
    by itself."""
    numbers = np.arange(len(origins), dtype=float)
    runs = np.split(np.arange(len(origins)), np.flatnonzero(is_gap) + 1)
    middles = np.concatenate([np.full(len(run), numbers[run].mean()) for run in runs])
    along = origins @ normal
    step = float((numbers - middles) @ along / max((numbers - middles) @ numbers, 1e-9))
    ideal = numbers[:, None] * step * normal
    off = origins - ideal
    starts = [np.tile((off[run].min(axis=0) + off[run].max(axis=0)) / 2, (len(run), 1)) for run in runs]
    even: Float64[np.ndarray, "slices 3"] = ideal + np.concatenate(starts)
    return even


def _unrounded(
    slices: Sequence[PlacedSlice], steps: Float64[np.ndarray, "steps 3"]
) -> tuple[Sequence[PlacedSlice], Float64[np.ndarray, "steps 3"], float]:
    """Slices in order, of which the distances are uneven only because places are stated in whole millimetres or tenths,
    at even ones; others as they are. Gaps stay. Last the unit, 0 for slices that stay as they are."""
    origins, thickness = np.array([one.origin for one in slices]), slices[0].header.slice_thickness or 0.0
    unit, usual = _rounding_mm(origins), float(np.median(steps[:, 2]))
    is_gap = np.abs(steps[:, 2] - usual) >= _GAP_SHARE * usual
    uneven = _breaks(steps, _usual_step(steps[:, 2])[0], thickness) & ~is_gap
    if unit is None or not uneven.any() or usual > _widest_mm(thickness):
        return slices, steps, 0.0
    even = _even_places(origins, slices[0].normal, is_gap)
    if np.abs(even - origins).max() > _ROUNDED_OFF * unit:
        return slices, steps, 0.0
    moved = [replace(one, origin=place) for one, place in zip(slices, even, strict=True)]
    return moved, np.diff(_places(moved), axis=0), unit


def _rounding_remark(unit_mm: float, usual: float) -> tuple[str, ...]:
    if unit_mm < 1.0:
        return ()
    return (f"places are stated in whole millimetres; the slices were taken to lie {usual:.1f} mm apart",)


def _widest_mm(thickness: float) -> float:
    return max(_WIDEST_STEP_MM, _WIDEST_STEP_THICKNESSES * thickness)


def _breaks(steps: Float64[np.ndarray, "steps 3"], usual: float, thickness: float) -> Bool[np.ndarray, " steps"]:
    """Where the next slice is not at the usual distance, straight ahead."""
    tolerance = _tolerance_mm(usual)
    is_break = (np.abs(steps[:, 2] - usual) > tolerance) | (np.linalg.norm(steps[:, :2], axis=1) > tolerance)
    found: Bool[np.ndarray, " steps"] = is_break | (steps[:, 2] > _widest_mm(thickness))
    return found


def _blocks_along(slices: Sequence[PlacedSlice], remarks: tuple[str, ...]) -> tuple[Block, ...]:
    """Parallel slices, none at the place of another, cut wherever the distance to the next is not the usual one."""
    places = _places(slices)
    order = np.argsort(places[:, 2], kind="stable")
    slices = [slices[place] for place in order]
    steps = np.diff(places[order], axis=0)
    if not len(steps):
        return (_block(slices, remarks),)
    slices, steps, unit_mm = _unrounded(slices, steps)
    usual, agreeing = _usual_step(steps[:, 2])
    thickness = slices[0].header.slice_thickness or 0.0
    _refuse_irregular(steps, usual, agreeing, thickness)
    breaks = np.flatnonzero(_breaks(steps, usual, thickness)).tolist()
    wide = [float(steps[place, 2]) for place in breaks] if usual <= _widest_mm(thickness) else []
    remarks = remarks + _rounding_remark(unit_mm, usual) + _gap_remarks(wide, usual, unit_mm)
    return tuple(_block(part, remarks) for part in _cut(slices, breaks))


def _is_axial(one: PlacedSlice) -> bool:
    return int(np.argmax(np.abs(one.normal))) == 2


def _blocks_or_singles(slices: Sequence[PlacedSlice], remarks: tuple[str, ...]) -> tuple[Block, ...]:
    """As `_blocks_along`, but axial slices that form no grid stand alone: what is seen on one needs no other."""
    try:
        return _blocks_along(slices, remarks)
    except NotAGrid as error:
        if not _is_axial(slices[0]):
            raise
        alone = f"{error.found}; every slice was taken by itself"
        return tuple(_block([one], (*remarks, alone)) for one in slices)


def find_blocks(placed: Iterable[PlacedSlice]) -> Blocks:
    """The grids that slices form, and the reasons why others form none."""
    blocks: list[Block] = []
    refused: list[NotAGrid] = []
    parallel = [group for alike in _by_format(placed) for group in _by_direction(alike)]
    for station in [station for group in parallel for station in _by_offset(group)]:
        parts, remark = _by_repeat(station)
        for part in parts:
            said = dict.fromkeys((*(one.remark for one in part), remark))
            try:
                blocks.extend(_blocks_or_singles(part, tuple(text for text in said if text)))
            except NotAGrid as error:
                refused.append(error)
    return tuple(blocks), tuple(refused)
