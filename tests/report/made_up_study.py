"""A small made-up study: volumes whose anatomy is a few ellipses, and findings that point to them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lumbago.anatomy.conditions import CONDITIONS, ROLE_TITLES, Role
from lumbago.anatomy.findings import (
    Evidence,
    Finding,
    LevelLocation,
    Measurement,
    ModelUse,
    NotAssessed,
    Point,
    QualityRemark,
    SeriesSummary,
    StudyFindings,
    StudySummary,
)
from lumbago.anatomy.levels import LEVELS, Side
from lumbago.dicom.study import SliceHeader, SourceFile
from lumbago.dicom.volume import Volume

Volumes = dict[Role, tuple[Volume, ...]]

DISC_CENTERS: dict[str, Point] = {
    level: (0.0, y, 70.0 - 35.0 * number)
    for number, (level, y) in enumerate(zip(LEVELS, (6.0, 1.0, -2.0, 0.0, 8.0), strict=True))
}
"""Discs every 35 mm with a lordosis, the patient's middle at x = 0."""

_SAGITTAL_MM, _AXIAL_MM = 1.0, 0.7


def make_header(series: str, index: int) -> SliceHeader:
    texts = {name: "" for name, kind in SliceHeader.__annotations__.items() if kind is str}
    blank = dict.fromkeys(SliceHeader.__annotations__)
    own = {"source": SourceFile(f"{series}.{index}", None, f"{series}.{index}"), "rows": 0, "columns": 0}
    uids = {"series_instance_uid": series, "sop_instance_uid": f"{series}.{index}"}
    return SliceHeader(**{**blank, **texts, **own, **uids, "image_type": ()})


def make_volume(series: str, array: np.ndarray, affine: np.ndarray) -> Volume:
    headers = tuple(make_header(series, index) for index in range(len(array)))
    return Volume(array.astype(np.float32), affine.astype(np.float64), headers)


def make_affine(steps_lps_mm: Sequence[Sequence[float]], origin_lps_mm: Point) -> np.ndarray:
    """From what one step along slice, row and column axis is in the patient, and where voxel (0, 0, 0) lies."""
    affine = np.eye(4)
    affine[:3, :3] = np.transpose(steps_lps_mm)
    affine[:3, 3] = origin_lps_mm
    return affine


def draw_anatomy(points_lps_mm: np.ndarray) -> np.ndarray:
    """Intensities of a crude spine: dark discs, a bright canal behind them, grey bodies, bright fat at the back."""
    x, y, z = np.moveaxis(points_lps_mm, -1, 0)
    heights, depths = zip(*((center[2], center[1]) for center in reversed(DISC_CENTERS.values())), strict=True)
    axis = np.interp(z, heights, depths)
    image = np.full(x.shape, 60.0)
    image[(np.abs(x) < 24) & (np.abs(y - axis) < 18)] = 130.0
    image[(x / 9) ** 2 + ((y - axis - 26) / 7) ** 2 < 1] = 240.0
    image[y > 70] = 220.0
    for center in DISC_CENTERS.values():
        near = ((x - center[0]) / 26) ** 2 + ((y - center[1]) / 19) ** 2 + ((z - center[2]) / 5) ** 2
        image[near < 1] = 35.0
    return image + np.random.default_rng(0).normal(0, 6, image.shape)


