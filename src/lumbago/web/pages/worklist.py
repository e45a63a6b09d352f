"""The worklist."""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from lumbago.records.audit import Event
from lumbago.records.jobs import Job, open_jobs
from lumbago.records.studies import STATES, Study
from lumbago.records.worklist import Order, WorklistQuery, worklist
from lumbago.report.visible_text import person_name, visible
from lumbago.web.access import Visitor, audited
from lumbago.web.rendering import page, when
from lumbago.web.visitors import Here

router = APIRouter(include_in_schema=False)
ROWS: Final = 50
_ORDERS: Final = (
    ("received", "newest received"), ("severity", "most severe"), ("uncertainty", "least certain"),
    ("date", "newest study"), ("name", "by name"),
)  # fmt: skip
Looking = Annotated[Visitor, Depends(audited("viewer", Event.QUERY, "worklist", every_seconds=60.0))]


class Wanted(BaseModel):
    """What the address asks for."""

    search: str = ""
    state: str = ""
    since: str = ""
    until: str = ""
    order: Order = "received"
    start: Annotated[int, Field(le=1 << 53)] = 0


def query_of(wanted: Wanted, limit: int = ROWS) -> WorklistQuery:
    """The records' query for it."""
    states = (wanted.state,) if wanted.state in STATES else ()
    return WorklistQuery(
        wanted.search[:200], states, wanted.since[:10], wanted.until[:10], order=wanted.order,
        limit=limit, offset=max(0, wanted.start),
    )  # fmt: skip


@router.get("/")
def worklist_page(request: Request, visitor: Looking, site: Here, wanted: Annotated[Wanted, Query()]) -> Response:
    """Studies, searched, filtered, ordered."""
    with site.store.read() as records:
        found = worklist(records, query_of(wanted))
        jobs = {job.study_id: job for job in open_jobs(records)}
    first = max(0, wanted.start)
    last = first + len(found.studies)
    return page(
        request, "worklist.html", visitor, query=wanted, states=STATES, orders=_ORDERS, total=found.total,
        first=first + 1, last=last, rows=[_row(study, jobs.get(study.id)) for study in found.studies],
        previous=_address(wanted, max(0, first - ROWS)) if first else "",
        following=_address(wanted, last) if last < found.total else "",
    )  # fmt: skip


def _row(study: Study, job: Job | None) -> dict[str, Any]:
    return {
        "id": study.id, "patient_name": person_name(study.patient.name), "date": study.date,
        "patient_id": visible(study.patient.patient_id), "description": visible(study.description),
        "severity": study.severity, "uncertainty": study.uncertainty, "state": study.state,
        "received": when(study.received_at),
        "message": f" {job.progress:.0%} {job.message}" if job is not None and job.state == "running" else "",
    }  # fmt: skip


def _address(wanted: Wanted, start: int) -> str:
    values = {name: value for name, value in wanted.model_dump().items() if value and name != "start"}
    return "/?" + urlencode(values | {"start": start})
