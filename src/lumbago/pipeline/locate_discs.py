"""Where the discs are, in patient millimetres: from a sagittal volume to named discs with outline, frame and canal.

The network sees single slices. A few slices across the middle are read first; where most canal is seen is the middle of
the spine, and there the discs are found, named from the sacrum up, and outlined.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Float32, Float64

from lumbago.anatomy.findings import Point
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Model
from lumbago.pipeline.disc_chain import DiscPoint, directions, find_chain
from lumbago.pipeline.disc_shape import canal_behind, outline_near, shape_of, towards_feet
from lumbago.pipeline.name_by_sacrum import NAMES_BY, SACRUM, sacrum_below
from lumbago.pipeline.normalise import resample_image, three_views
from lumbago.pipeline.read_boxes import maps_of_boxes

CHANNELS: Final = ("disc", "vertebra", "sacrum", "canal", "disc_center", "lumbosacral_center", "foramen", "recess")
"""What the locator draws, in order."""
PIXEL_MM: Final = 1.0
"""Pixel size of the locator's input and maps."""

_STRIDE: Final = 32
_SEARCH_STEP_MM, _SEARCH_REACH_MM = 4.0, 16.0
_SURE: Final = 0.5
_MUCH: Final = 0.4
_CLEAR, _BETTER = 3.5, 1.3
_WEAK_BOX: Final = 0.6
"""Of a detector, in whose boxes L5/S1 is the class that is learned last; chosen on fold 0 of the real pictures."""
_TRACE_MM2, _AS_MUCH, _FAINT, _BESIDE = 5.0, 0.9, 0.2, 1
_OTHER_SCALES: Final = (0.5, 0.7, 1.3)
"""Never far above 1: a cervical spine is half as large as a lumbar one, and must not be taken for one."""
_TURNS: Final = {
    "stands on its head": (False, True, False),
    "faces backwards": (False, False, True),
    "stands on its head and faces backwards": (False, True, True),
}
"""Which axes of the volume to flip then."""


Maps = Float32[np.ndarray, "channels rows columns"]
Vector = Float64[np.ndarray, "3"]


@dataclass(frozen=True, eq=False)
class DiscFrame:
    """How a disc lies: unit vectors in patient space, and its size.

    Attributes:
        back: along the disc from front to back.
        down: across the disc from head to feet.
        depth_mm: front to back; height_mm: between the endplates, over the middle half; both by the stated pixel size.
    """

    back: Vector
    down: Vector
    depth_mm: float
    height_mm: float


@dataclass(frozen=True, eq=False)
class LocatedDisc:
    """A disc found on a sagittal volume.

    Attributes:
        level: its name; confidence: 0 to 1, 0 when it was not seen but must lie in a gap.
        slice_index: the volume's slice through the middle of the canal at this level.
        center_lps_mm: of the disc on that slice.
        frame: direction and size.
        outline_lps_mm: closed polygon on that slice, empty when the disc was not outlined: a detector's box is no
            outline, nor is anything measured by it.
        canal_lps_mm: middle of the canal behind the disc; canal_mm: its front-to-back width, None when it was not seen.
        canal_goes_on: as much of it is seen on one end of the volume as anywhere: its middle may lie beyond.
        is_drawn: the disc is seen on the slice, or it is a detector's, which draws none.
    """

    level: str
    confidence: float
    slice_index: int
    center_lps_mm: Vector
    frame: DiscFrame
    outline_lps_mm: tuple[Point, ...]
    canal_lps_mm: Vector
    canal_mm: float | None
    canal_goes_on: bool = False
    is_drawn: bool = True


@dataclass(frozen=True, eq=False)
class SpineLocation:
    """All discs found on one sagittal volume, from the bottom up, and the maps they were read from by slice index.

    `scale` is 1, or the factor by which the stated pixel size had to be changed before a spine was seen: then the
    stated sizes are not believed. `further` are canonical volumes of the same series, of slices that `volume` lacks.
    `turned` says how the spine lies when the stated orientation is not the picture's, "" when it is: then `volume` is
    turned upright, and neither sides nor places in the patient are believed.
    """

    volume: Volume
    discs: tuple[LocatedDisc, ...]
    name_is_sure: bool
    maps: dict[int, Maps] = field(repr=False)
    scale: float = 1.0
    further: tuple[Volume, ...] = ()
    turned: str = ""

    def disc(self, level: str) -> LocatedDisc | None:
        """The disc of a level, if found."""
        return next((disc for disc in self.discs if disc.level == level), None)

    @property
    def sides_are_known(self) -> bool:
        """Whether left can be told from right: slices in the order of their numbers alone may run either way."""
        is_lost = any(header.image_position is None for header in self.volume.headers)
        is_stack = len(self.volume.array) > 1
        return not self.turned and not (self.volume.geometry_is_assumed and is_lost and is_stack)

    @property
    def as_stated(self) -> Volume:
        """The volume as its files state it, in whose pixels labels are given."""
        return self.volume.reordered((0, 1, 2), _TURNS[self.turned]) if self.turned else self.volume


