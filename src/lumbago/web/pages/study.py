"""The study page, and two studies side by side."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from lumbago.anatomy.conditions import CONDITIONS, ROLE_TITLES
from lumbago.errors import UsageError
from lumbago.records.audit import Event
from lumbago.records.studies import find_study
from lumbago.report import wording
from lumbago.report.measurement_table import measurement_table
from lumbago.report.visible_text import person_name
from lumbago.review.agreement import agreement, reader_pairs
from lumbago.review.signed_findings import settled_findings
from lumbago.review.study_table import study_table
from lumbago.web.access import Visitor, audited
from lumbago.web.place_view import chips
from lumbago.web.rendering import page
from lumbago.web.reviewing import levels_from_the_top
from lumbago.web.study_records import study_record, user_names
from lumbago.web.visitors import Here

router = APIRouter(include_in_schema=False)
Opening = Annotated[Visitor, Depends(audited("viewer", Event.INSTANCES_ACCESSED, "open study"))]


@router.get("/studies/{study_id}")
def study_page(request: Request, study_id: str, visitor: Opening, site: Here) -> Response:
    """A study: its images, what was found, what readers say."""
    with site.store.read() as records:
        record, names = study_record(records, study_id), user_names(records)
    known: dict[str, Any] = {
        "study": record.study, "job": record.job, "series": record.series, "names": names,
        "is_report_pending": record.is_report_pending, "report": record.report, "report_job": record.report_job,
        "is_signed": record.is_signed, "report_follows_numbering": record.report_follows_numbering,
        "patient_name": person_name(record.study.patient.name) or "no name",
        "findings": record.machine, "versions": record.versions, "whole": record.whole, "table": None,
        "conditions": CONDITIONS.values(), "role_titles": ROLE_TITLES, "levels": levels_from_the_top(),
    }  # fmt: skip
    if record.whole is not None:
        settled = settled_findings(record.whole)
        known |= {
            "table": study_table(record.whole), "headline": wording.headline(settled),
            "limits": wording.limits(record.whole.findings), "remarks": wording.remarks(record.whole.findings),
            "measurements": measurement_table(record.whole.findings),
            "not_assessed": wording.not_assessed_lines(settled),
            "cautions": wording.cautions(record.whole.findings), "models": record.whole.findings.models,
            "agreement": agreement(reader_pairs(record.whole)),
            "chips": chips(record.whole), "may_adjudicate": len(record.whole.readings) > 1,
        }  # fmt: skip
    return page(request, "study.html", visitor, **known)


@router.get("/studies/{study_id}/beside/{other_id}")
def beside_page(request: Request, study_id: str, other_id: str, visitor: Opening, site: Here) -> Response:
    """Two studies of one patient, linked.

    Raises:
        UsageError: they are of two: one name would stand over both.
    """
    with site.store.read() as records:
        first, second = find_study(records, study_id), find_study(records, other_id)
    if first.patient.id != second.patient.id:
        raise UsageError("these studies are of two patients", "two studies of one")
    name = person_name(first.patient.name) or "no name"
    return page(request, "beside.html", visitor, first=first, second=second, patient_name=name)
