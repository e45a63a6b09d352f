"""What a reader placed is a point in the patient; here it gets the slice on which it is to be seen."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS, Role
from lumbago.anatomy.findings import Evidence, Finding, StudyFindings
from lumbago.report.slice_view import Slice, Volumes, nearest_slice

PLACED: Final = "placed_lps_mm"
"""Key of `Finding.details` under which the place stands that a person gave to a finding."""
_IN_SLICE_MM: Final = 5.0
"""A point this near to a slice is taken to lie in it; beyond, another series is asked."""


def with_added_places(findings: StudyFindings, volumes: Volumes) -> StudyFindings:
    """Findings in which each place that a reader gave has its slice: the nearest of the series in which it was seen
    before, or that its condition is graded on; where that does not reach it, of any series."""
    return replace(findings, findings=tuple(_seen(row, volumes) for row in findings.findings))


def _seen(finding: Finding, volumes: Volumes) -> Finding:
    point = finding.details.get(PLACED)
    if point is None:
        return finding
    seen = finding.evidence
    source = seen.role if seen is not None else CONDITIONS[finding.condition].source
    place = (float(point[0]), float(point[1]), float(point[2]))
    near = [(_order(shown.distance_mm(place), role == source), role, shown) for role, shown in _slices(place, volumes)]
    if not near:
        return finding
    _, role, shown = min(near, key=lambda one: one[0])
    header = shown.volume.headers[shown.index]
    if seen is not None and (seen.sop_instance_uid, seen.frame) == (header.sop_instance_uid, header.frame):
        return finding
    evidence = Evidence(header.series_instance_uid, header.sop_instance_uid, header.frame, role, place)
    return replace(finding, evidence=evidence)


def _slices(place: tuple[float, float, float], volumes: Volumes) -> Iterator[tuple[Role, Slice]]:
    return ((role, nearest_slice(volume, [place])) for role, rows in volumes.items() for volume in rows)


def _order(distance_mm: float, is_source: bool) -> tuple[bool, bool, float]:
    return distance_mm > _IN_SLICE_MM, not is_source, distance_mm
