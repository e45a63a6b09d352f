"""Grading blind."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from lumbago.records.audit import Deed, Event, append_line
from lumbago.review.agreement import agreement
from lumbago.web.study_records import study_record
from lumbago.web.teaching import answers_to, keep_answer
from lumbago.web.visitors import Here, Viewer

router = APIRouter(prefix="/api/v1", tags=["teaching"])
_EVENT = Event.PROCEDURE_RECORD


class GradeGiven(BaseModel):
    """A grade, given without seeing the machine's."""

    condition: Annotated[str, Field(max_length=60)]
    level: Annotated[str, Field(max_length=10)]
    side: Annotated[str, Field(max_length=10)] = ""
    grade: Annotated[str, Field(max_length=30)]


class Answers(BaseModel):
    """All grades of a blind reading."""

    grades: Annotated[list[GradeGiven], Field(max_length=500)]


@router.post("/studies/{study_id}/teaching", status_code=201)
def answer(study_id: str, wanted: Answers, visitor: Viewer, site: Here) -> dict[str, Any]:
    """Keeps a blind reading; gives how it agrees with truth, signed reading, or machine."""
    with site.store.write() as records:
        record = study_record(records, study_id)
        kept = keep_answer(records, record, visitor.user.id, [row.model_dump() for row in wanted.grades])
        whose, detail = record.study.patient.id, {"review": kept.id}
        append_line(records, visitor.actor, Deed(_EVENT, "grade blind", "success", study_id, whose, detail))
        record = study_record(records, study_id)
    last = answers_to(site.store, record, visitor.user.id)[-1]
    rows = agreement(last.pairs)
    return {"against": last.against, "agreement": [
        {"condition": row.condition, "pairs": row.pairs, "equal": row.equal, "kappa": row.kappa} for row in rows
    ]}  # fmt: skip