class SliceReader:
    """The locator applied to slices of one canonical volume, each once; `scale` multiplies the stated pixel size."""

    def __init__(self, model: Model, volume: Volume, scale: float = 1.0) -> None:
        self.model, self.volume, self.scale = model, volume, scale
        self.maps: dict[int, Maps] = {}

    def read(self, indices: Sequence[int]) -> dict[int, Maps]:
        """Probability maps of the slices, on square pixels of PIXEL_MM."""
        for index in indices:
            if index not in self.maps:
                self.maps[index] = read_slice(self.model, self.volume.array[index], self.spacing_mm)
        return {index: self.maps[index] for index in indices}

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Between rows and between columns, as the locator is to believe it."""
        return grid_spacing(self.volume, self.scale)

    def _shrinking(self) -> tuple[float, float]:
        """Rows and columns of the volume per pixel of the maps."""
        _, rows, columns = self.volume.array.shape
        row_mm, column_mm = self.spacing_mm
        return rows / max(1, round(rows * row_mm / PIXEL_MM)), columns / max(1, round(columns * column_mm / PIXEL_MM))

    def to_lps_mm(self, slice_index: int, row: float, column: float) -> Vector:
        """Patient point of a (row, column) of the maps; undoes the resampling of `resample_image`."""
        by_row, by_column = self._shrinking()
        at = (slice_index, (row + 0.5) * by_row - 0.5, (column + 0.5) * by_column - 0.5)
        return self.volume.to_lps_mm(np.array(at, np.float64))

    def to_grid(self, lps_mm: Vector) -> tuple[float, float]:
        """(row, column) of the maps at a patient point, seen along the slice normal."""
        by_row, by_column = self._shrinking()
        _, row, column = self.volume.to_ijk(lps_mm)
        return (float(row) + 0.5) / by_row - 0.5, (float(column) + 0.5) / by_column - 0.5


@dataclass(frozen=True, eq=False)
class SliceRun:
    """What a locator's network gives for a slice, and rows and columns of the slice on its grid without padding."""

    outputs: Mapping[str, Float32[np.ndarray, "..."]]
    shape: tuple[int, int]


def run_slice(
    model: Model, image: Float32[np.ndarray, "image_rows image_columns"], spacing_mm: tuple[float, float]
) -> SliceRun:
    """Runs a locator of maps or of boxes on one canonical slice, padded to the stride on its card."""
    grid = resample_image(image, spacing_mm, PIXEL_MM)
    views = three_views(grid, PIXEL_MM)
    rows, columns = grid.shape
    stride = int(model.card.inputs.get("stride", _STRIDE))
    pad = ((0, 0), (0, -rows % stride), (0, -columns % stride))
    return SliceRun(model.run(np.pad(views, pad, mode="edge")[None]), (rows, columns))


def read_slice(
    model: Model, image: Float32[np.ndarray, "image_rows image_columns"], spacing_mm: tuple[float, float]
) -> Maps:
    """Probability maps of one canonical slice; of a detector, those that its boxes stand for.

    A slice of one grey shows nothing, whatever a network makes of it: the shipped one sees much canal.
    """
    if image.min() == image.max():
        return np.zeros((len(CHANNELS), *resample_image(image, spacing_mm, PIXEL_MM).shape), np.float32)
    seen = run_slice(model, image, spacing_mm)
    rows, columns = seen.shape
    if _finds_boxes(model):
        drawn = maps_of_boxes(seen.outputs["boxes"][0], model.card.outputs["boxes"], seen.shape)
        return np.stack([drawn.get(name, np.zeros(seen.shape, np.float32)) for name in CHANNELS])
    logits = seen.outputs["maps"][0, :, :rows, :columns]
    maps = np.asarray(1 / (1 + np.exp(-logits)), np.float32)
    if model.card.inputs.get(NAMES_BY) == SACRUM:
        below = sacrum_below(channel(maps, "vertebra"), channel(maps, "sacrum"))
        maps[CHANNELS.index("lumbosacral_center")] = below
    return maps


