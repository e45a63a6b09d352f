"""A place that a reader added gets its slice, and with it its picture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_study import DISC_CENTERS, Volumes, as_point
from report_cases import CASES

from lumbago.anatomy.findings import Finding, StudyFindings
from lumbago.labels.labelled_study import label
from lumbago.report.added_places import PLACED, with_added_places
from lumbago.report.annotate_slices import draw_evidence, write_pictures
from lumbago.report.picture_files import evidence_name

ADDED = ("high_intensity_zone", "L4/L5", None)


def with_lesion(findings: StudyFindings, point: tuple[float, float, float] | None) -> StudyFindings:
    details = {} if point is None else {PLACED: list(point)}
    added = replace(label(*ADDED, "present"), details=details)
    others = [row for row in findings.findings if (row.condition, row.level, row.side) != ADDED]
    return replace(findings, findings=(*others, added))


def the_lesion(findings: StudyFindings) -> Finding:
    found = findings.find(ADDED[0], ADDED[1])
    assert found is not None
    return found


@pytest.fixture
def case() -> tuple[StudyFindings, Volumes]:
    return CASES["full"]()


def test_it_lies_on_the_nearest_slice_of_its_condition_s_series(
    case: tuple[StudyFindings, Volumes], tmp_path: Path
) -> None:
    findings, volumes = case
    (volume,) = volumes["sagittal_t2"]
    for index in (1, len(volume.array) - 2):
        ijk = volume.to_ijk(np.array(DISC_CENTERS["L4/L5"], np.float64))
        point = as_point(volume.to_lps_mm(np.array([index + 0.3, ijk[1], ijk[2]])))
        seen = with_added_places(with_lesion(findings, point), volumes)
        evidence = the_lesion(seen).evidence
        assert evidence is not None and evidence.role == "sagittal_t2"
        assert evidence.sop_instance_uid == volume.headers[index].sop_instance_uid
        assert evidence.point_lps_mm == pytest.approx(point)
    write_pictures(seen, volumes, tmp_path)
    assert (tmp_path / evidence_name(the_lesion(seen))).is_file()


def test_where_its_series_does_not_reach_another_shows_it(case: tuple[StudyFindings, Volumes]) -> None:
    findings, volumes = case
    rest = {role: rows for role, rows in volumes.items() if role != "sagittal_t2"}
    point = as_point(np.array(DISC_CENTERS["L4/L5"], np.float64))
    evidence = the_lesion(with_added_places(with_lesion(findings, point), rest)).evidence
    assert evidence is not None and evidence.role in rest
    assert the_lesion(with_added_places(with_lesion(findings, point), {})).evidence is None


def test_a_place_that_was_moved_to_another_slice_is_shown_there(case: tuple[StudyFindings, Volumes]) -> None:
    findings, volumes = case
    row = next(one for one in findings.findings if one.evidence is not None and one.evidence.outline)
    assert row.evidence is not None
    (volume,) = volumes[row.evidence.role]
    i, j, k = volume.to_ijk(np.array(row.evidence.point_lps_mm, np.float64))
    for index, is_same in ((round(float(i)), True), (round(float(i)) + 2, False)):
        point = as_point(volume.to_lps_mm(np.array([index, j, k])))
        placed = replace(row, details={PLACED: list(point)})
        (seen,) = with_added_places(replace(findings, findings=(placed,)), volumes).findings
        assert seen.evidence is not None and (seen == placed) is is_same
        assert seen.evidence.sop_instance_uid == volume.headers[index].sop_instance_uid
        assert bool(seen.evidence.outline) is is_same


def test_what_no_reader_placed_stays_as_it_is(case: tuple[StudyFindings, Volumes], tmp_path: Path) -> None:
    findings, volumes = case
    assert with_added_places(findings, volumes) == findings
    unplaced = with_lesion(findings, None)
    assert with_added_places(unplaced, volumes) == unplaced
    assert draw_evidence(the_lesion(unplaced), volumes, tmp_path) is None
