"""By what the worklist is ordered: what the report begins with comes first."""

import pytest
from made_up_records import findings

from lumbago.anatomy.findings import Finding
from lumbago.records.priority import severity

SEVERITIES = {
    ("spinal_canal_stenosis", "severe", ""): 1.0, ("pfirrmann", "5", ""): 1.0,
    ("spondylolisthesis", "present", "II"): 1.0, ("spinal_canal_stenosis", "moderate", ""): 0.5,
    ("bulging", "present", ""): 0.5, ("modic", "3", ""): 0.5, ("pfirrmann", "4", ""): 0.5,
    ("spondylolisthesis", "present", "I"): 0.5, ("pfirrmann", "3", ""): 0.25, ("bulging", "absent", ""): 0.0,
}  # fmt: skip


@pytest.mark.parametrize("case", SEVERITIES)
def test_a_severe_stenosis_comes_before_a_bulge(case: tuple[str, str, str]) -> None:
    condition, grade, meyerding = case
    details = {"meyerding": meyerding} if meyerding else {}
    row = Finding(condition, "L4/L5", None, grade, {grade: 1.0}, details=details)
    assert severity(findings(row)) == SEVERITIES[case]
