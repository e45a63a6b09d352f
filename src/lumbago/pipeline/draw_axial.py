"""What a network draws on the axial slice at each disc: dural sac, disc and lateral recesses."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import contourpy
import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy import ndimage

from lumbago.anatomy.findings import Outline, Point
from lumbago.anatomy.levels import LEVELS, SIDES, Side
from lumbago.dicom.patient_geometry import sample_plane
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Model
from lumbago.pipeline.locate_discs import LocatedDisc
from lumbago.pipeline.locate_points import axial_slice_of
from lumbago.pipeline.normalise import three_views
from lumbago.pipeline.place_patches import LocatedSpine
from lumbago.pipeline.section_outline import largest

CHANNELS: Final = ("sac", "disc", "recess")
"""What is drawn, in order; a recess is a strip 3 mm wide from disc or body to flavum or joint, where it is narrow."""
AXIAL_MM: Final = 0.6
WINDOW: Final = 160
"""Pixel size of the drawing, and its rows and columns."""

_INSIDE: Final = 0.5
_POSSIBLE, _SURE, _SURE_SHARE = 0.25, 0.75, 0.5
"""Of what could be a structure, so much must surely be it. On 30 phantoms (seeds from 5000) that leaves out no sac of
144, 5 of 287 recesses, narrow ones, and a tenth of the discs, which slices cut aslant; on 40 patients' slices 7 of 37
sacs, all of them drawn wrong."""
LEAST_MM2: Final = {"sac": 15.0, "disc": 300.0, "recess": 2.0}
"""What is smaller was not seen."""

Vector = Float64[np.ndarray, "3"]
Map = Float32[np.ndarray, "rows columns"]
Mask = Bool[np.ndarray, "rows columns"]


@dataclass(frozen=True, eq=False)
class AxialDrawing:
    """The tissues at one disc on an axial slice; rows run to the back, columns to the patient's left.

    Attributes:
        disc: which.
        volume, slice_index: the slice.
        origin_lps_mm: of the first pixel; down, along: unit vectors of rows and columns.
        maps: chance of each of `CHANNELS`, 0 to 1.
        seen: what lies on the picture.
    """

    disc: LocatedDisc
    volume: Volume
    slice_index: int
    origin_lps_mm: Vector
    down: Vector
    along: Vector
    maps: Float32[np.ndarray, "channels rows columns"] = field(repr=False)
    seen: Mask = field(repr=False)

    def channel(self, name: str) -> Map:
        """One of the maps by name."""
        return np.asarray(self.maps[CHANNELS.index(name)])

    def piece(self, name: str) -> Mask | None:
        """The largest connected piece of a tissue; None where it was not seen, is not sure, or is cut off by the
        picture's edge."""
        return self._whole(name, self.channel(name))

    def recess(self, side: Side) -> Mask | None:
        """The recess on a side of the sac's middle; None as for `piece`."""
        sac = self.piece("sac")
        if sac is None:
            return None
        middle = np.nonzero(sac)[1].mean()
        columns = np.arange(WINDOW)
        is_there = columns > middle if side == "left" else columns < middle
        return self._whole("recess", np.where(is_there, self.channel("recess"), 0))

    def _whole(self, name: str, chance: Map) -> Mask | None:
        possible, piece = largest(chance > _POSSIBLE), largest(chance > _INSIDE)
        is_unsure = (possible & (chance > _SURE)).sum() < _SURE_SHARE * possible.sum()
        is_cut_off = (ndimage.binary_dilation(piece) & ~self.seen).any()
        is_small = piece.sum() * AXIAL_MM**2 < LEAST_MM2[name]
        return None if is_small or is_unsure or is_cut_off else piece

    def outlines(self) -> tuple[Outline, ...]:
        """Closed polygons around what was seen."""
        recesses = {f"{side} recess": ("recess", self.recess(side)) for side in SIDES}
        drawn = {"sac": ("sac", self.piece("sac")), "disc": ("disc", self.piece("disc")), **recesses}
        return tuple(
            self._outline(name, np.where(ndimage.binary_dilation(piece), self.channel(channel), 0))
            for name, (channel, piece) in drawn.items()
            if piece is not None
        )

    def _outline(self, name: str, chance: Map) -> Outline:
        lines = contourpy.contour_generator(z=np.pad(chance, 1)).lines(_INSIDE)
        longest = max((np.asarray(line, np.float64) - 1 for line in lines), key=len)
        header = self.volume.headers[self.slice_index]
        return Outline(
            self.disc.level, name, header.series_instance_uid, header.sop_instance_uid, header.frame,
            tuple(self._point(row, column) for column, row in longest),
        )  # fmt: skip

    def _point(self, row: float, column: float) -> Point:
        x, y, z = self.origin_lps_mm + AXIAL_MM * (row * self.down + column * self.along)
        return round(float(x), 2), round(float(y), 2), round(float(z), 2)


def draw_axial(model: Model, spine: LocatedSpine, axials: Sequence[Volume]) -> tuple[AxialDrawing, ...]:
    """The drawing of each disc that was seen and that an axial slice passes through, on canonical axial volumes; none
    where the stated pixel size is not believed."""
    location = spine.reference
    discs = [disc for disc in location.discs if disc.level in LEVELS and disc.confidence > 0 and location.scale == 1.0]
    places = [(disc, axial_slice_of(disc, axials)) for disc in discs]
    return tuple(_draw(model, disc, axials[choice[0]], choice[1]) for disc, choice in places if choice is not None)


def _draw(model: Model, disc: LocatedDisc, volume: Volume, index: int) -> AxialDrawing:
    down, along = (volume.affine[:3, axis] / volume.spacing_mm[axis] for axis in (1, 2))
    middle = volume.to_ijk(disc.canal_lps_mm)
    middle[0] = index
    origin = volume.to_lps_mm(middle) - (WINDOW - 1) / 2 * AXIAL_MM * (down + along)
    place = index, origin, AXIAL_MM * down, AXIAL_MM * along, (WINDOW, WINDOW)
    seen = sample_plane(replace(volume, array=np.ones_like(volume.array)), *place) > _INSIDE
    maps = draw_picture(model, sample_plane(volume, *place))
    return AxialDrawing(disc, volume, index, origin, down, along, maps, seen)


def draw_picture(model: Model, picture: Map) -> Float32[np.ndarray, "channels rows columns"]:
    """Chances of `CHANNELS` on a picture with pixels of `AXIAL_MM` whose sides divide by the model's stride."""
    logits = model.run(three_views(picture, AXIAL_MM)[None])["maps"][0]
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)
