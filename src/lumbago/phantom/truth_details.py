"""What the truth of a disc says beyond its grades: where a finding lies, its kind, and the sizes behind it."""

from collections.abc import Callable
from typing import Final

from lumbago.anatomy.findings import Point
from lumbago.anatomy.herniation import herniation_zone
from lumbago.anatomy.meyerding import slip_details
from lumbago.phantom.canal_section import front_at
from lumbago.phantom.landmarks import point_at
from lumbago.phantom.render_bones import IN_ANNULUS_MM, front_bulge
from lumbago.phantom.spine_spec import DiscSpec, SegmentSpec, SpineSpec, ZoneSpec


def finding_details(spine: SpineSpec, condition: str, level: str) -> dict[str, object]:
    """Kind and place of what a condition's grade stands for; empty where there is nothing of it."""
    describe = _DETAILS.get(condition)
    return describe(spine, spine.segment(level)) if describe else {}


def disc_drivers(spine: SpineSpec, condition: str, level: str) -> dict[str, float]:
    """Continuous sizes in the person's millimetres that belong to a condition of the disc, beside its height."""
    segment = spine.segment(level)
    sizes = {
        "bulging": {"bulge_mm": max(segment.disc.bulge, 0.0)},
        "herniation": {"hernia_depth_mm": segment.disc.hernia_depth},
        "spondylolisthesis": {"slip_mm": segment.slip},
    }
    return {name: value * spine.size for name, value in sizes.get(condition, {}).items()}


def _herniation(spine: SpineSpec, segment: SegmentSpec) -> dict[str, object]:
    disc = segment.disc
    if not disc.is_herniated:
        return {}
    place = (disc.hernia_x, front_at(disc.hernia_x, segment) - disc.hernia_depth / 2, -disc.hernia_down)
    found: dict[str, object] = {
        "type": disc.hernia_kind,
        "zone": herniation_zone(disc.hernia_x * spine.handedness),
        "point_lps_mm": _rounded(point_at(spine, segment.name, place)),
    }
    return found | _migration(spine, disc)


def _migration(spine: SpineSpec, disc: DiscSpec) -> dict[str, object]:
    """How far the material reaches from the middle of the disc; nothing for what stays at the disc."""
    _, up, half, depth = disc.fragment
    if not depth:
        return {}
    return {"migration": "cranial" if up > 0 else "caudal", "migration_mm": round((abs(up) + half) * spine.size, 1)}


def _high_intensity_zone(spine: SpineSpec, segment: SegmentSpec) -> dict[str, object]:
    """Of the first, one behind where there is one."""
    if not segment.disc.zones:
        return {}
    first = segment.disc.zones[0]
    place = (first.x, _depth_of(spine, segment, first), -first.down)
    part = "anterior" if first.in_front else "posterior"
    return {"part": part, "point_lps_mm": _rounded(point_at(spine, segment.name, place))}


def _depth_of(spine: SpineSpec, segment: SegmentSpec, zone: ZoneSpec) -> float:
    """How far behind the posterior wall the middle of a zone lies."""
    if not zone.in_front:
        return front_at(zone.x, segment) - IN_ANNULUS_MM
    index = spine.segments.index(segment)
    depth = (spine.vertebrae[index].depth[1] + spine.vertebrae[index + 1].depth[0]) / 2
    return IN_ANNULUS_MM - depth - front_bulge(segment.disc)


def _modic(spine: SpineSpec, segment: SegmentSpec) -> dict[str, object]:
    index = spine.segments.index(segment)
    above, below = spine.vertebrae[index].lower, spine.vertebrae[index + 1].upper
    if not above.modic:
        return {}
    return {
        "part": "front" if above.modic_front else "whole",
        "height_above_mm": round(above.modic_height * spine.size, 1),
        "height_below_mm": round(below.modic_height * spine.size, 1),
    }


def _slip(spine: SpineSpec, segment: SegmentSpec) -> dict[str, object]:
    if not segment.is_slipped:
        return {}
    body = spine.vertebrae[spine.segments.index(segment)]
    percent = 100 * segment.slip / body.depth[1]
    return {
        "type": "isthmic" if body.pars_gap else "degenerative",
        "slip_mm": round(segment.slip * spine.size, 2),
        "slip_percent": round(abs(percent), 1),
        **slip_details(percent),
    }


def _rounded(point: Point) -> list[float]:
    return [round(value, 2) for value in point]


_DETAILS: Final[dict[str, Callable[[SpineSpec, SegmentSpec], dict[str, object]]]] = {
    "herniation": _herniation,
    "high_intensity_zone": _high_intensity_zone,
    "modic": _modic,
    "spondylolisthesis": _slip,
}
"""Conditions that have more to say than a grade."""
