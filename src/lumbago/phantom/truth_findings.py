"""The truth of a phantom in the form of findings, each with the slice and the point where it is to be seen."""

from dataclasses import dataclass

import numpy as np

from lumbago.anatomy.conditions import CONDITIONS, Condition, Role
from lumbago.anatomy.findings import (
    Evidence,
    Finding,
    LevelLocation,
    Measurement,
    NotAssessed,
    Point,
    QualityRemark,
    SeriesSummary,
    StudyFindings,
    StudySummary,
)
from lumbago.anatomy.levels import LEVELS, Side
from lumbago.phantom.landmarks import DiscPlace, landmarks
from lumbago.phantom.measure_truth import LevelTruth, measure_truth
from lumbago.phantom.scan_headers import instance_number, instance_uid, series_uid, slice_header
from lumbago.phantom.scan_spec import ScanSpec
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.phantom.truth_details import disc_drivers, finding_details

_OUT_OF_REACH_MM = 6.0


@dataclass(frozen=True, slots=True)
class PhantomSeries:
    """A person and the series made of him or her, in the order of the files."""

    spine: SpineSpec
    scans: tuple[ScanSpec, ...]


def truth_findings(name: str, made: PhantomSeries) -> StudyFindings:
    """All grades, measured on the tissue; those that no slice shows are listed as not assessed, with the reason."""
    truths = {truth.level: truth for truth in measure_truth(made.spine)}
    sites = [
        (condition, truths[level], side)
        for condition in CONDITIONS.values()
        for level in LEVELS
        for side in condition.sides
    ]
    results = [_finding(made, *site) for site in sites]
    return StudyFindings(
        study=_study(name, made),
        levels=tuple(_location(made.spine, level) for level in LEVELS),
        findings=tuple(result for result in results if isinstance(result, Finding)),
        not_assessed=tuple(result for result in results if isinstance(result, NotAssessed)),
        quality=_remarks(made.spine),
    )


_TRANSITIONS = {
    "sacralised": "L5 joins the sacrum with its transverse processes; levels are named from the lowest full disc.",
    "lumbarised": "S1 is square and keeps a disc below it; levels are named from the lowest full disc.",
}


def _remarks(spine: SpineSpec) -> tuple[QualityRemark, ...]:
    made = QualityRemark("info", "A phantom: these are the grades that it was made with, not a reading.")
    broken = [
        f"{vertebra.name} has lost {100 * vertebra.collapse:.0f} % of its height in front or in the middle."
        for vertebra in spine.vertebrae
        if vertebra.collapse
    ]
    seen = [_TRANSITIONS[spine.transitional]] if spine.transitional in _TRANSITIONS else []
    return (made, *(QualityRemark("info", text) for text in (*seen, *broken)))


def _location(spine: SpineSpec, level: str) -> LevelLocation:
    return LevelLocation(level, landmarks(spine).disc(level).center_lps_mm, confidence=1.0, name_is_sure=True)


def _finding(made: PhantomSeries, condition: Condition, truth: LevelTruth, side: Side | None) -> Finding | NotAssessed:
    place = landmarks(made.spine).disc(truth.level)
    evidence = _evidence(made, condition.source, _point(condition, place, side))
    if evidence is None:
        return NotAssessed(condition.name, "no slice of the series passes here", truth.level, side)
    grade = truth.grade(condition.name, side)
    probabilities = {name: float(name == grade) for name in condition.scale.grades}
    return Finding(
        condition=condition.name,
        level=truth.level,
        side=side,
        grade=grade,
        probabilities=probabilities,
        expected_grade=condition.scale.expected_grade(probabilities),
        evidence=evidence,
        details=finding_details(made.spine, condition.name, truth.level),
        measurements={
            name: Measurement(round(value, 3), 0.0)
            for name, value in (
                _sizes(condition, truth, side) | disc_drivers(made.spine, condition.name, truth.level)
            ).items()
        },
        trained_on="truth",
    )


def _point(condition: Condition, place: DiscPlace, side: Side | None) -> Point:
    """Where a condition is looked for: by its series and sides alone, except that the canal is not the disc."""
    if side is not None:
        return place.recess_lps_mm[side] if condition.source == "axial_t2" else place.foramen_lps_mm[side]
    return place.canal_lps_mm if condition.scale.name == "severity" else place.center_lps_mm


def _sizes(condition: Condition, truth: LevelTruth, side: Side | None) -> dict[str, float]:
    if side is not None:
        own = truth.sides[side]
        if condition.source == "axial_t2":
            return {"recess_depth_mm": own.recess_depth_mm}
        names = ("fat_share", "foramen_height_mm", "foramen_area_mm2")
        return {name: float(getattr(own, name)) for name in names}
    if condition.scale.name == "severity":
        sizes = ("sac_area_mm2", "sac_ratio", "sac_depth_mm", "fluid_share")
        return {name: float(getattr(truth, name)) for name in sizes}
    return {"disc_height_mm": truth.disc_height_mm}


def _evidence(made: PhantomSeries, role: Role, point: Point) -> Evidence | None:
    """The slice next to a point among all series of a role; None when none is near."""
    place = np.array(point)
    options = [
        (planes.distance_to(place), number, group, planes.offset_to(place))
        for number, scan in enumerate(made.scans)
        if scan.role == role
        for group, planes in enumerate(scan.groups)
    ]
    if not options or min(options)[0] > _OUT_OF_REACH_MM:
        return None
    _, number, group, index = min(options)
    series = series_uid(made.spine.person, made.scans[number])
    return Evidence(series, instance_uid(series, instance_number(made.scans[number], group, index)), None, role, point)


def _study(name: str, made: PhantomSeries) -> StudySummary:
    header = slice_header(made.spine, made.scans[0], 0, 0)
    return StudySummary(
        name=name,
        study_instance_uid=header.study_instance_uid,
        patient_id=header.patient_id,
        patient_name=header.patient_name,
        patient_sex=header.patient_sex,
        patient_age=header.patient_age,
        study_date=header.study_date,
        study_description=header.study_description,
        scanner=f"{header.manufacturer} {header.model_name} {header.magnetic_field_strength:g} T",
        series=tuple(_series(made.spine, scan) for scan in made.scans),
    )


def _series(spine: SpineSpec, scan: ScanSpec) -> SeriesSummary:
    return SeriesSummary(
        series_instance_uid=series_uid(spine.person, scan),
        description=slice_header(spine, scan, 0, 0).series_description,
        role=scan.role,
        plane="axial" if scan.role == "axial_t2" else "sagittal",
        weighting=scan.contrast.weighting.lower(),
        slices=sum(planes.count for planes in scan.groups),
        reason="made as such",
    )
