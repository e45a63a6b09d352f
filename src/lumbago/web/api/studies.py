"""Studies: the worklist, findings, reports, reviews."""

import json
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field, field_validator

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import NotInRecords, UsageError
from lumbago.records.audit import Deed, Event, append_line
from lumbago.records.jobs import add_job
from lumbago.records.reviews import Remark
from lumbago.records.studies import Study, set_state
from lumbago.records.worklist import worklist
from lumbago.report.wording import headline
from lumbago.review.signed_findings import settled_findings
from lumbago.web.access import Visitor, audited
from lumbago.web.live import job_view
from lumbago.web.pages.worklist import Wanted, query_of
from lumbago.web.place_view import chips, place_views
from lumbago.web.reviewing import review_study
from lumbago.web.study_records import TEACHING, StudyRecord, study_record
from lumbago.web.visitors import Here, Reader, Viewer

router = APIRouter(prefix="/api/v1", tags=["studies"])
Opening = Annotated[Visitor, Depends(audited("viewer", Event.INSTANCES_ACCESSED, "read findings", every_seconds=60.0))]
Exporting = Annotated[Visitor, Depends(audited("viewer", Event.EXPORT, "download"))]
Looking = Annotated[Visitor, Depends(audited("viewer", Event.QUERY, "worklist", every_seconds=60.0))]


def study_view(study: Study) -> dict[str, Any]:
    """A study as programs see it."""
    return asdict(study)


@router.get("/studies")
def studies(
    visitor: Looking, site: Here, wanted: Annotated[Wanted, Query()], limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> dict[str, Any]:
    """The worklist: `search`, `state`, `since`, `until`, `order`, from `start` on."""
    with site.store.read() as records:
        found = worklist(records, query_of(wanted, limit))
    return {"total": found.total, "studies": [study_view(study) for study in found.studies]}


@router.get("/studies/{study_id}")
def study(study_id: str, visitor: Opening, site: Here) -> dict[str, Any]:
    """A study, its series, its newest job, and how many versions of findings it has."""
    with site.store.read() as records:
        record = study_record(records, study_id)
    return study_view(record.study) | {
        "series": [asdict(one) for one in record.series], "versions": record.versions,
        "findings_id": record.machine.id if record.machine else None,
        "job": job_view(record.job) if record.job else None,
    }  # fmt: skip


@router.get("/studies/{study_id}/findings.json", response_class=Response)
def findings(study_id: str, visitor: Exporting, site: Here, machine: bool = False) -> Response:
    """The findings that stand: as signed while nothing was changed since, else the machine's; with `machine` always
    those of the machine."""
    with site.store.read() as records:
        record = study_record(records, study_id)
    newest = record.machine if machine else record.standing
    if newest is None:
        raise NotInRecords("this study has no findings yet")
    return _download(newest.findings.to_json().encode(), "application/json", f"findings-{study_id[:8]}.json")


@router.get("/studies/{study_id}/report.pdf", response_class=FileResponse)
def report(study_id: str, visitor: Exporting, site: Here) -> FileResponse:
    """The report of the findings that stand, as a PDF: of the signed reading, else the machine's, which its name then
    says, as it does where a reader has renumbered the levels since; none while it is being made."""
    with site.store.read() as records:
        record = study_record(records, study_id)
    if record.report is None:
        raise _no_report(record)
    path = site.store.blobs.checked(record.report.sha256)
    about = ("" if record.is_signed else "-not-signed") + ("" if record.report_follows_numbering else "-nor-renumbered")
    return FileResponse(path, media_type="application/pdf", filename=f"report-{study_id[:8]}{about}.pdf")


def _no_report(record: StudyRecord) -> NotInRecords:
    if record.is_report_pending:
        return NotInRecords("the report of the signed reading is being made", advice="try again in a moment")
    if record.is_signed:
        why = record.report_job.error if record.report_job is not None else "its job is gone"
        return NotInRecords(f"the report of the signed reading was not made ({why})", advice="sign it again")
    return NotInRecords("this study has no report yet")


def _download(content: bytes, kind: str, name: str) -> Response:
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@router.get("/conditions")
def conditions(visitor: Viewer) -> list[dict[str, Any]]:
    """What can be graded, by which grades."""
    return [
        {"name": row.name, "title": row.title, "sided": bool(row.sides[0]), "definition": row.definition,
         "grades": [{"grade": grade, "title": title}
                    for grade, title in zip(row.scale.grades, row.scale.titles, strict=True)]}
        for row in CONDITIONS.values()
    ]  # fmt: skip


@router.get("/studies/{study_id}/places")
def places(study_id: str, visitor: Opening, site: Here) -> dict[str, Any]:
    """Every place with the machine's probabilities, what readers say, and what is settled; all in all, too."""
    with site.store.read() as records:
        record = study_record(records, study_id)
    whole = record.whole
    if whole is None:
        return {"places": [], "numbering_shift": 0, "headline": "", "abnormal": {"shown": [], "more": 0}}
    return {"places": place_views(whole), "numbering_shift": whole.shift,
            "headline": headline(settled_findings(whole)), "abnormal": chips(whole)}  # fmt: skip


class ReviewWanted(BaseModel):
    """What a reader says; `payload` holds `grade`, `point_lps_mm`, `box_lps_mm`, `box_down_lps`, `shift` or `text`, as
    needed. `numbering_shift` is that of `places`, under which the levels are named: with another one it is refused."""

    findings_id: str
    numbering_shift: int | None = None
    kind: Literal["accept", "grade", "move", "add", "numbering", "comment", "sign", "adjudicate"]
    condition: str = ""
    level: str = ""
    side: Literal["", "left", "right"] = ""
    payload: Annotated[dict[str, Any], Field(default_factory=dict)]

    @field_validator("payload")
    @classmethod
    def refuse_half_characters(cls, payload: dict[str, Any]) -> dict[str, Any]:
        """They can be kept, and then no page that shows them can be sent."""
        try:
            json.dumps(payload, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError("the text holds half a character (a lone surrogate)") from error
        return payload


@router.get("/studies/{study_id}/reviews")
def reviews(study_id: str, visitor: Opening, site: Here) -> list[dict[str, Any]]:
    """All that was said about a study, oldest first; what was graded blind to learn is left out."""
    with site.store.read() as records:
        return [asdict(review) for review in study_record(records, study_id).reviews if review.kind != TEACHING]


@router.post("/studies/{study_id}/reviews", status_code=201)
def review(study_id: str, wanted: ReviewWanted, visitor: Reader, site: Here) -> dict[str, Any]:
    """Says something about the newest findings of a study; it is kept beside all that was said before."""
    remark = Remark(wanted.kind, wanted.condition, wanted.level, wanted.side, wanted.payload)
    return asdict(review_study(site, visitor, study_id, wanted.findings_id, remark, shift_seen=wanted.numbering_shift))


@router.post("/studies/{study_id}/analyze", status_code=202)
def analyze(study_id: str, visitor: Reader, site: Here) -> dict[str, Any]:
    """Queues a new analysis; the findings there are stay."""
    with site.store.write() as records:
        record = study_record(records, study_id)
        if record.job is not None and record.job.kind == "analyze" and record.job.state in {"waiting", "running"}:
            raise UsageError("this study waits for its analysis already")
        job = add_job(records, "analyze", study_id)
        set_state(records, study_id, "waiting")
        deed = Deed(Event.PROCEDURE_RECORD, "analyze", "success", study_id, record.study.patient.id)
        append_line(records, visitor.actor, deed)
    return job_view(job)
