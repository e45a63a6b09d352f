"""Sizes that a report states, each with its standard error: of a disc and the canal behind it, how far the body above
has slipped, and how much the lumbar spine is bent.

All are read off the tissues that the locator drew. Shares need no true millimetres, sizes do.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from lumbago.anatomy.findings import Measurement
from lumbago.pipeline.locate_discs import LocatedDisc, SpineLocation, Vector
from lumbago.pipeline.measured_features import MEASURES, Measures
from lumbago.pipeline.section_outline import edges_of, own_disc
from lumbago.pipeline.tissue_section import located_section

_ERRORS: Final[Mapping[str, float]] = {
    "disc_height_mm": 1.2,
    "disc_depth_mm": 4.5,
    "canal_depth_mm": 2.1,
    "disc_height_index_ratio": 0.05,
    "slip_percent": 4.6,
    "nucleus_to_fluid_ratio": 0.02,
    "canal_to_usual_ratio": 0.13,
    "lordosis_degrees": 4.3,
}
"""Standard error of each: the root of the mean square, which counts in what is always off, on 22 patients of SPIDER
held against a reader's masks, by locators that had not seen them (`make real-check`, docs/explanation/real-slices.md).
Of the canal, whose masks leave out the fat that is stated, of the nucleus and of lordosis, which 18 patients cannot
tell, it is that on 30 phantoms whose true sizes are known (`make sizes-check`), rounded up."""

_FIRST, _LAST = "T12/L1", "L5/S1"
"""Below the first of these discs lies the upper endplate of L1, below the last that of S1."""
_STRAIGHT: Final = (10, 90)
"""The percentiles of a disc's depth between which its edge is taken for the endplate."""
_LEAST_COLUMNS: Final = 20


def disc_sizes(disc: LocatedDisc, measures: Measures, *, is_in_mm: bool) -> dict[str, Measurement]:
    """Sizes of a located disc, those that could be read; none of one that was not outlined.

    Args:
        measures: what was measured of its place.
        is_in_mm: whether the stated pixel size is believed; without it there are shares alone.

    Heights are from body to body, the endplates with them, as the locator has learned from outlines of bodies.
    `disc_height_index_ratio` is the height over the depth of the bodies, `slip_percent` how far the body above stands
    in front of the one below (negative: behind) in percent of that one's depth (Meyerding 1932),
    `nucleus_to_fluid_ratio` the signal of the nucleus over that of cerebrospinal fluid, `canal_to_usual_ratio` the
    front-to-back width of the canal behind the disc over that above and below it.
    """
    if not disc.outline_lps_mm:
        return {}
    found = dict(zip(MEASURES, measures.tolist(), strict=True))
    shares = {
        "disc_height_index_ratio": found["height_index"],
        "slip_percent": 100 * found["slip_size"] * (1 if found["slip_forward"] > 0 else -1),
        "nucleus_to_fluid_ratio": found["nucleus"],
        "canal_to_usual_ratio": found["canal_ratio"],
    }
    sizes = _millimetres(disc) if is_in_mm else {}
    return {name: _measurement(name, value) for name, value in {**sizes, **shares}.items() if np.isfinite(value)}


def _millimetres(disc: LocatedDisc) -> dict[str, float]:
    canal = np.nan if disc.canal_mm is None else disc.canal_mm
    return {"disc_height_mm": disc.frame.height_mm, "disc_depth_mm": disc.frame.depth_mm, "canal_depth_mm": canal}


def _measurement(name: str, value: float) -> Measurement:
    return Measurement(round(float(value), 2 if name.endswith("_ratio") else 1) + 0.0, _ERRORS[name])


def spine_sizes(location: SpineLocation) -> dict[str, Measurement]:
    """Sizes of the spine as a whole: `lordosis_degrees`, between the upper endplates of L1 and S1 (Cobb 1948), positive
    where the lower back is hollow. None where one of the two is not seen."""
    upper, lower = (_rise_below(location, level) for level in (_FIRST, _LAST))
    if upper is None or lower is None:
        return {}
    return {"lordosis_degrees": _measurement("lordosis_degrees", lower - upper)}


def _rise_below(location: SpineLocation, level: str) -> float | None:
    """Degrees by which the lower edge of a disc rises backward in the patient's sagittal plane."""
    disc = location.disc(level)
    if disc is None or not disc.outline_lps_mm:
        return None
    own = own_disc(located_section(location, disc))
    if own is None:
        return None
    first, last = np.percentile(np.nonzero(own)[1], _STRAIGHT).astype(int)
    if last - first < _LEAST_COLUMNS:
        return None
    slope = np.polyfit(np.arange(first, last + 1), edges_of(own)[1][first : last + 1], 1)[0]
    along: Vector = disc.frame.back + float(slope) * disc.frame.down
    return float(np.degrees(np.arctan2(along[2], along[1])))
