"""What the viewer is told of a study: its slices and where they lie, and what was found on them.

All places are patient millimetres (LPS). Slices are described as they are shown (see `viewer_layout`), so that the
viewer turns nothing.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from lumbago.anatomy.conditions import CONDITIONS, ROLES
from lumbago.anatomy.findings import Evidence, Outline, Point, StudyFindings
from lumbago.anatomy.structures import structure_colour
from lumbago.dicom.decoder import Damaged
from lumbago.dicom.describe_series import describe_series
from lumbago.dicom.study import Series, SliceHeader
from lumbago.errors import NotALumbarStudy
from lumbago.pipeline.choose_series import choose_series
from lumbago.web.viewer_frames import OpenedStudy, StudyImages
from lumbago.web.viewer_layout import Layout

_NO_WINDOW: Final = (0.5, 1.0)


@dataclass(frozen=True, eq=False)
class Reading:
    """What is known of a study besides its images.

    Attributes:
        findings: the newest ones, None before its analysis; a place that a reader moved is where it was put, and one
            that readers graded otherwise has their grade.
        reviews: people's corrections, as the records give them, ready for JSON.
        heat_maps: where the PNG pictures lie, by the name that the findings give them.
    """

    findings: StudyFindings | None = None
    reviews: Sequence[Mapping[str, Any]] = ()
    heat_maps: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Address:
    """Where frames and heat maps of a study are asked for: below `study`, frames as they are in `version`."""

    study: str
    version: str = ""

    def frame(self, series: int, index: int) -> str:
        """That of a slice."""
        return f"{self.study}/frames/{series}/{index}" + (f"?images={self.version}" if self.version else "")


def without_grades(reading: Reading) -> Reading:
    """What may be seen by who grades blind: where the discs are, and nothing of how they are."""
    findings = reading.findings
    return Reading(None if findings is None else StudyFindings(findings.study, findings.levels, ()))


def describe_for_viewer(opened: OpenedStudy, reading: Reading, images: StudyImages, address: Address) -> dict[str, Any]:
    """The viewer's JSON."""
    findings, shown = reading.findings, _shown(opened)
    return {
        "study": {"name": opened.study.name, "study_instance_uid": opened.study.study_instance_uid},
        "findings": json.loads(findings.to_json()) if findings else None,
        "conditions": _conditions(),
        "structures": _structures(findings),
        "reviews": list(reading.reviews),
        "series": [
            _series(number, opened, role, images, address) for number, role in enumerate(_roles(opened, findings))
        ],
        "places": _places(shown, findings),
        "drawn": _drawn(shown, findings),
        "heat_maps": _heat_maps(reading, address.study),
    }


def _conditions() -> dict[str, Any]:
    """Words and colours, so that the viewer has none of its own."""
    return {
        name: {
            "title": row.title,
            "short": row.short,
            "source": row.source,
            "sided": row.sided,
            "grades": list(row.scale.grades),
            "titles": list(row.scale.titles),
            "colours": list(row.scale.colours),
            "abnormal_from": row.scale.abnormal_from,
        }
        for name, row in CONDITIONS.items()
    }


def _structures(findings: StudyFindings | None) -> dict[str, Any]:
    """The colour of everything that was outlined."""
    outlined = dict.fromkeys(one.structure for one in findings.outlines) if findings else {}
    return {name: {"colour": structure_colour(name)} for name in outlined}


def _roles(opened: OpenedStudy, findings: StudyFindings | None) -> list[str | None]:
    """The role of every series: as the analysis used them, before it as the headers suggest."""
    if findings is not None:
        used = {series.series_instance_uid: series.role for series in findings.study.series}
    else:
        used = _likely_roles(opened)
    return [used.get(series.series_instance_uid) for series in opened.series]


def _likely_roles(opened: OpenedStudy) -> dict[str, Any]:
    try:
        candidates = choose_series(opened.study).candidates
    except NotALumbarStudy:
        return {}
    return {
        candidate.series.series_instance_uid: role
        for role in ROLES[::-1]
        for candidate in (candidates[role] if role == "axial_t2" else candidates[role][:1])
    }


def _series(
    number: int, opened: OpenedStudy, role: str | None, images: StudyImages, address: Address
) -> dict[str, Any]:
    series, slices = opened.series[number], opened.slices[number]
    window = _window(number, opened, images)
    return {
        "uid": series.series_instance_uid,
        "description": series.first.series_description,
        "role": role,
        "plane": _plane(series, slices),
        "frame_of_reference_uid": series.first.frame_of_reference_uid,
        "slices": [
            _slice(index, header, layout, window, address.frame(number, index))
            for index, (header, layout) in enumerate(slices)
        ],
    }


