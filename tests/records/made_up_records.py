"""Small records to test with: patients with studies, findings, reviews, files."""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection

from lumbago.anatomy.findings import Finding, StudyFindings, StudySummary
from lumbago.records.audit import Actor, Deed, Event, append_line
from lumbago.records.files import add_file
from lumbago.records.findings import add_findings
from lumbago.records.patients import PatientFacts
from lumbago.records.reviews import Remark, add_review
from lumbago.records.store import Store
from lumbago.records.studies import SeriesFacts, Study, StudyFacts, add_study, put_series
from lumbago.records.users import User, add_user, user_named

SURE = {"normal_mild": 0.0, "moderate": 0.0, "severe": 1.0}
MILD = {"normal_mild": 1.0, "moderate": 0.0, "severe": 0.0}


def graded(grade: str | None, probabilities: Mapping[str, float]) -> Finding:
    return Finding("spinal_canal_stenosis", "L4/L5", None, grade, dict(probabilities), abstained=grade is None)


def findings(*rows: Finding) -> StudyFindings:
    return StudyFindings(StudySummary("study", "1.2.3"), (), rows)


def someone(db: Connection, name: str = "anna") -> User:
    return user_named(db, name) or add_user(db, name, "admin", password_hash="x")


def add_whole_study(store: Store, patient: PatientFacts, uid: str, content: bytes = b"a zip") -> Study:
    """A study with everything that can hang on it."""
    received, picture = store.blobs.keep([content]), store.blobs.keep([f"picture of {uid}".encode()])
    with store.write() as db:
        study = add_study(db, patient, StudyFacts(uid, "2026-11-21", "LUMBAR SPINE", "A77", "pacs"))
        put_series(db, study.id, [SeriesFacts(f"{uid}.1", "sag t2", "sagittal_t2", "sagittal", "T2", 15)])
        add_file(db, received, "received", "../../evil name.zip", study.id)
        add_file(db, picture, "heat_map", "heat.png", study.id)
        made = add_findings(db, study.id, findings(graded("severe", SURE)), {"seconds": 1.5})
        user = someone(db)
        add_review(db, (study.id, made.id), user.id, Remark("grade", *PLACE, payload={"grade": "moderate"}))
        second = replace(findings(graded("moderate", MILD)))
        add_findings(db, study.id, second, {}, user.id)
        append_line(db, Actor(user.id, user.name), Deed(Event.IMPORT, "receive", "success", study.id, study.patient.id))
    return study


PLACE = ("spinal_canal_stenosis", "L4/L5", "")
