"""What a reader added is a point in the patient; here it gets the slice on which it is to be seen."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS, Role
from lumbago.anatomy.findings import Evidence, Finding, StudyFindings
from lumbago.report.slice_view import Slice, Volumes, nearest_slice

PLACED: Final = "placed_lps_mm"
"""Key of `Finding.details` under which a place stands that a person gave to a finding without slice."""
_IN_SLICE_MM: Final = 5.0
"""A point this near to a slice is taken to lie in it; beyond, another series is asked."""


def with_added_places(findings: StudyFindings, volumes: Volumes) -> StudyFindings:
    """Findings in which each place without slice has one: the nearest of the series that its condition is graded on,
    else, where that does not reach it, of any series."""
    return replace(findings, findings=tuple(_seen(row, volumes) for row in findings.findings))


def _seen(finding: Finding, volumes: Volumes) -> Finding:
    point = finding.details.get(PLACED)
    if point is None or finding.evidence is not None:
        return finding
    source = CONDITIONS[finding.condition].source
    place = (float(point[0]), float(point[1]), float(point[2]))
    near = [(_order(shown.distance_mm(place), role == source), role, shown) for role, shown in _slices(place, volumes)]
    if not near:
        return finding
    _, role, shown = min(near, key=lambda one: one[0])
    header = shown.volume.headers[shown.index]
    evidence = Evidence(header.series_instance_uid, header.sop_instance_uid, header.frame, role, place)
    return replace(finding, evidence=evidence)


def _slices(place: tuple[float, float, float], volumes: Volumes) -> Iterator[tuple[Role, Slice]]:
    return ((role, nearest_slice(volume, [place])) for role, rows in volumes.items() for volume in rows)


def _order(distance_mm: float, is_source: bool) -> tuple[bool, bool, float]:
    return distance_mm > _IN_SLICE_MM, not is_source, distance_mm
