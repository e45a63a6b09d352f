"""Height and area of a foramen on the parasagittal slice through it, each with its standard error.

Both are read off what `draw_foramina` drew there. A pixel counts by the chance that is given to it, which at an edge is
the share of it that is filled. Below the ganglion a narrow foramen is a slit, which is seen in pieces: all of them
count.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from lumbago.anatomy.findings import Measurement
from lumbago.pipeline.draw_foramina import FORAMINA, ForamenDrawing
from lumbago.pipeline.drawn_tissues import POSSIBLE, Sizes

_ERRORS: Final[Mapping[str, float]] = {"foramen_height_mm": 3.5, "foramen_area_mm2": 40.0}
"""Standard error of each, on 40 phantoms whose true sizes are known (`make sizes-check`), rounded up: the root of the
mean square."""


def stated_in_foramina(drawing: ForamenDrawing) -> Sizes:
    """What is measured of the foramen, by the finding that it stands beside."""
    return {("neural_foraminal_narrowing", drawing.disc.level, drawing.side): foramen_sizes(drawing)}


def foramen_sizes(drawing: ForamenDrawing) -> dict[str, Measurement]:
    """Height across the disc and area, ganglion and vessels with the fat; empty where it was not seen whole."""
    if drawing.piece("foramen") is None:
        return {}
    near = drawing.near("foramen")
    filled = np.where(near > POSSIBLE, near, 0)
    values = {
        "foramen_height_mm": float(filled.max(axis=1).sum()) * FORAMINA.pixel_mm,
        "foramen_area_mm2": float(filled.sum()) * FORAMINA.pixel_mm**2,
    }
    return {name: Measurement(round(value, 1), _ERRORS[name]) for name, value in values.items()}
