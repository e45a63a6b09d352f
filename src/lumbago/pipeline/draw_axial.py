"""What a network draws on the axial slice at each disc: dural sac, disc and lateral recesses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from lumbago.anatomy.findings import Outline
from lumbago.anatomy.levels import LEVELS, SIDES, Side
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Model
from lumbago.pipeline.crop_patches import PatchFrame
from lumbago.pipeline.drawn_tissues import Drawing, Mask, Window, draw_window
from lumbago.pipeline.locate_discs import LocatedDisc
from lumbago.pipeline.locate_points import axial_slice_of
from lumbago.pipeline.place_patches import LocatedSpine

AXIAL: Final = Window(("sac", "disc", "recess"), 0.6, 160, {"sac": 15.0, "disc": 300.0, "recess": 2.0})
"""A recess is a strip 3 mm wide from disc or body to flavum or joint, where it is narrow."""


@dataclass(frozen=True, eq=False)
class AxialDrawing(Drawing):
    """The tissues at one disc on an axial slice; rows run to the back, columns to the patient's left."""

    window: ClassVar[Window] = AXIAL

    def piece(self, name: str) -> Mask | None:
        """A tissue, as `whole` has it."""
        return self.whole(name, self.channel(name))

    def recess(self, side: Side) -> Mask | None:
        """The recess on a side of the sac's middle; None as for `piece`."""
        sac = self.piece("sac")
        if sac is None:
            return None
        middle = np.nonzero(sac)[1].mean()
        columns = np.arange(AXIAL.size)
        is_there = columns > middle if side == "left" else columns < middle
        return self.whole("recess", np.where(is_there, self.channel("recess"), 0))

    def outlines(self) -> tuple[Outline, ...]:
        """Closed polygons around what was seen."""
        recesses = [(f"{side} recess", "recess", self.recess(side)) for side in SIDES]
        drawn = [("sac", "sac", self.piece("sac")), ("disc", "disc", self.piece("disc")), *recesses]
        return tuple(self.outline(name, channel, piece) for name, channel, piece in drawn if piece is not None)


def draw_axial(model: Model, spine: LocatedSpine, axials: Sequence[Volume]) -> tuple[AxialDrawing, ...]:
    """The drawing of each disc that was seen and that an axial slice passes through, on canonical axial volumes; none
    where the stated pixel size is not believed."""
    location = spine.reference
    discs = [disc for disc in location.discs if disc.level in LEVELS and disc.confidence > 0 and location.scale == 1.0]
    places = [(disc, axial_slice_of(disc, axials)) for disc in discs]
    return tuple(_draw(model, disc, axials[choice[0]], choice[1]) for disc, choice in places if choice is not None)


def _draw(model: Model, disc: LocatedDisc, volume: Volume, index: int) -> AxialDrawing:
    down, along = (volume.affine[:3, axis] / volume.spacing_mm[axis] for axis in (1, 2))
    return draw_window(AxialDrawing, model, disc, volume, PatchFrame(index, disc.canal_lps_mm, along, down))
