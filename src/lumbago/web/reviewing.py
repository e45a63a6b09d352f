"""A reader says something about a study: it is checked, added to the records, and becomes a training label."""

from typing import Any

from sqlalchemy import Connection

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.levels import MOST_DISCS, Side, bottom_count, level_from_bottom
from lumbago.errors import UsageError
from lumbago.records.audit import Deed, Event, append_line
from lumbago.records.findings import add_findings
from lumbago.records.jobs import add_job
from lumbago.records.reviews import Remark, Review, add_review
from lumbago.records.studies import Study, set_state
from lumbago.records.tables import now
from lumbago.records.users import User
from lumbago.review.readings import StudyReading
from lumbago.review.signed_findings import signed_findings
from lumbago.web.access import Visitor
from lumbago.web.rendering import when
from lumbago.web.reviewed_labels import write_labels
from lumbago.web.site import Site
from lumbago.web.study_records import study_record

_LEVELS = tuple(level_from_bottom(count) for count in range(1, MOST_DISCS + 1))
_LONGEST_TEXT = 4000
_WITH_PLACE = frozenset({"accept", "grade", "move", "add", "adjudicate"})


def review_study(
    site: Site, visitor: Visitor, study_id: str, findings_id: str, remark: Remark, *, shift_seen: int | None = None
) -> Review:
    """Adds a review of a study, and its line of the audit trail; signing settles a version of its findings and queues
    its report.

    Args:
        findings_id, shift_seen: the findings and the numbering that the reader had before them; None: as it is.

    Raises:
        NotInRecords: no such study.
        UsageError: the study has no findings, newer ones or another numbering than the reader saw, or the remark makes
            no sense.
    """
    with site.store.write() as records:
        record = study_record(records, study_id)
        if record.machine is None or record.whole is None:
            raise UsageError("this study has no findings yet", "an analyzed study")
        if findings_id != record.machine.id:
            raise UsageError(
                "this study was analyzed anew meanwhile", "a review of the newest findings", "reload the page"
            )
        if shift_seen not in (None, record.whole.shift):
            raise UsageError(
                "the levels were renumbered meanwhile", "a review under the numbering in force", "reload the page"
            )
        checked = _checked(remark, record.whole, visitor.user.id)
        _refuse_lone_verdict(checked, record.whole)
        review = add_review(records, (study_id, record.machine.id), visitor.user.id, checked)
        whose, detail = record.study.patient.id, {"review": review.id, "kind": review.kind}
        deed = Deed(Event.PROCEDURE_RECORD, "review", "success", study_id, whose, detail)
        append_line(records, visitor.actor, deed)
        whole = study_record(records, study_id).whole
        if remark.kind == "sign" and whole is not None:
            _settle(records, record.study, whole, visitor.user)
        elif remark.kind != "comment":
            set_state(records, study_id, "reviewed")
    write_labels(site.store, site.reviewed, study_id)
    return review


def _checked(remark: Remark, whole: StudyReading, reader: str) -> Remark:
    """The remark with nothing in it but what its kind has, and the numbering now in force."""
    payload: dict[str, Any] = {"shift": whole.shift}
    if remark.kind in _WITH_PLACE or remark.condition or remark.level:
        refuse_place(remark)
    if remark.kind in {"grade", "add", "adjudicate"}:
        payload["grade"] = _grade(remark)
    if remark.kind == "accept":
        payload["grade"] = _accepted(remark, whole, reader)
    for name, corners in (("point_lps_mm", 1), ("box_lps_mm", 2)):
        if remark.payload.get(name) is not None and remark.kind in {"move", "add"}:
            payload[name] = _numbers(remark.payload[name], corners)
    if "box_lps_mm" in payload and remark.payload.get("box_down_lps") is not None:
        payload["box_down_lps"] = _numbers(remark.payload["box_down_lps"], 1)
    if remark.kind == "move" and len(payload) == 1:
        raise UsageError("nothing was moved", "point_lps_mm or box_lps_mm")
    if remark.kind == "numbering":
        payload["shift"] = _shift(remark.payload.get("shift"))
    text = str(remark.payload.get("text", "")).strip()
    if len(text) > _LONGEST_TEXT:
        raise UsageError(f"the comment has {len(text)} characters", f"{_LONGEST_TEXT} at most", "send it in two")
    if remark.kind == "comment" and not text:
        raise UsageError("the comment is empty", "some words")
    return Remark(remark.kind, remark.condition, remark.level, remark.side, payload | ({"text": text} if text else {}))


def refuse_place(remark: Remark) -> None:
    """Nothing is kept of a place that there is not.

    Raises:
        UsageError: there is no such condition, level, or side of it.
    """
    condition = CONDITIONS.get(remark.condition)
    if condition is None or remark.level not in _LEVELS:
        raise UsageError(f"there is no place {remark.condition} {remark.level}", "a condition and a level")
    if (remark.side or None) not in condition.sides:
        wanted = "left or right" if condition.sided else "no side"
        raise UsageError(f"{condition.title} is not graded {remark.side or 'without side'}", wanted)


def _grade(remark: Remark) -> str | None:
    grade, scale = remark.payload.get("grade"), CONDITIONS[remark.condition].scale
    if grade is not None and grade not in scale.grades:
        raise UsageError(f"there is no grade {grade}", f"one of {', '.join(scale.grades)}")
    return grade


def _accepted(remark: Remark, whole: StudyReading, reader: str) -> str | None:
    """What the reader saw: a later analysis may say otherwise, and was not accepted. Where others gave a grade it
    is theirs; where readers differ, or nobody else has said anything, the machine's."""
    side: Side | None = "left" if remark.side == "left" else "right" if remark.side == "right" else None
    opinion = whole.opinions.get((remark.condition, remark.level, side))
    grade = None if opinion is None else opinion.grade
    if remark.payload.get("grade", grade) != grade:
        raise UsageError("this place was graded otherwise meanwhile", "the grade that stands now", "reload the page")
    if opinion is None or opinion.machine is None or opinion.state == "adjudicated":
        return grade
    return opinion.machine.grade if grade is None or opinion.readers == (reader,) else grade


def _numbers(value: Any, corners: int) -> Any:
    rows = [value] if corners == 1 else value
    is_sound = isinstance(rows, list) and len(rows) == corners and all(
        isinstance(row, list) and len(row) == 3 and all(isinstance(x, int | float) and abs(x) < 1e5 for x in row)
        for row in rows
    )  # fmt: skip
    if not is_sound:
        raise UsageError("a place is no point in millimetres", "x, y, z")
    return value


def _shift(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 3:
        raise UsageError(f"levels cannot be moved by {value}", "-3 to 3")
    return value


def _refuse_lone_verdict(remark: Remark, whole: StudyReading) -> None:
    """Deciding takes two readers who may differ."""
    if remark.kind == "adjudicate" and len(whole.readings) < 2:
        raise UsageError("fewer than two readers have judged this study", "two readings to decide between")


def _settle(records: Connection, study: Study, whole: StudyReading, user: User) -> None:
    signed = signed_findings(whole, user.shown_name, when(now()))
    made = add_findings(records, study.id, signed, {}, user.id)
    add_job(records, "report", study.id, {"findings": made.id}, priority=1)
    set_state(records, study.id, "signed")


def levels_from_the_top() -> list[str]:
    """Names that a lesion may have, from L1/L2 down, then those above."""
    return sorted(_LEVELS[:7], key=bottom_count, reverse=True)
