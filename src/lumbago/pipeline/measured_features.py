"""What is measured of a place: the numbers that a grader by rules is given instead of pixels.

Of a disc and the canal behind it: height, slip, bulge, endplates, signals and canal widths, read off the drawn tissues
(`tissue_section`). All are shares of the place's own sizes and signals, so that they hold on pictures without true
millimetres; `canal_mm` alone is a size, and is unknown there. Heights are given as a share of the depth of the bodies
(disc height index), slip as a share of the depth of the body below (Meyerding 1932). A measure that cannot be read is
NaN, and counts as the usual one.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, Float64

from lumbago.pipeline.locate_discs import LocatedDisc, SpineLocation
from lumbago.pipeline.measure_spine import SignalReference
from lumbago.pipeline.section_outline import Outline, largest, outline_of, rows_between, span
from lumbago.pipeline.tissue_section import CENTER, SECTION_MM, Section, located_section

Measures = Float32[np.ndarray, " measures"]
Values = dict[str, float]

OF_DISC: Final = (
    "height_index", "front_height_index", "back_height_index", "height_to_neighbours", "bulge_back", "bulge_area",
    "bulge_front", "slip_size", "slip_forward", "slip_front", "nucleus", "nucleus_high", "disc_signal",
    "disc_spread", "nucleus_to_marrow", "nucleus_to_annulus", "nucleus_spread", "back_annulus_high", "upper_rough",
    "lower_rough", "upper_dent", "lower_dent", "upper_bright", "lower_bright", "upper_dark", "lower_dark",
    "upper_spread", "lower_spread", "marrow_bright", "marrow_dark", "marrow_spread",
)  # fmt: skip
OF_CANAL: Final = (
    "canal_ratio", "canal_least_ratio", "fluid_ratio", "fluid_least_ratio", "canal_signal_ratio", "canal_to_body",
    "canal_mm",
)  # fmt: skip
MEASURES: Final = (*OF_DISC, *OF_CANAL)
"""Names of the numbers, in their order."""

UNKNOWN: Final = np.full(len(MEASURES), np.nan, np.float32)
"""Of a place that has no section: foramina and recesses, or one that nobody measured."""

_LEAST: Final = 8
_AT_DISC_MM: Final = 3.0
_AWAY_MM: Final = (9.0, 25.0)
_NEIGHBOURS: Final = 2
_FARTHEST_BACK: Final = 0.4
"""Shares of a body's depth."""


def measure_place(location: SpineLocation, disc: LocatedDisc, reference: SignalReference) -> Measures:
    """The measures of a located disc and the canal behind it."""
    values = measure_section(located_section(location, disc), reference)
    values["height_to_neighbours"] = _height_to_neighbours(location, disc)
    if location.scale != 1.0 or location.volume.geometry_is_assumed:
        values["canal_mm"] = np.nan
    return in_order(values)


def in_order(values: Mapping[str, float]) -> Measures:
    """The numbers by name as a row of `MEASURES`; what is not there is NaN."""
    return np.array([values.get(name, np.nan) for name in MEASURES], np.float32)


def measure_section(section: Section, reference: SignalReference) -> Values:
    """Everything that one section shows."""
    outline = outline_of(section)
    if outline is None:
        return _canal(section, reference, None)
    parts = [_heights(outline), _bulge(outline), _slip(outline), _signals(section, outline, reference)]
    parts += [_endplates(section, outline), _canal(section, reference, outline)]
    return {name: value for part in parts for name, value in part.items()}


def _height_to_neighbours(location: SpineLocation, disc: LocatedDisc) -> float:
    """Logarithm of the height against the median of the discs next to it."""
    place = location.discs.index(disc)
    near = location.discs[max(place - _NEIGHBOURS, 0) : place + _NEIGHBOURS + 1]
    others = [other.frame.height_mm for other in near if other is not disc and other.outline_lps_mm]
    if not others or not disc.outline_lps_mm:
        return float("nan")
    return float(np.log(max(disc.frame.height_mm, 1.0) / max(float(np.median(others)), 1.0)))


def _heights(outline: Outline) -> Values:
    """Middle half, front fifth and back fifth of the disc, as shares of the depth of the bodies."""
    parts = {"height_index": (0.25, 0.75), "front_height_index": (0.1, 0.3), "back_height_index": (0.7, 0.9)}
    return {name: float(np.median(outline.heights(*part))) / outline.body_depth for name, part in parts.items()}


def _bulge(outline: Outline) -> Values:
    """How far, and with how much of its area, the disc reaches beyond the line of the bodies."""
    back, front = np.mean(outline.backs), np.mean(outline.fronts)
    columns = np.nonzero(outline.disc)[1]
    return {
        "bulge_back": float(columns.max() - back) / outline.body_depth,
        "bulge_area": float((columns > back).sum()) / outline.body_depth**2,
        "bulge_front": float(front - columns.min()) / outline.body_depth,
    }


