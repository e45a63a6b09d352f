"""Each review has its line in the audit trail, at its study, however it came and whatever failed after it was kept."""

from pathlib import Path

import pytest
from dashboard import Dashboard

from lumbago.anatomy.findings import StudyFindings
from lumbago.records.audit import AuditQuery, audit_lines
from lumbago.records.reviews import reviews_of_study
from lumbago.records.users import user_named
from lumbago.web import import_labels, reviewed_labels
from lumbago.web.access import Visitor
from lumbago.web.label_archives import Said

PLACE = ("pfirrmann", "L4/L5", "")


@pytest.fixture
def study(dashboard: Dashboard, found: StudyFindings) -> str:
    return dashboard.add_study(found)


def told(dashboard: Dashboard, study: str) -> list[tuple[str, str, str]]:
    """Who is said to have reviewed, from where, and which review that was; each is one that is kept."""
    with dashboard.store.read() as records:
        lines = [line for line in audit_lines(records, AuditQuery(study_id=study)) if line.action == "review"]
        kept = reviews_of_study(records, study)
    assert [line.detail["review"] for line in lines[::-1]] == [one.id for one in kept]
    return [(line.user_name, line.address, line.detail["kind"]) for line in lines]


def test_a_review_is_told_of_also_when_its_label_cannot_be_written(
    dashboard: Dashboard, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reviewed_labels, "write_reviewed", full)
    with pytest.raises(OSError, match="No space left"):
        dashboard.review(dashboard.signed_in("reader"), study, "accept", PLACE)
    assert told(dashboard, study) == [("reader", "testclient", "accept")]


def test_reviews_that_labels_bring_in_are_told_of_at_their_study(dashboard: Dashboard, study: str) -> None:
    dashboard.signed_in("reader")
    with dashboard.store.read() as records:
        user = user_named(records, "reader")
    assert user is not None
    said = Said(table={("pfirrmann", "L4/L5", None): "1", ("pfirrmann", "L3/L4", None): "5"})
    done = import_labels._import_study(dashboard.site, Visitor(user, "10.0.0.7"), study, said)
    assert told(dashboard, study) == [("reader", "10.0.0.7", "grade")] * done["grade"] and done["grade"]


def test_who_grades_blind_is_told_of(dashboard: Dashboard, study: str) -> None:
    """It shows a study, and then what it is compared with."""
    viewer, grades = dashboard.signed_in("viewer"), [{"condition": "pfirrmann", "level": "L4/L5", "grade": "1"}]
    assert viewer.get(f"/teaching/{study}").status_code == 200
    assert viewer.post(f"/api/v1/studies/{study}/teaching", json={"grades": grades}).status_code == 201
    with dashboard.store.read() as records:
        answered, opened = audit_lines(records, AuditQuery(study_id=study))
        (kept,) = reviews_of_study(records, study)
    assert (opened.action, opened.user_name) == ("open study to learn", "viewer")
    assert (answered.action, answered.user_name, answered.detail) == ("grade blind", "viewer", {"review": kept.id})
    assert opened.patient_id and opened.patient_id == answered.patient_id
