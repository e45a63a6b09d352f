"""A study that is analyzed anew after readers said something: what they said stays with its disc."""

from dataclasses import replace

import pytest
from dashboard import Dashboard

from lumbago.anatomy.findings import StudyFindings
from lumbago.records.findings import add_findings, findings_of_study
from lumbago.review.readings import renumbered

TOLD = "Check the levels before you sign"


def analyzed_anew(dashboard: Dashboard, study: str, findings: StudyFindings) -> None:
    with dashboard.store.write() as records:
        add_findings(records, study, findings, {"again": 1})


def names(dashboard: Dashboard, study: str) -> tuple[dict[str, str], bool]:
    """What the graded disc of each Pfirrmann grade that readers said is called, and whether the page warns."""
    reader = dashboard.signed_in("reader")
    places = reader.get(f"/api/v1/studies/{study}/places").json()["places"]
    said = {row["grade"]: row["level"] for row in places if row["condition"] == "pfirrmann" and row["readers"]}
    return said, TOLD in reader.get(f"/studies/{study}").text


def shift(dashboard: Dashboard, study: str) -> int:
    return int(dashboard.signed_in("reader").get(f"/api/v1/studies/{study}/places").json()["numbering_shift"])


@pytest.mark.parametrize(("counted", "left"), [(0, 1), (1, 0), (-1, 2)])
def test_a_disc_keeps_the_name_that_a_reader_gave_it(
    dashboard: Dashboard, found: StudyFindings, counted: int, left: int
) -> None:
    study, reader = dashboard.add_study(found), dashboard.signed_in("reader")
    dashboard.review(reader, study, "numbering", shift=1)
    dashboard.review(reader, study, "grade", ("pfirrmann", "L3/L4", ""), grade="5")
    analyzed_anew(dashboard, study, renumbered(found, counted))
    assert names(dashboard, study) == ({"5": "L3/L4"}, counted != 0) and shift(dashboard, study) == left
    dashboard.review(reader, study, "sign")
    with dashboard.store.read() as records:
        signed = findings_of_study(records, study)[0].findings
    meant = {row.disc_center_lps_mm: row.level for row in renumbered(found, 1).levels}
    assert signed.levels and all(meant[row.disc_center_lps_mm] == row.level for row in signed.levels)
    assert not names(dashboard, study)[1], "whoever signs has checked the levels"


def test_a_grade_stays_with_its_disc_when_nobody_renumbered(dashboard: Dashboard, found: StudyFindings) -> None:
    study, reader = dashboard.add_study(found), dashboard.signed_in("reader")
    dashboard.review(reader, study, "grade", ("pfirrmann", "L4/L5", ""), grade="5")
    analyzed_anew(dashboard, study, renumbered(found, 1))
    assert names(dashboard, study) == ({"5": "L3/L4"}, True)


def test_a_numbering_of_discs_that_are_not_found_again_moves_nothing(
    dashboard: Dashboard, found: StudyFindings
) -> None:
    study, reader = dashboard.add_study(found), dashboard.signed_in("reader")
    dashboard.review(reader, study, "numbering", shift=1)
    dashboard.review(reader, study, "grade", ("pfirrmann", "L3/L4", ""), grade="5")
    elsewhere = tuple(replace(row, disc_center_lps_mm=(0.0, 0.0, 500.0)) for row in found.levels)
    analyzed_anew(dashboard, study, replace(found, levels=elsewhere))
    assert names(dashboard, study) == ({"5": "L3/L4"}, True) and shift(dashboard, study) == 0
    dashboard.review(reader, study, "numbering", shift=1)
    assert names(dashboard, study) == ({"5": "L3/L4"}, False), "a reader meant the name"
