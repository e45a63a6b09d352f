"""Teaching: grade a study blind, then compare."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import Site
from lumbago.anatomy.levels import LEVELS
from lumbago.records.audit import Event
from lumbago.review.agreement import agreement
from lumbago.review.study_table import Head, heads_of
from lumbago.web.access import Visitor, audited
from lumbago.web.rendering import page
from lumbago.web.study_records import StudyRecord, study_record
from lumbago.web.teaching import Answer, all_answers, answers_to, exercises, kappa_course
from lumbago.web.visitors import Here, Viewer

router = APIRouter(include_in_schema=False)
Opening = Annotated[Visitor, Depends(audited("viewer", Event.INSTANCES_ACCESSED, "open study to learn"))]


@router.get("/teaching")
def teaching_page(request: Request, visitor: Viewer, site: Here) -> Response:
    """Studies to grade, and one's kappa over time."""
    with site.store.read() as records:
        answers = all_answers(site.store, records, visitor.user.id)
        rows = exercises(records, answers, visitor.user.id)
    pairs = [pair for answer in answers for pair in answer.pairs]
    return page(request, "teaching.html", visitor, studies=rows, course=kappa_course(answers),
                overall=agreement(pairs))  # fmt: skip


@router.get("/teaching/{study_id}")
def teaching_study_page(
    request: Request, study_id: str, visitor: Opening, site: Here, compare: bool = False
) -> Response:
    """A study without its findings; after an answer, beside what it is compared with."""
    with site.store.read() as records:
        record = study_record(records, study_id)
    answers = answers_to(site.store, record, visitor.user.id) if compare else []
    known = _compared(answers[-1]) if answers else {"compared": [], "against": "", "agreement": []}
    return page(request, "teaching_study.html", visitor, study=record.study, levels=LEVELS, heads=_heads(record),
                **known)  # fmt: skip


def _heads(record: StudyRecord) -> tuple[Head, ...]:
    """What can be graded: the conditions that somebody graded in this study, so that nothing else is given away."""
    return heads_of({site[0] for site in record.whole.opinions} if record.whole else CONDITIONS)


def _compared(answer: Answer) -> dict[str, Any]:
    rows = [_row(site, grade, answer.other.get(site)) for site, grade in answer.own.items()]
    return {"compared": rows, "against": answer.against, "agreement": agreement(answer.pairs)}


def _row(site: Site, own: str | None, other: str | None) -> dict[str, Any]:
    condition = CONDITIONS[site[0]]
    titles = dict(zip(condition.scale.grades, condition.scale.titles, strict=True))
    place = " ".join(part for part in (site[1], site[2], condition.title) if part)
    return {"place": place, "own": titles.get(own or "", "–"), "other": titles.get(other or "", "no grade"),
            "equal": own == other}  # fmt: skip