def _finds_boxes(model: Model) -> bool:
    return "boxes" in model.card.outputs


def grid_spacing(volume: Volume, scale: float) -> tuple[float, float]:
    """Distance between rows and between columns as the locator is to believe it."""
    _, row_mm, column_mm = volume.spacing_mm
    return scale * float(row_mm), scale * float(column_mm)


def slice_on_grid(location: SpineLocation, index: int) -> Float32[np.ndarray, "rows columns"]:
    """A slice's grey values on the grid of its maps."""
    return resample_image(location.volume.array[index], grid_spacing(location.volume, location.scale), PIXEL_MM)


def channel(maps: Maps, name: str) -> Float32[np.ndarray, "rows columns"]:
    """One of the maps by name."""
    return np.asarray(maps[CHANNELS.index(name)])


def locate_discs(model: Model, volume: Volume) -> SpineLocation:
    """Finds and names the discs on a canonical sagittal volume (rows head to feet, columns front to back).

    Where too little is seen at the stated pixel size, others are tried: the files of some viewers and converters state
    a size that is not the picture's. So are other orientations where the names are not sure: a patient who was
    registered feet first stands on his head. The result has no discs when nothing looks like a row of discs.
    """
    location = _locate_at(model, volume, 1.0)
    if _clearness(location) < _CLEAR:
        others = [_locate_at(model, volume, scale) for scale in _OTHER_SCALES]
        best = max(others, key=_clearness)
        location = best if _clearness(best) > max(_CLEAR, _BETTER * _clearness(location)) else location
    return location if location.name_is_sure else _turned_upright(model, location)


def _turned_upright(model: Model, location: SpineLocation) -> SpineLocation:
    """The location on the volume as it must be turned for the names to be sure, if only so they are.

    Of 1,175 real pictures, read by locators that had not seen the patient, 8 of 44 without sure names are turned (all
    of SPIDER, and truly stored so), none wrongly; of 40 turned on purpose no names were sure as they lay.
    """
    turned = [
        replace(_locate_at(model, location.volume.reordered((0, 1, 2), flips), 1.0), turned=how)
        for how, flips in _TURNS.items()
    ]
    best = max(turned, key=lambda found: (found.name_is_sure, _clearness(found)))
    if not best.name_is_sure or _clearness(best) <= max(_CLEAR, _clearness(location)):
        return location
    return replace(best, volume=replace(best.volume, geometry_is_assumed=True))


def _clearness(location: SpineLocation) -> float:
    """Sum of the confidences of the discs that are clearly seen, and one more for names that are sure."""
    seen = sum(disc.confidence for disc in location.discs if disc.confidence > _SURE)
    return seen + float(location.name_is_sure)


def _locate_at(model: Model, volume: Volume, scale: float) -> SpineLocation:
    reader = SliceReader(model, volume, scale)
    found = _search(reader)
    weights = {
        index: float(channel(maps, "canal").sum() + channel(maps, "disc").sum()) + 1.0 for index, maps in found.items()
    }
    discs, lumbosacral = (_weighted(found, weights, name) for name in ("disc_center", "lumbosacral_center"))
    chain = find_chain(discs, lumbosacral, _WEAK_BOX if _finds_boxes(reader.model) else 0.0)
    located = tuple(
        _place(reader, level, point, direction)
        for level, point, direction in zip(chain.levels, chain.points, directions(chain), strict=True)
    )
    return SpineLocation(volume, located, chain.name_is_sure, reader.maps, scale)


def _search(reader: SliceReader) -> dict[int, Maps]:
    """Slices across the middle of the volume, one every 4 mm, and farther to a side that still shows much canal."""
    indices = _middle_slices(reader.volume)
    step = max(1, indices[1] - indices[0]) if len(indices) > 1 else 1
    found = reader.read(indices)
    canal = {index: float(channel(maps, "canal").sum()) for index, maps in found.items()}
    for edge, direction in ((indices[0], -step), (indices[-1], step)):
        index = edge
        while canal[index] > _MUCH * max(canal.values()) and 0 <= index + direction < reader.volume.array.shape[0]:
            index += direction
            found |= reader.read([index])
            canal[index] = float(channel(found[index], "canal").sum())
    return found


def _middle_slices(volume: Volume) -> list[int]:
    count = volume.array.shape[0]
    step = max(1, round(_SEARCH_STEP_MM / float(volume.spacing_mm[0])))
    reach = max(1, round(_SEARCH_REACH_MM / float(volume.spacing_mm[0]) / step))
    middle = count // 2
    return sorted({min(max(middle + n * step, 0), count - 1) for n in range(-reach, reach + 1)})


