"""What could not be assessed, and why: no condition is left out in silence."""

from collections.abc import Mapping, Sequence

from lumbago.anatomy.conditions import CONDITIONS, ROLE_TITLES, Condition, Role, expected_sites
from lumbago.anatomy.findings import Finding, NotAssessed
from lumbago.anatomy.levels import LEVELS
from lumbago.dicom.volume import Volume
from lumbago.pipeline.locate_discs import LocatedDisc, SpineLocation
from lumbago.pipeline.locate_points import STEEPEST_AXIAL_DEGREES, is_too_steep
from lumbago.pipeline.place_patches import LocatedSpine


def not_assessed(
    findings: Sequence[Finding], spine: LocatedSpine, missing: Mapping[Role, str], axials: Sequence[Volume] = ()
) -> tuple[NotAssessed, ...]:
    """An entry for every condition, level and side without a finding; one entry for all of a condition's when none has
    one.

    Args:
        missing: for roles that no series plays, why.
        axials: the axial volumes that recesses were looked for on.
    """
    there = {(finding.condition, finding.level, finding.side) for finding in findings}
    entries: list[NotAssessed] = []
    for condition in CONDITIONS.values():
        absent = [
            (level, side) for level, side in expected_sites(condition) if (condition.name, level, side) not in there
        ]
        if len(absent) == len(expected_sites(condition)):
            entries.append(NotAssessed(condition.name, _reason_for_all(condition, spine, missing, axials)))
        else:
            entries += [
                NotAssessed(condition.name, _reason_at(condition, level, spine, axials), level, side)
                for level, side in absent
            ]
    return tuple(entries)


def _reason_for_all(
    condition: Condition, spine: LocatedSpine, missing: Mapping[Role, str], axials: Sequence[Volume]
) -> str:
    if condition.source in missing:
        return missing[condition.source]
    if all(_location_for(condition, spine).disc(level) is None for level in LEVELS):
        return f"no disc from {LEVELS[0]} to {LEVELS[-1]} was found in view"
    if condition.source == "sagittal_t1" and not _location_for(condition, spine).sides_are_known:
        how = "lies otherwise than it states" if _location_for(condition, spine).turned else "states no position"
        return f"the sagittal T1 series {how}, so that left and right are not known"
    if condition.source == "sagittal_t1" and not spine.foramina:
        return "the sagittal T1 series has no slices beside the middle"
    if condition.source == "axial_t2" and not spine.recesses:
        return _no_axial([disc for disc in spine.reference.discs if disc.level in LEVELS], spine, axials)
    return "no model grades it in this version"


def _location_for(condition: Condition, spine: LocatedSpine) -> SpineLocation:
    """Where the discs of a condition were taken from: its own sagittal series, or the one that axial places go by."""
    return spine.sagittal.get(condition.source) or spine.reference


def _reason_at(condition: Condition, level: str, spine: LocatedSpine, axials: Sequence[Volume]) -> str:
    disc = _location_for(condition, spine).disc(level)
    if disc is None:
        return "the disc was not found in view"
    if condition.source == "axial_t2":
        return _no_axial([disc], spine, axials)
    return f"the {ROLE_TITLES[condition.source]} series has no slice there"


def _no_axial(discs: Sequence[LocatedDisc], spine: LocatedSpine, axials: Sequence[Volume]) -> str:
    """Why there is no axial place at these discs."""
    if spine.axial_doubt:
        return spine.axial_doubt
    there, which = (" there", "the disc") if len(discs) == 1 else ("", "the discs")
    if any(is_too_steep(disc, axials) for disc in discs):
        return f"the axial slices{there} are tilted more than {STEEPEST_AXIAL_DEGREES:.0f} degrees to {which}"
    return f"no axial slice passes through {'the disc' if len(discs) == 1 else 'a located disc'}"