def _render(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    places = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"), axis=-1)
    return draw_anatomy(places @ affine[:3, :3].T + affine[:3, 3])


def sagittal_volume(series: str, slices: int = 9) -> Volume:
    """Rows head to feet, columns front to back, slices from the patient's right to his left."""
    origin = (-4.5 * (slices - 1) / 2, -80.0, 130.0)
    affine = make_affine([(4.5, 0, 0), (0, 0, -_SAGITTAL_MM), (0, _SAGITTAL_MM, 0)], origin)
    return make_volume(series, _render((slices, 260, 190), affine), affine)


def axial_volume(series: str) -> Volume:
    """Rows front to back, columns from the patient's right to his left, one slice through each disc."""
    affine = make_affine([(0, 0, -35.0), (0, _AXIAL_MM, 0), (_AXIAL_MM, 0, 0)], (-77.0, -70.0, 70.0))
    return make_volume(series, _render((5, 230, 221), affine), affine)


def make_volumes() -> Volumes:
    return {
        "sagittal_t1": (sagittal_volume("1.1"),),
        "sagittal_t2": (sagittal_volume("1.2"),),
        "axial_t2": (axial_volume("1.3"),),
    }


def disc_outline(level: str) -> tuple[Point, ...]:
    x, y, z = DISC_CENTERS[level]
    return tuple((x, y + 19 * float(np.cos(a)), z + 5 * float(np.sin(a))) for a in np.linspace(0, 6.1, 24))


def site(condition: str, level: str, side: Side | None) -> Point:
    """Where a condition is looked for."""
    x, y, z = DISC_CENTERS[level]
    if CONDITIONS[condition].source == "axial_t2":
        return x + {"left": 10.0, "right": -10.0}[str(side)], y + 24, z
    if side:
        return x + {"left": 18.0, "right": -18.0}[side], y + 24, z + 4
    return (x, y + 26, z) if condition == "spinal_canal_stenosis" else (x, y, z)


def as_point(array: np.ndarray) -> Point:
    x, y, z = array.tolist()
    return x, y, z


def make_evidence(condition: str, level: str, side: Side | None, volume: Volume) -> Evidence:
    point = site(condition, level, side)
    index = round(float(volume.to_ijk(np.array(point))[0]))
    header = volume.headers[min(max(index, 0), len(volume.headers) - 1)]
    half = 15.0 * (volume.affine[:3, 1] / volume.spacing_mm[1] + volume.affine[:3, 2] / volume.spacing_mm[2])
    box = (as_point(np.array(point) - half), as_point(np.array(point) + half))
    outline = disc_outline(level) if condition == "pfirrmann" else ()
    role = CONDITIONS[condition].source
    return Evidence(header.series_instance_uid, header.sop_instance_uid, None, role, point, box, outline)


def make_finding(condition: str, level: str, side: Side | None, grade: str, volume: Volume) -> Finding:
    """Sure of its grade to 0.8 and trained as the first models are: stenosis on phantoms, the rest on patients."""
    scale = CONDITIONS[condition].scale
    others = 0.2 / (len(scale.grades) - 1)
    probabilities = {name: 0.8 if name == grade else others for name in scale.grades}
    return Finding(
        condition,
        level,
        side,
        grade,
        probabilities,
        expected_grade=scale.expected_grade(probabilities),
        evidence=make_evidence(condition, level, side, volume),
        measurements={"disc_height_mm": Measurement(8.04, 0.55)} if condition == "pfirrmann" else {},
        model="stenosis" if scale.name == "severity" else "discs",
        trained_on="phantoms" if scale.name == "severity" else "real",
    )


GRADES: Mapping[tuple[str, str, Side | None], str] = {
    ("spinal_canal_stenosis", "L4/L5", None): "severe",
    ("spinal_canal_stenosis", "L3/L4", None): "moderate",
    ("neural_foraminal_narrowing", "L5/S1", "left"): "severe",
    ("neural_foraminal_narrowing", "L4/L5", "right"): "moderate",
    ("subarticular_stenosis", "L4/L5", "left"): "severe",
    ("pfirrmann", "L3/L4", None): "3",
    ("pfirrmann", "L4/L5", None): "5",
    ("pfirrmann", "L5/S1", None): "4",
    ("herniation", "L4/L5", None): "present",
    ("modic", "L5/S1", None): "2",
}
"""What is not at its best."""

_GRADED = (*(name for name in CONDITIONS if CONDITIONS[name].sided), "spinal_canal_stenosis", "pfirrmann")


def make_findings(volumes: Volumes) -> StudyFindings:
    """Every condition whose series is there, at the five levels; the rest not assessed."""
    rows = [row for row in CONDITIONS.values() if volumes.get(row.source)]
    findings = tuple(
        make_finding(
            row.name, level, side, GRADES.get((row.name, level, side), row.scale.grades[0]), volumes[row.source][0]
        )
        for row in rows
        for level in LEVELS
        for side in row.sides
    )
    missing = tuple(
        NotAssessed(row.name, f"no {ROLE_TITLES[row.source]} series") for row in CONDITIONS.values() if row not in rows
    )
    levels = tuple(LevelLocation(level, center, 0.97, name_is_sure=True) for level, center in DISC_CENTERS.items())
    return StudyFindings(make_summary(volumes), levels, findings, missing, make_quality(), make_models())


def make_summary(volumes: Volumes) -> StudySummary:
    series = tuple(
        SeriesSummary(
            volume.headers[0].series_instance_uid, f"{role.upper()} TSE", role, role[:-3], "T2", len(volume.array),
            "plane from geometry, weighting from echo time 97 ms",
        )
        for role, found in volumes.items()
        for volume in found
    )  # fmt: skip
    localizer = SeriesSummary("1.9", "localizer", None, "coronal", "T1", 3, "a localizer of 3 slices")
    return StudySummary(
        "case", "1.0", "ID-0815", "Doe^Jane^Q", "F", "062Y", "20240131", "MR LUMBAR SPINE", "Maker Model 1.5 T",
        (*series, localizer),
    )  # fmt: skip


def make_quality() -> tuple[QualityRemark, ...]:
    return (
        QualityRemark("info", "slices of 4.5 mm"),
        QualityRemark("warning", "motion is visible in the sagittal T2 series"),
    )


def make_models() -> tuple[ModelUse, ...]:
    stenosis = tuple(row.name for row in CONDITIONS.values() if row.scale.name == "severity")
    rest = tuple(row.name for row in CONDITIONS.values() if row.scale.name != "severity")
    return (
        ModelUse("stenosis", "1", "a" * 64, stenosis, "phantoms", "not tested on patients"),
        ModelUse("discs", "2", "b" * 64, rest, "real"),
    )


def withhold_all(findings: StudyFindings, reason: str) -> StudyFindings:
    """The same, with every grade withheld."""
    withheld = (replace(f, grade=None, expected_grade=None, abstained=True, reason=reason) for f in findings.findings)
    return replace(findings, findings=tuple(withheld))


def unsure(findings: StudyFindings) -> StudyFindings:
    """The same, with levels that could be miscounted."""
    return replace(findings, levels=tuple(replace(location, name_is_sure=False) for location in findings.levels))
