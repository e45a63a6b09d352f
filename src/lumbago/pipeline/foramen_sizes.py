"""Height and area of a foramen on the parasagittal slice through it, each with its standard error.

Both are read off what `draw_foramina` drew there. A pixel counts by the chance that is given to it, which at an edge is
the share of it that is filled. Below the ganglion a narrow foramen is a slit, which is seen in pieces: all of them
count. The size stated is what foramina that are drawn so large have been found to have.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from lumbago.anatomy.findings import Measurement
from lumbago.pipeline.draw_foramina import FORAMINA, ForamenDrawing
from lumbago.pipeline.drawn_tissues import POSSIBLE, Sizes

_ERRORS: Final[Mapping[str, float]] = {"foramen_height_mm": 2.7, "foramen_area_mm2": 32.0}
"""Standard error of each, on 40 phantoms whose true sizes are known (`make sizes-check`), rounded up: the root of the
mean square."""

_LINES: Final[Mapping[str, tuple[float, float]]] = {
    "foramen_height_mm": (0.55, 9.6),
    "foramen_area_mm2": (0.78, 15.9),
}
"""True size from the drawn one: slope, and size at 0, on 40 phantoms (seeds from 4,100,000) that the network has not
seen. A slice seldom lies where the foramen is measured, so what is drawn differs more than foramina do."""


def stated_in_foramina(drawing: ForamenDrawing) -> Sizes:
    """What is measured of the foramen, by the finding that it stands beside."""
    return {("neural_foraminal_narrowing", drawing.disc.level, drawing.side): foramen_sizes(drawing)}


def foramen_sizes(drawing: ForamenDrawing) -> dict[str, Measurement]:
    """Height and area to be expected of a foramen that is drawn so; empty where it was not seen whole."""
    return {name: _expected(name, size) for name, size in drawn_sizes(drawing).items()}


def drawn_sizes(drawing: ForamenDrawing) -> dict[str, float]:
    """Height across the disc (mm) and area (mm2) as drawn, ganglion and vessels with the fat; empty likewise."""
    if drawing.piece("foramen") is None:
        return {}
    near = drawing.near("foramen")
    filled = np.where(near > POSSIBLE, near, 0)
    return {
        "foramen_height_mm": float(filled.max(axis=1).sum()) * FORAMINA.pixel_mm,
        "foramen_area_mm2": float(filled.sum()) * FORAMINA.pixel_mm**2,
    }


def _expected(name: str, drawn: float) -> Measurement:
    slope, offset = _LINES[name]
    return Measurement(round(slope * drawn + offset, 1), _ERRORS[name])
