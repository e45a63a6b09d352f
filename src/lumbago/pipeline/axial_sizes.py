"""Sizes of the dural sac and the lateral recesses on the axial slice at a disc, each with its standard error.

All are read off what `draw_axial` drew there. A pixel counts by the chance that is given to it, which at an edge is the
share of it that is filled; so sizes are finer than pixels. Where the slice is tilted against the disc, what runs front
to back is taken as it is in the plane of the disc.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from lumbago.anatomy.findings import Measurement
from lumbago.anatomy.levels import SIDES, Side
from lumbago.dicom.patient_geometry import slice_normal
from lumbago.pipeline.draw_axial import AXIAL, AxialDrawing
from lumbago.pipeline.drawn_tissues import Mask, Place, Sizes

_ERRORS: Final[Mapping[str, float]] = {
    "sac_area_mm2": 13.0,
    "sac_depth_mm": 0.9,
    "sac_width_mm": 1.2,
    "recess_depth_mm": 1.4,
}
"""Standard error of each, on 40 phantoms whose true sizes are known (`make sizes-check`), rounded up: the root of the
mean square."""

_RECESS_LINE: Final = (0.94, -1.0)
"""True depth of a recess from the drawn one: slope, and mm at 0, on 36 phantoms (seeds from 4,100,000) that the network
has not seen. It draws small ones too deep."""


def stated_on_axial(drawing: AxialDrawing) -> Sizes:
    """What is measured on the slice, by the finding that it stands beside."""
    level = drawing.disc.level
    places: list[Place] = [("subarticular_stenosis", level, side) for side in SIDES]
    return {place: axial_sizes(drawing, place[2]) for place in [("spinal_canal_stenosis", level, None), *places]}


def axial_sizes(drawing: AxialDrawing, side: Side | None) -> dict[str, Measurement]:
    """Area, front-to-back and side-to-side width of the sac, or for a side the front-to-back depth of its recess; empty
    where it was not seen whole."""
    mask = drawing.piece("sac") if side is None else drawing.recess(side)
    if mask is None:
        return {}
    values = _sac(drawing, mask) if side is None else _recess(drawing, mask)
    return {name: Measurement(round(value, 1), _ERRORS[name]) for name, value in values.items()}


def _foreshortened(drawing: AxialDrawing) -> float:
    """How long in the plane of the disc what is 1 long front to back on the slice is."""
    return abs(float(slice_normal(drawing.volume) @ drawing.disc.frame.down))


def _sac(drawing: AxialDrawing, mask: Mask) -> dict[str, float]:
    filled, depth_mm = drawing.filled("sac", mask), AXIAL.pixel_mm * _foreshortened(drawing)
    return {
        "sac_area_mm2": float(filled.sum()) * AXIAL.pixel_mm * depth_mm,
        "sac_depth_mm": float(filled.sum(axis=0).max()) * depth_mm,
        "sac_width_mm": float(filled.sum(axis=1).max()) * AXIAL.pixel_mm,
    }


def _recess(drawing: AxialDrawing, mask: Mask) -> dict[str, float]:
    """The median of the columns through the middle of the strip, as wide as where the truth is measured."""
    filled = drawing.filled("recess", mask)
    heights = filled.sum(axis=0) * AXIAL.pixel_mm * _foreshortened(drawing)
    middle = float(np.nonzero(mask.any(axis=0))[0].mean())
    near = np.abs(np.arange(heights.size) - middle) * AXIAL.pixel_mm <= 0.9
    slope, offset_mm = _RECESS_LINE
    return {"recess_depth_mm": max(slope * float(np.median(heights[near])) + offset_mm, 0.0)}
