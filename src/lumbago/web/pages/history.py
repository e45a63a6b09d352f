"""A patient's studies over time."""

from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from lumbago.anatomy.levels import bottom_count
from lumbago.records.audit import Event
from lumbago.records.patients import find_patient
from lumbago.records.studies import Study, studies_of_patient
from lumbago.report.visible_text import person_name
from lumbago.review.changes import Course, courses
from lumbago.review.signed_findings import signed_findings
from lumbago.web.access import Visitor, audited
from lumbago.web.rendering import page
from lumbago.web.study_records import reading_in
from lumbago.web.visitors import Here

router = APIRouter(include_in_schema=False)
Opening = Annotated[Visitor, Depends(audited("viewer", Event.PATIENT_RECORD, "open history"))]


def patient_courses(records: Connection, studies: list[Study]) -> list[Course]:
    """What two studies or more of a patient share, as signed where a reader signed, else as the machine graded."""
    dated = []
    for study in studies:
        whole = reading_in(records, study.id)
        if whole is not None:
            findings = signed_findings(whole, "", "") if whole.signed else whole.findings
            dated.append((study.id, study.date or study.received_at.date().isoformat(), findings))
    return sorted(courses(dated), key=lambda course: -bottom_count(course.level))


@router.get("/patients/{patient_id}")
def history_page(request: Request, patient_id: str, visitor: Opening, site: Here) -> Response:
    """Every disc over time, and what changed beyond error."""
    with site.store.read() as records:
        patient = find_patient(records, patient_id)
        studies = list(studies_of_patient(records, patient_id))
        found = patient_courses(records, studies)
    by_level = [(level, list(rows)) for level, rows in groupby(found, lambda course: course.level)]
    return page(
        request, "history.html", visitor, patient=patient, patient_name=person_name(patient.name) or "no name",
        studies=studies, courses=found, by_level=by_level, changed=[course for course in found if course.changed],
    )  # fmt: skip
