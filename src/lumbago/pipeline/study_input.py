"""All places of a study as one input of a grader, by what its card says that it sees.

`places`: a patch for each place, series and slice, zeros where there is none. `picture`: all places in one picture,
zeros in channels and parts of which nothing is there. Training comes through here too, with a `see` that shakes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64
from scipy import ndimage

from lumbago.anatomy.conditions import CONDITIONS, expected_sites
from lumbago.anatomy.levels import LEVELS, SIDES, Side
from lumbago.dicom.volume import Volume
from lumbago.pipeline.crop_patches import PICTURE, PLACES, Channels, PatchFrame, PatchRecipe, crop_patch, patch_views
from lumbago.pipeline.measure_spine import SignalReference

Site = tuple[str, Side | None]
"""Level and side."""

Spot = tuple[str, Side | None, int]
"""Level, side, and number of the series: 0 for the anchor's own, then those of `PatchRecipe.also_on`."""

_LEVEL_MM: Final = 35.0
_MIDDLE: Final = LEVELS.index("L3/L4")
_MOSAIC: Final = (3, 4)
"""Rows and columns of cells, for ten places."""

_PER_CELL: Final = 4
"""Pixels of a shown place to a cell of its heat map."""


@runtime_checkable
class Croppable(Protocol):
    """What is needed to crop a patch: a volume, a frame in it, how bright things are there, and how far its
    millimetres are believed (`PlacedPatch.scale`)."""

    @property
    def volume(self) -> Volume: ...
    @property
    def frame(self) -> PatchFrame: ...
    @property
    def reference(self) -> SignalReference | None: ...
    @property
    def scale(self) -> float: ...


See = Callable[[Croppable, PatchRecipe], Channels]
"""How a place becomes the views of a recipe."""


def see_still(place: Croppable, recipe: PatchRecipe) -> Channels:
    """As an analysis sees it."""
    patch = crop_patch(place.volume, place.frame, recipe.scaled(1 / place.scale))
    return patch_views(patch, place.reference, recipe)


def sites_of(conditions: Sequence[str]) -> list[Site]:
    """The places that a grader of whole studies grades, in the order of its outputs: those of its first condition."""
    return expected_sites(CONDITIONS[conditions[0]])


def study_input(
    spots: Mapping[Spot, Croppable], sites: Sequence[Site], recipe: PatchRecipe, see: See = see_still
) -> Channels:
    """One input of a grader that sees a whole study.

    Returns:
        for `places` sites x series x slices patches in that order; for `picture` one picture.
    """
    return _INPUTS[recipe.sees](spots, sites, recipe, see)


def _patches(spots: Mapping[Spot, Croppable], sites: Sequence[Site], recipe: PatchRecipe, see: See) -> Channels:
    series = 1 + len(recipe.also_on)
    tokens = np.zeros((len(sites), series, recipe.slices, 3, recipe.rows, recipe.columns), np.float32)
    for number, site in enumerate(sites):
        for which in range(series):
            if (place := spots.get((*site, which))) is not None:
                tokens[number, which] = see(place, recipe.place)
    return tokens.reshape(-1, *tokens.shape[3:])


# --- one picture -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Look:
    """Where a whole slice is seen, about the middle of the places on it."""

    volume: Volume
    frame: PatchFrame
    reference: SignalReference | None
    scale: float


@dataclass(frozen=True, eq=False)
class Panel:
    """A part of a picture: its channel, its upper left corner in pixels, its size, what is seen there."""

    channel: int
    corner: tuple[int, int]
    recipe: PatchRecipe
    seen: Croppable