def _weighted(found: dict[int, Maps], weights: dict[int, float], name: str) -> Float32[np.ndarray, "rows columns"]:
    """Mean of a map over slices that show the spine; a slice far off the middle counts little."""
    best = max(weights.values())
    kept = {index: weight for index, weight in weights.items() if weight > 0.6 * best}
    total = sum(kept.values())
    shares = np.stack([channel(found[index], name) * (weight / total) for index, weight in kept.items()])
    return np.asarray(shares.sum(axis=0), np.float32)


def _place(reader: SliceReader, level: str, point: DiscPoint, down: tuple[float, float]) -> LocatedDisc:
    """Fills in a disc of the chain: its slice, frame, outline and canal."""
    index = _middle_slice(reader, point)
    maps = reader.read([index])[index]
    outline = outline_near(channel(maps, "disc"), point)
    center, back, depth, height = shape_of(outline, point, down)
    canal, canal_mm = canal_behind(channel(maps, "canal"), center, back, depth)

    def lps(place: np.ndarray) -> Vector:
        return reader.to_lps_mm(index, float(place[0]), float(place[1]))

    origin = lps(center)
    directions = _unit(lps(center + back) - origin), _unit(lps(center + towards_feet(back)) - origin)
    frame = DiscFrame(*directions, depth / reader.scale, height / reader.scale)
    line = np.zeros((0, 2)) if _finds_boxes(reader.model) else outline
    polygon = tuple((float(p[0]), float(p[1]), float(p[2])) for p in map(lps, line))
    width = None if canal_mm is None else canal_mm / reader.scale
    goes_on, is_drawn = _goes_on(reader, point), _finds_boxes(reader.model) or _draws_disc(maps, point)
    return LocatedDisc(level, point.score, index, origin, frame, polygon, lps(canal), width, goes_on, is_drawn)


def _unit(vector: Vector) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector))


def _middle_slice(reader: SliceReader, point: DiscPoint) -> int:
    """The slice in the middle of the canal behind this disc, by the canal's mass over the slices read; where it shows
    neither canal nor disc, as a spoilt one, the nearest beside it that does."""
    indices = sorted(reader.maps)
    if len(indices) == 1:
        return indices[0]
    mass = np.array([_canal_mass(reader.maps[index], point) for index in indices])
    if mass.max() < 20:
        return indices[len(indices) // 2]
    strong = np.where(mass > 0.25 * mass.max(), mass, 0.0)
    middle = float((strong * indices).sum() / strong.sum())
    reach = range(max(0, round(middle) - _BESIDE), min(reader.volume.array.shape[0], round(middle) + _BESIDE + 1))
    near = sorted(reach, key=lambda index: (index != round(middle), abs(index - middle)))
    return next((index for index in near if _shows(reader, index, point, float(mass.max()))), round(middle))


def _shows(reader: SliceReader, index: int, point: DiscPoint, most: float) -> bool:
    maps = reader.read([index])[index]
    return _draws_disc(maps, point) or _canal_mass(maps, point) > _SURE * most


def _draws_disc(maps: Maps, point: DiscPoint, reach_mm: float = 4.0) -> bool:
    rows, columns = (slice(max(0, round(at - reach_mm)), round(at + reach_mm) + 1) for at in (point.row, point.column))
    return bool((channel(maps, "disc")[rows, columns] > _FAINT).any())


def _goes_on(reader: SliceReader, point: DiscPoint) -> bool:
    """Whether one end of the volume shows as much of the canal behind this disc as any slice; both do in few slices."""
    count, indices = reader.volume.array.shape[0], sorted(reader.maps)
    mass = [_canal_mass(reader.maps[index], point) for index in indices]
    step = min((after - before for before, after in pairwise(indices)), default=1)
    much = max(_AS_MUCH * max(mass), _TRACE_MM2)
    return (indices[0] < step and mass[0] > much) != (indices[-1] >= count - step and mass[-1] > much)


def _canal_mass(maps: Maps, point: DiscPoint, reach_mm: float = 12.0, depth_mm: float = 50.0) -> float:
    """Canal seen in a band behind the disc, in square millimetres."""
    rows = slice(max(0, round(point.row - reach_mm)), round(point.row + reach_mm) + 1)
    columns = slice(max(0, round(point.column)), round(point.column + depth_mm) + 1)
    return float(channel(maps, "canal")[rows, columns].sum())
