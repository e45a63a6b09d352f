"""Two readers at once: what one says is not written over by what the other knew."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dashboard import Dashboard

from lumbago.anatomy.findings import StudyFindings
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


def test_kappa_is_the_same_whoever_spoke_first(found: StudyFindings) -> None:
    site, signed = ("pfirrmann", "L4/L5", None), datetime(2026, 1, 2, tzinfo=UTC)
    readings = {
        name: Reading(name, {site: Opinion(grade, "changed", (name,))}, signed)
        for name, grade in (("anna", "2"), ("ben", "3"))
    }
    orders = [readings, dict(reversed(readings.items()))]
    assert [reader_pairs(StudyReading(found, 0, {}, order)) for order in orders] == [[("pfirrmann", "2", "3")]] * 2