def _plane(series: Series, slices: Sequence[tuple[SliceHeader, Layout | None]]) -> str:
    """The shown plane of most of its slices; what the headers say of the series when none states a place."""
    planes = [layout.plane for _, layout in slices if layout is not None]
    return max(planes, key=planes.count) if planes else describe_series(series).plane


def _window(number: int, opened: OpenedStudy, images: StudyImages) -> tuple[float, float]:
    """That of the middle slice, for the whole series: contrast must not change from slice to slice."""
    frame = images.frame(opened, number, len(opened.slices[number]) // 2)
    return _NO_WINDOW if isinstance(frame, Damaged) else frame.window


def _slice(
    index: int, header: SliceHeader, layout: Layout | None, window: tuple[float, float], url: str
) -> dict[str, Any]:
    """One slice; its place is null when the files state none."""
    return {
        "index": index,
        "sop_instance_uid": header.sop_instance_uid,
        "frame": header.frame,
        "url": url,
        "rows": layout.rows if layout else header.rows,
        "columns": layout.columns if layout else header.columns,
        "position_lps_mm": _numbers(layout.position) if layout else None,
        "row_cosine": _numbers(layout.right) if layout else None,
        "column_cosine": _numbers(layout.down) if layout else None,
        "spacing_mm": list(layout.spacing_mm if layout else header.pixel_spacing or (1.0, 1.0)),
        "window": list(window),
    }


def _numbers(vector: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in vector]


_Shown = Mapping[tuple[str, str, int | None], Sequence[tuple[int, int, Layout | None]]]
"""The numbers of series and slices, by UIDs and frame: a converter may have given all slices of a series one UID."""


def _shown(opened: OpenedStudy) -> _Shown:
    shown: dict[tuple[str, str, int | None], list[tuple[int, int, Layout | None]]] = {}
    for number, series in enumerate(opened.slices):
        for index, (header, layout) in enumerate(series):
            uids = (header.series_instance_uid, header.sop_instance_uid, header.frame)
            shown.setdefault(uids, []).append((number, index, layout))
    return shown


def _find(shown: _Shown, seen: Evidence | Outline, place: Point) -> tuple[int, int, Layout | None] | None:
    """The slice on which something was seen: of those with its UIDs the nearest to its place."""

    def away_mm(slice_: tuple[int, int, Layout | None]) -> float:
        layout = slice_[2]
        normal = np.cross(layout.right, layout.down) if layout else None
        return math.inf if layout is None else abs(float((np.array(place) - layout.position) @ normal))

    return min(shown.get((seen.series_instance_uid, seen.sop_instance_uid, seen.frame), ()), key=away_mm, default=None)


def _places(shown: _Shown, findings: StudyFindings | None) -> list[dict[str, Any]]:
    """For each finding with evidence: the numbers of its series and slice, and the corners of its box."""
    places = []
    for finding in findings.findings if findings else ():
        evidence = finding.evidence
        box = evidence.box_lps_mm if evidence else None
        found = _find(shown, evidence, box[0] if box else evidence.point_lps_mm) if evidence else None
        if evidence is not None and found is not None:
            number, index, layout = found
            places.append({
                "condition": finding.condition, "level": finding.level, "side": finding.side,
                "series": number, "slice": index, "corners_lps_mm": box_corners(evidence, layout),
            })  # fmt: skip
    return places


def _drawn(shown: _Shown, findings: StudyFindings | None) -> list[dict[str, int]]:
    """Which of the findings' outlines lie on which slice."""
    outlines = findings.outlines if findings else ()
    found = [_find(shown, one, one.points_lps_mm[0]) for one in outlines]
    return [{"outline": number, "series": at[0], "slice": at[1]} for number, at in enumerate(found) if at is not None]


def box_corners(evidence: Evidence, layout: Layout | None) -> list[list[float]] | None:
    """The corners of a finding's box in patient millimetres (LPS): its first pixel's, along the first row, and around.

    The box has the sides of the graded patch; where those are not stated, the sides of the slice.
    """
    if evidence.box_lps_mm is None or (evidence.box_down_lps is None and layout is None):
        return None
    first, last = (np.array(corner) for corner in evidence.box_lps_mm)
    direction = layout.down if evidence.box_down_lps is None and layout else np.array(evidence.box_down_lps)
    down = ((last - first) @ direction) * direction
    return [_numbers(corner) for corner in (first, last - down, last, first + down)]


def _heat_maps(reading: Reading, address: str) -> dict[str, Any]:
    """Addresses of the heat maps that are there, by the name that the findings give them."""
    return {name: {"url": f"{address}/heat-maps/{name}"} for name in reading.heat_maps}
