"""A patient of three beads whose places are known, as the viewer shows it."""

from pathlib import Path

import numpy as np

from compass import BEADS, write_compass
from lumbago.anatomy.findings import (
    Evidence,
    Finding,
    LevelLocation,
    Outline,
    SeriesSummary,
    StudyFindings,
    StudySummary,
)
from lumbago.dicom.decoder import open_decoder
from lumbago.dicom.read_study import read_study
from lumbago.web.viewer_data import Reading
from lumbago.web.viewer_routes import ImagesOf

STORED = {
    "sagittal_t2": ((0, -1, 0), (0, 0, 1)),
    "sagittal_t1": ((0, 0, -1), (0, 1, 0)),
    "axial_t2": ((-1, 0, 0), (0, -1, 0)),
}
"""As no reader wants to see them: turned, mirrored, upside down."""
FINDINGS = (
    ("pfirrmann", "L3/L4", None, "5", "sagittal_t2", "head"),
    ("spinal_canal_stenosis", "L4/L5", None, "severe", "sagittal_t2", "front"),
    ("subarticular_stenosis", "L4/L5", "left", "moderate", "axial_t2", "left"),
    ("neural_foraminal_narrowing", "L4/L5", "left", "normal_mild", "sagittal_t1", "left"),
)
SHARES = {"pfirrmann": 0.996, "spinal_canal_stenosis": 0.505, "subarticular_stenosis": 0.145}
"""Probabilities of grades; 0.9 of others."""
OUTLINED = (
    ("subarticular_stenosis", "sac"),
    ("subarticular_stenosis", "left recess"),
    ("neural_foraminal_narrowing", "left foramen"),
)
"""What is drawn on the slice of which finding, about its bead: two with colours of their own, one without."""
LEVELS = {"L3/L4": (0.0, 0.0, 16.0), "L4/L5": (0.0, 0.0, 0.0), "L5/S1": (0.0, 0.0, -16.0)}


def make_study(folder: Path, lift_mm: float = 0.0) -> tuple[ImagesOf, Reading]:
    """Three series of beads; `lift_mm` moves the discs, not the beads."""
    for name, (right, down) in STORED.items():
        write_compass(folder / name, right, down, name)
    with open_decoder() as decoder:
        study = read_study(folder, decoder=decoder)
    series = {one.first.series_description: one for one in study.series}

    def evidence(role: str, bead: str) -> Evidence:
        point = BEADS[bead]
        normal = np.cross(*STORED[role])
        nearest = min(series[role].slices, key=lambda h: abs((np.array(h.image_position) - point) @ normal))
        down = (0.0, 0.0, -1.0) if role != "axial_t2" else (0.0, 1.0, 0.0)
        half = np.array([0.0, 8.0, -6.0]) if role != "axial_t2" else np.array([8.0, 6.0, 0.0])
        box = tuple(np.array(point) - half), tuple(np.array(point) + half)
        return Evidence(
            nearest.series_instance_uid, nearest.sop_instance_uid, None, role, point, box, box_down_lps=down
        )  # type: ignore[arg-type]

    def outline(finding: Finding, structure: str) -> Outline:
        seen = finding.evidence
        assert seen is not None
        right, down = ((1, 0, 0), (0, 1, 0)) if seen.role == "axial_t2" else ((0, 1, 0), (0, 0, -1))
        size = 6.0 if structure == "sac" else 3.0
        square = [size * (np.array(right) * x + np.array(down) * y) for x, y in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
        points = tuple(tuple(float(value) for value in np.array(seen.point_lps_mm) + corner) for corner in square)
        return Outline(finding.level, structure, seen.series_instance_uid, seen.sop_instance_uid, seen.frame, points)  # type: ignore[arg-type]

    summaries = tuple(
        SeriesSummary(one.series_instance_uid, name, name, name.split("_")[0], "t2", 7, "")  # type: ignore[arg-type]
        for name, one in series.items()
    )
    learned = {"left": "phantoms", None: "real"}
    graded = tuple(
        Finding(one, level, side, grade, {grade: SHARES.get(one, 0.9)}, None, evidence=evidence(role, bead),
                trained_on=learned[side])  # type: ignore[arg-type]
        for one, level, side, grade, role, bead in FINDINGS
    )  # fmt: skip
    at = {finding.condition: finding for finding in graded}
    findings = StudyFindings(
        StudySummary("compass", "1.2.3", series=summaries),
        tuple(LevelLocation(level, (x, y, z + lift_mm), 1.0, level != "L3/L4") for level, (x, y, z) in LEVELS.items()),
        graded,
        outlines=tuple(outline(at[condition], structure) for condition, structure in OUTLINED),
    )
    return ImagesOf(folder, "1.2.3"), Reading(findings)
