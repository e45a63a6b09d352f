"""What came later counts as later, whatever the server's clock says."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from made_up_records import PLACE, findings, someone

from lumbago.records import moments
from lumbago.records.files import add_file, files_of_study
from lumbago.records.findings import add_findings, findings_of_study
from lumbago.records.patients import PatientFacts
from lumbago.records.reviews import Remark, add_review, reviews_of_study
from lumbago.records.standing import standing_version
from lumbago.records.store import Store
from lumbago.records.studies import StudyFacts, add_study
from lumbago.records.tables import now

STEPS = {"stands still": timedelta(0), "is set back": timedelta(hours=-1)}


@pytest.fixture(params=STEPS)
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that gives no later time."""

    def times() -> Iterator[datetime]:
        moment = now()
        while True:
            yield moment
            moment += STEPS[request.param]

    given = times()
    monkeypatch.setattr(moments, "now", lambda: next(given))


@pytest.mark.usefixtures("clock")
def test_the_last_word_is_the_last_and_a_signature_is_taken_back_by_what_follows_it(store: Store) -> None:
    grades = list("123456789")
    with store.write() as db:
        study = add_study(db, PatientFacts("1"), StudyFacts("1.2.3")).id
        machine, reader = add_findings(db, study, findings(), {}), someone(db).id
        for grade in grades:
            add_review(db, (study, machine.id), reader, Remark("grade", *PLACE, {"grade": grade}))
        signed = add_findings(db, study, findings(), {}, reader)
        assert [row.payload["grade"] for row in reviews_of_study(db, study)] == grades
        assert standing_version(findings_of_study(db, study), reviews_of_study(db, study)) == signed
        add_review(db, (study, machine.id), reader, Remark("accept", *PLACE))
        assert standing_version(findings_of_study(db, study), reviews_of_study(db, study)) == machine


@pytest.mark.usefixtures("clock")
def test_the_images_that_came_last_are_the_newest(store: Store) -> None:
    names = [f"{number}.zip" for number in range(9)]
    blobs = [store.blobs.keep([name.encode()]) for name in names]
    with store.write() as db:
        study = add_study(db, PatientFacts("1"), StudyFacts("1.2.3")).id
        for name, blob in zip(names, blobs, strict=True):
            add_file(db, blob, "received", name, study)
        assert [file.name for file in files_of_study(db, study)] == names