def _picture(spots: Mapping[Spot, Croppable], sites: Sequence[Site], recipe: PatchRecipe, see: See) -> Channels:
    picture = np.zeros((1, 3, recipe.rows, recipe.columns), np.float32)
    for panel in dict.fromkeys(panels_of(spots, recipe).values()):
        (top, left), size = panel.corner, panel.recipe
        views = see(panel.seen, size)
        picture[0, panel.channel, top : top + size.rows, left : left + size.columns] = views[size.slices // 2, 0]
    return picture


def panels_of(spots: Mapping[Spot, Croppable], recipe: PatchRecipe) -> dict[Spot, Panel]:
    """The part of the picture in which each spot is seen; several may share one."""
    return PICTURES[recipe.anchor](spots, replace(recipe.place, rows=recipe.rows, columns=recipe.columns,
                                                  pixel_mm=recipe.pixel_mm))  # fmt: skip


def _whole_slices(spots: Mapping[Spot, Croppable], recipe: PatchRecipe) -> dict[Spot, Panel]:
    """A channel for each side or series: the slice through its middle level."""
    channel_of = {spot: SIDES.index(spot[1]) if spot[1] is not None else spot[2] for spot in spots}
    panels = {}
    for channel in sorted(set(channel_of.values())):
        shown = {spot[0]: spots[spot] for spot in spots if channel_of[spot] == channel}
        panels[channel] = Panel(channel, (0, 0), recipe, _upright(shown))
    return {spot: panels[channel] for spot, channel in channel_of.items()}


def _upright(shown: Mapping[str, Croppable]) -> Look:
    """The slice of the middle one of the levels that are there, about where L3/L4 is by them."""
    middle = shown[sorted(shown, key=LEVELS.index)[len(shown) // 2]]
    volume = middle.volume
    along, down = (volume.affine[:3, axis] / volume.spacing_mm[axis] for axis in (2, 1))
    step = _LEVEL_MM / middle.scale * down
    centers = [place.frame.center_lps_mm + (_MIDDLE - LEVELS.index(level)) * step for level, place in shown.items()]
    frame = PatchFrame(middle.frame.slice_index, np.mean(centers, axis=0), along, down)
    return Look(volume, frame, middle.reference, middle.scale)


def _mosaic(spots: Mapping[Spot, Croppable], recipe: PatchRecipe) -> dict[Spot, Panel]:
    """Left and right of two levels in each row: no one slice shows them all."""
    high, wide = _MOSAIC
    cell = replace(recipe, rows=recipe.rows // high, columns=recipe.columns // wide)
    panels = {}
    for (level, side, series), place in spots.items():
        number = LEVELS.index(level) * len(SIDES) + (SIDES.index(side) if side is not None else 0)
        corner = (number // wide * cell.rows, number % wide * cell.columns)
        panels[level, side, series] = Panel(0, corner, cell, place)
    return panels


PICTURES: Final[Mapping[str, Callable[[Mapping[Spot, Croppable], PatchRecipe], dict[Spot, Panel]]]] = {
    "disc": _whole_slices,
    "disc_t1": _whole_slices,
    "canal": _whole_slices,
    "foramen": _whole_slices,
    "recess": _mosaic,
    "axial_disc": _mosaic,
}
"""How the picture of a study is laid out, by anchor. Discs and canals: the middle sagittal slice, of T2 or of T1,
or of T2 and, where asked for, T1; foramina: the sagittal T1 slices through the left and the right ones; recesses and
discs on axial slices: all of them, each in its cell."""

_INPUTS: Final[Mapping[str, Callable[[Mapping[Spot, Croppable], Sequence[Site], PatchRecipe, See], Channels]]] = {
    PLACES: _patches,
    PICTURE: _picture,
}


def cut_heat(
    heat: Float32[np.ndarray, "maps h w"], panel: Panel, place: Croppable, recipe: PatchRecipe
) -> Float32[np.ndarray, "maps high wide"]:
    """The part of maps of a whole picture that lies about a place (`recipe.place`), in the place's own frame."""
    box, (top, left) = recipe.place, panel.corner
    down_mm, along_mm = _grid(box.rows, box.pixel_mm / place.scale), _grid(box.columns, box.pixel_mm / place.scale)
    points = (
        place.frame.center_lps_mm
        + down_mm[:, None, None] * place.frame.down
        + along_mm[None, :, None] * place.frame.along
        - panel.seen.frame.center_lps_mm
    )
    pixel_mm = panel.recipe.pixel_mm / panel.seen.scale
    rows = np.clip(points @ panel.seen.frame.down / pixel_mm + panel.recipe.rows / 2, 0, panel.recipe.rows) + top
    columns = np.clip(points @ panel.seen.frame.along / pixel_mm + panel.recipe.columns / 2, 0, panel.recipe.columns)
    cells = np.stack([
        rows / recipe.rows * heat.shape[1] - 0.5, (columns + left) / recipe.columns * heat.shape[2] - 0.5,
    ])  # fmt: skip
    return np.stack([ndimage.map_coordinates(one, cells, order=1, mode="nearest") for one in heat])


def _grid(pixels: int, pixel_mm: float) -> Float64[np.ndarray, " cells"]:
    """Middles of a heat map's cells along a side, from the middle of the side."""
    count = pixels // _PER_CELL
    return (np.arange(count) - (count - 1) / 2) * _PER_CELL * pixel_mm
