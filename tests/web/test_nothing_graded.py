"""Places that the machine did not assess, such as recesses of a disc without an axial slice: a reader who accepts one
by one comes by there, too."""

from dataclasses import replace

import pytest
from dashboard import Dashboard

from lumbago.anatomy.findings import NotAssessed, StudyFindings
from lumbago.anatomy.levels import LEVELS, SIDES

PLACE = ("pfirrmann", "L4/L5", "")


@pytest.fixture
def study(dashboard: Dashboard, found: StudyFindings) -> str:
    rows = [row for row in found.findings if (row.condition, row.level) != PLACE[:2]]
    return dashboard.add_study(replace(found, findings=tuple(rows)))


def test_who_accepts_that_nothing_was_graded_differs_from_nobody(dashboard: Dashboard, study: str) -> None:
    reader = dashboard.signed_in("reader")
    assert dashboard.review(reader, study, "accept", PLACE).status_code == 201
    page = reader.get(f"/studies/{study}").text
    assert "withheld by the reader" not in page and "accepted" in page
    dashboard.review(reader, study, "sign")
    signed = reader.get(f"/api/v1/studies/{study}/findings.json").json()
    assert "as the machine graded" in signed["quality"][0]["text"]
    assert all((row["condition"], row["level"]) != PLACE[:2] for row in signed["findings"])


def test_a_lesion_that_one_of_two_readers_added_is_not_left_out(dashboard: Dashboard, study: str) -> None:
    dashboard.review(dashboard.signed_in("reader"), study, "add", PLACE, grade="4")
    dashboard.review(dashboard.signed_in("reader", "other"), study, "sign")
    signed = dashboard.signed_in("reader").get(f"/api/v1/studies/{study}/findings.json").json()["findings"]
    (row,) = (row for row in signed if (row["condition"], row["level"]) == PLACE[:2])
    assert row["grade"] is None and row["reason"] == "readers differ"


def test_what_a_reader_graded_is_no_longer_among_what_was_not_assessed(
    dashboard: Dashboard, found: StudyFindings
) -> None:
    rows = tuple(row for row in found.findings if (row.condition, row.level) != PLACE[:2])
    left_out = tuple(NotAssessed("pfirrmann", "too dark", level) for level in ("L4/L5", "T12/L1"))
    study = dashboard.add_study(replace(found, findings=rows, not_assessed=left_out))
    reader = dashboard.signed_in("reader")
    dashboard.review(reader, study, "grade", PLACE, grade="4")
    dashboard.review(reader, study, "sign")
    signed = reader.get(f"/api/v1/studies/{study}/findings.json").json()
    assert [entry["level"] for entry in signed["not_assessed"]] == ["T12/L1"]


SIDED = "subarticular_stenosis"
LEFT = {
    None: [("pfirrmann", level, None) for level in LEVELS if level != "L4/L5"]
    + [(SIDED, level, side) for level in LEVELS for side in SIDES if (level, side) != ("L4/L5", "left")],
    "L4/L5": [(SIDED, "L4/L5", "right")],
}  # fmt: skip


@pytest.mark.parametrize("level", LEFT)
def test_what_a_reader_graded_is_taken_out_of_what_was_not_assessed_at_more_places(
    dashboard: Dashboard, found: StudyFindings, level: str | None
) -> None:
    """Else it is said that nothing was assessed at any level, beside the reader's grades."""
    rows = tuple(row for row in found.findings if row.condition not in {"pfirrmann", SIDED})
    left_out = tuple(NotAssessed(name, "no series", level) for name in ("pfirrmann", SIDED))
    study = dashboard.add_study(replace(found, findings=rows, not_assessed=left_out))
    reader = dashboard.signed_in("reader")
    where = level or "any level"
    assert (
        f"(Pfirrmann) and subarticular stenosis not assessed at {where}: no series"
        in reader.get(f"/studies/{study}").text
    )
    dashboard.review(reader, study, "add", PLACE, grade="4")
    dashboard.review(reader, study, "add", (SIDED, "L4/L5", "left"), grade="severe")
    page = reader.get(f"/studies/{study}").text
    assert f"not assessed at {where}:" not in page and "L4/L5 right" in page
    dashboard.review(reader, study, "sign")
    signed = reader.get(f"/api/v1/studies/{study}/findings.json").json()["not_assessed"]
    assert [(one["condition"], one["level"], one["side"]) for one in signed] == LEFT[level]