def _slip(outline: Outline) -> Values:
    """Of the body above on the one below, as a share of the depth of that; unread where the one above would stand more
    than `_FARTHEST_BACK` behind, as retrolistheses are of millimetres, and a body was drawn wrong."""
    back = (outline.backs[0] - outline.backs[1]) / outline.depth_below
    front = (outline.fronts[0] - outline.fronts[1]) / outline.depth_below
    if back > _FARTHEST_BACK:
        return dict.fromkeys(("slip_size", "slip_forward", "slip_front"), float("nan"))
    return {"slip_size": abs(back), "slip_forward": max(-back, 0.0), "slip_front": max(-front, 0.0)}


def _signals(section: Section, outline: Outline, reference: SignalReference) -> Values:
    """Of the nucleus, the middle of the disc, and the annulus, its two ends, against fluid and marrow."""
    grey = section.image / reference.bright
    nucleus, back, front = outline.part(0.25, 0.75, 0.2), outline.part(0.82, 1.0, 0.0), outline.part(0.0, 0.18, 0.0)
    middle, whole = _inside(grey, nucleus), _inside(grey, outline.disc)
    annulus = _inside(grey, back | front)
    mean = float(middle.mean())
    return {
        "nucleus": mean,
        "nucleus_high": float(np.percentile(middle, 90)),
        "disc_signal": float(whole.mean()),
        "disc_spread": float(whole.std()),
        "nucleus_to_marrow": _log_ratio(mean * reference.bright, reference.middle),
        "nucleus_to_annulus": _log_ratio(mean, float(annulus.mean()), 0.05),
        "nucleus_spread": float(middle.std()) / max(mean, 0.05),
        "back_annulus_high": float(np.percentile(_inside(grey, back), 95)),
    }


def _endplates(section: Section, outline: Outline) -> Values:
    """How rough each endplate is, how deep the disc dents it, and the marrow along it against that farther off."""
    found: Values = {}
    for side, name in ((-1, "upper"), (1, "lower")):
        off = side * outline.off_course(side) / outline.body_depth
        found |= {f"{name}_rough": float(off.std()), f"{name}_dent": float(off.max())}
        near, far = (_inside(section.image, outline.marrow(side, *reach)) for reach in ((1.5, 7.0), (9.0, 16.0)))
        core = float(np.median(far))
        found[f"{name}_bright"] = _log_ratio(float(np.percentile(near, 75)), core)
        found[f"{name}_dark"] = -_log_ratio(float(np.percentile(near, 25)), core)
        found[f"{name}_spread"] = float(near.std()) / max(core, 1e-6)
    both = {what: [found[f"{name}_{what}"] for name in ("upper", "lower")] for what in ("bright", "dark", "spread")}
    return found | {f"marrow_{what}": float(np.fmax(one, other)) for what, (one, other) in both.items()}


def _canal(section: Section, reference: SignalReference, outline: Outline | None) -> Values:
    """Width of the canal, and of the fluid in it, behind the disc against above and below."""
    canal = largest(section.canal)
    if not canal.any():
        return {}
    fluid = canal & (section.image > 0.5 * reference.bright)
    found: Values = {}
    for name, mask in (("canal", canal), ("fluid", fluid)):
        at_disc, away = _widths(section, mask)
        usual = max(float(np.median(away)), SECTION_MM) if away.size else np.nan
        found[f"{name}_ratio"] = float(at_disc.mean()) / usual
        found[f"{name}_least_ratio"] = float(at_disc.min()) / usual
    near = rows_between(section, -_AT_DISC_MM, _AT_DISC_MM)
    signal = [float(_inside(section.image, canal & rows).mean()) for rows in (near, _away(section))]
    found["canal_signal_ratio"] = _log_ratio(*signal)
    found["canal_mm"] = float(_widths(section, canal)[0].mean())
    if outline is not None:
        found["canal_to_body"] = found["canal_mm"] / SECTION_MM / outline.body_depth
    return found


def _widths(
    section: Section, mask: Bool[np.ndarray, "rows columns"]
) -> tuple[Float64[np.ndarray, " at_disc"], Float64[np.ndarray, " away"]]:
    """Millimetres across the mask on each row behind the disc, and on each row above and below that shows canal."""
    width = mask.sum(1) * SECTION_MM
    far = _away(section)[:, 0] & section.seen[:, CENTER[1]]
    return width[span(-_AT_DISC_MM, _AT_DISC_MM)], width[far & (width > 0)]


def _away(section: Section) -> Bool[np.ndarray, "rows columns"]:
    low, high = _AWAY_MM
    return np.asarray(rows_between(section, -high, -low) | rows_between(section, low, high))


def _inside(image: Float32[np.ndarray, "rows columns"], mask: np.ndarray) -> Float32[np.ndarray, " pixels"]:
    """The grey values in a mask, NaN where it has too few."""
    values = np.asarray(image[mask], np.float32)
    return values if values.size >= _LEAST else np.full(1, np.nan, np.float32)


def _log_ratio(value: float, other: float, floor: float = 1e-6) -> float:
    return float(np.log(max(value, 0.0) + floor) - np.log(max(other, 0.0) + floor))
