"""Two readers at once: what one says is not written over by what the other knew."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dashboard import Dashboard

from lumbago.anatomy.findings import StudyFindings
from lumbago.labels.sources import read_source
from lumbago.review.agreement import reader_pairs
from lumbago.review.readings import Opinion, Reading, StudyReading
from lumbago.review.write_reviewed import ReviewedStudy, write_reviewed
from lumbago.web import reviewed_labels


def test_labels_hold_what_both_said(
    dashboard: Dashboard, found: StudyFindings, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = dashboard.add_study(found)
    readers = [dashboard.signed_in("reader", name) for name in ("anna", "ben")]
    is_slow, may_go_on = threading.Event(), threading.Event()

    def slow(folder: Path, about: ReviewedStudy, whole: StudyReading) -> Path | None:
        if not is_slow.is_set():
            is_slow.set()
            may_go_on.wait(1.0)
        return write_reviewed(folder, about, whole)

    def say(reader: int, level: str) -> None:
        dashboard.review(readers[reader], study, "grade", ("pfirrmann", level), grade="1")

    monkeypatch.setattr(reviewed_labels, "write_reviewed", slow)
    first = threading.Thread(target=say, args=(0, "L4/L5"))
    first.start()
    assert is_slow.wait(5.0)
    say(1, "L3/L4")
    may_go_on.set()
    first.join()
    assert {row["level"] for row in dashboard.review_file(study)["corrections"]} == {"L3/L4", "L4/L5"}


PLACE = ("pfirrmann", "L4/L5", "")


def decided(dashboard: Dashboard, found: StudyFindings) -> str:
    """A study in which anna says 1 and ben 2 of a place that the machine grades otherwise; chris decides for 1."""
    rows = [replace(row, grade="5") if (row.condition, row.level) == PLACE[:2] else row for row in found.findings]
    study = dashboard.add_study(replace(found, findings=tuple(rows)))
    for name, kind, grade in (("anna", "grade", "1"), ("ben", "grade", "2"), ("chris", "adjudicate", "1")):
        assert dashboard.review(dashboard.signed_in("reader", name), study, kind, PLACE, grade=grade).status_code == 201
    return study


def shown(dashboard: Dashboard, study: str) -> dict[str, Any]:
    places = dashboard.signed_in("reader", "anna").get(f"/api/v1/studies/{study}/places").json()["places"]
    return next(row for row in places if (row["condition"], row["level"]) == PLACE[:2])


LATER = {
    "another grade": ("anna", "grade", {"grade": "3"}, ("disputed", None)),
    "the machine's": ("ben", "grade", {"grade": "5"}, ("disputed", None)),
    "that it is right": ("ben", "accept", {}, ("adjudicated", "1")),
    "another grade of who decided": ("chris", "grade", {"grade": "2"}, ("disputed", None)),
    "what was decided": ("ben", "grade", {"grade": "1"}, ("adjudicated", "1")),
    "what was decided, by who said it": ("anna", "grade", {"grade": "1"}, ("adjudicated", "1")),
    "where it is": ("ben", "move", {"point_lps_mm": [1.0, 2.0, 3.0]}, ("adjudicated", "1")),
    "a signature": ("anna", "sign", {}, ("adjudicated", "1")),
}


@pytest.mark.parametrize("case", LATER)
def test_a_decision_hides_no_grade_that_comes_later(dashboard: Dashboard, found: StudyFindings, case: str) -> None:
    study, (name, kind, payload, settled) = decided(dashboard, found), LATER[case]
    place = () if kind == "sign" else PLACE
    assert dashboard.review(dashboard.signed_in("reader", name), study, kind, place, **payload).status_code == 201
    assert (shown(dashboard, study)["state"], shown(dashboard, study)["grade"]) == settled
    if settled[1] is None:
        dashboard.review(dashboard.signed_in("reader", "chris"), study, "adjudicate", PLACE, grade="4")
        assert shown(dashboard, study)["grade"] == "4"


def test_who_accepts_what_another_reader_changed_says_the_same(dashboard: Dashboard, found: StudyFindings) -> None:
    machine = found.find(*PLACE[:2])
    assert machine is not None and machine.grade is not None
    other = next(grade for grade in machine.scale.grades if grade != machine.grade)
    study = dashboard.add_study(found)
    anna, ben = (dashboard.signed_in("reader", name) for name in ("anna", "ben"))
    dashboard.review(anna, study, "grade", PLACE, grade=other)
    late = dashboard.review(ben, study, "accept", PLACE, grade=machine.grade)
    assert late.status_code == 400 and "reload" in late.json()["detail"], "what was accepted is no longer shown"
    assert dashboard.review(ben, study, "accept", PLACE, grade=other).status_code == 201
    assert (shown(dashboard, study)["state"], shown(dashboard, study)["grade"]) == ("agreed", other)
    dashboard.review(anna, study, "grade", PLACE, grade=machine.grade)
    assert dashboard.review(anna, study, "accept", PLACE, grade=None).status_code == 201
    assert shown(dashboard, study)["state"] == "disputed"


def test_who_accepts_a_place_that_only_they_changed_takes_it_back(dashboard: Dashboard, found: StudyFindings) -> None:
    machine = found.find(*PLACE[:2])
    assert machine is not None
    study, anna = dashboard.add_study(found), dashboard.signed_in("reader", "anna")
    other = next(grade for grade in machine.scale.grades if grade != machine.grade)
    dashboard.review(anna, study, "grade", PLACE, grade=other)
    dashboard.review(anna, study, "accept", PLACE, grade=other)
    assert (shown(dashboard, study)["state"], shown(dashboard, study)["grade"]) == ("accepted", machine.grade)


def test_a_decision_leaves_a_place_where_a_reader_put_it(dashboard: Dashboard, found: StudyFindings) -> None:
    study, point = dashboard.add_study(found), [1.0, 2.0, 3.0]
    anna, ben = (dashboard.signed_in("reader", name) for name in ("anna", "ben"))
    dashboard.review(anna, study, "grade", PLACE, grade="1")
    dashboard.review(anna, study, "move", PLACE, point_lps_mm=point)
    dashboard.review(ben, study, "grade", PLACE, grade="2")
    assert (shown(dashboard, study)["state"], shown(dashboard, study)["point_lps_mm"]) == ("disputed", point)
    dashboard.review(ben, study, "adjudicate", PLACE, grade="2")
    assert (shown(dashboard, study)["state"], shown(dashboard, study)["point_lps_mm"]) == ("adjudicated", point)
    assert [row["point_lps_mm"] for row in dashboard.review_file(study)["corrections"]] == [point]


def test_who_decides_sees_what_each_reader_says(dashboard: Dashboard, found: StudyFindings) -> None:
    study, machine = dashboard.add_study(found), found.find(*PLACE[:2])
    assert machine is not None
    other = next(grade for grade in machine.scale.grades if grade != machine.grade)
    dashboard.review(dashboard.signed_in("reader", "anna"), study, "grade", PLACE, grade=other)
    assert f"Changed: {other}." in shown(dashboard, study)["about"]
    dashboard.review(dashboard.signed_in("reader", "ben"), study, "sign")
    assert f"Readers differ: {other}, {machine.grade}." in shown(dashboard, study)["about"]
    dashboard.review(dashboard.signed_in("reader", "anna"), study, "add", ("modic", "T10/T11", ""), grade="1")
    added = dashboard.signed_in("reader", "anna").get(f"/api/v1/studies/{study}/places").json()["places"][-1]
    assert added["about"] == "The machine found nothing here. Readers differ: type 1, no grade."


def test_labels_of_a_signature_go_when_another_renumbers(dashboard: Dashboard, found: StudyFindings) -> None:
    """Else a study that was signed without a correction goes on to teach the names that a reader took back."""
    study = dashboard.add_study(found)
    dashboard.review(dashboard.signed_in("reader", "anna"), study, "sign")
    assert dashboard.review_file(study)["rest_confirmed"] is True
    dashboard.review(dashboard.signed_in("reader", "ben"), study, "numbering", shift=1)
    assert list(dashboard.site.reviewed.iterdir()) == []
    dashboard.review(dashboard.signed_in("reader", "ben"), study, "sign")
    (labelled,) = read_source("reviewed", dashboard.settings.home_folder)
    machine = found.find("pfirrmann", "L4/L5")
    assert machine is not None and labelled.grade("pfirrmann", "L3/L4") == machine.grade


def test_a_comment_is_kept_whole_or_refused(dashboard: Dashboard, found: StudyFindings) -> None:
    study, reader = dashboard.add_study(found), dashboard.signed_in("reader")
    assert dashboard.review(reader, study, "comment", text="x" * 4000).status_code == 201
    answer = dashboard.review(reader, study, "comment", text="x" * 4001)
    assert answer.status_code == 400 and "4000 at most" in answer.json()["detail"]
    assert [len(one["payload"]["text"]) for one in reader.get(f"/api/v1/studies/{study}/reviews").json()] == [4000]


def test_nobody_is_told_to_learn_from_their_own_signature(dashboard: Dashboard, found: StudyFindings) -> None:
    study, answer = dashboard.add_study(found), {"condition": "pfirrmann", "level": "L4/L5", "grade": "1"}
    dashboard.review(dashboard.signed_in("reader", "anna"), study, "sign")
    for name, against in (("anna", "the machine"), ("ben", "the signed reading")):
        client = dashboard.signed_in("reader", name)
        assert f"<td>{against}</td>" in client.get("/teaching").text
        compared = client.post(f"/api/v1/studies/{study}/teaching", json={"grades": [answer]}).json()
        assert compared["against"] == against


def test_kappa_is_the_same_whoever_spoke_first(found: StudyFindings) -> None:
    site, signed = ("pfirrmann", "L4/L5", None), datetime(2026, 1, 2, tzinfo=UTC)
    readings = {
        name: Reading(name, {site: Opinion(grade, "changed", (name,))}, signed)
        for name, grade in (("anna", "2"), ("ben", "3"))
    }
    orders = [readings, dict(reversed(readings.items()))]
    assert [reader_pairs(StudyReading(found, 0, {}, order)) for order in orders] == [[("pfirrmann", "2", "3")]] * 2
