"""Grading blind, to learn: compared with a phantom's truth, else a signed reading, else the machine."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import Site, StudyFindings
from lumbago.errors import UsageError
from lumbago.records.files import files_of_study
from lumbago.records.reviews import Remark, Review, add_review, studies_graded_blind
from lumbago.records.store import Store
from lumbago.records.studies import Study
from lumbago.records.worklist import WorklistQuery, worklist
from lumbago.review.agreement import Agreement, Pair, agreement, pairs_of
from lumbago.review.changes import Course, TimePoint
from lumbago.review.readings import StudyReading
from lumbago.web.reviewing import refuse_place
from lumbago.web.study_records import TEACHING, StudyRecord, reading_in, study_record

_MOST: Final = 50
_TRUTH, _SIGNED, _MACHINE = "the truth", "the signed reading", "the machine"
_TEACHES: Final = (_TRUTH, _SIGNED, _MACHINE)
"""What an answer is compared with; what teaches most comes first."""
Grades = dict[Site, str | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person graded blind, and how it compares."""

    study_id: str
    made_at: datetime
    against: str
    own: Grades
    other: Grades

    @property
    def pairs(self) -> list[Pair]:
        """The places that both graded."""
        return pairs_of(self.own, self.other)


def keep_answer(records: Connection, record: StudyRecord, user: str, rows: Sequence[dict[str, Any]]) -> Review:
    """Keeps what was graded blind.

    Raises:
        UsageError: no findings to compare with, nothing graded, a place or a grade that is none.
    """
    if record.machine is None:
        raise UsageError("this study has no findings yet", "an analyzed study")
    if not rows:
        raise UsageError("nothing was graded", "one place at least")
    for row in rows:
        condition = CONDITIONS.get(row["condition"])
        if condition is None or row["grade"] not in condition.scale.grades:
            raise UsageError(f"there is no grade {row['grade']} of {row['condition']}", "a grade of its scale")
        refuse_place(Remark(TEACHING, row["condition"], row["level"], row["side"]))
    about = record.study.id, record.machine.id
    return add_review(records, about, user, Remark(TEACHING, payload={"grades": list(rows)}))


def reference(store: Store, record: StudyRecord, user: str) -> tuple[str, Grades]:
    """What a blind reading is compared with: its name and its grades."""
    truth = record.newest("truth")
    if truth is not None:
        found = StudyFindings.from_json(store.blobs.read(truth.sha256).decode("utf8"))
        return _TRUTH, {(row.condition, row.level, row.side): row.grade for row in found.findings}
    whole = record.whole
    if whole is None:
        return "nothing", {}
    if _is_signed_by_another(whole, user):
        return _SIGNED, {site: opinion.grade for site, opinion in whole.opinions.items()}
    return _MACHINE, {(row.condition, row.level, row.side): row.grade for row in whole.findings.findings}


def _is_signed_by_another(whole: StudyReading, user: str) -> bool:
    """From one's own signature one learns nothing."""
    return any(reading.reader != user for reading in whole.signed)


def answers_to(store: Store, record: StudyRecord, user: str) -> list[Answer]:
    """A person's blind readings of one study, oldest first."""
    against, other = reference(store, record, user)
    return [
        Answer(record.study.id, review.made_at, against, _grades(review), other)
        for review in record.reviews
        if review.kind == TEACHING and review.user_id == user
    ]


def _grades(review: Review) -> Grades:
    return {
        (row["condition"], row["level"], row["side"] or None): row["grade"] for row in review.payload.get("grades", ())
    }


@dataclass(frozen=True, slots=True)
class Exercise:
    """A study that can be graded blind: `against` says what it would be compared with."""

    id: str
    against: str
    times: int


def exercises(records: Connection, answers: Sequence[Answer], user: str) -> list[Exercise]:
    """The newest studies that a user can grade; those that teach most, with a truth or a signed reading, first."""
    found = worklist(records, WorklistQuery(states=("analyzed", "reviewed", "signed"), limit=_MOST)).studies
    times = Counter(answer.study_id for answer in answers)
    rows = [Exercise(study.id, _likely(records, study, user), times[study.id]) for study in found]
    return sorted(rows, key=lambda row: _TEACHES.index(row.against))


def _likely(records: Connection, study: Study, user: str) -> str:
    if files_of_study(records, study.id, ("truth",)):
        return _TRUTH
    whole = reading_in(records, study.id) if study.state in {"reviewed", "signed"} else None
    return _SIGNED if whole is not None and _is_signed_by_another(whole, user) else _MACHINE


def all_answers(store: Store, records: Connection, user: str) -> list[Answer]:
    """All that a person graded blind, oldest first."""
    known = [study_record(records, study) for study in studies_graded_blind(records, user)]
    answers = [answer for record in known for answer in answers_to(store, record, user)]
    return sorted(answers, key=lambda answer: answer.made_at)


def kappa_course(answers: Sequence[Answer]) -> Course | None:
    """A person's kappa, one point a blind reading."""
    points = []
    for answer in answers:
        rows: list[Agreement] = agreement(answer.pairs)
        if rows and rows[0].kappa is not None:
            text = f"{rows[0].kappa:.2f} over {rows[0].pairs} places"
            points.append(TimePoint(answer.study_id, answer.made_at.date().isoformat(), rows[0].kappa, 0.0, text))
    return Course("kappa", "kappa", "", None, tuple(points), -0.2, 1.0, changed=False, what="") if points else None
