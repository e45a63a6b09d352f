"""What no browser of ours sends: refused in one sentence, before it is kept and spoils a page for good."""

import json

import pytest
from dashboard import Dashboard

from lumbago.anatomy.findings import StudyFindings
from lumbago.records.findings import machine_findings


@pytest.mark.parametrize("said", [{"kind": "comment"}, {"kind": "grade", "condition": "pfirrmann", "level": "L4/L5"}])
def test_half_a_character_is_not_kept(dashboard: Dashboard, found: StudyFindings, said: dict[str, str]) -> None:
    study, reader = dashboard.add_study(found), dashboard.signed_in("reader")
    with dashboard.store.read() as records:
        newest = machine_findings(records, study)
    assert newest is not None
    body = {"findings_id": newest.id, "payload": {"text": "cut \ud83e", "grade": "\ud83e"}} | said
    headers = {"Content-Type": "application/json"}
    answer = reader.post(f"/api/v1/studies/{study}/reviews", content=json.dumps(body), headers=headers)
    assert answer.status_code == 422 and "half a character" in answer.json()["detail"]
    assert reader.get(f"/studies/{study}").status_code == 200
    assert reader.get(f"/api/v1/studies/{study}/reviews").json() == []


@pytest.mark.parametrize(("level", "side"), [("L9/L8", ""), ("", ""), ("L4/L5", "left"), ("L4/L5", "middle")])
def test_no_place_that_there_is_not_is_graded_blind(
    dashboard: Dashboard, found: StudyFindings, level: str, side: str
) -> None:
    study, viewer = dashboard.add_study(found), dashboard.signed_in("viewer")
    grade = {"condition": "pfirrmann", "level": level, "side": side, "grade": "1"}
    answer = viewer.post(f"/api/v1/studies/{study}/teaching", json={"grades": [grade]})
    assert answer.status_code == 400 and answer.json()["detail"].endswith(".")
    assert viewer.get("/teaching").status_code == 200


def test_who_grades_nothing_is_told_so(dashboard: Dashboard, found: StudyFindings) -> None:
    study = dashboard.add_study(found)
    answer = dashboard.signed_in("viewer").post(f"/api/v1/studies/{study}/teaching", json={"grades": []})
    assert answer.status_code == 400 and answer.json()["detail"].startswith("nothing was graded")
